"""Cuts by hand: distances between options, and the two groups that they make."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eznas.supernets.cuts import ByGradient, ByScore, best_cut, two_groups

WHOLE = ((0, 1, 2), (0, 1))


def on_a_line(*values):
    return np.abs(np.subtract.outer(values, values))


def test_the_widest_cut_on_a_line_by_hand():
    """0 and 1 against 5: 5 + 4 of three pairs; the other two cuts give 1 + 5 and 1 + 4."""
    groups, value = best_cut(on_a_line(0.0, 1.0, 5.0), balanced=False)
    assert groups == ((0, 1), (2,))
    assert value == pytest.approx(9 / 3)


def test_free_groups_isolate_what_lies_far_off_and_balanced_ones_do_not():
    distances = on_a_line(0.0, 1.0, 2.0, 3.0, 100.0)
    assert best_cut(distances, balanced=False)[0] == ((0, 1, 2, 3), (4,))
    assert best_cut(distances, balanced=True)[0] == ((0, 1, 2), (3, 4))


def test_of_equal_cuts_the_balanced_one_is_taken():
    assert best_cut(np.zeros((4, 4)), balanced=False) == (((0, 1), (2, 3)), 0.0)


def test_all_ways_to_make_two_groups():
    assert len(list(two_groups(5, balanced=False))) == 15
    assert {len(first) for first, _ in two_groups(5, balanced=True)} == {2, 3}
    assert list(two_groups(2, balanced=True)) == [((0,), (1,))]
    assert list(two_groups(1, balanced=False)) == []


@given(arrays(float, (5, 5), elements=st.floats(0, 10)))
def test_no_cut_is_better(matrix):
    distances = matrix + matrix.T
    groups, value = best_cut(distances, balanced=False)
    assert sorted(groups[0] + groups[1]) == [0, 1, 2, 3, 4]
    for mask in range(1, 16):
        first = [i for i in range(5) if mask >> i & 1]
        second = [i for i in range(5) if i not in first]
        assert distances[np.ix_(first, second)].sum() / 10 <= value * (1 + 1e-9) + 1e-9


def score_of(by_option):
    """A score of parts with one option at position 0; -10 for the whole."""
    return lambda allowed: -10.0 if len(allowed[0]) > 1 else by_option[allowed[0][0]]


def test_distances_are_differences_of_scores():
    distances, cut = ByScore(score_of([1.0, 4.0, -2.0]))(WHOLE, 0)
    assert distances.tolist() == [[0, 3, 3], [3, 0, 6], [3, 6, 0]]
    assert cut.scores == (1.0, 4.0, -2.0)
    assert cut.reference is None


def test_a_negative_reference_does_not_turn_the_order_round():
    compare = ByScore(score_of([1.0, 4.0, -2.0]), reference=True)
    distances, cut = compare(WHOLE, 0)
    assert np.allclose(distances, on_a_line(0.1, 0.4, -0.2))
    assert cut.reference == -10.0


@pytest.mark.parametrize("whole", [0.0, -math.inf])
def test_a_reference_that_cannot_divide_divides_nothing(whole):
    compare = ByScore(lambda allowed: whole if len(allowed[0]) > 1 else allowed[0][0], True)
    assert compare(WHOLE, 0)[0].tolist() == on_a_line(0, 1, 2).tolist()


def test_the_lowest_score_stands_beside_the_lowest_finite_one():
    distances, cut = ByScore(score_of([-math.inf, 3.0, 1.0]))(WHOLE, 0)
    assert distances.tolist() == on_a_line(1.0, 3.0, 1.0).tolist()
    assert cut.scores == (None, 3.0, 1.0)
    nothing, _ = ByScore(score_of([-math.inf] * 3))(WHOLE, 0)
    assert not nothing.any()


def test_gradients_are_as_far_apart_as_their_cosines_say():
    distances, cut = ByGradient(lambda *_: [[1.0, 0.5], [0.5, 1.0]])(WHOLE, 1)
    assert distances.tolist() == [[0.0, 0.5], [0.5, 0.0]]
    assert (cut.position, cut.scores) == (1, ())
