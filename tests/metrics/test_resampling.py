"""The bootstrap: repeated rows as the reference for its weights, coverage, intervals, verdicts."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from eznas import metrics
from eznas.errors import InputError
from eznas.metrics import ranks, resampling
from tests.metrics.made_up import FINITE, INF, METRICS, NAN, noisy, reference, same, vectors

# The bootstrap


def test_weights_are_whole_components():
    components = ["a", "b", "a", "c", "b", "a"]
    weights = metrics.bootstrap_weights(components, replicates=500, seed=3)
    assert weights.shape == (500, 6)
    a, b, a2, c, b2, a3 = weights.T
    assert (a == a2).all()
    assert (a == a3).all()
    assert (b == b2).all()
    assert (a + b + c == 3).all()  # as many draws as components
    # each is drawn once on average, with variance 2/3: 4 standard errors of the mean
    assert np.abs(np.stack([a, b, c]).mean(axis=1) - 1).max() < 4 * math.sqrt(2 / 3 / 500)
    assert len(np.unique(weights, axis=0)) == 10  # all ways to draw 3 of 3


def test_weights_follow_the_seed():
    components = np.arange(9)
    first, again = (metrics.bootstrap_weights(components, 20, seed=1) for _ in range(2))
    assert (first == again).all()
    assert (first != metrics.bootstrap_weights(components, 20, seed=2)).any()
    assert (first[:5] == metrics.bootstrap_weights(components, 5, seed=1)).all()


def repeated(scipy_function, scores, accuracies, weights):
    """Scipy's values where every network is repeated as often as it is drawn."""
    return [
        [reference(scipy_function, np.repeat(row, w), np.repeat(accuracies, w)) for w in weights]
        for row in scores
    ]


@settings(max_examples=60)
@given(vectors(3, st.one_of(FINITE, st.just(-1e9))), st.data())
def test_weights_equal_repetition(rows, data):
    *scores, accuracies = rows
    weights = data.draw(hnp.arrays(np.int32, (3, len(accuracies)), elements=st.integers(0, 4)))
    lowest = np.where(np.stack(scores) == -1e9, -INF, scores)
    result = metrics.bootstrap(lowest, accuracies, weights)
    for values, function in (
        (result.replicates["tau"], stats.kendalltau),
        (result.replicates["rho"], stats.spearmanr),
    ):
        assert same(values, repeated(function, scores, accuracies, weights), 1e-10)


@pytest.mark.parametrize("weights_at_once", [600, 1])  # 4 replicates, 1 replicate
def test_weights_equal_repetition_in_blocks(weights_at_once, monkeypatch):
    scores, accuracies, components = noisy(150, 3)
    weights = metrics.bootstrap_weights(components, 9, seed=0)
    expected = metrics.bootstrap(scores, accuracies, weights)
    monkeypatch.setattr(ranks, "SIGNS", 1)  # blocks of 64 networks
    monkeypatch.setattr(resampling, "WEIGHTS", weights_at_once)
    result = metrics.bootstrap(scores, accuracies, weights)
    assert (result.replicates["tau"] == expected.replicates["tau"]).all()
    assert (result.replicates["rho"] == expected.replicates["rho"]).all()
    for values, function in (
        (result.replicates["tau"], stats.kendalltau),
        (result.replicates["rho"], stats.spearmanr),
    ):
        assert same(values, repeated(function, scores, accuracies, weights), 1e-10)


def test_large_weights_stay_exact():
    # 16 million networks in a replicate: sums of pairs are far beyond what float32 can count
    weights = np.array([[4_000_000, 4_000_001, 4_000_003, 4_000_007]])
    scores, accuracies = [1, 2, 3, 4], [20, 10, 40, 30]
    pairs = list(itertools.combinations(range(4), 2))
    products = {pair: int(weights[0, pair[0]]) * int(weights[0, pair[1]]) for pair in pairs}
    discordant = products[0, 1] + products[2, 3]
    expected = 1 - 2 * discordant / sum(products.values())
    assert same(
        metrics.bootstrap([scores], accuracies, weights).replicates["tau"], [[expected]], 1e-14
    )


def test_sample_values_stand_beside_the_replicates():
    scores, accuracies, components = noisy(60, 3)
    weights = metrics.bootstrap_weights(components, 5)
    result = metrics.bootstrap(scores, accuracies, weights)
    assert result.networks == 60
    assert same(result.values["tau"], [metrics.kendall(row, accuracies) for row in scores])
    assert same(result.values["rho"], [metrics.spearman(row, accuracies) for row in scores])


