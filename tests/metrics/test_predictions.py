"""Metrics of predictions: by hand, with scipy and scikit-learn as references, and undefined."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from eznas.metrics.predictions import (
    IN_PERCENT,
    PREDICTION_METRICS,
    precision_at,
    prediction_metrics,
)
from tests.metrics.made_up import INF, NAN, same

RANDOM = np.random.default_rng(0)
ACCURACIES = RANDOM.normal(90, 3, 60)
PREDICTIONS = ACCURACIES + RANDOM.normal(0, 2, 60)
RANKED = tuple(key for key in PREDICTION_METRICS if key not in IN_PERCENT)


def test_errors_and_ranks_by_hand():
    values = prediction_metrics(np.array([90.0, 80, 84, 70]), np.array([91.0, 83, 80, 70]), True)
    assert values["mae"] == (1 + 3 + 4 + 0) / 4
    assert values["rmse"] == pytest.approx(math.sqrt((1 + 9 + 16 + 0) / 4))
    assert values["tau"] == pytest.approx((5 - 1) / 6)  # one pair of six is the wrong way round
    assert values["rho"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert values["regret1"] == 0


def test_rounding_makes_near_predictions_equal():
    """0.004, 0.04 and 0.4 percent above the lowest are lost one after the other."""
    accuracies = np.array([80.0, 81, 82, 83])
    values = prediction_metrics(np.array([80.0, 80.004, 80.04, 80.4]), accuracies, True)
    pairs = [5, 3, 0]  # of six, that remain in order
    expected = [p / math.sqrt(p * 6) if p else NAN for p in pairs]
    assert same([values[f"sparse_tau_{step}"] for step in ("0.01", "0.1", "1")], expected)
    assert values["tau"] == 1


def test_the_references_agree():
    values = prediction_metrics(PREDICTIONS, ACCURACIES, True)
    assert list(values) == list(PREDICTION_METRICS)
    expected = {
        "mae": mean_absolute_error(ACCURACIES, PREDICTIONS),
        "rmse": root_mean_squared_error(ACCURACIES, PREDICTIONS),
        "pearson": stats.pearsonr(PREDICTIONS, ACCURACIES).statistic,
        "rho": stats.spearmanr(PREDICTIONS, ACCURACIES).statistic,
        "tau": stats.kendalltau(PREDICTIONS, ACCURACIES).statistic,
        "sparse_tau_0.1": stats.kendalltau(PREDICTIONS.round(1), ACCURACIES).statistic,
        "sparse_tau_1": stats.kendalltau(PREDICTIONS.round(), ACCURACIES).statistic,
        "precision_at_10": _shared(10),
        "precision_at_20": _shared(20),
    }
    assert {key: values[key] for key in expected} == pytest.approx(expected, abs=1e-12)


def _shared(k: int) -> float:
    best, predicted = (set(np.argsort(v)[-k:].tolist()) for v in (ACCURACIES, PREDICTIONS))
    return len(best & predicted) / k


def test_precision_by_hand():
    accuracies, predictions = np.array([4.0, 3, 2, 1]), np.array([1.0, 3, 4, 2])
    assert precision_at(2, predictions, accuracies) == 0.5
    assert precision_at(4, predictions, accuracies) == 1
    assert math.isnan(precision_at(5, predictions, accuracies))
    # The second is one of three that tie, one of which is at the top.
    assert precision_at(2, np.array([4.0, 1, 1, 1]), accuracies) == pytest.approx((1 + 1 / 3) / 2)


@pytest.mark.parametrize("k", range(1, 201, 7))
def test_precision_counts_k_networks_whatever_their_number(k):
    """A share k / n, which is rounded, means k of n."""
    for networks in (200, 199, 201):
        if k <= networks:
            values = np.arange(networks, dtype=float)
            shifted = np.where(values >= networks - k, values - networks, values)  # the best last
            missed = max(0, 2 * k - networks) / k
            assert precision_at(k, values, values) == 1
            assert precision_at(k, shifted, values) == pytest.approx(missed)


def test_a_score_has_no_scale():
    values = prediction_metrics(PREDICTIONS * 1e200, ACCURACIES, in_percent=False)
    assert all(math.isnan(values[key]) for key in IN_PERCENT)
    in_percent = prediction_metrics(PREDICTIONS, ACCURACIES, in_percent=True)
    assert all(values[key] == pytest.approx(in_percent[key], abs=1e-9) for key in RANKED)


@pytest.mark.parametrize("bad", [NAN, INF])
def test_one_undefined_prediction_leaves_nothing_defined(bad):
    predictions = np.where(np.arange(60) == 3, bad, PREDICTIONS)
    values = prediction_metrics(predictions, ACCURACIES, in_percent=False)
    assert all(math.isnan(value) for value in values.values())


def test_the_lowest_score_is_a_legal_rank():
    order = np.argsort(PREDICTIONS)
    lowest = PREDICTIONS.copy()
    lowest[order[0]] = -INF
    values = prediction_metrics(lowest, ACCURACIES, in_percent=False)
    expected = prediction_metrics(PREDICTIONS, ACCURACIES, in_percent=False)
    assert math.isnan(values["pearson"])
    ranked = [key for key in RANKED if key != "pearson"]
    assert same([values[key] for key in ranked], [expected[key] for key in ranked])


def test_equal_predictions_rank_nothing():
    values = prediction_metrics(np.full(60, 90.0), ACCURACIES, in_percent=True)
    assert all(math.isnan(values[key]) for key in RANKED)
    assert values["mae"] == pytest.approx(np.abs(ACCURACIES - 90).mean())
