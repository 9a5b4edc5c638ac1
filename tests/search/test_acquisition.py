"""Acquisition functions beside values computed by hand."""

import numpy as np
import pytest

from eznas.search.acquisition import ACQUISITIONS

MEAN, STD = np.array([90.0, 89.0, 91.0, 88.0]), np.array([0.0, 2.0, 1.0, 0.0])


def worth(name, best=90.0, seed=0):
    return ACQUISITIONS[name](MEAN, STD, best, np.random.default_rng(seed))


def test_mean():
    assert worth("mean").tolist() == MEAN.tolist()


def test_upper_confidence_bound():
    assert worth("ucb").tolist() == [90.0, 90.0, 91.5, 88.0]


def test_expected_improvement():
    """z = -1/2: -1 x .30854 + 2 x .35207; z = 1: .84134 + .24197; none without deviation."""
    assert worth("ei") == pytest.approx([0.0, 0.39560, 1.08332, 0.0], abs=1e-5)
    assert worth("ei", best=87.0)[3] == 1.0


def test_expected_improvement_is_the_mean_of_improvements():
    draws = np.random.default_rng(1).normal(89.0, 2.0, 400_000)
    assert np.maximum(draws - 90.0, 0).mean() == pytest.approx(worth("ei")[1], abs=5e-3)


def test_independent_thompson_sampling():
    draws = np.array([worth("its", seed=seed) for seed in range(4000)])
    assert draws.mean(0) == pytest.approx(MEAN, abs=0.1)
    assert draws.std(0) == pytest.approx(STD, abs=0.1)
    assert abs(np.corrcoef(draws[:, 1], draws[:, 2])[0, 1]) < 0.05
