"""The pursuit: it finds what was planted, one term at a time, and says what it fitted."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.fitness import Task, judge
from eznas.evolution.grammar import to_nodes
from eznas.formulas.parser import parse
from eznas.predictors.least_squares import normal_scores, pursue
from tests.evolution.made_up import NAMES, MadeUp, drawn

COUNT = len(NAMES)
PRIMITIVES = ("sum", "mean", "std", "min", "max")
CANDIDATES = [
    parse(f"{w}_layers({s})") for w in PRIMITIVES for s in ("layer_params", "layer_flops")
]
A, B, C, *OTHERS = (c.text for c in CANDIDATES)


def column(text):
    return norm.ppf([drawn("column", text, name) for name in NAMES])


# Accuracies whose normal scores are exactly 2 A - 3 B + C / 2, at very unequal scales.
QUANTILES = norm.ppf((np.argsort(column("order")) + 0.5) / COUNT)
PLANTED = {A: 1e6 * column(A), B: column(B)}
PLANTED[C] = 1e-3 * (QUANTILES - column(A) + 0.5 * column(B))
ACCURACIES = np.exp(QUANTILES)  # any increasing function: only the order counts
TASKS = [Task("task", 0, ACCURACIES)]


def filled(planted=(), candidates=CANDIDATES, networks=COUNT, settings=1):
    table = FeatureTable(NAMES, MadeUp(PLANTED | dict(planted), settings, faults=False))
    table.fill(candidates, networks)
    return table


def found(planted=(), candidates=CANDIDATES, tasks=TASKS, networks=COUNT, **more):
    table = filled(planted, candidates, networks, 1 + max(t.setting for t in tasks))
    return pursue(candidates, table, tasks, networks, **more)


def chosen(formula):
    return {m.text for m in formula.features()}


def test_a_planted_combination_is_found():
    formulas = found()
    assert chosen(formulas[2]) == {A, B, C}
    (third,) = judge([formulas[2]], filled(), TASKS, COUNT)
    assert third.fitness > 0.99
    first, second, *_ = judge(formulas, filled(), TASKS, COUNT)
    assert first.fitness < second.fitness < third.fitness


def test_its_weights_are_those_planted():
    formula = found()[2]
    slopes = {
        node.arguments[1].text: node.arguments[0].value
        for node in formula.walk()
        if node.name == "mul"
    }
    assert slopes == pytest.approx({A: 1e-6, B: -0.5, C: 1e3}, rel=5e-3)


def test_each_formula_has_one_term_more():
    formulas = found()
    assert len(formulas) == len(CANDIDATES)
    for terms, formula in enumerate(formulas, 1):
        assert sum(n.name == "mul" for n in formula.walk()) == len(chosen(formula)) == terms
    assert all(chosen(a) < chosen(b) for a, b in pairwise(formulas))
    assert found(terms=3) == formulas[:3]


def test_formulas_are_formulas():
    for formula in found():
        assert parse(formula.text) == formula
        to_nodes(formula)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_columns_are_ignored(value):
    spoilt = np.where(np.arange(COUNT) == 3, value, QUANTILES)  # best of all, were it defined
    rest = [c for c in CANDIDATES if c.text != OTHERS[0]]
    assert found({OTHERS[0]: spoilt}) == found(candidates=rest)


def test_equal_columns_are_ignored():
    formulas = found({OTHERS[0]: np.full(COUNT, 5.0)})
    assert len(formulas) == len(CANDIDATES) - 1
    assert OTHERS[0] not in chosen(formulas[-1])


@pytest.mark.parametrize("lost", [1, COUNT - 4, COUNT])
def test_a_word_that_is_lowest_where_others_are_not_is_ignored(lost):
    lowest = np.where(np.arange(COUNT) < lost, -np.inf, QUANTILES)
    rest = [c for c in CANDIDATES if c.text != OTHERS[0]]
    assert found({OTHERS[0]: lowest}) == found(candidates=rest)


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_network_that_most_words_do_not_score_is_left_out_of_the_fit(value):
    """Words that score it all the same are no reason to drop those that do not."""
    network = np.arange(COUNT) == 3
    values = PLANTED | {c.text: column(c.text) for c in CANDIDATES[3:]}
    lost = {t: np.where(network, value, v) for t, v in values.items() if t != OTHERS[0]}
    formulas = found(values | lost)
    assert chosen(formulas[2]) == {A, B, C}
    assert OTHERS[0] in chosen(formulas[-1])
    # What that one says of it counts for nothing.
    assert found(values | lost | {OTHERS[0]: np.where(network, 1e9, values[OTHERS[0]])}) == formulas


def test_without_a_network_that_most_words_score_there_is_no_fit():
    halves = [np.where(np.arange(COUNT) % 2 == k, -np.inf, column(str(k))) for k in (0, 1)]
    assert found({A: halves[0], B: halves[1]}, CANDIDATES[:2]) == []
    assert found({A: halves[0], B: 2 * halves[0]}, CANDIDATES[:2]) != []


@pytest.mark.parametrize("factors", [0, 4])
def test_nothing_usable_nothing_found(factors):
    assert found(candidates=[], factors=factors) == []
    for value in (np.nan, -np.inf, 2.0):
        values = dict.fromkeys((c.text for c in CANDIDATES), np.full(COUNT, value))
        assert found(values, factors=factors) == []


def test_every_task_has_its_own_intercept_and_setting():
    # A measure that differs by a constant between settings must fit as well as without.
    class Shifted(MadeUp):
        def __call__(self, shards, texts):
            values, coverage = super().__call__(shards, texts)
            values[1] += 10
            return values, coverage

    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    plain, shifted = (
        FeatureTable(NAMES, made(PLANTED, 2, faults=False)) for made in (MadeUp, Shifted)
    )
    candidates = CANDIDATES[1:3]  # of one scale with the shift
    for table in (plain, shifted):
        table.fill(candidates, COUNT)
    fitted = [pursue(candidates, t, tasks, COUNT)[-1] for t in (plain, shifted)]
    assert chosen(fitted[0]) == chosen(fitted[1]) == {B, C}
    taus = [judge([f], plain, tasks, COUNT)[0].fitness for f in fitted]
    assert taus[0] == pytest.approx(taus[1], abs=0.01)


def test_only_the_first_networks_count():
    spoilt = {t: np.where(np.arange(COUNT) < 24, PLANTED[t], 1e9) for t in (A, B, C)}
    assert found(spoilt, networks=24) == found(networks=24)


def scores(formula, table, tasks=TASKS):
    return [table.scores(formula, t.setting, COUNT).values for t in tasks]


def centred(part):
    return part - part.mean()


def losses(formulas, table, tasks):
    """Squared errors that are left, every task with an intercept of its own."""
    target = [centred(normal_scores(t, COUNT)) for t in tasks]
    found = []
    for formula in formulas:
        pairs = zip(scores(formula, table, tasks), target, strict=True)
        found.append(sum(((centred(s) - y) ** 2).sum() for s, y in pairs))
    return np.array(found)


def terms_of(formula):
    """The terms of a printed sum."""
    if formula.name == "add":
        return [t for a in formula.arguments for t in terms_of(a)]
    slope, term = formula.arguments
    assert slope.value is not None
    return [term]


def products(formula):
    return [t for t in terms_of(formula) if t.name == "mul"]


SIGNS = np.where(np.arange(COUNT) % 2 == 0, 1.0, -1.0)
# A product and a square that order the networks perfectly, of words that hardly do.
PRODUCT = {A: 5e6 + 1e3 * SIGNS, B: 7 + 1e-4 * SIGNS * QUANTILES}
SQUARE = {A: 1e5 + SIGNS * np.sqrt(QUANTILES - QUANTILES.min())}


@pytest.mark.parametrize(("planted", "words"), [(PRODUCT, {A, B}), (SQUARE, {A})])
def test_a_planted_product_is_found(planted, words):
    candidates = [c for c in CANDIDATES if c.text in words]
    table = filled(planted, candidates)
    formulas = pursue(candidates, table, TASKS, COUNT, factors=2)
    assert [chosen(p) for p in products(formulas[0])] == [words]
    with_products, without = (
        max(j.fitness for j in judge(some, table, TASKS, COUNT))
        for some in (formulas, pursue(candidates, table, TASKS, COUNT))
    )
    assert with_products > 0.95
    assert without < 0.6


def test_products_are_of_the_factors_alone():
    planted = {A: column("A"), **dict.fromkeys([B], QUANTILES + 0.5 * column("noise"))}
    one = found(planted, factors=1, terms=30)
    assert {frozenset(chosen(p)) for f in one for p in products(f)} == {frozenset({B})}
    assert any(products(f) for f in one)
    assert not any(products(f) for f in found(planted))


@pytest.mark.parametrize("factors", [0, 6])
def test_a_further_term_never_worsens_the_fit(factors):
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES[::-1])]
    table = FeatureTable(NAMES, MadeUp(settings=2, faults=False))
    table.fill(CANDIDATES, COUNT)
    formulas = pursue(CANDIDATES, table, tasks, COUNT, factors=factors)
    left = losses(formulas, table, tasks)
    assert len(left) > 5
    assert (np.diff(left) < 1e-3 * left[0]).all()
    assert left[-1] < 0.9 * left[0]


SCALES = {  # what words are like: mean and deviation
    "plain": (0.0, 1.0),
    "huge": (3e43, 1e43),
    "tiny": (1e-30, 1e-31),
    "far": (1e9, 3.0),  # the mean is known to more digits than are usually printed
    "below": (-2e7, 5e-1),
}


@pytest.mark.parametrize("factors", [0, 10])
@pytest.mark.parametrize("scale", SCALES)
def test_the_printed_formula_says_what_was_fitted(scale, factors):
    """Fitted once more, here: least squares on the words themselves, and on their products."""
    mean, deviation = SCALES[scale]
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, np.roll(ACCURACIES, 1))]
    planted = {c.text: mean + deviation * column(c.text) for c in CANDIDATES}
    planted[A] = mean + deviation * np.exp(5 * column(A))
    planted[B] = mean + deviation * SIGNS
    planted[C] = mean + deviation * SIGNS * (QUANTILES + 0.3 * column("noise"))
    table = filled(planted, settings=2)
    formulas = pursue(CANDIDATES, table, tasks, COUNT, factors=factors)
    assert len(formulas) >= len(CANDIDATES)
    target = np.concatenate([centred(normal_scores(t, COUNT)) for t in tasks])
    for formula in formulas:
        x = np.stack([values(term, table, tasks) for term in terms_of(formula)], 1)
        x /= np.abs(x).max(0)
        x /= np.sqrt((x**2).mean(0))
        penalty = 1e-4 * len(x) * np.eye(x.shape[1])
        fitted = x @ np.linalg.solve(x.T @ x + penalty, x.T @ target)
        printed = np.concatenate([centred(s) for s in scores(formula, table, tasks)])
        np.testing.assert_allclose(printed, fitted, rtol=0, atol=2e-4)
    assert [chosen(p) for p in products(formulas[0])] == ([{B, C}] if factors else [])


def values(term, table, tasks):
    """A word, or the product of two less their means (not less what is printed), centred in every
    task: [tasks x networks]."""
    parts = [scores(term, table, tasks)]
    if term.name == "mul":
        assert all(factor.name == "sub" for factor in term.arguments)
        parts = [scores(factor.arguments[0], table, tasks) for factor in term.arguments]
        parts = [np.array(p) - np.mean(p) for p in parts]
    return np.concatenate([centred(v) for v in np.prod(parts, axis=0)])


@pytest.mark.parametrize("factors", [0, 6])
def test_a_word_that_says_the_same_is_not_chosen_twice(factors):
    planted = {OTHERS[0]: 7 - 3 * PLANTED[B], OTHERS[1]: PLANTED[B]}
    formulas = found(planted, factors=factors)
    for formula in formulas:
        words = [t.text for t in terms_of(formula) if t.name != "mul"]
        assert len({B, *OTHERS[:2]}.intersection(words)) <= 1
    assert len({p.canonical.text for p in products(formulas[-1])}) == len(products(formulas[-1]))
    if not factors:
        assert len(formulas) == len(CANDIDATES) - 2
        assert judge(formulas, filled(planted), TASKS, COUNT)[2].fitness > 0.99


def test_a_product_that_is_a_constant_is_ignored():
    formulas = found({A: SIGNS}, CANDIDATES[:1], factors=3)
    assert [chosen(f) for f in formulas] == [{A}]
    assert not products(formulas[0])
