"""Metrics over the networks with a score, against those of these networks alone."""

import math

import numpy as np
import pytest

from eznas import metrics
from tests.metrics.made_up import INF, NAN, noisy

SCORES, ACCURACIES, COMPONENTS = noisy(networks=30, proxies=4)
SCORES[1, [3, 8]] = NAN, INF
SCORES[2, 5] = -INF  # a score, the lowest
SCORES[3, 1:] = NAN
SIZES = np.random.default_rng(1).normal(size=(2, 30))
NAMES = ["whole", "partly", "lowest", "once"]


def results(**options):
    arguments = {"d": SCORES}, {"d": ACCURACIES}, COMPONENTS, 50
    return metrics.bootstrap_defined(*arguments, sizes=SIZES, **options)["d"]


def test_a_proxy_without_undefined_scores_has_its_usual_metrics():
    usual = metrics.bootstrap_all({"d": SCORES}, {"d": ACCURACIES}, COMPONENTS, 50, sizes=SIZES)
    result = results()
    assert result.networks == 30
    for name, values in usual["d"].values.items():
        for row in (0, 2):
            np.testing.assert_array_equal(result.values[name][row], values[row])
            np.testing.assert_array_equal(
                result.replicates[name][row], usual["d"].replicates[name][row]
            )


def test_a_partly_defined_proxy_has_the_metrics_of_the_other_networks():
    defined = np.delete(np.arange(30), [3, 8])
    weights = metrics.bootstrap_weights(COMPONENTS, 50)[:, defined]
    alone = metrics.bootstrap(
        SCORES[[1]][:, defined], ACCURACIES[defined], weights, SIZES[:, defined]
    )
    result = results()
    assert metrics.undefined_scores(SCORES[1]).nonzero()[0].tolist() == [3, 8]
    assert result.values["tau"][1] == metrics.kendall(SCORES[1, defined], ACCURACIES[defined])
    for name, values in alone.values.items():
        np.testing.assert_array_equal(result.values[name][1], values[0])
        np.testing.assert_array_equal(result.replicates[name][1], alone.replicates[name][0])


def test_one_network_has_no_order():
    assert math.isnan(results().values["tau"][3])


def test_differences_are_over_the_networks_that_both_score():
    rows = metrics.differences_defined(
        NAMES, {"d": SCORES}, {"d": ACCURACIES}, COMPONENTS, "whole", 50
    )
    assert [row["against"] for row in rows] == ["partly", "lowest", "once"]
    defined = np.delete(np.arange(30), [3, 8])
    taus = [metrics.kendall(SCORES[i, defined], ACCURACIES[defined]) for i in (0, 1)]
    assert rows[0]["tau"] == pytest.approx(taus[0] - taus[1])
    assert rows[0]["low"] <= rows[0]["tau"] <= rows[0]["high"]
    usual = metrics.bootstrap_all({"d": SCORES}, {"d": ACCURACIES}, COMPONENTS, 50)
    assert rows[1] == metrics.difference_rows(NAMES, usual, "whole")[1]
    assert rows[2]["tau"] is None
