"""Fitness: signed rank correlation over the tasks, and the worst where it is undefined."""

import numpy as np
import pytest

from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.status import OF_NETWORKS
from eznas.evolution.fitness import WORST, Task, judge, overall
from eznas.formulas.parser import parse

UP, LAST_TWO = "sum_layers(layer_params)", "max_layers(layer_params)"
ACCURACIES = np.array([1.0, 2.0, 3.0, 4.0])


def table(measures, coverage=None):
    """A table of four networks: measure -> values, or one row of values per setting."""
    names = [f"network {i}" for i in range(4)]

    def evaluate(shards, texts):
        values = np.stack([np.atleast_2d(measures[t]).astype(float) for t in texts], axis=1)
        covered = np.ones_like(values)
        for i, text in enumerate(texts):
            covered[:, i] = (coverage or {}).get(text, 1.0)
        return values, covered

    return FeatureTable(names, evaluate)


def judged(texts, measures, tasks=None, networks=4, coverage=None):
    filled, formulas = table(measures, coverage), [parse(t) for t in texts]
    filled.fill(formulas, networks)
    return judge(formulas, filled, tasks or [Task("one", 0, ACCURACIES)], networks)


@pytest.mark.parametrize(
    ("taus", "expected"),
    [([0.5], 0.5), ([0.2, 0.6, 0.7], 0.35), ([-0.5, 0.5], -0.25), ([1.0, 1.0], 1.0)],
)
def test_the_mean_and_the_least_tau_count_alike(taus, expected):
    assert overall(np.array(taus)) == pytest.approx(expected, rel=1e-15)


def test_a_formula_by_hand():
    # 1 3 2 4: of six pairs one is the wrong way round.
    (one,) = judged([UP], {UP: [1, 3, 2, 4]})
    assert one.taus == pytest.approx([4 / 6])
    assert one.fitness == pytest.approx(4 / 6)
    assert (one.reason, one.coverage) == ("", 1.0)


def test_tau_is_signed():
    plus, minus = judged([UP, f"-{UP}"], {UP: [1, 3, 2, 4]})
    assert minus.taus == pytest.approx([-4 / 6])
    assert minus.fitness == pytest.approx(-plus.fitness)


def test_tasks_count_by_mean_and_minimum():
    tasks = [Task("up", 0, ACCURACIES), Task("swapped", 0, np.array([1.0, 3.0, 2.0, 4.0]))]
    (one,) = judged([UP], {UP: [1, 2, 3, 4]}, tasks)
    assert one.taus == pytest.approx([1.0, 4 / 6])
    assert one.fitness == pytest.approx((5 / 6 + 4 / 6) / 2)


def test_each_task_has_its_setting():
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    (one,) = judged([UP], {UP: [[1, 2, 3, 4], [4, 3, 2, 1]]}, tasks)
    assert one.taus == pytest.approx([1.0, -1.0])
    assert one.fitness == pytest.approx(-0.5)


def test_only_the_first_networks_count():
    (one,) = judged([UP], {UP: [1, 2, 3, 0]}, networks=3)
    assert one.taus == pytest.approx([1.0])


def test_lowest_scores_rank_last():
    # -inf is a score: lower than all, and tied with its like (tau-b: 5 pairs of 6 untied).
    lowest, tied = judged(
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
def test_an_undefined_formula_is_the_worst_and_says_why(values, coverage, reason):
    good, bad = judged([UP, LAST_TWO], {UP: [1, 2, 3, 4], LAST_TWO: values}, None, 4,
                       {LAST_TWO: coverage})  # fmt: skip
    assert (bad.fitness, bad.reason, bad.coverage) == (WORST, reason, coverage)
    assert np.isnan(bad.taus).all()
    assert (good.fitness, good.reason) == (pytest.approx(1.0), "")  # no neighbour is harmed


def test_one_undefined_setting_is_enough():
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    (one,) = judged([UP], {UP: [[1, 2, 3, 4], [1, np.nan, 3, 4]]}, tasks)
    assert (one.fitness, one.reason) == (WORST, "undefined")
    assert one.taus[0] == pytest.approx(1.0)


def test_nothing_is_worse_than_the_worst():
    (reversed_,) = judged([f"-{UP}"], {UP: [1, 2, 3, 4]})
    assert reversed_.fitness == WORST == -1.0


def test_the_least_coverage_is_told():
    (one,) = judged([f"{UP} + {LAST_TWO}"], {UP: [1, 2, 3, 4], LAST_TWO: [0, 0, 0, 1]}, None, 4,
                    {LAST_TWO: 0.9})  # fmt: skip
    assert (one.coverage, one.reason) == (0.9, "")


def test_no_formula_no_judgement():
    assert judged([], {}) == []


def test_networks_that_could_not_be_measured_are_left_out():
    filled = FeatureTable([f"network {i}" for i in range(8)], lambda shards, texts: _partly(texts))
    formulas = [parse(t) for t in (UP, LAST_TWO)]
    filled.fill(formulas, 8)
    accuracies = np.array([1.0, 2, 3, 4, 5, 6, 7, 8])
    some, whole = judge(formulas, filled, [Task("one", 0, accuracies)], 8)
    assert some.taus == (1.0,)  # the second network would have been last
    assert (some.reason, whole.reason) == ("", "")
    assert whole.taus == pytest.approx([1 - 2 * 6 / 28])
    assert filled.failed(8) == ["forward"]
    assert filled.failed(1) == []


def _partly(texts):
    """Values of eight networks; one formula cannot be had on the second."""
    values = np.array([[1, 9, 3, 4, 5, 6, 7, 8]] * len(texts), dtype=float)[None]
    coverage = np.ones_like(values)
    row = texts.index(UP)
    values[0, row, 1], coverage[0, row, 1] = np.nan, OF_NETWORKS["forward"]
    return values, coverage