def test_a_replicate_of_ties_only_is_nan():
    result = metrics.bootstrap([[1, 2, 3]], [1, 2, 3], np.array([[3, 0, 0], [0, 0, 0], [2, 1, 0]]))
    assert same(result.replicates["tau"], [[NAN, NAN, 1]])
    assert same(result.replicates["rho"], [[NAN, NAN, 1]])


@pytest.mark.parametrize(
    ("scores", "accuracies", "weights", "message"),
    [
        ([[1, 2, 3]], [1, 2], [[1, 1]], "scores of 3 networks, accuracies of 2"),
        ([1, 2], [1, 2], [[1, 1]], "2 axes"),
        ([[1, 2]], [1, 2], [[1, 1, 1]], r"\[replicates, 2\]"),
        ([[1, 2]], [1, 2], [[0.5, 1]], "integer"),
        ([[1, 2]], [1, 2], [[-1, 1]], "negative"),
        ([[1, 2]], [1, 2], [[1 << 23, 1 << 23]], "fewer than 16777216"),
    ],
)
def test_bad_input_says_what_was_expected(scores, accuracies, weights, message):
    with pytest.raises(InputError, match=message):
        metrics.bootstrap(scores, accuracies, weights)


def test_the_interval_has_its_coverage():
    # 200 samples of a correlated normal: tau = 2 / pi * arcsin(.6); 90 % intervals should cover
    # it in 90 % of samples, within 4 standard errors and the small-sample bias of the bootstrap
    random, truth, covered = np.random.default_rng(5), 2 / math.pi * math.asin(0.6), 0
    weights = metrics.bootstrap_weights(np.arange(60), replicates=150)
    for _ in range(200):
        x, noise = random.normal(size=(2, 60))
        low, high = metrics.interval(
            metrics.bootstrap([0.6 * x + 0.8 * noise], x, weights).replicates["tau"][0], 0.9
        )
        covered += low <= truth <= high
    assert 0.8 < covered / 200 < 0.97


def test_clusters_widen_the_interval():
    scores, accuracies, _ = noisy(80, 1)
    copied = np.repeat(scores, 4, axis=1), np.repeat(accuracies, 4)
    widths = {}
    for name, components in (("clusters", np.repeat(np.arange(80), 4)), ("single", np.arange(320))):
        weights = metrics.bootstrap_weights(components, 400)
        low, high = metrics.interval(metrics.bootstrap(*copied, weights).replicates["tau"][0])
        widths[name] = high - low
    assert widths["clusters"] > 1.6 * widths["single"]  # copies are no evidence: about twice


# Intervals, differences, verdicts


def test_interval_by_hand():
    values = [*range(101), NAN]
    assert metrics.interval(values, level=0.9) == pytest.approx((5, 95))
    assert metrics.interval(values) == pytest.approx((2.5, 97.5))
    assert all(map(math.isnan, metrics.interval([NAN, NAN])))
    assert all(map(math.isnan, metrics.interval([])))


def test_similar_proxies_have_a_narrow_paired_difference():
    scores, accuracies, components = noisy(200, 2)
    close = scores[0] + 0.01 * scores[1]
    weights = metrics.bootstrap_weights(components, 300)
    result = metrics.bootstrap([scores[0], close], accuracies, weights)
    value, low, high = metrics.paired_difference([result], 0, 1)
    assert value == result.values["tau"][0] - result.values["tau"][1]
    assert low < value < high
    tau_low, tau_high = metrics.interval(result.replicates["tau"][0])
    assert high - low < (tau_high - tau_low) / 3
    negated = metrics.paired_difference([result], 1, 0)
    assert same(negated, [-value, -high, -low])
    assert metrics.paired_difference([result], 1, 1) == (0, 0, 0)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.01, 0.1, "won"),
        (-0.1, -0.01, "lost"),
        (-0.1, 0.1, "even"),
        (0.0, 0.1, "even"),
        (-0.1, 0.0, "even"),
        (NAN, NAN, "even"),
        (None, None, "even"),
    ],
)
def test_verdict(low, high, outcome):
    assert metrics.verdict(low, high) == outcome


# The other metrics


