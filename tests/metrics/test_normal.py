"""Ranks and normal scores against scipy's."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, rankdata

from eznas.metrics.normal import mid_ranks, normal_scores

VALUES = st.lists(st.floats(allow_nan=False) | st.integers(0, 3), min_size=1, max_size=20)


def test_by_hand():
    assert mid_ranks([3.0, -np.inf, 3.0, 9.0]).tolist() == [2.5, 1.0, 2.5, 4.0]
    assert normal_scores([1.0, 2.0, 3.0])[1] == 0.0
    assert normal_scores([]).shape == (0,)


@given(VALUES)
def test_as_scipy_has_them(values):
    ranks = rankdata(np.array(values, float))
    assert mid_ranks(values).tolist() == ranks.tolist()
    assert normal_scores(values).tolist() == norm.ppf((ranks - 0.5) / len(ranks)).tolist()
