"""From the names of spaces and data sets, and from accuracy files, to benchmarks."""

import numpy as np
import pytest

from eznas.benchmarks import Benchmark, Table
from eznas.benchmarks.loading import from_accuracy_file, load, load_tasks, without_accuracies
from eznas.benchmarks.store import Origin, store
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.benchmarks.made_up import store_macro

INPUT_SIZES = {"cifar10": 32, "cifar100": 32, "ImageNet16-120": 16}


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return load("nasbench201")


@pytest.fixture
def macro(tmp_path, monkeypatch):
    """Made-up accuracies of 60 networks of another space, imported."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    return store_macro()


def input_sizes(benchmark: Benchmark) -> dict[str, int]:
    return {name: dataset.input_size for name, dataset in benchmark.datasets.items()}


def test_a_benchmark_has_all_networks(benchmark):
    assert benchmark.architectures == SPACES["nasbench201"].architectures()
    assert list(benchmark.accuracies) == list(INPUT_SIZES)
    assert input_sizes(benchmark) == INPUT_SIZES
    assert all(accuracies.shape == (15_625,) for accuracies in benchmark.accuracies.values())
    assert (benchmark.name, benchmark.kind) == ("all", "validation")


def test_some_data_sets_of_a_benchmark():
    benchmark = load("nasbench201", ["ImageNet16-120", "cifar10", "cifar10"])
    expected = ["ImageNet16-120", "cifar10"]
    assert list(benchmark.accuracies) == list(benchmark.datasets) == expected
    with pytest.raises(InputError, match="dataset 'cifar'; did you mean 'cifar10'"):
        load("nasbench201", ["cifar"])
    with pytest.raises(InputError, match="space 'nasbench'; did you mean 'nasbench"):
        load("nasbench")


def test_a_data_set_at_another_size():
    benchmark = load("nasbench201", ["cifar10@24", "cifar10", "ImageNet16-120@24"])
    expected = {"cifar10@24": 24, "cifar10": 32, "ImageNet16-120@24": 24}
    assert input_sizes(benchmark) == expected
    accuracies = benchmark.accuracies
    np.testing.assert_array_equal(accuracies["cifar10@24"], accuracies["cifar10"])
    [of_task], _ = load_tasks(["nasbench201/cifar10@24"])
    assert list(of_task.datasets) == ["cifar10@24"]
    both = ["ImageNet16-120@24", "cifar10@24"]
    heads = {load("nasbench201", d).datasets["cifar10@24"].classes for d in (both, both[::-1])}
    assert heads == {10}


@pytest.mark.parametrize(
    "name",
    [
        *("cifar10@", "cifar10@x", "cifar10@4", "cifar10@1024"),
        *("cifar@24", "cifar10@32", "cifar10@024"),
    ],
)
def test_a_size_that_cannot_be_is_refused(name):
    with pytest.raises(InputError, match="cifar"):
        load("nasbench201", [name])


def test_networks_without_accuracies():
    benchmark = without_accuracies("nats-size", ("8:8:8:8:8", "16:8:8:8:8"))
    assert list(benchmark.datasets) == ["cifar10", "cifar100", "ImageNet16-120"]
    assert all(np.isnan(accuracies).all() for accuracies in benchmark.accuracies.values())
    assert len(set(benchmark.components.tolist())) == 2
    with pytest.raises(InputError, match="unknown space 'nats'"):
        without_accuracies("nats", ())


@pytest.mark.usefixtures("macro")
def test_spaces_together_name_their_data_sets():
    tasks, others = load_tasks(["nasbench201/cifar10", "nasbench201/cifar100"], ["nasbench-macro"])
    expected = ["nasbench201/cifar10", "nasbench201/cifar100"]
    assert [list(benchmark.accuracies) for benchmark in tasks] == [expected]
    assert [list(benchmark.datasets) for benchmark in others] == [["nasbench-macro/cifar10"]]
    [single], _ = load_tasks(["nasbench201", "nasbench201/cifar10"])
    assert list(single.accuracies) == list(INPUT_SIZES)
    with pytest.raises(InputError, match="cannot be held out"):
        load_tasks(["nasbench-macro"], ["nasbench-macro/cifar10"])


def test_accuracies_of_a_file_replace_all_others(benchmark, tmp_path):
    indices = [15_000, 3, 77]
    networks = [benchmark.architectures[i] for i in indices]
    lines = ["architecture,accuracy", *(f"{name},{i}" for i, name in enumerate(networks))]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    mine = from_accuracy_file("nasbench201", str(tmp_path / "mine.csv"))
    assert mine.architectures == tuple(networks)
    assert benchmark.components[indices].tolist() == [0, 0, 3]
    assert mine.components.tolist() == [0, 0, 1]
    accuracies = {dataset: values.tolist() for dataset, values in mine.accuracies.items()}
    assert accuracies == {dataset: [0, 1, 2] for dataset in INPUT_SIZES}
    assert (mine.name, mine.kind) == ("given", "given")


@pytest.mark.parametrize(
    ("space", "dataset", "presented"),
    [
        ("nasbench-macro", "cifar10", (32, 10)),
        ("nds-darts-in", "imagenet", (224, 1000)),
        ("transnas-micro", "class_object", (224, 75)),
    ],
)
def test_a_file_for_a_space_without_a_table_is_of_the_data_sets_of_the_space(
    space, dataset, presented, tmp_path
):
    rows = [f"{name},{i}" for i, name in enumerate(SPACES[space].sample(3))]
    (tmp_path / "mine.csv").write_text("\n".join(["architecture,accuracy", *rows]))
    mine = from_accuracy_file(space, str(tmp_path / "mine.csv"), [dataset])
    assert mine.datasets == {dataset: presented}
    assert (mine.name, mine.kind) == ("given", "given")
    with pytest.raises(InputError, match=f"unknown {space} dataset 'cifar11'"):
        from_accuracy_file(space, str(tmp_path / "mine.csv"), ["cifar11"])


def test_tasks_on_two_tables_of_a_space(macro):
    other = {"cifar10": {a: (90.0 - i,) for i, a in enumerate(macro[:40])}}
    store(Table("nasbench-macro", "validation", other), Origin("other.json", ""), "other")
    usual, named = load_tasks(["nasbench-macro", "nasbench-macro:other/cifar10@24"])[0]
    assert list(usual.datasets) == ["nasbench-macro/cifar10"]
    assert list(named.datasets) == ["nasbench-macro:other/cifar10@24"]
    assert [usual.kind, named.kind] == ["test", "validation"]
    sides = dict(zip(usual.architectures, usual.is_held_out.tolist(), strict=True))
    assert named.is_held_out.tolist() == [sides[a] for a in macro[:40]]
    [alone], _ = load_tasks(["nasbench-macro:other"])
    assert list(alone.datasets) == ["cifar10"]
    with pytest.raises(InputError, match="space nasbench-macro: among the tasks"):
        load_tasks(["nasbench-macro"], ["nasbench-macro:other"])
