"""Workers with a feature store: what it holds is not measured again, and a killed run goes on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.evaluation import feature_store as store_module
from eznas.evaluation.executors import SerialExecutor
from eznas.evaluation.feature_file import DIGITS
from eznas.evaluation.feature_store import SHARDS_PER_APPEND, FeatureStore, StoredWorkers
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.workers import Workers
from tests.evaluation import networks
from tests.evaluation.stored import (
    ARCHITECTURES,
    CONFIGS,
    CONTEXTS,
    FEATURES,
    MEMBERS,
    SHARDS,
    SPACE,
    add,
    as_stored,
    check_equal,
    contents,
    made_up,
    reread,
)

ROOT = Path(__file__).parents[2]


class MadeUpWorkers:
    """Workers without networks; `calls` are the (context, number) of shards and texts of each."""

    count = 1

    def __init__(self):
        self.calls = []
        self.closed = False

    def evaluate(self, shards, texts):
        self.calls.append(([(s.context, s.number) for s in shards], list(texts)))
        return [made_up(shard.context, texts, shard.architectures) for shard in shards]

    def close(self):
        self.closed = True


def stored_workers(store, workers=None):
    return StoredWorkers(workers or MadeUpWorkers(), store, CONTEXTS)


def check_values(values, expected):
    for shard_values, shard_expected in zip(values, expected, strict=True):
        check_equal(shard_values, shard_expected)


EXPECTED = [as_stored(made_up(s.context, FEATURES, s.architectures)) for s in SHARDS]


def test_only_what_is_missing_is_evaluated(open_store):
    workers = stored_workers(open_store())
    calls, texts = workers.workers.calls, list(FEATURES)
    assert SHARDS_PER_APPEND == 4
    check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    assert calls == [
        ([(0, 0), (0, 1), (0, 2), (0, 3)], texts),
        ([(0, 4), (1, 0), (1, 1), (1, 2)], texts),
        ([(1, 3), (1, 4)], texts),
    ]
    calls.clear()
    check_values(workers.evaluate(SHARDS, FEATURES), EXPECTED)
    indices = [3, 1, 8, 6]
    values = workers.evaluate([SHARDS[i] for i in indices], FEATURES[2:0:-1])
    check_values(values, [EXPECTED[i].rows([2, 1]) for i in indices])
    assert calls == []
    workers.evaluate(SHARDS[:2], ["sum_layers(y)", FEATURES[0]])
    assert calls == [([(0, 0), (0, 1)], ["sum_layers(y)"])]


def test_shards_that_lack_the_same_are_evaluated_together(open_store):
    store = open_store()
    add(store, [0], FEATURES[:2])
    add(store, [1])
    add(store, [2], contexts=[1])  # in one context only
    for context, config in enumerate(CONFIGS):  # all networks of shard 3 but the first
        rest = MEMBERS[3][1:]
        store.append(FEATURES, [(config, rest, made_up(context, FEATURES, rest))])
    workers = stored_workers(store)
    values = workers.evaluate(SHARDS, FEATURES)
    assert workers.workers.calls == [
        ([(0, 0), (1, 0)], list(FEATURES[2:])),
        ([(0, 2), (0, 3), (0, 4), (1, 3)], list(FEATURES)),
        ([(1, 4)], list(FEATURES)),
    ]
    check_values(values, EXPECTED)
    both = [FeatureValues.beside(EXPECTED[i : i + 5]) for i in (0, 5)]
    check_equal(reread(store)[:3], [np.stack(arrays) for arrays in zip(*both, strict=True)])


def test_more_workers_have_larger_portions(open_store):
    inner_workers = MadeUpWorkers()
    inner_workers.count = 2
    workers = stored_workers(open_store(), inner_workers)
    shards = [Shard(0, number, (ARCHITECTURES[number],)) for number in range(20)]
    workers.evaluate(shards, FEATURES[:1])
    assert [len(numbers) for numbers, _ in inner_workers.calls] == [8, 8, 4]
    assert workers.count == 2
    workers.close()
    assert inner_workers.closed


def test_what_was_measured_before_a_failure_is_kept(open_store):
    class FailingWorkers(MadeUpWorkers):
        def evaluate(self, shards, texts):
            if self.calls:
                raise InputError("no luck")
            return super().evaluate(shards, texts)

    store = open_store()
    with pytest.raises(InputError, match="no luck"):
        stored_workers(store, FailingWorkers()).evaluate(SHARDS[:5], FEATURES)
    known = reread(store)[-1]
    assert known[0, :, :32].all()
    assert not known[0, :, 32:].any()
    assert not known[1].any()


@pytest.mark.parametrize("reason", ["killed", "network killed", "memory"])
def test_failures_are_not_stored(open_store, reason):
    class LenientWorkers(MadeUpWorkers):
        def evaluate(self, shards, texts):
            return [FeatureValues.failed(len(texts), 8, reason) for _ in shards]

    store = open_store()
    with pytest.raises(InputError, match=f"params: {reason}; nothing of it was stored"):
        stored_workers(store, LenientWorkers()).evaluate(SHARDS[:1], FEATURES[:1])
    assert not contents(store)[-1].any()


def test_networks_are_measured_once_and_give_the_stored_digits(reference, tmp_path):
    """With an evaluator of real networks."""
    progress = []
    store = FeatureStore(tmp_path / "store", SPACE)
    store.claim(networks.CONFIGS)
    inner_workers = Workers(
        SerialExecutor(networks.make_evaluator),
        progress=lambda done, total: progress.append((done, total)),
    )
    workers = StoredWorkers(inner_workers, store, networks.CONTEXTS)
    values = workers.evaluate(networks.SHARDS, networks.FEATURES)
    for shard_values, expected in zip(values, reference, strict=True):
        tolerances = 10.0 ** (1 - DIGITS), 1e-5
        known = expected.status == 0  # the value of an empty network says nothing
        for array, expected_array, rtol in zip(shard_values, expected, tolerances, strict=False):
            np.testing.assert_allclose(array[known], expected_array[known], rtol=rtol)
        np.testing.assert_array_equal(shard_values.status, expected.status)
    assert progress == [(1, 4), (2, 4), (2, 4), (4, 4), (1, 2), (2, 2)]
    progress.clear()
    for indices in ((0, 1, 2, 3, 4, 5), (2, 0), (5, 3)):
        shards = [networks.SHARDS[i] for i in indices]
        again = workers.evaluate(shards, networks.FEATURES)
        networks.assert_equal(again, [values[i] for i in indices])
    store.close()
    reopened = FeatureStore(store.path, SPACE)
    workers = StoredWorkers(inner_workers, reopened, networks.CONTEXTS)
    networks.assert_equal(workers.evaluate(networks.SHARDS, networks.FEATURES), values)
    assert progress == []


class StoppingWorkers(MadeUpWorkers):
    """Says so and waits for its end when it comes to shard 3."""

    def evaluate(self, shards, texts):
        if shards[0].number == 3:
            print("waits", flush=True)
            sys.stdin.read()
        return super().evaluate(shards, texts)


def test_after_a_killed_run_the_next_goes_on_where_it_stopped(open_store, tmp_path, monkeypatch):
    """To the same bytes as a run that nobody killed."""
    path = tmp_path / "store"
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.evaluation.test_stored_workers", str(path)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        try:
            assert program.stdout.readline() == "waits\n"
            with pytest.raises(InputError, match="another process is adding"):
                open_store(path)
        finally:
            program.kill()
    assert program.returncode == -signal.SIGKILL
    with (path / "features.csv.gz").open("ab") as file:
        file.write((path / "features.csv.gz").read_bytes()[:50])  # as if killed while it wrote
    monkeypatch.setattr(store_module, "SHARDS_PER_APPEND", 1)
    store = open_store(path)
    known = contents(store)[-1]
    assert known[0].all(0).tolist() == [True] * 24 + [False] * 16
    assert not known[1].any()
    workers = stored_workers(store)
    values = workers.evaluate(SHARDS, FEATURES)
    in_all = [[(c, number)] for c in (0, 1) for number in range(5)]
    assert [numbers for numbers, _ in workers.workers.calls] == in_all[3:]
    store.compact()

    uninterrupted = stored_workers(open_store(tmp_path / "uninterrupted"))
    check_values(uninterrupted.evaluate(SHARDS, FEATURES), values)
    assert [numbers for numbers, _ in uninterrupted.workers.calls] == in_all
    uninterrupted.store.compact()
    for name in ("features.csv.gz", "measurement.json"):
        assert (path / name).read_bytes() == (uninterrupted.store.path / name).read_bytes()


if __name__ == "__main__":
    store_module.SHARDS_PER_APPEND = 1
    store_to_fill = FeatureStore(Path(sys.argv[1]), SPACE)
    store_to_fill.claim(CONFIGS)
    stored_workers(store_to_fill, StoppingWorkers()).evaluate(SHARDS, FEATURES)
