"""The smallest formula that a sample of networks cannot tell from the fittest."""

import numpy as np
import pytest

from eznas.evolution.simplest import fitness_replicates, simplest_within_error
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
