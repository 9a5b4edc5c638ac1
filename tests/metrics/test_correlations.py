"""Further correlations: values by hand, scipy and other formulas as references."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eznas import metrics
from eznas.errors import InputError
from tests.metrics.made_up import INF, NAN, noisy, reference, same, vectors

STEPS = st.integers(-40, 40).map(lambda x: x / 8)


# Pearson


def test_pearson_by_hand():
    # deviations (-4, -1, 5) / 3 and (-1, 0, 1): 3 / sqrt(42 / 9 * 2)
    assert metrics.pearson([1, 2, 4], [1, 2, 3]) == pytest.approx(9 / math.sqrt(84), abs=1e-15)


@settings(deadline=None)
@given(vectors(2, STEPS))
def test_pearson_is_scipys(pair):
    assert same(metrics.pearson(*pair), reference(stats.pearsonr, *pair))


@pytest.mark.parametrize("factor", [1e-300, 1e-3, 1e300])
@pytest.mark.parametrize("offset", [-3, 0, 1e3])
def test_pearson_of_any_unit(factor, offset):
    scores, accuracies, _ = noisy(60, 1)
    expected = stats.pearsonr(scores[0], accuracies).statistic
    assert same(metrics.pearson((scores[0] + offset) * factor, accuracies), expected, 1e-10)
    assert same(metrics.pearson(accuracies, (scores[0] + offset) * factor), expected, 1e-10)


def test_pearson_has_no_lowest():
    assert math.isnan(metrics.pearson([-INF, 1, 2], [1, 2, 3]))
    assert math.isnan(metrics.pearson([1, 2, 3], [-INF, 1, 2]))
    assert math.isnan(metrics.pearson([0.1] * 7, [1, 2, 3, 4, 5, 6, 7]))  # whose mean is not 0.1


# Weighted tau


def test_weighted_kendall_by_hand():
    # places 1, 2, 3 weigh 1, 1/2, 1/3; the pair of the last two is discordant
    first, second, third = 1 + 1 / 2, 1 + 1 / 3, 1 / 2 + 1 / 3
    expected = (first + second - third) / (first + second + third)
    assert metrics.weighted_kendall([3, 1, 2], [30, 20, 10]) == pytest.approx(expected, abs=1e-15)
    other = (third + second - first) / (first + second + third)
    assert metrics.weighted_kendall([2, 3, 1], [30, 20, 10]) == pytest.approx(other, abs=1e-15)


def weighted_pairs(scores, accuracies) -> float:
    """Pair by pair, the places of equally accurate networks by score."""
    places = sorted(range(len(scores)), key=lambda i: (accuracies[i], scores[i]), reverse=True)
    weight = {network: 1 / (place + 1) for place, network in enumerate(places)}
    agreed = ours = theirs = 0.0
    for i, j in itertools.combinations(range(len(scores)), 2):
        one, other = np.sign(scores[i] - scores[j]), np.sign(accuracies[i] - accuracies[j])
        pair = weight[i] + weight[j]
        agreed, ours, theirs = (
            agreed + pair * one * other,
            ours + pair * one**2,
            theirs + pair * other**2,
        )
    return agreed / math.sqrt(ours * theirs) if ours * theirs else NAN


@settings(deadline=None)
@given(vectors(2))
def test_weighted_kendall_pair_by_pair(pair):
    assert same(metrics.weighted_kendall(*pair), weighted_pairs(*pair))


@settings(deadline=None)
@given(vectors(2))
def test_weighted_kendall_is_scipys(pair):
    scores, accuracies = pair

    def by_accuracy(x, y):
        return stats.weightedtau(y, x, rank=None)

    assert same(metrics.weighted_kendall(*pair), reference(by_accuracy, scores, accuracies))


def test_a_perfect_order_is_one_in_weighted_kendall():
    values = np.random.default_rng(0).integers(50, size=333)
    assert metrics.weighted_kendall(values, values) == 1.0
    assert metrics.weighted_kendall(-values, values) == -1.0


# Partial rho


def partialled(scores, accuracies, covariates) -> float:
    """By the recursion over one covariate after the other (Yule 1907)."""
    rows = [scores, accuracies, *covariates]
    known = {
        pair: stats.spearmanr(rows[pair[0]], rows[pair[1]]).statistic
        for pair in itertools.combinations(range(len(rows)), 2)
    }

    def given(i, j, others):
        if not others:
            return known[min(i, j), max(i, j)]
        *rest, last = others
        both, first, second = given(i, j, rest), given(i, last, rest), given(j, last, rest)
        return (both - first * second) / math.sqrt((1 - first**2) * (1 - second**2))

    return given(0, 1, list(range(2, len(rows))))


def test_partial_spearman_by_hand():
    # rho: .6 with each other, .8 with the covariate: (.6 - .64) / .36
    scores, accuracies, covariate = [1, 2, 3, 4], [2, 1, 4, 3], [1, 2, 4, 3]
    value = metrics.partial_spearman(scores, accuracies, [covariate])
    assert value == pytest.approx(-1 / 9, abs=1e-12)


@pytest.mark.parametrize("covariates", [1, 2, 3])
@pytest.mark.parametrize("decimals", [0, 3])  # with many ties, with few
def test_partial_spearman_by_recursion(covariates, decimals):
    random = np.random.default_rng(covariates)
    common = random.normal(size=200)
    rows = (common + random.normal(size=(2 + covariates, 200))).round(decimals)
    value = metrics.partial_spearman(rows[0], rows[1], rows[2:])
    assert value == pytest.approx(partialled(rows[0], rows[1], rows[2:]), abs=1e-10)
    assert value < metrics.spearman(rows[0], rows[1])


@settings(deadline=None)
@given(vectors(3, smallest=4))
def test_partial_spearman_by_recursion_in_small_samples(rows):
    scores, accuracies, covariate = rows
    explained = (reference(stats.spearmanr, covariate, row) for row in (scores, accuracies))
    # undefined for constants, and where one order is that of the sizes or its opposite
    if all(abs(rho) < 1 - 1e-9 for rho in explained):
        expected = partialled(scores, accuracies, [covariate])
        assert same(metrics.partial_spearman(scores, accuracies, [covariate]), expected, 1e-9)
    elif len(set(covariate)) > 1:
        assert math.isnan(metrics.partial_spearman(scores, accuracies, [covariate]))


def test_what_sizes_explain_is_taken_away():
    random = np.random.default_rng(0)
    size, quality, noise = random.normal(size=(3, 3000))
    accuracies = size + quality
    counting, seeing = size + 0.3 * noise, quality + 0.3 * noise
    assert metrics.spearman(counting, accuracies) > 0.6
    assert abs(metrics.partial_spearman(counting, accuracies, [size])) < 0.08
    assert metrics.partial_spearman(seeing, accuracies, [size]) > 0.8


def test_covariates_that_say_nothing_new():
    scores, accuracies, _ = noisy(50, 2)
    one, other = np.random.default_rng(1).integers(9, size=(2, 50))
    given = metrics.partial_spearman(scores[0], accuracies, [one, other])
    for more in ([one, other, one], [one, np.exp(one), other], [one, np.ones(50), -other]):
        assert metrics.partial_spearman(scores[0], accuracies, more) == pytest.approx(given)
    plain = metrics.spearman(scores[0], accuracies)
    for none in ([np.ones(50)], np.empty((0, 50))):
        assert metrics.partial_spearman(scores[0], accuracies, none) == pytest.approx(plain)
    assert abs(given - plain) > 1e-4


def test_scores_that_the_covariates_explain_are_undefined():
    scores, accuracies, _ = noisy(400, 2)
    ranks = stats.rankdata(np.random.default_rng(1).permutation(400))
    for explained in (scores[0], np.exp(scores[0]), -scores[0]):
        assert math.isnan(metrics.partial_spearman(explained, accuracies, [ranks, scores[0]]))
    assert math.isnan(metrics.partial_spearman(accuracies, scores[0], [scores[0]]))
    assert not math.isnan(metrics.partial_spearman(scores[1], accuracies, [ranks, scores[0]]))
    # no degree of freedom is left
    assert math.isnan(metrics.partial_spearman([1, 2, 3], [1, 3, 2], [[2, 1, 3], [3, 1, 2]]))


def test_two_swapped_networks_of_all_are_not_nil():
    sizes = np.arange(15_625)
    swapped = sizes.copy()
    swapped[[7000, 7001]] = swapped[[7001, 7000]]
    assert metrics.partial_spearman(swapped, swapped, [sizes]) == pytest.approx(1)
    assert metrics.partial_spearman(swapped, -swapped, [sizes]) == pytest.approx(-1)
    assert math.isnan(metrics.partial_spearman(sizes, swapped, [sizes]))


def test_covariates_that_nearly_agree():
    random = np.random.default_rng(3)
    sizes = np.arange(2000)
    nearly, again = sizes.copy(), sizes.copy()
    nearly[[700, 701]], again[[900, 902]] = nearly[[701, 700]], again[[902, 900]]
    scores, accuracies = (sizes + 50 * random.normal(size=(2, 2000))).argsort().argsort()
    covariates = np.stack([sizes, nearly, again])
    design = np.column_stack([np.ones(2000), *covariates])
    left = [row - design @ np.linalg.lstsq(design, row)[0] for row in (scores, accuracies)]
    expected = stats.pearsonr(*left).statistic
    assert metrics.partial_spearman(scores, accuracies, covariates) == pytest.approx(expected)
    for row in covariates:
        assert math.isnan(metrics.partial_spearman(row, accuracies, covariates))


def test_covariates_may_be_lowest_but_not_undefined():
    scores, accuracies = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]
    lowest = metrics.partial_spearman(scores, accuracies, [[-INF, 2, -INF, 1, 3]])
    assert lowest == metrics.partial_spearman(scores, accuracies, [[0, 2, 0, 1, 3]])
    assert not math.isnan(lowest)
    for bad in (NAN, INF):
        assert math.isnan(metrics.partial_spearman(scores, accuracies, [[bad, 2, 0, 1, 3]]))


def test_covariates_must_fit():
    with pytest.raises(InputError, match="covariates of 3 networks, accuracies of 2"):
        metrics.partial_spearman([1, 2], [1, 2], [[1, 2, 3]])
    with pytest.raises(InputError, match="2 axes"):
        metrics.partial_spearman([1, 2], [1, 2], [1, 2])


# Among the best

TOP = pytest.mark.parametrize(
    ("top", "whole"),
    [(metrics.top_kendall, metrics.kendall), (metrics.top_spearman, metrics.spearman)],
)


@TOP
def test_ties_at_the_border_are_in(top, whole):
    accuracies = [1, 8, 9, 8, 1, 1, 8, 0, 0, 0]
    scores = [9, 1, 3, 2, 9, 9, 4, 9, 9, 9]
    within = whole([1, 3, 2, 4], [8, 9, 8, 8])
    assert abs(within) < 1
    for share in (0.2, 0.3, 0.4):
        assert top(scores, accuracies, share) == within
    assert math.isnan(top(scores, accuracies, 0.1))  # one network
    assert top(scores, accuracies, 0.41) == whole([1, 3, 2, 4, 9, 9, 9], [8, 9, 8, 8, 1, 1, 1])


@TOP
@pytest.mark.parametrize(
    ("networks", "share", "best"),
    [(20, 0.1, 2), (21, 0.1, 3), (29, 0.1, 3), (30, 0.1, 3), (100, 0.07, 7), (100, 0.55, 55)],
)
def test_the_share_is_rounded_up_but_not_for_rounding(top, whole, networks, share, best):
    # 0.07 * 100 is more than 7 in floating point
    accuracies = np.arange(networks)[::-1]
    scores = accuracies.copy()
    scores[best:] += 10_000  # the next one would not fit in
    assert top(scores, accuracies, share) == 1.0
    scores[best - 1] += 20_000  # the last one does
    assert top(scores, accuracies, share) < 1


@TOP
@settings(deadline=None)
@given(vectors(2), st.floats(0.01, 1))
def test_the_top_is_cut_out(top, whole, pair, share):
    scores, accuracies = pair
    border = sorted(accuracies, reverse=True)[math.ceil(share * len(scores) - 1e-6) - 1]
    inside = accuracies >= border
    assert same(top(scores, accuracies, share), whole(scores[inside], accuracies[inside]))
    assert same(top(scores, accuracies, 1), whole(scores, accuracies))


@pytest.mark.parametrize("function", [metrics.top_kendall, metrics.top_spearman, metrics.precision])
@pytest.mark.parametrize("share", [0, -0.1, 1.1, NAN])
def test_a_share_is_a_share(function, share):
    with pytest.raises(InputError, match="share"):
        function([1, 2], [1, 2], share)


# Over initialisations


def test_variation_by_hand():
    scores = [[1, 2, 3, 4], [2, 1, 4, 3], [4, 3, 2, 1]]
    mean, deviation, agreement = metrics.variation(scores, [1, 2, 3, 4])
    assert mean == pytest.approx((1 + 1 / 3 - 1) / 3)
    assert deviation == pytest.approx(statistics.stdev([1, 1 / 3, -1]))
    assert agreement == pytest.approx((1 / 3 - 1 - 1 / 3) / 3)


def test_variation_pair_by_pair():
    scores, accuracies, _ = noisy(80, 5)
    found = metrics.variation(scores, accuracies)
    taus = [stats.kendalltau(row, accuracies).statistic for row in scores]
    pairs = [stats.kendalltau(*pair).statistic for pair in itertools.combinations(scores, 2)]
    expected = (statistics.mean(taus), statistics.stdev(taus), statistics.mean(pairs))
    assert found == pytest.approx(expected)


def test_variation_with_too_few_seeds():
    assert same(metrics.variation([[1, 2, 4, 3]], [1, 2, 3, 4]), [2 / 3, NAN, NAN])
    assert same(metrics.variation(np.empty((0, 3)), [1, 2, 3]), [NAN, NAN, NAN])


def test_variation_does_not_hide_what_is_undefined():
    assert same(metrics.variation([[1, 2, 3], [1, NAN, 3]], [1, 2, 3]), [NAN, NAN, NAN])
    # the seeds agree though the accuracies are all equal
    assert same(metrics.variation([[1, 2, 3], [1, -INF, 3]], [5, 5, 5]), [NAN, NAN, 1 / 3])
    with pytest.raises(InputError, match="scores of 3 networks"):
        metrics.variation([[1, 2, 3]], [1, 2])


# Among equals


def test_kendall_within_by_hand():
    # Group a: three networks, of whose pairs two agree and one does not; group b: one pair.
    groups = ["a", "a", "a", "b", "b"]
    scores, accuracies = [1, 2, 3, 9, 0], [10, 30, 20, 1, 2]
    assert metrics.kendall_within(scores, accuracies, groups) == pytest.approx((2 - 1 - 1) / 4)
    # A tie of scores in a is no untied pair of the scores: (1 + 0 + 1) - 1 of sqrt(3 * 4).
    tied = metrics.kendall_within([1, 2, 2, 9, 0], accuracies, groups)
    assert tied == pytest.approx((2 - 1) / math.sqrt(3 * 4))


@settings(deadline=None)
@given(vectors(2))
def test_kendall_within_one_group_is_kendall(pair):
    groups = np.zeros(len(pair[0]))
    assert same(metrics.kendall_within(*pair, groups), metrics.kendall(*pair))


def test_kendall_within_asks_for_pairs():
    assert math.isnan(metrics.kendall_within([1, 2], [1, 2], [0, 1]))
    assert math.isnan(metrics.kendall_within([1, NAN, 3], [1, 2, 3], [0, 1, 0]))
    with pytest.raises(InputError, match="groups of 3 networks"):
        metrics.kendall_within([1, 2], [1, 2], [0, 1, 1])


def test_the_tau_within_groups_is_resampled_like_rows():
    scores, accuracies, _ = noisy(40, 2)
    groups = np.arange(40) % 3
    weights = np.random.default_rng(0).integers(0, 3, size=(5, 40))
    found = metrics.bootstrap(scores, accuracies, weights, groups=groups)
    value, replicates = found.more["within_tau"]
    for row, own, each in zip(scores, value, replicates, strict=True):
        assert own == pytest.approx(metrics.kendall_within(row, accuracies, groups))
        for counts, one in zip(weights, each, strict=True):
            again = [np.repeat(v, counts) for v in (row, accuracies, groups)]
            assert one == pytest.approx(metrics.kendall_within(*again))
