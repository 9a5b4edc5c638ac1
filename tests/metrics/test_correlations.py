"""Further correlations: values by hand, scipy and other formulas as references."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
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
    # ranks 1, 2, 3 weigh 1, 1/2, 1/3; the pair of the last two is discordant
    first, second, third = 1 + 1 / 2, 1 + 1 / 3, 1 / 2 + 1 / 3
    expected = (first + second - third) / (first + second + third)
    assert metrics.weighted_kendall([3, 1, 2], [30, 20, 10]) == pytest.approx(expected, abs=1e-15)
    expected = (third + second - first) / (first + second + third)
    assert metrics.weighted_kendall([2, 3, 1], [30, 20, 10]) == pytest.approx(expected, abs=1e-15)


def weighted_pairs(scores, accuracies) -> float:
    """Pair by pair; equally accurate networks are ranked by score."""
    best_first = sorted(range(len(scores)), key=lambda i: (accuracies[i], scores[i]), reverse=True)
    weight = {network: 1 / rank for rank, network in enumerate(best_first, 1)}
    concordance = untied_scores = untied_accuracies = 0.0
    for i, j in itertools.combinations(range(len(scores)), 2):
        score_sign = np.sign(scores[i] - scores[j])
        accuracy_sign = np.sign(accuracies[i] - accuracies[j])
        pair_weight = weight[i] + weight[j]
        concordance += pair_weight * score_sign * accuracy_sign
        untied_scores += pair_weight * score_sign**2
        untied_accuracies += pair_weight * accuracy_sign**2
    untied = untied_scores * untied_accuracies
    return concordance / math.sqrt(untied) if untied else NAN


@given(vectors(2))
def test_weighted_kendall_pair_by_pair(pair):
    assert same(metrics.weighted_kendall(*pair), weighted_pairs(*pair))


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


def partial_by_recursion(scores, accuracies, covariates) -> float:
    """By the recursion over one covariate after the other (Yule 1907)."""
    rows = [scores, accuracies, *covariates]
    rhos = {
        pair: stats.spearmanr(rows[pair[0]], rows[pair[1]]).statistic
        for pair in itertools.combinations(range(len(rows)), 2)
    }

    def rho_given(i, j, controls):
        if not controls:
            return rhos[min(i, j), max(i, j)]
        *rest, k = controls
        rho_ij, rho_ik, rho_jk = (rho_given(*pair, rest) for pair in ((i, j), (i, k), (j, k)))
        return (rho_ij - rho_ik * rho_jk) / math.sqrt((1 - rho_ik**2) * (1 - rho_jk**2))

    return rho_given(0, 1, list(range(2, len(rows))))


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
    assert value == pytest.approx(partial_by_recursion(rows[0], rows[1], rows[2:]), abs=1e-10)
    assert value < metrics.spearman(rows[0], rows[1])


@given(vectors(3, smallest=4))
def test_partial_spearman_by_recursion_in_small_samples(rows):
    scores, accuracies, covariate = rows
    explained = (reference(stats.spearmanr, covariate, row) for row in (scores, accuracies))
    # undefined for constants, and where one order is that of the sizes or its opposite
    if all(abs(rho) < 1 - 1e-9 for rho in explained):
        expected = partial_by_recursion(scores, accuracies, [covariate])
        assert same(metrics.partial_spearman(scores, accuracies, [covariate]), expected, 1e-9)
    elif len(set(covariate)) > 1:
        assert math.isnan(metrics.partial_spearman(scores, accuracies, [covariate]))


def test_what_sizes_explain_does_not_count():
    random = np.random.default_rng(0)
    size, quality, noise = random.normal(size=(3, 3000))
    accuracies = size + quality
    size_proxy, quality_proxy = size + 0.3 * noise, quality + 0.3 * noise
    assert metrics.spearman(size_proxy, accuracies) > 0.6
    assert abs(metrics.partial_spearman(size_proxy, accuracies, [size])) < 0.08
    assert metrics.partial_spearman(quality_proxy, accuracies, [size]) > 0.8


def test_redundant_covariates_change_nothing():
    scores, accuracies, _ = noisy(50, 2)
    first, second = np.random.default_rng(1).integers(9, size=(2, 50))
    partial_rho = metrics.partial_spearman(scores[0], accuracies, [first, second])
    for redundant in (
        [first, second, first],
        [first, np.exp(first), second],
        [first, np.ones(50), -second],
    ):
        value = metrics.partial_spearman(scores[0], accuracies, redundant)
        assert value == pytest.approx(partial_rho)
    rho = metrics.spearman(scores[0], accuracies)
    for uninformative in ([np.ones(50)], np.empty((0, 50))):
        value = metrics.partial_spearman(scores[0], accuracies, uninformative)
        assert value == pytest.approx(rho)
    assert abs(partial_rho - rho) > 1e-4


def test_scores_that_the_covariates_explain_are_undefined():
    scores, accuracies, _ = noisy(400, 2)
    ranks = stats.rankdata(np.random.default_rng(1).permutation(400))
    for explained in (scores[0], np.exp(scores[0]), -scores[0]):
        assert math.isnan(metrics.partial_spearman(explained, accuracies, [ranks, scores[0]]))
    assert math.isnan(metrics.partial_spearman(accuracies, scores[0], [scores[0]]))
    assert not math.isnan(metrics.partial_spearman(scores[1], accuracies, [ranks, scores[0]]))
    # no degree of freedom is left
    assert math.isnan(metrics.partial_spearman([1, 2, 3], [1, 3, 2], [[2, 1, 3], [3, 1, 2]]))


def test_two_swapped_networks_of_all_are_not_negligible():
    sizes = np.arange(15_625)
    swapped = sizes.copy()
    swapped[[7000, 7001]] = swapped[[7001, 7000]]
    assert metrics.partial_spearman(swapped, swapped, [sizes]) == pytest.approx(1)
    assert metrics.partial_spearman(swapped, -swapped, [sizes]) == pytest.approx(-1)
    assert math.isnan(metrics.partial_spearman(sizes, swapped, [sizes]))


def test_covariates_that_nearly_agree():
    random = np.random.default_rng(3)
    sizes = np.arange(2000)
    first_swap, second_swap = sizes.copy(), sizes.copy()
    first_swap[[700, 701]] = first_swap[[701, 700]]
    second_swap[[900, 902]] = second_swap[[902, 900]]
    scores, accuracies = (sizes + 50 * random.normal(size=(2, 2000))).argsort().argsort()
    covariates = np.stack([sizes, first_swap, second_swap])
    design = np.column_stack([np.ones(2000), *covariates])
    residuals = [row - design @ np.linalg.lstsq(design, row)[0] for row in (scores, accuracies)]
    expected = stats.pearsonr(*residuals).statistic
    assert metrics.partial_spearman(scores, accuracies, covariates) == pytest.approx(expected)
    for row in covariates:
        assert math.isnan(metrics.partial_spearman(row, accuracies, covariates))


def test_covariates_may_be_lowest_but_not_undefined():
    scores, accuracies = [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]
    lowest = metrics.partial_spearman(scores, accuracies, [[-INF, 2, -INF, 1, 3]])
    assert lowest == metrics.partial_spearman(scores, accuracies, [[0, 2, 0, 1, 3]])
    assert not math.isnan(lowest)
    for undefined in (NAN, INF):
        covariates = [[undefined, 2, 0, 1, 3]]
        assert math.isnan(metrics.partial_spearman(scores, accuracies, covariates))


def test_covariates_must_fit():
    with pytest.raises(InputError, match="covariates of 3 networks, accuracies of 2"):
        metrics.partial_spearman([1, 2], [1, 2], [[1, 2, 3]])
    with pytest.raises(InputError, match="2 axes"):
        metrics.partial_spearman([1, 2], [1, 2], [1, 2])


# Among the best

TOP = pytest.mark.parametrize(
    ("top_metric", "metric"),
    [(metrics.top_kendall, metrics.kendall), (metrics.top_spearman, metrics.spearman)],
)


@TOP
def test_ties_at_the_border_are_in(top_metric, metric):
    accuracies = [1, 8, 9, 8, 1, 1, 8, 0, 0, 0]
    scores = [9, 1, 3, 2, 9, 9, 4, 9, 9, 9]
    among_top = metric([1, 3, 2, 4], [8, 9, 8, 8])
    assert abs(among_top) < 1
    for share in (0.2, 0.3, 0.4):
        assert top_metric(scores, accuracies, share) == among_top
    assert math.isnan(top_metric(scores, accuracies, 0.1))  # one network
    expected = metric([1, 3, 2, 4, 9, 9, 9], [8, 9, 8, 8, 1, 1, 1])
    assert top_metric(scores, accuracies, 0.41) == expected


@TOP
@pytest.mark.parametrize(
    ("networks", "share", "best"),
    [(20, 0.1, 2), (21, 0.1, 3), (29, 0.1, 3), (30, 0.1, 3), (100, 0.07, 7), (100, 0.55, 55)],
)
def test_the_share_is_rounded_up_except_for_rounding_errors(
    top_metric, metric, networks, share, best
):
    # 0.07 * 100 is more than 7 in floating point
    accuracies = np.arange(networks)[::-1]
    scores = accuracies.copy()
    scores[best:] += 10_000  # the next one would not fit in
    assert top_metric(scores, accuracies, share) == 1.0
    scores[best - 1] += 20_000  # the last one does
    assert top_metric(scores, accuracies, share) < 1


@TOP
@given(vectors(2), st.floats(0.01, 1))
def test_only_the_top_counts(top_metric, metric, pair, share):
    scores, accuracies = pair
    border = sorted(accuracies, reverse=True)[math.ceil(share * len(scores) - 1e-6) - 1]
    inside = accuracies >= border
    expected = metric(scores[inside], accuracies[inside])
    assert same(top_metric(scores, accuracies, share), expected)
    assert same(top_metric(scores, accuracies, 1), metric(scores, accuracies))


@pytest.mark.parametrize("function", [metrics.top_kendall, metrics.top_spearman, metrics.precision])
@pytest.mark.parametrize("share", [0, -0.1, 1.1, NAN])
def test_a_share_is_more_than_0_and_at_most_1(function, share):
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
    variation = metrics.variation(scores, accuracies)
    taus = [stats.kendalltau(row, accuracies).statistic for row in scores]
    pairs = [stats.kendalltau(*pair).statistic for pair in itertools.combinations(scores, 2)]
    expected = (statistics.mean(taus), statistics.stdev(taus), statistics.mean(pairs))
    assert variation == pytest.approx(expected)


def test_variation_with_too_few_seeds():
    assert same(metrics.variation([[1, 2, 4, 3]], [1, 2, 3, 4]), [2 / 3, NAN, NAN])
    assert same(metrics.variation(np.empty((0, 3)), [1, 2, 3]), [NAN, NAN, NAN])


def test_variation_does_not_hide_what_is_undefined():
    assert same(metrics.variation([[1, 2, 3], [1, NAN, 3]], [1, 2, 3]), [NAN, NAN, NAN])
    # the seeds agree though the accuracies are all equal
    assert same(metrics.variation([[1, 2, 3], [1, -INF, 3]], [5, 5, 5]), [NAN, NAN, 1 / 3])
    with pytest.raises(InputError, match="scores of 3 networks"):
        metrics.variation([[1, 2, 3]], [1, 2])


# Within groups


def test_kendall_within_by_hand():
    # Group a: three networks, of whose pairs two agree and one does not; group b: one pair.
    groups = ["a", "a", "a", "b", "b"]
    scores, accuracies = [1, 2, 3, 9, 0], [10, 30, 20, 1, 2]
    assert metrics.kendall_within(scores, accuracies, groups) == pytest.approx((2 - 1 - 1) / 4)
    # A tie of scores in a is no untied pair of the scores: (1 + 0 + 1) - 1 of sqrt(3 * 4).
    tied = metrics.kendall_within([1, 2, 2, 9, 0], accuracies, groups)
    assert tied == pytest.approx((2 - 1) / math.sqrt(3 * 4))


@given(vectors(2))
def test_kendall_within_one_group_is_kendall(pair):
    groups = np.zeros(len(pair[0]))
    assert same(metrics.kendall_within(*pair, groups), metrics.kendall(*pair))


def test_kendall_within_needs_pairs():
    assert math.isnan(metrics.kendall_within([1, 2], [1, 2], [0, 1]))
    assert math.isnan(metrics.kendall_within([1, NAN, 3], [1, 2, 3], [0, 1, 0]))
    with pytest.raises(InputError, match="groups of 3 networks"):
        metrics.kendall_within([1, 2], [1, 2], [0, 1, 1])


def test_the_tau_within_groups_is_resampled_like_rows():
    scores, accuracies, _ = noisy(40, 2)
    groups = np.arange(40) % 3
    weights = np.random.default_rng(0).integers(0, 3, size=(5, 40))
    result = metrics.bootstrap(scores, accuracies, weights, groups=groups)
    values, replicates = result.values["within_tau"], result.replicates["within_tau"]
    for row, value, row_replicates in zip(scores, values, replicates, strict=True):
        assert value == pytest.approx(metrics.kendall_within(row, accuracies, groups))
        for copies, replicate in zip(weights, row_replicates, strict=True):
            repeated = [np.repeat(v, copies) for v in (row, accuracies, groups)]
            assert replicate == pytest.approx(metrics.kendall_within(*repeated))


def test_groups_of_a_bootstrap_must_fit():
    with pytest.raises(InputError, match="groups of 3 networks, accuracies of 2"):
        metrics.bootstrap([[1, 2]], [1, 2], [[1, 1]], groups=[0, 1, 1])
    nothing = metrics.bootstrap(np.empty((0, 2)), [1, 2], [[1, 1]], groups=[0, 0])
    assert nothing.replicates["within_tau"].shape == (0, 1)
