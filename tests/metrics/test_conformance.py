"""What holds for every metric: when it is undefined, what it does not depend on, its range."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eznas import metrics
from eznas.errors import InputError
from tests.metrics.made_up import FINITE, INF, METRICS, NAN, same, vectors

SMALL = st.integers(-5, 5).map(float)
ACCURACIES = st.one_of(st.integers(0, 5).map(float), st.floats(10, 95).map(lambda x: round(x, 2)))
COMPARE_RANKS = sorted(set(METRICS) - {"pearson"})
COMPARE_DISTANCES = ("pearson", "ndcg", "regret1", "regret5", "regret10")
ALL_METRICS = pytest.mark.parametrize("name", METRICS)


def cores(sizes):
    """The weighted core of every metric that needs no groups."""
    return {
        m.name: partial(m.core, covariates=sizes) if m.needs else m.core
        for m in metrics.METRICS.values()
        if m.needs != "groups"
    }


def test_every_metric_is_tested():
    assert set(METRICS) == set(cores(None))


@ALL_METRICS
@pytest.mark.parametrize(
    ("scores", "accuracies"),
    [
        ([1, NAN, 3, 4], [1, 2, 3, 4]),
        ([NAN, 2, 3, 4], [1, 2, 3, 4]),  # also where the top share does not reach
        ([1, INF, 3, 4], [1, 2, 3, 4]),
        ([1, 2, 3, 4], [1, NAN, 3, 4]),
        ([1, 2, 3, 4], [1, INF, 3, 4]),
        ([7, 7, 7, 7], [1, 2, 3, 4]),
        ([-INF, -INF, -INF, -INF], [1, 2, 3, 4]),
        ([1, 2, 3, 4], [7, 7, 7, 7]),
        ([1], [2]),
        ([], []),
    ],
)
def test_undefined_is_nan(name, scores, accuracies):
    sizes = np.array([[3, 1, 2, 2]])[:, : len(scores)]
    value = METRICS[name](scores, accuracies, sizes)
    assert isinstance(value, float)
    assert math.isnan(value)


@ALL_METRICS
def test_defined_scores_give_a_number(name):
    # so that the test above does not pass where nothing is ever defined
    scores, accuracies = np.arange(40) % 13, np.arange(40) % 11
    assert not math.isnan(METRICS[name](scores, accuracies, [np.arange(40) % 7]))


@ALL_METRICS
def test_shapes_must_match(name):
    with pytest.raises(InputError, match="of 3 networks, accuracies of 2"):
        METRICS[name]([1, 2, 3], [1, 2], [[1, 2]])
    with pytest.raises(InputError, match="expected an array of 1 axes"):
        METRICS[name]([[1, 2]], [1, 2], [[1, 2]])


@pytest.mark.parametrize("name", COMPARE_RANKS)
@settings(max_examples=30)
@given(rows=vectors(3, SMALL))
def test_monotone_transforms_of_scores_do_not_matter(name, rows):
    scores, accuracies, sizes = rows
    expected = METRICS[name](scores, accuracies, sizes[None])
    assert same(METRICS[name](np.exp(scores) - 9, accuracies, sizes[None] ** 3), expected)
    lowest = np.where(scores == scores.min(), -INF, scores)
    assert same(METRICS[name](lowest, accuracies, sizes[None]), expected)


@ALL_METRICS
@settings(max_examples=30)
@given(rows=vectors(3, st.one_of(SMALL, st.just(-INF))), random=st.randoms(use_true_random=False))
def test_the_order_of_networks_does_not_matter(name, rows, random):
    scores, accuracies, sizes = rows
    order = random.sample(range(len(scores)), len(scores))
    expected = METRICS[name](scores, accuracies, sizes[None])
    assert same(METRICS[name](scores[order], accuracies[order], sizes[None, order]), expected)


@ALL_METRICS
def test_minus_infinity_as_an_accuracy(name):
    scores, sizes = [1, 2, 3, 4, 5], [[3, 1, 2, 2, 5]]
    infinite = METRICS[name](scores, [-INF, 3, 2, 4, 4], sizes)
    low = METRICS[name](scores, [-9, 3, 2, 4, 4], sizes)
    assert same(infinite, NAN if name in COMPARE_DISTANCES else low)
    assert same(low, NAN) == (name == "top10_tau" or name == "top10_rho")  # both best are at 4


@ALL_METRICS
@settings(max_examples=40)
@given(rows=vectors(3, st.one_of(FINITE, st.just(-INF))), data=st.data())
def test_values_stay_in_their_range(name, rows, data):
    scores, _, sizes = rows
    accuracies = data.draw(hnp.arrays(float, len(scores), elements=ACCURACIES))
    value = METRICS[name](scores, accuracies, sizes[None])
    if name.startswith("regret"):
        assert math.isnan(value) or 0 <= value <= accuracies.max() - accuracies.min()
    else:
        lowest = 0 if name in ("ndcg", "precision10") else -1
        assert math.isnan(value) or lowest <= value <= 1


@ALL_METRICS
@settings(max_examples=40)
@given(rows=vectors(4, SMALL), data=st.data())
def test_weights_equal_repetition(name, rows, data):
    *scores, accuracies, sizes = rows
    counts = hnp.arrays(np.int64, (3, len(accuracies)), elements=st.integers(0, 4))
    weights = data.draw(counts)
    weighted = cores(sizes[None])[name](np.stack(scores), accuracies, weights.astype(float))
    for row, values in zip(scores, weighted, strict=True):
        for copies, value in zip(weights, values, strict=True):
            repeated = [np.repeat(vector, copies) for vector in (row, accuracies, sizes)]
            assert same(value, METRICS[name](*repeated[:2], repeated[2][None]), 1e-9)


@ALL_METRICS
def test_a_network_that_is_not_drawn_may_not_be_undefined(name):
    core = cores(np.array([[2.0, 1, 4, 3, 5]]))[name]
    scores = np.array([[1, 2, 3, 4, NAN], [1, 2, 3, 4, 0]])
    accuracies, weights = np.array([1.0, 3, 2, 4, 5]), np.array([[1.0, 1, 1, 2, 0]])
    undefined, defined = core(scores, accuracies, weights)[:, 0]
    assert math.isnan(undefined)
    assert math.isnan(defined) == name.startswith("top10")  # the best of five is alone
    none_drawn = core(scores, accuracies, np.zeros((1, 5)))
    assert np.isnan(none_drawn).all()


@ALL_METRICS
def test_no_proxies_and_no_replicates(name):
    core = cores(np.array([[2.0, 1, 4]]))[name]
    accuracies = np.array([1.0, 3, 2])
    assert core(np.empty((0, 3)), accuracies, np.ones((2, 3))).shape == (0, 2)
    assert core(np.ones((2, 3)), accuracies, np.ones((0, 3))).shape == (2, 0)
