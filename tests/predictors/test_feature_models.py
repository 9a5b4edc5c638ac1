"""Models of all features at once: kernel ridge regression, and which networks get a score."""

import numpy as np
import pytest

from eznas.metrics import kendall
from eznas.predictors import feature_models
from eznas.predictors.feature_models import kernel_ridge, predictions

RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(160, 4))
Y = X[:, 0] * X[:, 1] + 0.1 * X[:, 2]
FITTED = 120


def test_it_is_the_closed_form_for_the_settings_that_are_least_off_when_one_is_left_out():
    x, y, others = X[:40], Y[:40], X[40:50]
    a, b = (np.clip((v - x.mean(0)) / x.std(0), -4, 4) for v in (x, others))

    def squares(p, q):
        return ((p[:, None] - q[None]) ** 2).sum(-1)

    unit, mean = np.median(squares(a, a)), y.mean()

    def predicted(rows, new, width, penalty):
        kernel = np.exp(-squares(a[rows], a[rows]) / (width * unit))
        weights = np.linalg.solve(kernel + penalty * np.eye(len(rows)), y[rows] - mean)
        return mean + np.exp(-squares(new, a[rows]) / (width * unit)) @ weights

    everyone = np.arange(40)
    errors = {
        (width, penalty): np.mean(
            [
                (predicted(np.delete(everyone, i), a[[i]], width, penalty)[0] - y[i]) ** 2
                for i in everyone
            ]
        )
        for width in feature_models.WIDTHS
        for penalty in feature_models.PENALTIES
    }
    best = min(errors, key=errors.get)
    expected = predicted(everyone, b, *best)
    np.testing.assert_allclose(kernel_ridge(x, y, others), expected, rtol=1e-7)


def test_a_product_is_learnt_whatever_the_scales():
    tau = kendall(kernel_ridge(X[:FITTED], Y[:FITTED], X)[FITTED:], Y[FITTED:])
    assert tau > 0.6
    scaled = X * np.array([1e43, 1e-30, 1.0, 5.0]) + np.array([0, 0, 1e6, 0])
    tau_scaled = kendall(kernel_ridge(scaled[:FITTED], Y[:FITTED], scaled)[FITTED:], Y[FITTED:])
    assert tau_scaled == pytest.approx(tau, abs=1e-3)


def test_without_a_feature_that_varies_all_are_the_mean():
    result = kernel_ridge(np.ones((5, 2)), np.arange(5.0), np.ones((9, 2)))
    assert result.tolist() == [2.0] * 9


def test_networks_that_most_features_do_not_score_are_lowest():
    scores = X.copy()
    scores[[3, FITTED + 3]] = -np.inf
    scores[5, 3] = np.nan
    seen = []

    def recorded(x, y, networks):
        seen.append((x, y))
        return networks[:, 0]

    result = predictions(recorded, scores, Y[:FITTED])
    assert np.flatnonzero(result == -np.inf).tolist() == [3, FITTED + 3]
    [(x, y)] = seen
    np.testing.assert_array_equal(x, np.delete(X[:FITTED, :3], 3, 0))
    np.testing.assert_array_equal(y, np.delete(Y[:FITTED], 3))
