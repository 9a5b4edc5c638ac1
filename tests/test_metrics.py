"""Rank correlations: values by hand, scipy as the reference, and repeated rows for the weights."""

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

INF, NAN = math.inf, math.nan
FINITE = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))


def vectors(count: int, elements: st.SearchStrategy[float] = FINITE, smallest: int = 2):
    """`count` vectors of one common length, with many ties."""
    lengths = st.integers(smallest, 12)
    return lengths.flatmap(lambda n: st.tuples(*[hnp.arrays(float, n, elements=elements)] * count))


def reference(measure, scores, accuracies) -> float:
    """Scipy's value; NaN for a constant, about which scipy warns."""
    if len(set(scores)) < 2 or len(set(accuracies)) < 2:
        return NAN
    return float(measure(scores, accuracies).statistic)


def same(first, second, tolerance: float = 1e-12) -> bool:
    return bool(np.allclose(first, second, rtol=0, atol=tolerance, equal_nan=True))


def noisy(networks: int, proxies: int, seed: int = 0):
    """Accuracies, scores that get worse from proxy to proxy, and components of 1 to 4 networks."""
    random = np.random.default_rng(seed)
    accuracies = random.normal(size=networks).round(1)
    noise = random.normal(size=(proxies, networks)) * np.arange(1, proxies + 1)[:, None]
    return (accuracies + noise).round(1), accuracies, random.integers(networks // 2, size=networks)


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


@pytest.mark.parametrize("measure", [metrics.kendall, metrics.spearman])
def test_a_perfect_order_is_exactly_one(measure):
    values = np.random.default_rng(0).integers(50, size=333)
    assert measure(values, values) == 1.0
    assert measure(values, -values) == -1.0


@pytest.mark.parametrize("measure", [metrics.kendall, metrics.spearman])
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
def test_undefined_is_nan(measure, scores, accuracies):
    assert math.isnan(measure(scores, accuracies))


def test_many_keeps_undefined_rows_to_themselves():
    rows = [[1, 2, 3], [1, NAN, 3], [3, 2, 1], [2, 2, 2], [1, INF, 3], [-INF, -INF, 0]]
    expected = [1, NAN, -1, NAN, NAN, 2 / math.sqrt(6)]
    assert same(metrics.kendall_many(rows, [1, 2, 3]), expected)


def test_no_formulas():
    assert metrics.kendall_many(np.empty((0, 3)), [1, 2, 3]).shape == (0,)


# Against scipy


@settings(deadline=None)
@given(vectors(2))
def test_equal_to_scipy(pair):
    assert same(metrics.kendall(*pair), reference(stats.kendalltau, *pair))
    assert same(metrics.spearman(*pair), reference(stats.spearmanr, *pair))


@settings(deadline=None)
@given(vectors(2, st.one_of(FINITE, st.just(-INF))))
def test_minus_infinity_is_below_the_minimum(pair):
    scores, accuracies = pair
    replaced = (
        np.where(scores == -INF, -1e7, scores),
        np.where(accuracies == -INF, -1e7, accuracies),
    )
    assert same(metrics.kendall(*pair), reference(stats.kendalltau, *replaced))
    assert same(metrics.spearman(*pair), reference(stats.spearmanr, *replaced))


@settings(deadline=None, max_examples=50)
@given(vectors(5, st.one_of(FINITE, st.sampled_from([NAN, INF, -INF]))))
def test_many_is_one_after_another(rows):
    *scores, accuracies = rows
    many = metrics.kendall_many(np.stack(scores), accuracies)
    assert same(many, [metrics.kendall(row, accuracies) for row in scores])


@pytest.mark.parametrize("networks", [511, 600, 1300])
def test_equal_to_scipy_over_several_blocks(networks, monkeypatch):
    monkeypatch.setattr(metrics, "SIGNS", 1 << 14)  # blocks of 64
    scores, accuracies, _ = noisy(networks, 2)
    for row, tau in zip(scores, metrics.kendall_many(scores, accuracies), strict=True):
        assert same(tau, stats.kendalltau(row, accuracies).statistic)
        assert same(metrics.spearman(row, accuracies), stats.spearmanr(row, accuracies).statistic)


# Properties


@settings(deadline=None)
@given(vectors(2))
def test_negation_turns_the_sign(pair):
    scores, accuracies = pair
    for measure in (metrics.kendall, metrics.spearman):
        assert same(measure(-scores, accuracies), -measure(scores, accuracies))
        assert same(measure(scores, accuracies), measure(accuracies, scores))


@settings(deadline=None)
@given(vectors(2, st.integers(-20, 20).map(float)), st.randoms(use_true_random=False))
def test_monotone_transforms_and_order_do_not_matter(pair, random):
    scores, accuracies = pair
    order = random.sample(range(len(scores)), len(scores))
    for measure in (metrics.kendall, metrics.spearman):
        expected = measure(scores, accuracies)
        assert same(measure(np.exp(scores / 4), accuracies**3), expected)
        assert same(measure(scores[order], accuracies[order]), expected)


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


def repeated(measure, scores, accuracies, weights):
    """One row per draw, physically, given to scipy."""
    return [
        [reference(measure, np.repeat(row, w), np.repeat(accuracies, w)) for w in weights]
        for row in scores
    ]


@settings(deadline=None, max_examples=60)
@given(vectors(3, st.one_of(FINITE, st.just(-1e9))), st.data())
def test_weights_equal_repetition(rows, data):
    *scores, accuracies = rows
    weights = data.draw(hnp.arrays(np.int32, (3, len(accuracies)), elements=st.integers(0, 4)))
    lowest = np.where(np.stack(scores) == -1e9, -INF, scores)
    result = metrics.bootstrap(lowest, accuracies, weights)
    for mine, measure in ((result.taus, stats.kendalltau), (result.rhos, stats.spearmanr)):
        assert same(mine, repeated(measure, scores, accuracies, weights), 1e-10)


@pytest.mark.parametrize("at_once", [600, 1])  # 4 replicates, 1 replicate
def test_weights_equal_repetition_over_blocks_of_pairs_and_of_replicates(at_once, monkeypatch):
    scores, accuracies, components = noisy(150, 3)
    weights = metrics.bootstrap_weights(components, 9, seed=0)
    whole = metrics.bootstrap(scores, accuracies, weights)
    monkeypatch.setattr(metrics, "SIGNS", 1)  # blocks of 64 networks
    monkeypatch.setattr(metrics, "WEIGHTS", at_once)
    result = metrics.bootstrap(scores, accuracies, weights)
    assert (result.taus == whole.taus).all()
    assert (result.rhos == whole.rhos).all()
    for mine, measure in ((result.taus, stats.kendalltau), (result.rhos, stats.spearmanr)):
        assert same(mine, repeated(measure, scores, accuracies, weights), 1e-10)


def test_large_weights_stay_exact():
    # 16 million networks in a replicate: sums of pairs are far beyond what float32 can count
    weights = np.array([[4_000_000, 4_000_001, 4_000_003, 4_000_007]])
    scores, accuracies = [1, 2, 3, 4], [20, 10, 40, 30]
    pairs = list(itertools.combinations(range(4), 2))
    products = {pair: int(weights[0, pair[0]]) * int(weights[0, pair[1]]) for pair in pairs}
    discordant = products[0, 1] + products[2, 3]
    expected = 1 - 2 * discordant / sum(products.values())
    assert same(metrics.bootstrap([scores], accuracies, weights).taus, [[expected]], 1e-14)


def test_sample_values_stand_beside_the_replicates():
    scores, accuracies, components = noisy(60, 3)
    weights = metrics.bootstrap_weights(components, 5)
    result = metrics.bootstrap(scores, accuracies, weights)
    assert result.networks == 60
    assert same(result.tau, [metrics.kendall(row, accuracies) for row in scores])
    assert same(result.rho, [metrics.spearman(row, accuracies) for row in scores])


def test_an_undefined_score_spoils_every_replicate():
    weights = np.array([[1, 1, 1, 0], [2, 1, 1, 1]])  # the first does not even draw it
    result = metrics.bootstrap([[1, 2, 3, NAN], [1, 2, 3, -INF]], [1, 2, 3, 4], weights)
    assert np.isnan(result.taus[0]).all()
    assert np.isnan(result.rhos[0]).all()
    assert not np.isnan(result.taus[1]).any()


def test_a_replicate_of_ties_only_is_nan():
    result = metrics.bootstrap([[1, 2, 3]], [1, 2, 3], np.array([[3, 0, 0], [0, 0, 0], [2, 1, 0]]))
    assert same(result.taus, [[NAN, NAN, 1]])
    assert same(result.rhos, [[NAN, NAN, 1]])


@pytest.mark.parametrize(
    ("scores", "accuracies", "weights", "words"),
    [
        ([[1, 2, 3]], [1, 2], [[1, 1]], "scores of 3 networks, accuracies of 2"),
        ([1, 2], [1, 2], [[1, 1]], "2 axes"),
        ([[1, 2]], [1, 2], [[1, 1, 1]], r"\[replicates, 2\]"),
        ([[1, 2]], [1, 2], [[0.5, 1]], "integer"),
        ([[1, 2]], [1, 2], [[-1, 1]], "negative"),
        ([[1, 2]], [1, 2], [[1 << 23, 1 << 23]], "fewer than 16777216"),
    ],
)
def test_bad_input_says_what_was_expected(scores, accuracies, weights, words):
    with pytest.raises(InputError, match=words):
        metrics.bootstrap(scores, accuracies, weights)


def test_the_interval_has_its_coverage():
    # 200 samples of a correlated normal: tau = 2 / pi * arcsin(.6); 90 % intervals should cover
    # it in 90 % of samples, within 4 standard errors and the small-sample bias of the bootstrap
    random, truth, covered = np.random.default_rng(5), 2 / math.pi * math.asin(0.6), 0
    weights = metrics.bootstrap_weights(np.arange(60), replicates=150)
    for _ in range(200):
        x, noise = random.normal(size=(2, 60))
        low, high = metrics.interval(
            metrics.bootstrap([0.6 * x + 0.8 * noise], x, weights).taus[0], 0.9
        )
        covered += low <= truth <= high
    assert 0.8 < covered / 200 < 0.97


def test_clusters_widen_the_interval():
    scores, accuracies, _ = noisy(80, 1)
    copied = np.repeat(scores, 4, axis=1), np.repeat(accuracies, 4)
    widths = {}
    for name, components in (("clusters", np.repeat(np.arange(80), 4)), ("each", np.arange(320))):
        weights = metrics.bootstrap_weights(components, 400)
        low, high = metrics.interval(metrics.bootstrap(*copied, weights).taus[0])
        widths[name] = high - low
    assert widths["clusters"] > 1.6 * widths["each"]  # copies are no evidence: about twice


# Intervals, differences, verdicts


def test_interval_by_hand():
    values = [*range(101), NAN]
    assert metrics.interval(values, level=0.9) == pytest.approx((5, 95))
    assert metrics.interval(values) == pytest.approx((2.5, 97.5))
    assert all(map(math.isnan, metrics.interval([NAN, NAN])))
    assert all(map(math.isnan, metrics.interval([])))


def test_a_paired_difference_knows_that_proxies_agree():
    scores, accuracies, components = noisy(200, 2)
    close = scores[0] + 0.01 * scores[1]
    weights = metrics.bootstrap_weights(components, 300)
    judged = metrics.bootstrap([scores[0], close], accuracies, weights)
    value, low, high = metrics.paired_difference(judged, 0, 1)
    assert value == judged.tau[0] - judged.tau[1]
    assert low < value < high
    single = np.subtract(*reversed(metrics.interval(judged.taus[0])))
    assert high - low < single / 3
    back = metrics.paired_difference(judged, 1, 0)
    assert same(back, [-value, -high, -low])
    assert metrics.paired_difference(judged, 1, 1) == (0, 0, 0)


@pytest.mark.parametrize(
    ("low", "high", "word"),
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
def test_verdict(low, high, word):
    assert metrics.verdict(low, high) == word


# Rows


@pytest.fixture
def judged():
    scores, accuracies, components = noisy(400, 3)
    scores[2, 7] = NAN
    return metrics.judge(
        {"cifar10": scores, "cifar100": -scores},
        {"cifar10": accuracies, "cifar100": accuracies},
        components,
        replicates=200,
        seed=4,
    )


NAMES = ["found", "params", "broken"]
LABELS = {"set_name": "connected", "accuracy": "validation", "seeds": (0, 1)}


def test_rows_name_what_they_are(judged):
    rows = metrics.correlation_rows(NAMES, judged, **LABELS)
    assert [(row["proxy"], row["dataset"]) for row in rows] == list(
        itertools.product(NAMES, ["cifar10", "cifar100"])
    )
    first = rows[0]
    assert list(first) == list(metrics.Row.__annotations__)
    one = judged["cifar10"]
    assert (first["tau"], first["rho"]) == (one.tau[0], one.rho[0])
    assert (first["tau_low"], first["tau_high"]) == metrics.interval(one.taus[0])
    assert (first["rho_low"], first["rho_high"]) == metrics.interval(one.rhos[0])
    labels = {key: first[key] for key in ("networks", "set", "accuracy", "seeds")}
    assert labels == {
        "networks": 400,
        "set": "connected",
        "accuracy": "validation",
        "seeds": [0, 1],
    }


def test_undefined_is_none_in_rows(judged):
    broken = metrics.correlation_rows(NAMES, judged, **LABELS)[-1]
    numbers = [value for key, value in broken.items() if key[:3] in ("tau", "rho")]
    assert numbers == [None] * 6
    against = metrics.difference_rows(NAMES, judged, "found")[-1]
    assert against == {
        "against": "broken",
        "dataset": "cifar100",
        "tau": None,
        "low": None,
        "high": None,
    }


def test_datasets_share_the_replicates(judged):
    # the scores of the second dataset are those of the first, negated
    assert same(judged["cifar10"].taus, -judged["cifar100"].taus)


def test_difference_rows(judged):
    rows = metrics.difference_rows(NAMES, judged, "found")
    assert [(row["against"], row["dataset"]) for row in rows] == list(
        itertools.product(["params", "broken"], ["cifar10", "cifar100"])
    )
    assert (rows[0]["tau"], rows[0]["low"], rows[0]["high"]) == metrics.paired_difference(
        judged["cifar10"], 0, 1
    )
    assert metrics.verdict(rows[0]["low"], rows[0]["high"]) == "won"
    assert metrics.verdict(rows[1]["low"], rows[1]["high"]) == "lost"


def test_rows_refuse_what_does_not_fit(judged):
    with pytest.raises(InputError, match="3 score vectors for 2 names"):
        metrics.correlation_rows(NAMES[:2], judged, **LABELS)
    with pytest.raises(InputError, match="did you mean 'params'"):
        metrics.difference_rows(NAMES, judged, "parms")
    with pytest.raises(InputError, match="unknown dataset 'cifar10'"):
        metrics.judge({"cifar10": [[1, 2]]}, {"svhn": [1, 2]}, [0, 1])
