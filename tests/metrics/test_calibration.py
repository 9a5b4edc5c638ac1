"""From gaps in score to probabilities: by hand, against scikit-learn, and on made-up networks."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from eznas.errors import InputError
from eznas.metrics.calibration import (
    SEGMENTS,
    STEEPEST,
    Curve,
    OutOfFold,
    cross_validated,
    fit_curve,
    reliability,
)

CURVE = Curve(np.array([0.0, 10.0, 30.0]), np.array([0.0, 0.5, 1.0]), np.array([0.0, 2.0, 3.0]))


def made_up(count=300, seeds=2, noise=0.02, seed=0):
    """Networks of a Bradley-Terry world: utility 6 x quality below the middle and flat above it,
    accuracy is utility plus logistic noise; scores follow quality closely."""
    random = np.random.default_rng(seed)
    quality = random.random(count)
    utility = 6 * np.minimum(quality, 0.5)
    accuracies = utility + random.gumbel(size=count)  # a difference of two is logistic
    return np.exp(quality + noise * random.standard_normal((seeds, count))), accuracies, quality


def test_a_probability_by_hand():
    """Scores 5 and 20 are shares 1/4 and 3/4, so utilities 1 and 2.5."""
    assert CURVE.utility([5.0, 20.0]).tolist() == [1.0, 2.5]
    assert CURVE.probability([20.0], [5.0]) == pytest.approx(expit(1.5))
    two = CURVE.probability([20.0, 5.0], [5.0, 20.0])  # the draws contradict each other
    assert two == pytest.approx(0.5)
    assert CURVE.utility([-1.0, 99.0]).tolist() == [0.0, 3.0]


def test_probabilities_of_several_pairs_at_once():
    first, second = np.array([[5.0, 20.0, 5.0]] * 2), np.array([[20.0, 5.0, 5.0]] * 2)
    assert CURVE.probability(first, second) == pytest.approx([expit(-1.5), expit(1.5), 0.5])


def test_one_segment_is_the_logistic_regression_on_gaps_in_rank():
    scores, accuracies, _ = made_up(40, seeds=1)
    curve = fit_curve(scores, accuracies, np.arange(40))
    assert len(curve.utilities) == 2
    first, second = np.triu_indices(40, 1)
    shares = np.interp(scores[0], curve.scores, curve.shares)
    gaps = (shares[first] - shares[second])[:, None]
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-8)
    model.fit(gaps, accuracies[first] > accuracies[second])
    assert curve.utilities[1] == pytest.approx(model.coef_[0, 0], rel=1e-3)


def test_the_utility_of_a_made_up_world_is_recovered():
    worlds = (made_up(300, seed=seed)[:2] for seed in range(6))
    curves = [fit_curve(scores, accuracies, np.arange(300)) for scores, accuracies in worlds]
    utilities = np.mean([curve.utilities for curve in curves], axis=0)
    expected = 6 * np.minimum(np.linspace(0, 1, SEGMENTS + 1), 0.5)
    assert utilities == pytest.approx(expected, abs=0.4)


@given(
    arrays(float, (2, 25), elements=st.integers(-3, 3).map(float)),
    arrays(float, 25, elements=st.integers(0, 5).map(float)),
)
def test_a_curve_never_falls_and_two_probabilities_are_one(scores, accuracies):
    assume(np.ptp(scores))
    curve = fit_curve(scores, accuracies, np.arange(25) // 2)
    assert (np.diff(curve.utilities) >= 0).all()
    assert (np.diff(curve.scores) > 0).all()
    assert (np.diff(curve.shares) > 0).all()
    there, back = curve.probability(scores, scores[::-1]), curve.probability(scores[::-1], scores)
    assert there + back == pytest.approx(1)
    assert ((there >= 0) & (there <= 1)).all()


def test_scores_without_a_fault_have_a_steep_curve_not_an_endless_one():
    scores = np.arange(30.0)[None]
    curve = fit_curve(scores, np.arange(30.0), np.arange(30))
    assert curve.utilities[-1] == pytest.approx(STEEPEST)
    assert fit_curve(scores, -np.arange(30.0), np.arange(30)).utilities[-1] == 0


def test_pairs_within_a_component_do_not_count():
    """Every second network copies the one before it, with an accuracy that contradicts its
    score."""
    scores, accuracies, _ = made_up(60, seeds=1)
    doubled = np.repeat(scores, 2, 1) + np.tile([0, 1e-6], 60)
    misleading = np.repeat(accuracies, 2) - np.tile([0, 1e-6], 60)
    one = fit_curve(doubled, misleading, np.arange(120) // 2)
    other = fit_curve(doubled, np.repeat(accuracies, 2), np.arange(120) // 2)
    assert one.utilities == pytest.approx(other.utilities, abs=0.02)


def test_cross_validation_uses_no_network_of_the_component_that_it_tests():
    scores, accuracies, _ = made_up(60)
    components = np.arange(60) // 2
    before = cross_validated(scores, accuracies, components)
    assert (components[before.first] != components[before.second]).all()
    index = before.first[0]
    changed = np.where(components == components[index], -9.0, accuracies)
    after = cross_validated(scores, changed, components)
    mine = (before.first == index) | (before.second == index)
    assert np.array_equal(before.probabilities[mine], after.probabilities[mine])
    assert not np.array_equal(before.probabilities, after.probabilities)


def test_what_is_predicted_is_what_is_seen():
    scores, accuracies, quality = made_up(600)
    tested = cross_validated(scores, accuracies, np.arange(600))
    assert 0 < tested.brier() < 0.25
    for networks in (np.ones(600, bool), quality > 0.5):
        for row in reliability(tested, np.arange(600), networks):
            assert row.low <= row.observed <= row.high
            assert row.pairs < 1000 or abs(row.predicted - row.observed) < 0.06


def test_reliability_by_hand():
    """Two pairs near .75 of which one is right, one near .95 that is a tie; a probability below a
    half speaks for the second network."""
    tested = OutOfFold(
        np.array([0, 2, 0]),
        np.array([1, 3, 3]),
        np.array([0.75, 0.25, 0.95]),
        np.array([1.0, 1.0, 0.5]),
    )
    rows = reliability(tested, np.arange(4), np.ones(4, bool))
    figures = [(row.pairs, row.predicted, row.observed) for row in rows]
    assert figures == [(2, pytest.approx(0.75), 0.5), (1, pytest.approx(0.95), 0.5)]
    assert tested.brier() == pytest.approx((0.0625 + 0.5625 + 0.2025) / 3)
    assert not reliability(tested, np.arange(4), np.zeros(4, bool))


def test_what_cannot_be_calibrated_is_refused():
    for scores, accuracies in (([[np.inf, 1]], [1, 2]), ([[0, 1]], [np.nan, 2])):
        with pytest.raises(InputError, match="finite"):
            fit_curve(scores, accuracies, [0, 1])
    with pytest.raises(InputError, match="networks"):
        fit_curve([[0, 1]], [1, 2, 3], [0, 1, 2])
    with pytest.raises(InputError, match="all scores are equal"):
        fit_curve([[7.0, 7.0]], [1, 2], [0, 1])
    with pytest.raises(InputError, match="9 different networks, expected at least 10"):
        cross_validated(np.zeros((1, 18)), np.zeros(18), np.arange(18) // 2)
