import pytest

from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_store import FeatureStore
from eznas.evaluation.workers import Workers
from tests.evaluation.networks import FEATURES, SHARDS, make_evaluator
from tests.evaluation.stored import CONFIGS, SPACE


@pytest.fixture(scope="session")
def reference():
    """The values of all `FEATURES` on each of `SHARDS`, from this process alone."""
    return Workers(SerialExecutor(make_evaluator)).evaluate(SHARDS, FEATURES)


@pytest.fixture
def open_store(tmp_path):
    """Opens feature stores and claims them; at the end they are closed."""
    opened = []

    def open_and_claim(path=tmp_path / "store"):
        opened.append(FeatureStore(path, SPACE))
        opened[-1].claim(CONFIGS)
        return opened[-1]

    yield open_and_claim
    for store in opened:
        store.close()
