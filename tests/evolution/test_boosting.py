"""Boosted formulas: their anchor, their bounded corrections, and the order in which these come."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from eznas.evaluation.arithmetic import arithmetic
from eznas.evolution import boosting as module
from eznas.evolution.boosting import RIDGE, STEP, WINDOWS, boosted_formulas
from eznas.formulas.parser import parse
from eznas.formulas.terms import weighted_terms
from tests.evolution.made_up_sums import CANDIDATES, VALUES, A, filled, sums

POSITIVE = {text: np.exp(values) for text, values in VALUES.items()}
MOST = 8


def positive_sums(**values):
    """Fits of features that are positive, over two spaces that count alike."""
    return sums(filled(POSITIVE | values), spaces=("one", "two", "one"), alike=True)


@pytest.fixture(scope="module")
def fits():
    return positive_sums()


@pytest.fixture(scope="module")
def formulas(fits):
    return boosted_formulas(fits, CANDIDATES, has_few_terms)


def has_few_terms(formula):
    return len(weighted_terms(formula)[0]) <= MOST


def anchor_of(formula):
    [anchor] = [term for term in weighted_terms(formula)[0] if term.name == "log"]
    return anchor


def corrections(formula):
    return [term for term in weighted_terms(formula)[0] if term.name != "log"]


def row_of(fits, values):
    """The row of values [contexts, networks], as an array [rows]."""
    rows, _ = fits.rows(values[None], torch.zeros_like(values, dtype=torch.bool)[None])
    return rows[0].numpy()


def test_the_anchor_is_the_feature_that_ranks_the_spaces_best(fits, formulas):
    def strength(feature):
        values, y = fits.at_rows(fits.values(feature)[None])[0].numpy(), fits.y.numpy()
        of_spaces = [
            np.mean([spearmanr(values[rows], y[rows]).statistic for rows in space])
            for space in fits.spaces
        ]
        return abs(np.mean(of_spaces))

    assert anchor_of(formulas[0]) == parse(f"log({max(CANDIDATES, key=strength).text})")
    assert all(anchor_of(formula) == anchor_of(formulas[0]) for formula in formulas)


def test_each_formula_has_one_more_correction(formulas):
    assert [len(corrections(formula)) for formula in formulas] == [*range(MOST)]
    assert all(set(corrections(a)) < set(corrections(b)) for a, b in pairwise(formulas))


def test_far_from_all_spaces_the_anchor_alone_ranks(formulas):
    formula = formulas[-1].canonical
    far = torch.tensor([1e6, 2e6, 5e7], dtype=torch.float64)
    scores = arithmetic(formula, {feature.text: far for feature in formula.features()})
    expected = weighted_terms(formula)[0][anchor_of(formula)] * far.log()
    np.testing.assert_allclose(scores - scores[0], expected - expected[0], rtol=1e-9)


def test_terms_come_in_the_order_of_small_steps(fits, formulas):
    """By plain loops in float64, with every window of every feature."""
    rows, labels = [], []
    for space in fits.spaces:
        for window in WINDOWS:
            for candidate in CANDIDATES:
                values = fits.values(candidate)
                there = fits.at_rows(values[None])[0][torch.cat(space)]
                bounds = np.quantile(there.numpy(), window)
                rows.append(row_of(fits, values.clamp(*bounds)))
                labels.append((candidate.text, *bounds))
    x, left = np.array(rows), fits.y.numpy().copy()
    anchor, order = row_of(fits, fits.values(anchor_of(formulas[0]))), []
    while len(order) < MOST - 1:
        left -= (anchor @ left) / (anchor @ anchor) * anchor
        correlations = x @ left / len(left)
        best = int(np.argmax(np.abs(correlations)))
        left -= STEP * np.sign(correlations[best]) * x[best]
        if best not in order:
            order.append(best)
    found = [(set(corrections(b)) - set(corrections(a))).pop() for a, b in pairwise(formulas)]
    for term, number in zip(found, order, strict=True):
        text, low, high = labels[number]
        assert [feature.text for feature in term.features()] == [text]
        assert sorted(term.constants()) == pytest.approx([low, high], abs=0.1 * (high - low))


def test_weights_are_those_of_ridge_regression_but_for_the_anchor(fits, formulas):
    found = weighted_terms(formulas[-1])[0]
    x = np.stack([fits.row(term).numpy() for term in found])
    penalties = [0.0 if term.name == "log" else RIDGE * x.shape[1] for term in found]
    expected = np.linalg.solve(x @ x.T + np.diag(penalties), x @ fits.y.numpy())
    scores = sum(weight * fits.values(term) for term, weight in found.items())
    np.testing.assert_allclose(
        np.corrcoef(row_of(fits, scores), expected @ x)[0, 1], 1.0, rtol=1e-6
    )


def test_without_a_positive_feature_there_is_none():
    assert boosted_formulas(sums(), [CANDIDATES[0]], has_few_terms) == []
    assert boosted_formulas(sums(), [], has_few_terms) == []


def test_it_ends_where_even_the_anchor_is_beyond_the_limits(fits):
    assert boosted_formulas(fits, CANDIDATES, lambda formula: False) == []


def test_it_ends_where_no_term_is_of_use(monkeypatch):
    monkeypatch.setattr(module, "STEP", 1.99)
    assert len(boosted_formulas(positive_sums(), CANDIDATES, has_few_terms)) == 1
    monkeypatch.setattr(module, "STEP", 0.02)
    monkeypatch.setattr(module, "MOST_STEPS", 3)
    assert 1 < len(boosted_formulas(positive_sums(), CANDIDATES, has_few_terms)) <= 4


def test_a_feature_that_is_the_same_everywhere_is_no_term():
    found = boosted_formulas(
        positive_sums(**{A: np.ones_like(VALUES[A])}), CANDIDATES, has_few_terms
    )
    assert len(found) == MOST
    assert all(A not in [f.text for f in formula.features()] for formula in found)