def test_the_other_metrics_follow_the_same_replicates():
    scores, accuracies, components = noisy(60, 2)
    sizes = np.random.default_rng(2).integers(20, size=(2, 60))
    weights = metrics.bootstrap_weights(components, 7)
    result = metrics.bootstrap(scores, accuracies, weights, sizes)
    assert set(result.values) == set(METRICS)
    resampled = {"tau", "rho", "partial_rho", "top10_rho", "ndcg", "regret1"}
    for name, value in result.values.items():
        replicates = result.replicates[name]
        assert same(value, [METRICS[name](row, accuracies, sizes) for row in scores]), name
        if name not in resampled:
            assert replicates.shape == (2, 0)
            continue
        expected = [
            [
                METRICS[name](np.repeat(row, w), np.repeat(accuracies, w), np.repeat(sizes, w, 1))
                for w in weights
            ]
            for row in scores
        ]
        assert same(replicates, expected, 1e-10), name
        assert len(np.unique(replicates[1])) > 2, name


def test_blocks_of_replicates_change_nothing(monkeypatch):
    scores, accuracies, components = noisy(50, 2)
    weights = metrics.bootstrap_weights(components, 9)
    expected = metrics.bootstrap(scores, accuracies, weights, [accuracies**2]).replicates
    monkeypatch.setattr(resampling, "CACHED_WEIGHTS", 100)  # two replicates
    result = metrics.bootstrap(scores, accuracies, weights, [accuracies**2]).replicates
    for name, replicates in expected.items():
        assert same(replicates, result[name]), name


def test_no_partial_rho_without_sizes():
    weights = np.ones((2, 4), int)
    assert "partial_rho" not in metrics.bootstrap([[1, 2, 4, 3]], [1, 2, 3, 4], weights).values
    with pytest.raises(InputError, match="sizes of 3 networks, accuracies of 4"):
        metrics.bootstrap([[1, 2, 4, 3]], [1, 2, 3, 4], weights, [[1, 2, 3]])


# Networks without a score

PARTLY, TARGET, COMPONENTS = noisy(networks=30, proxies=4)
PARTLY[1, [3, 8]] = NAN, INF
PARTLY[2, 5] = -INF  # a score, the lowest
PARTLY[3, 1:] = NAN
SIZES = np.random.default_rng(1).normal(size=(2, 30))
DRAWN = metrics.bootstrap_weights(COMPONENTS, 50)
DEFINED = np.delete(np.arange(30), [3, 8])  # for the second proxy


def test_a_partly_defined_proxy_has_the_metrics_of_the_other_networks():
    result = metrics.bootstrap(PARTLY, TARGET, DRAWN, SIZES)
    assert result.networks == 30
    assert metrics.undefined_scores(PARTLY[1]).nonzero()[0].tolist() == [3, 8]
    assert result.values["tau"][1] == metrics.kendall(PARTLY[1, DEFINED], TARGET[DEFINED])
    drawn, sizes = DRAWN[:, DEFINED], SIZES[:, DEFINED]
    alone = metrics.bootstrap(PARTLY[[1]][:, DEFINED], TARGET[DEFINED], drawn, sizes)
    whole = metrics.bootstrap(PARTLY[[0, 2]], TARGET, DRAWN, SIZES)
    for name in alone.values:
        for row, part, of_part in ((0, whole, 0), (1, alone, 0), (2, whole, 1)):
            np.testing.assert_array_equal(result.values[name][row], part.values[name][of_part])
            replicates = result.replicates[name][row]
            np.testing.assert_array_equal(replicates, part.replicates[name][of_part])
        assert math.isnan(result.values[name][3])  # one network has no order


def test_differences_are_over_the_networks_that_both_score():
    result = metrics.bootstrap(PARTLY, TARGET, DRAWN)
    part = metrics.bootstrap(PARTLY[:2][:, DEFINED], TARGET[DEFINED], DRAWN[:, DEFINED])
    for of in ("tau", "rho"):
        difference = metrics.paired_difference([result], 0, 1, of=of)
        assert difference == metrics.paired_difference([part], 0, 1, of=of)
        assert difference[1] < difference[0] < difference[2]
    assert same(metrics.paired_difference([result], 0, 3), [NAN] * 3)
    assert same(metrics.paired_difference([result], 1, 3), [NAN] * 3)


def test_no_proxies_and_no_networks():
    assert metrics.bootstrap(np.empty((0, 3)), [1, 2, 3], [[1, 1, 1]]).values["tau"].shape == (0,)
    nothing = metrics.bootstrap(np.empty((2, 0)), [], np.empty((4, 0), int))
    assert same(nothing.values["tau"], [NAN, NAN])
    assert nothing.replicates["tau"].shape == (2, 4)
