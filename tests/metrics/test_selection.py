"""nDCG, regret, precision: values by hand, and all orders of tied networks."""

import itertools
import math
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eznas import metrics
from eznas.errors import InputError
from eznas.metrics import METRICS, selection
from tests.metrics.made_up import INF, NAN, noisy, same

FEW = st.integers(2, 6)
LEVELS = st.integers(0, 3).map(float)


def pairs_of_levels():
    """Scores with many ties, -inf among them, and accuracies with some."""
    return FEW.flatmap(
        lambda n: st.tuples(
            hnp.arrays(float, n, elements=st.one_of(LEVELS, st.just(-INF))),
            hnp.arrays(float, n, elements=st.one_of(LEVELS, st.floats(0, 3))),
        )
    )


def over_orders(gain, scores, accuracies) -> float:
    """The mean gain of accuracies in the order of scores, over all orders of ties."""
    if len(set(scores)) < 2 or len(set(accuracies)) < 2:
        return NAN
    return fmean(
        gain([accuracies[i] for i in sorted(order, key=lambda i: -scores[i])])
        for order in itertools.permutations(range(len(scores)))
    )


def hits(accuracies, border) -> float:
    return sum(float(a >= border) for a in accuracies) / len(accuracies)


def discounted_gain(ordered, k=None) -> float:
    lowest, highest = min(ordered), max(ordered)
    return sum(
        (accuracy - lowest) / (highest - lowest) / math.log2(position + 1)
        for position, accuracy in enumerate(ordered[:k], 1)
    )


# nDCG


def test_ndcg_by_hand():
    # gains by score .5, 0, 1 at the positions 1, 2, 3, where the discount is 1/2; at best 1, .5, 0
    assert metrics.ndcg([1, 3, 2], [30, 20, 10]) == pytest.approx(
        (0.5 + 1 / 2) / (1 + 0.5 / math.log2(3)), abs=1e-15
    )
    # the first two tie and gain (1 + 0) / 2 each
    assert metrics.ndcg([7, 7, 2], [30, 10, 20]) == pytest.approx(
        (0.5 + 0.5 / math.log2(3) + 0.5 / 2) / (1 + 0.5 / math.log2(3)), abs=1e-15
    )


def test_ndcg_of_the_first_k_by_hand():
    scores, accuracies = [1, 3, 2], [30, 20, 10]
    assert metrics.ndcg(scores, accuracies, k=1) == pytest.approx(0.5)
    assert metrics.ndcg(scores, accuracies, k=2) == pytest.approx(0.5 / (1 + 0.5 / math.log2(3)))
    assert metrics.ndcg(scores, accuracies, k=3) == metrics.ndcg(scores, accuracies)
    assert metrics.ndcg(scores, accuracies, k=99) == metrics.ndcg(scores, accuracies)
    # two of three tied networks are among the first two: gains 1, .5, 0
    tied = metrics.ndcg([5, 5, 5, 1], [30, 20, 10, 10], k=2)
    assert tied == pytest.approx(0.5 * (1 + 1 / math.log2(3)) / (1 + 0.5 / math.log2(3)))


@given(pairs_of_levels(), st.one_of(st.none(), st.integers(1, 7)))
def test_ndcg_over_all_orders_of_ties(pair, k):
    scores, accuracies = pair
    expected = over_orders(
        lambda ordered: (
            discounted_gain(ordered, k) / discounted_gain(sorted(ordered, reverse=True), k)
        ),
        scores,
        accuracies,
    )
    assert same(metrics.ndcg(scores, accuracies, k), expected, 1e-10)


def test_ndcg_of_the_best_order_is_exactly_one():
    accuracies = np.random.default_rng(0).integers(500, size=333) / 7
    assert metrics.ndcg(accuracies, accuracies) == 1.0
    assert metrics.ndcg(np.exp(accuracies / 9), accuracies, k=10) == 1.0
    random = np.random.default_rng(1)
    for _ in range(50):  # no rounding lifts it above
        accuracies = random.integers(20, size=100) / 7
        value = metrics.ndcg(accuracies + 1e-6 * random.random(100), accuracies)
        assert 1 - 1e-12 < value <= 1


def test_ndcg_of_the_opposite_order_is_least():
    accuracies = [1.0, 2, 4, 7, 9]
    values = [metrics.ndcg(order, accuracies) for order in itertools.permutations(range(5))]
    assert min(values) == metrics.ndcg([5, 4, 3, 2, 1], accuracies) < sorted(values)[1]


def test_ndcg_has_no_unit():
    scores, accuracies, _ = noisy(90, 1)
    value = metrics.ndcg(scores[0], accuracies)
    assert metrics.ndcg(scores[0], accuracies * 100 - 7) == pytest.approx(value)
    assert value < 0.99


# Regret


