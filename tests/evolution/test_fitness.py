"""Fitness: signed rank correlation over the tasks, and the worst where it is undefined."""

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status
from eznas.evolution.fitness import WORST, evaluate_fitness, fitness_of
from eznas.formulas.parser import parse

UP, LAST_TWO = "sum_layers(layer_params)", "max_layers(layer_params)"
ACCURACIES = np.array([1.0, 2.0, 3.0, 4.0])


def table_of(features, coverage=None, contexts=1):
    """A table of four networks: feature -> values, or one row of values per context."""
    names = [f"network {i}" for i in range(4)]

    def evaluate(shards, texts):
        return [
            FeatureValues(
                np.stack([np.atleast_2d(features[t])[context] for t in texts]).astype(float),
                np.stack([np.full(4, (coverage or {}).get(t, 1.0)) for t in texts]),
                np.zeros((len(texts), 4), np.int8),
            )
            for context, _, _ in shards
        ]

    return FeatureTable([names] * contexts, evaluate)


def results_of(texts, features, tasks=None, networks=4, coverage=None):
    tasks = tasks or [Task("task", 0, ACCURACIES)]
    table = table_of(features, coverage, 1 + max(t.context for t in tasks))
    formulas = [parse(t) for t in texts]
    table.fill(formulas, networks)
    return evaluate_fitness(formulas, table, tasks, networks)


@pytest.mark.parametrize(
    ("taus", "expected"),
    [([0.5], 0.5), ([0.2, 0.6, 0.7], 0.35), ([-0.5, 0.5], -0.25), ([1.0, 1.0], 1.0)],
)
def test_the_mean_and_the_least_tau_count_alike(taus, expected):
    assert fitness_of(np.array(taus)) == pytest.approx(expected, rel=1e-15)


def test_a_formula_by_hand():
    # 1 3 2 4: of six pairs one is the wrong way round.
    (result,) = results_of([UP], {UP: [1, 3, 2, 4]})
    assert result.taus == pytest.approx([4 / 6])
    assert result.fitness == pytest.approx(4 / 6)
    assert (result.reason, result.coverage) == ("", 1.0)


def test_tau_is_signed():
    plus, minus = results_of([UP, f"-{UP}"], {UP: [1, 3, 2, 4]})
    assert minus.taus == pytest.approx([-4 / 6])
    assert minus.fitness == pytest.approx(-plus.fitness)


def test_tasks_count_by_mean_and_minimum():
    tasks = [Task("up", 0, ACCURACIES), Task("swapped", 0, np.array([1.0, 3.0, 2.0, 4.0]))]
    (result,) = results_of([UP], {UP: [1, 2, 3, 4]}, tasks)
    assert result.taus == pytest.approx([1.0, 4 / 6])
    assert result.fitness == pytest.approx((5 / 6 + 4 / 6) / 2)


def test_each_task_has_its_context():
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    (result,) = results_of([UP], {UP: [[1, 2, 3, 4], [4, 3, 2, 1]]}, tasks)
    assert result.taus == pytest.approx([1.0, -1.0])
    assert result.fitness == pytest.approx(-0.5)


def test_only_the_first_networks_count():
    (result,) = results_of([UP], {UP: [1, 2, 3, 0]}, networks=3)
    assert result.taus == pytest.approx([1.0])


def test_lowest_scores_rank_last():
    # -inf is a score: lower than all finite ones, and two of them tie (tau-b: 5 of 6 pairs differ).
    lowest, tied = results_of(
        [UP, LAST_TWO], {UP: [-np.inf, 2, 3, 4], LAST_TWO: [-np.inf] * 2 + [3, 4]}
    )
    assert (lowest.fitness, lowest.reason) == (pytest.approx(1.0), "")
    assert (tied.fitness, tied.reason) == (pytest.approx(5 / np.sqrt(6 * 5)), "")


@pytest.mark.parametrize(
    ("values", "coverage", "reason"),
    [
        ([1, np.nan, 3, 4], 1.0, "undefined"),
        ([1, np.inf, 3, 4], 1.0, "infinite"),
        ([1, 2, 3, 4], 0.5, "coverage"),
        ([7, 7, 7, 7], 1.0, "ties"),
        ([-np.inf] * 4, 1.0, "ties"),
    ],
)
def test_an_undefined_formula_is_the_worst_and_has_a_reason(values, coverage, reason):
    features = {UP: [1, 2, 3, 4], LAST_TWO: values}
    good, bad = results_of([UP, LAST_TWO], features, coverage={LAST_TWO: coverage})
    assert (bad.fitness, bad.reason, bad.coverage) == (WORST, reason, coverage)
    assert np.isnan(bad.taus).all()
    assert (good.fitness, good.reason) == (pytest.approx(1.0), "")  # not affected by the other


def test_one_undefined_context_is_enough():
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    (result,) = results_of([UP], {UP: [[1, 2, 3, 4], [1, np.nan, 3, 4]]}, tasks)
    assert (result.fitness, result.reason) == (WORST, "undefined")
    assert result.taus[0] == pytest.approx(1.0)


def test_nothing_is_worse_than_the_worst():
    (result,) = results_of([f"-{UP}"], {UP: [1, 2, 3, 4]})
    assert result.fitness == WORST == -1.0


def test_the_least_coverage_is_reported():
    features = {UP: [1, 2, 3, 4], LAST_TWO: [0, 0, 0, 1]}
    (result,) = results_of([f"{UP} + {LAST_TWO}"], features, coverage={LAST_TWO: 0.9})
    assert (result.coverage, result.reason) == (0.9, "")


def test_no_formula_no_result():
    assert results_of([], {}) == []


def test_networks_that_could_not_be_measured_are_left_out():
    table = FeatureTable([[f"network {i}" for i in range(8)]], _partly_measured)
    formulas = [parse(t) for t in (UP, LAST_TWO)]
    table.fill(formulas, 8)
    accuracies = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    partial, complete = evaluate_fitness(formulas, table, [Task("task", 0, accuracies)], 8)
    assert partial.taus == (1.0,)  # the second network would have been out of order
    assert (partial.reason, complete.reason) == ("", "")
    assert complete.taus == pytest.approx([1 - 2 * 6 / 28])
    assert table.failed(8) == ["forward"]
    assert table.failed(1) == []


def _partly_measured(shards, texts):
    """Values of eight networks; for one feature the second cannot be measured."""
    values = np.array([[1, 9, 3, 4, 5, 6, 7, 8]] * len(texts), dtype=float)
    answer = FeatureValues(values, np.ones_like(values), np.zeros(values.shape, np.int8))
    row = texts.index(UP)
    answer.values[row, 1], answer.status[row, 1] = np.nan, Status.FORWARD_FAILED
    return [answer]
