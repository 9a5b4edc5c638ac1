"""Scores of several proxies on scales on which they can be added up."""

import numpy as np
from scipy.stats import norm

from eznas.search.latent.scales import NormalScale, TermScale


def test_normal_scores_by_rank_with_undefined_ones_lowest():
    scores = np.array([[1.0, np.nan], [10.0, 3.0], [1e9, -np.inf], [100.0, 5.0]])
    scaled = NormalScale().fit(scores).transform(scores)
    assert np.isfinite(scaled).all()
    assert scaled[:, 0].tolist() == norm.ppf([0.125, 0.375, 0.875, 0.625]).tolist()
    assert scaled[0, 1] == scaled[2, 1] < scaled[1, 1] < scaled[3, 1]


def test_terms_add_up_to_the_formula():
    terms = np.array([[2.0, 10.0], [3.0, 30.0], [5.0, 20.0]])
    scaled = TermScale([0.5, -0.1]).fit(terms).transform(terms)
    assert scaled.sum(1).tolist() == [0.0, -1.5, 0.5]


def test_a_term_that_is_not_finite_makes_the_sum_lowest_whatever_its_sign():
    terms = np.array([[1.0, 1.0], [2.0, 5.0], [np.nan, 3.0], [2.0, -np.inf]])
    for constants in ([1.0, 1.0], [-1.0, -1.0]):
        sums = TermScale(constants).fit(terms).transform(terms)
        finite = (terms * constants)[:2]
        assert sums[2, 0] < finite[:, 0].min()
        assert sums[3, 1] < finite[:, 1].min()