def test_regret_by_hand():
    scores, accuracies = [5, 4, 3, 2, 1], [70, 90, 60, 95, 80]
    assert [metrics.regret(scores, accuracies, k) for k in (1, 2, 3, 4, 5, 6)] == [
        25,
        5,
        5,
        0,
        0,
        0,
    ]


def test_regret_by_hand_with_ties():
    # two of four: the best of the pairs is 20 once, 30 twice, 40 three times
    scores, accuracies = [1, 1, 1, 1, 0], [10, 20, 30, 40, 50]
    expected = 50 - (20 + 2 * 30 + 3 * 40) / 6
    assert metrics.regret(scores, accuracies, 2) == pytest.approx(expected)
    # 35 is sure, and with one more of four it stays, but for 40
    assert metrics.regret([2, *scores], [35, *accuracies], 2) == pytest.approx(
        50 - (3 * 35 + 40) / 4
    )


@given(pairs_of_levels(), st.integers(1, 8))
def test_regret_over_all_orders_of_ties(pair, k):
    expected = over_orders(lambda ordered: max(ordered) - max(ordered[:k]), *pair)
    assert same(metrics.regret(*pair, k), expected, 1e-12)


def test_regret_without_ties_is_exact():
    scores, accuracies, _ = noisy(300, 1)
    scores = scores[0] + 1e-6 * np.arange(300)
    for k in (1, 5, 10, 299):
        best = np.argsort(-scores)[:k]
        assert metrics.regret(scores, accuracies, k) == accuracies.max() - accuracies[best].max()


def test_no_regret_is_not_less_than_zero():
    for ties in range(2, 60):
        for k in (1, 3, 7):
            value = metrics.regret([1] * ties + [0], [93.37] * ties + [0], k)
            assert 0 <= value < 1e-12


def test_regret_over_many_tied_copies():
    # the chance that the one good network of 3000 is not among 10 drawn
    scores, accuracies = np.append(np.ones(3000), 0), np.append(np.zeros(2999), [1, 0])
    assert metrics.regret(scores, accuracies, 10) == pytest.approx(1 - 10 / 3000, rel=1e-12)
    core = selection.regrets(
        np.array([[1.0, 1, 0]]), np.array([0.0, 1, 0]), np.array([[2999.0, 1, 1]]), 10
    )
    assert core[0, 0] == pytest.approx(1 - 10 / 3000, rel=1e-12)


# Precision


def test_precision_by_hand():
    accuracies = np.arange(20)
    scores = accuracies.copy()
    assert metrics.precision(scores, accuracies) == 1
    scores[[0, 19]] = scores[[19, 0]]  # the best two by score are 0 and 18
    assert metrics.precision(scores, accuracies) == 0.5
    for share in (0.05, 0.02, 1e-9):  # one network at least
        assert metrics.precision(scores, accuracies, share=share) == 0
    assert metrics.precision(scores, accuracies, share=1) == 1


def test_precision_by_hand_with_ties():
    # of the best three by score, one is sure and a hit, two are drawn of three with two hits
    scores, accuracies = [9, 5, 5, 5, 1, 1, 1, 1, 1, 1], [9, 8, 7, 0, 0, 0, 0, 0, 0, 0]
    assert metrics.precision(scores, accuracies, share=0.3) == pytest.approx((1 + 2 * 2 / 3) / 3)
    # equally accurate as the last of the best: as good
    assert metrics.precision([9, 5, 4, 1], [1, 7, 7, 9], share=0.5) == 0.5
    assert metrics.precision([1, 5, 4, 1], [1, 7, 7, 9], share=0.5) == 1


@given(pairs_of_levels(), st.sampled_from([0.1, 0.3, 0.5, 0.8, 1.0]))
def test_precision_over_all_orders_of_ties(pair, share):
    count = math.ceil(share * len(pair[0]) - 1e-9)
    border = sorted(pair[1], reverse=True)[count - 1]
    expected = over_orders(lambda ordered: hits(ordered[:count], border), *pair)
    assert same(metrics.precision(*pair, share), expected)


@pytest.mark.parametrize("function", [metrics.ndcg, metrics.regret])
@pytest.mark.parametrize("k", [0, -1])
def test_a_count_is_positive(function, k):
    with pytest.raises(InputError, match="k"):
        function([1, 2], [1, 2], k)


def test_a_replicate_of_ties_only_is_nan():
    scores, accuracies = np.array([[1.0, 1, 2]]), np.array([1.0, 2, 2])
    weights = np.array([[2.0, 1, 0], [0, 2, 1], [3, 0, 0], [0, 0, 0], [1, 0, 2]])
    for core in (METRICS[name].core for name in ("ndcg", "regret1", "precision10")):
        values = core(scores, accuracies, weights)
        assert np.isnan(values[0, :4]).all()
        assert not math.isnan(values[0, 4])
