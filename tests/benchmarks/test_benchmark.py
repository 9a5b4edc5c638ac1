"""Benchmarks: networks and accuracies stay together in subsets, tasks and comparisons."""

import numpy as np
import pytest

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load
from eznas.benchmarks.subsets import named_set
from eznas.metrics import bootstrap_all, partial_spearman

INPUT_SIZES = {"cifar10": 32, "cifar100": 32, "ImageNet16-120": 16}


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return load("nasbench201")


def test_a_subset_keeps_rows_together(benchmark):
    indices = np.array([9, 4, 15_000])
    subset = benchmark.subset(indices, "mine")
    assert subset.architectures == tuple(benchmark.architectures[i] for i in indices)
    assert subset.components.tolist() == benchmark.components[indices].tolist()
    for dataset, accuracies in subset.accuracies.items():
        assert accuracies.tolist() == benchmark.accuracies[dataset][indices].tolist()
    assert subset.name == "mine"


def test_two_subsets_stand_one_after_the_other(benchmark):
    first = benchmark.subset(np.array([5, 3]), "first")
    second = benchmark.subset(np.array([9, 5, 1]), "second")
    both = first.followed_by(second)
    indices = [5, 3, 9, 5, 1]
    assert both.architectures == tuple(benchmark.architectures[i] for i in indices)
    assert both.components.tolist() == benchmark.components[indices].tolist()
    for dataset, accuracies in both.accuracies.items():
        assert accuracies.tolist() == benchmark.accuracies[dataset][indices].tolist()
    assert (both.name, both.kind) == ("first; second", "validation")
    assert both.datasets == benchmark.datasets
    assert len(first.architectures) == 2


def test_tasks_point_at_the_context_of_their_input_size(benchmark):
    formats = benchmark.input_formats()
    tasks = benchmark.tasks()
    assert [task.dataset for task in tasks] == list(INPUT_SIZES)
    assert [formats[task.context].input_size for task in tasks] == list(INPUT_SIZES.values())
    assert [task.context for task in benchmark.tasks(3)] == [3, 3, 4]


def test_a_bootstrap_with_sizes_has_a_partial_rho(benchmark):
    connected = named_set(benchmark, "connected", 60, 0)
    random = np.random.default_rng(0)
    scores = {d: random.normal(size=(2, 60)) + a for d, a in connected.accuracies.items()}
    sizes = random.integers(9, size=(2, 60)).astype(float)
    accuracies_and_components = connected.accuracies, connected.components
    without_sizes = bootstrap_all(scores, *accuracies_and_components, 20)
    with_sizes = bootstrap_all(scores, *accuracies_and_components, 20, sizes=sizes)
    for dataset, accuracies in connected.accuracies.items():
        assert "partial_rho" not in without_sizes[dataset].more
        rhos, replicates = with_sizes[dataset].more["partial_rho"]
        expected = [partial_spearman(row, accuracies, sizes) for row in scores[dataset]]
        assert rhos.tolist() == pytest.approx(expected)
        assert replicates.shape == (2, 20)
        assert with_sizes[dataset].taus.tolist() == without_sizes[dataset].taus.tolist()
