"""Accuracies as normal scores, and back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from eznas.predictors.targets import NormalScores

ACCURACIES = st.lists(st.floats(0, 100), min_size=1, max_size=30)


def test_three_accuracies_by_hand():
    scores = NormalScores.fit(np.array([10.0, 90.0, 80.0])).transform(np.array([10.0, 80.0, 90.0]))
    np.testing.assert_allclose(scores, [norm.ppf(1 / 6), 0.0, norm.ppf(5 / 6)])


def test_equal_accuracies_share_the_middle_of_their_ranks():
    target = NormalScores.fit(np.array([50.0, 50.0, 60.0, 70.0]))
    np.testing.assert_allclose(target.transform(np.array([50.0])), norm.ppf(1 / 4))


def test_beyond_an_end_it_goes_on_with_the_slope_there():
    target = NormalScores.fit(np.array([10.0, 20.0, 21.0]))
    step = norm.ppf(5 / 6)
    np.testing.assert_allclose(target.inverse(np.array([2 * step, -2 * step])), [22.0, 0.0])


def test_equal_labels_predict_themselves():
    assert NormalScores.fit(np.full(4, 7.0)).inverse(np.array([-3.0, 5.0])).tolist() == [7.0, 7.0]


@given(ACCURACIES)
def test_there_and_back(values):
    accuracies = np.round(np.array(values), 3)
    target = NormalScores.fit(accuracies)
    np.testing.assert_allclose(target.inverse(target.transform(accuracies)), accuracies, atol=1e-9)


@given(ACCURACIES, st.lists(st.floats(-20, 20), min_size=2, max_size=10))
def test_the_order_of_predictions_stays(values, scores):
    target = NormalScores.fit(np.round(np.array(values), 3))
    predictions = target.inverse(np.sort(np.array(scores)))
    assert (np.diff(predictions) >= -1e-9).all()  # an interpolation rounds
