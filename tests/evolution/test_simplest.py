"""The smallest formula that a sample of networks cannot tell from the fittest."""

import numpy as np
import pytest

from eznas.evolution.simplest import (
    fitness_replicates,
    simplest_within_error,
    taus_where_defined,
)
from eznas.metrics import bootstrap_weights, kendall

ACCURACIES = np.array([1.0, 2.0, 3.0, 4.0])


def test_fitness_is_the_mean_of_mean_and_lowest_tau_with_every_weighting():
    scores = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]])
    accuracies = [ACCURACIES, ACCURACIES[::-1]]
    weights = np.array([[2, 0, 1, 1], [1, 1, 1, 1]])
    fitness, replicates = fitness_replicates([scores, scores], accuracies, [weights, weights])
    # tau of the second formula: 4 of 6 pairs more are concordant than discordant in the first task
    assert fitness == pytest.approx([(0 + -1) / 2, (0 + -2 / 3) / 2])
    repeated = [0, 0, 2, 3]
    taus = [kendall(scores[1, repeated], a[repeated]) for a in accuracies]
    assert replicates[1] == pytest.approx([(np.mean(taus) + min(taus)) / 2, fitness[1]])


@pytest.mark.parametrize(("lacking", "defined"), [(0, True), (1, True), (2, True), (3, False)])
def test_networks_without_a_score_do_not_count_unless_they_are_over_a_fifth(lacking, defined):
    generator = np.random.default_rng(3)
    accuracies, scores = generator.normal(size=10), generator.normal(size=(2, 10))
    scores[0, :lacking] = np.resize([np.nan, np.inf], lacking)
    weights = generator.integers(0, 3, (4, 10))
    figures = taus_where_defined(scores, accuracies, np.vstack([np.ones(10), weights]))
    assert figures[1, 0] == pytest.approx(kendall(scores[1], accuracies))
    if not defined:
        assert np.isnan(figures[0]).all()
        return
    assert figures[0, 0] == pytest.approx(kendall(scores[0, lacking:], accuracies[lacking:]))
    repeated = np.repeat(np.arange(lacking, 10), weights[0, lacking:])
    expected = kendall(scores[0, repeated], accuracies[repeated])
    assert figures[0, 1] == pytest.approx(expected)


def test_one_network_without_a_score_does_not_change_the_choice():
    accuracies = np.arange(100.0)
    scores = np.stack([accuracies, np.roll(accuracies, 30)])
    scores[0, 50] = np.nan
    weights = bootstrap_weights(np.arange(100), 20)
    figures = fitness_replicates([scores], [accuracies], [weights])
    assert figures[0][0] == 1
    assert simplest_within_error(*figures, [9, 1])[0] == 0


def test_an_undefined_formula_is_never_the_one():
    scores = np.array([[np.nan, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]])
    weights = bootstrap_weights(np.arange(4), 20)
    figures = fitness_replicates([scores], [ACCURACIES], [weights])
    assert np.isnan(figures[0][0])
    assert simplest_within_error(*figures, [1, 9])[0] == 1


@pytest.mark.parametrize(
    ("fitness", "sizes", "expected"),
    [
        ([0.5, 0.60, 0.65, 0.7], [1, 3, 5, 9], 1),  # within .1 of .7
        ([0.5, 0.59, 0.65, 0.7], [1, 3, 5, 9], 2),
        ([0.5, 0.65, 0.68, 0.7], [1, 3, 3, 9], 2),  # of equally small ones the fitter
        ([0.7, 0.1, 0.2, 0.3], [9, 1, 2, 3], 0),
        ([np.nan] * 4, [4, 3, 2, 5], 2),
    ],
)
def test_the_smallest_within_a_standard_error(fitness, sizes, expected):
    replicates = np.array(fitness)[:, None] + np.array([-0.1, 0.1])  # a standard deviation of .1
    index, error = simplest_within_error(np.array(fitness), replicates, sizes)
    assert index == expected
    assert error == pytest.approx(0 if np.isnan(fitness[0]) else 0.1)
