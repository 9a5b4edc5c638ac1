"""Tau and rho: values by hand, and scipy as the reference."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eznas import metrics
from eznas.metrics import ranks
from tests.metrics.made_up import FINITE, INF, NAN, noisy, reference, same, vectors

# By hand


def test_kendall_by_hand_without_ties():
    # of 6 pairs, (2, 1) and (4, 3) are discordant: (4 - 2) / 6
    assert metrics.kendall([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(1 / 3, abs=1e-15)


def test_kendall_by_hand_with_ties():
    # concordant 4, discordant 0, tied 1 in scores and 1 in accuracies: 4 / sqrt(5 * 5)
    assert metrics.kendall([1, 1, 2, 3], [1, 2, 3, 3]) == pytest.approx(4 / 5, abs=1e-15)


def test_spearman_by_hand():
    # ranks 1, 2, 3, 4 against 2, 1, 4, 3: 1 - 6 * 4 / (4 * 15)
    assert metrics.spearman([1, 2, 3, 4], [20, 10, 40, 30]) == pytest.approx(0.6, abs=1e-15)
    # centred average ranks (-1, -1, .5, 1.5) and (-1.5, -.5, 1, 1): 4 / sqrt(4.5 * 4.5)
    assert metrics.spearman([1, 1, 2, 3], [1, 2, 3, 3]) == pytest.approx(4 / 4.5, abs=1e-15)


@pytest.mark.parametrize("metric", [metrics.kendall, metrics.spearman])
def test_a_perfect_order_is_exactly_one(metric):
    values = np.random.default_rng(0).integers(50, size=333)
    assert metric(values, values) == 1.0
    assert metric(values, -values) == -1.0


@pytest.mark.parametrize("metric", [metrics.kendall, metrics.spearman])
@pytest.mark.parametrize(
    ("scores", "accuracies"),
    [
        ([1, NAN, 3], [1, 2, 3]),
        ([1, INF, 3], [1, 2, 3]),
        ([1, 2, 3], [1, NAN, 3]),
        ([1, 2, 3], [1, INF, 3]),
        ([7, 7, 7], [1, 2, 3]),
        ([-INF, -INF, -INF], [1, 2, 3]),
        ([1, 2, 3], [7, 7, 7]),
        ([1], [2]),
        ([], []),
    ],
)
def test_undefined_is_nan(metric, scores, accuracies):
    assert math.isnan(metric(scores, accuracies))


def test_an_undefined_row_does_not_touch_the_others():
    rows = [[1, 2, 3], [1, NAN, 3], [3, 2, 1], [2, 2, 2], [1, INF, 3], [-INF, -INF, 0]]
    expected = [1, NAN, -1, NAN, NAN, 2 / math.sqrt(6)]
    assert same(metrics.kendall_many(rows, [1, 2, 3]), expected)


def test_no_formulas():
    assert metrics.kendall_many(np.empty((0, 3)), [1, 2, 3]).shape == (0,)


# Against scipy


@given(vectors(2))
def test_equal_to_scipy(pair):
    assert same(metrics.kendall(*pair), reference(stats.kendalltau, *pair))
    assert same(metrics.spearman(*pair), reference(stats.spearmanr, *pair))


@given(vectors(2, st.one_of(FINITE, st.just(-INF))))
def test_minus_infinity_is_below_the_minimum(pair):
    scores, accuracies = pair
    replaced = (
        np.where(scores == -INF, -1e7, scores),
        np.where(accuracies == -INF, -1e7, accuracies),
    )
    assert same(metrics.kendall(*pair), reference(stats.kendalltau, *replaced))
    assert same(metrics.spearman(*pair), reference(stats.spearmanr, *replaced))


@settings(max_examples=50)
@given(vectors(5, st.one_of(FINITE, st.sampled_from([NAN, INF, -INF]))))
def test_many_rows_are_ranked_like_single_ones(rows):
    *scores, accuracies = rows
    taus = metrics.kendall_many(np.stack(scores), accuracies)
    assert same(taus, [metrics.kendall(row, accuracies) for row in scores])


@pytest.mark.parametrize("networks", [511, 600, 1300])
def test_equal_to_scipy_over_several_blocks(networks, monkeypatch):
    monkeypatch.setattr(ranks, "SIGNS", 1 << 14)  # blocks of 64
    scores, accuracies, _ = noisy(networks, 2)
    for row, tau in zip(scores, metrics.kendall_many(scores, accuracies), strict=True):
        assert same(tau, stats.kendalltau(row, accuracies).statistic)
        assert same(metrics.spearman(row, accuracies), stats.spearmanr(row, accuracies).statistic)


# Properties


@given(vectors(2))
def test_negation_turns_the_sign(pair):
    scores, accuracies = pair
    for metric in (metrics.kendall, metrics.spearman):
        assert same(metric(-scores, accuracies), -metric(scores, accuracies))
        assert same(metric(scores, accuracies), metric(accuracies, scores))


@given(vectors(2, st.integers(-20, 20).map(float)), st.randoms(use_true_random=False))
def test_monotone_transforms_and_order_do_not_matter(pair, random):
    scores, accuracies = pair
    order = random.sample(range(len(scores)), len(scores))
    for metric in (metrics.kendall, metrics.spearman):
        expected = metric(scores, accuracies)
        assert same(metric(np.exp(scores / 4), accuracies**3), expected)
        assert same(metric(scores[order], accuracies[order]), expected)


@given(
    scores=st.lists(st.lists(st.integers(0, 9), min_size=90, max_size=90), min_size=1, max_size=3),
    accuracies=st.lists(st.integers(0, 40), min_size=90, max_size=90),
    networks=st.integers(1, 90),
)
def test_pairs_counted_by_merging_are_those_compared_one_by_one(scores, accuracies, networks):
    rows, target = np.array(scores, float)[:, :networks], np.array(accuracies, float)[:networks]
    one_by_one = ranks.taus(rows, target, np.ones((2, networks)))  # of two replicates
    merged = metrics.kendall_many(rows, target)
    np.testing.assert_array_equal(one_by_one, np.stack([merged, merged], axis=1))
