"""Columns of scores on one scale."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from eznas.predictors.scaling import ScoreScaler

INF, NAN = np.inf, np.nan


def scaled(column, others=None):
    fitted = np.array(column, dtype=float)[:, None]
    values = fitted if others is None else np.array(others, dtype=float)[:, None]
    return ScoreScaler().fit(fitted).transform(values)


def test_a_column_by_hand():
    expected = norm.ppf([1 / 6, 3 / 6, 5 / 6])
    np.testing.assert_allclose(scaled([1e-3, 1.0, 1e29])[:, 0], expected, atol=1e-12)


def test_beyond_the_ends_the_order_stays_and_nothing_is_far():
    values = scaled([0.0, 1.0, 2.0], [-1e9, -1.0, 0.0, 2.0, 3.0, 1e9])[:, 0]
    assert (np.diff(values) > 0).all()
    np.testing.assert_allclose(values[4], norm.ppf(5 / 6) + np.arcsinh(1.0))
    assert np.abs(values).max() < 30


def test_the_lowest_score_is_one_below_the_least():
    values = scaled([-INF, 1.0, 2.0, 3.0])
    assert values.shape == (4, 1)
    assert values[0, 0] == pytest.approx(values[1, 0] - 1)


def test_an_undefined_score_is_the_median_and_has_a_flag():
    values = scaled([NAN, 1.0, 2.0, 3.0])
    assert values.tolist()[0] == [0.0, 1.0]
    assert values[1:, 1].tolist() == [0.0, 0.0, 0.0]


def test_a_flag_needs_both_kinds_among_the_fitted():
    assert scaled([1.0, 2.0], [NAN]).tolist() == [[0.0]]
    assert scaled([NAN, NAN], [1.0]).tolist() == [[0.0]]


def test_a_column_without_two_finite_scores_is_zero():
    assert scaled([3.0, 3.0], [7.0, -INF, NAN]).tolist() == [[0.0], [0.0], [0.0]]


def test_no_columns():
    assert ScoreScaler().fit(np.empty((3, 0))).transform(np.empty((2, 0))).shape == (2, 0)


@pytest.mark.parametrize("least", [6e-214, 5e-324])
def test_scores_far_beyond_a_narrow_range_are_cut_and_not_overflown(least):
    values = scaled([0.0, least], [-1e300, 0.0, least, 5e94, 1e308])[:, 0]
    assert np.isfinite(values).all()
    assert (np.diff(values) >= 0).all()


FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=64)


@given(st.lists(FLOATS, min_size=1, max_size=12), st.lists(FLOATS, min_size=1, max_size=12))
def test_whatever_the_scores_columns_are_finite_and_ordered(column, others):
    values = scaled(column, others)
    assert np.isfinite(values).all()
    finite = [(o, v) for o, v in zip(others, values[:, 0], strict=True) if np.isfinite(o)]
    ordered = [value for _, value in sorted(finite)]
    assert (np.diff(ordered) >= -1e-9).all()
