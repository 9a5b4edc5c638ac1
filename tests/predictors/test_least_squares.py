"""Greedy least squares: it finds what was planted, term by term, and prints what it fitted."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from eznas.benchmarks import Task
from eznas.evolution.fitness import evaluate_fitness
from eznas.evolution.grammar import to_nodes
from eznas.formulas.parser import parse
from eznas.metrics.normal import normal_scores
from eznas.predictors.interactions import INTERACTIONS
from eznas.predictors.least_squares import (
    YARDSTICK_TERMS,
    forward_selection,
    greedy_formulas,
    greedy_yardsticks,
    ridge,
)
from tests.evolution.made_up import MadeUp, table_of
from tests.predictors.made_up import (
    ACCURACIES,
    CANDIDATES,
    COUNT,
    OTHERS,
    PLANTED,
    PRODUCT,
    QUANTILES,
    SIGNS,
    SQUARE,
    TASKS,
    A,
    B,
    C,
    filled,
    normal_draws,
)


def fitted(planted=(), candidates=CANDIDATES, tasks=TASKS, networks=COUNT, **settings):
    """Greedy formulas on a table with further planted values."""
    table = filled(planted, candidates, networks, 1 + max(t.context for t in tasks))
    return greedy_formulas(candidates, table, tasks, networks, **settings)


def features_of(formula):
    return {feature.text for feature in formula.features()}


def fitness_of(formulas, table, tasks=TASKS):
    return [result.fitness for result in evaluate_fitness(formulas, table, tasks, COUNT)]


def test_a_penalty_counts_once_for_each_row():
    x, y = torch.tensor([[1.0], [2.0]]), torch.tensor([3.0, 4.0])
    assert ridge(x, y, 0.0).tolist() == [pytest.approx(11 / 5)]
    assert ridge(x, y, 2.5).tolist() == [pytest.approx(11 / (5 + 2 * 2.5))]


def test_a_planted_combination_is_found():
    formulas = fitted()
    assert features_of(formulas[2]) == {A, B, C}
    first, second, third, *_ = fitness_of(formulas, filled())
    assert first < second < third
    assert third > 0.99


def test_its_weights_are_those_planted():
    formula = fitted()[2]
    slopes = {
        node.arguments[1].text: node.arguments[0].value
        for node in formula.walk()
        if node.name == "mul"
    }
    assert slopes == pytest.approx({A: 1e-6, B: -0.5, C: 1e3}, rel=5e-3)


def test_each_formula_has_one_term_more():
    formulas = fitted()
    assert len(formulas) == len(CANDIDATES)
    for terms, formula in enumerate(formulas, 1):
        assert sum(n.name == "mul" for n in formula.walk()) == len(features_of(formula)) == terms
    assert all(features_of(a) < features_of(b) for a, b in pairwise(formulas))
    assert fitted(max_terms=3) == formulas[:3]


def test_formulas_are_formulas():
    for formula in fitted():
        assert parse(formula.text) == formula
        to_nodes(formula)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_columns_are_ignored(value):
    # The best of all, were it defined on every network.
    undefined = np.where(np.arange(COUNT) == 3, value, QUANTILES)
    others = [c for c in CANDIDATES if c.text != OTHERS[0]]
    assert fitted({OTHERS[0]: undefined}) == fitted(candidates=others)


def test_equal_columns_are_ignored():
    formulas = fitted({OTHERS[0]: np.full(COUNT, 5.0)})
    assert len(formulas) == len(CANDIDATES) - 1
    assert OTHERS[0] not in features_of(formulas[-1])


@pytest.mark.parametrize("lowest_networks", [1, COUNT - 4, COUNT])
def test_a_feature_that_is_lowest_where_others_are_not_is_ignored(lowest_networks):
    lowest = np.where(np.arange(COUNT) < lowest_networks, -np.inf, QUANTILES)
    others = [c for c in CANDIDATES if c.text != OTHERS[0]]
    assert fitted({OTHERS[0]: lowest}) == fitted(candidates=others)


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_network_that_most_features_do_not_score_is_left_out_of_the_fit(value):
    """One feature that scores it is no reason to drop those that do not."""
    is_unscored = np.arange(COUNT) == 3
    complete = PLANTED | {c.text: normal_draws(c.text) for c in CANDIDATES[3:]}
    values = {text: np.where(is_unscored, value, v) for text, v in complete.items()}
    values[OTHERS[0]] = complete[OTHERS[0]]
    formulas = fitted(values)
    assert features_of(formulas[2]) == {A, B, C}
    assert OTHERS[0] in features_of(formulas[-1])
    # The value of that feature for the network makes no difference.
    values[OTHERS[0]] = np.where(is_unscored, 1e9, complete[OTHERS[0]])
    assert fitted(values) == formulas


def test_without_a_network_that_most_features_score_there_is_no_fit():
    halves = [np.where(np.arange(COUNT) % 2 == k, -np.inf, normal_draws(str(k))) for k in (0, 1)]
    assert fitted({A: halves[0], B: halves[1]}, CANDIDATES[:2]) == []
    assert fitted({A: halves[0], B: 2 * halves[0]}, CANDIDATES[:2]) != []


@pytest.mark.parametrize("factors", [0, 4])
def test_without_usable_candidates_there_are_no_formulas(factors):
    assert fitted(candidates=[], factors=factors) == []
    for value in (np.nan, -np.inf, 2.0):
        values = dict.fromkeys((c.text for c in CANDIDATES), np.full(COUNT, value))
        assert fitted(values, factors=factors) == []


def test_every_task_has_its_own_intercept_and_context():
    # A feature that differs by a constant between contexts must fit as well as without.
    class Shifted(MadeUp):
        def _value(self, context, text, name):
            return super()._value(context, text, name) + 10 * context

    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    plain, shifted = (
        table_of(make(PLANTED, faults=False), contexts=2) for make in (MadeUp, Shifted)
    )
    candidates = CANDIDATES[1:3]  # about as large as the shift
    for table in (plain, shifted):
        table.fill(candidates, COUNT)
    formulas = [greedy_formulas(candidates, table, tasks, COUNT)[-1] for table in (plain, shifted)]
    assert features_of(formulas[0]) == features_of(formulas[1]) == {B, C}
    fitness, fitness_of_shifted = fitness_of(formulas, plain, tasks)
    assert fitness == pytest.approx(fitness_of_shifted, abs=0.01)


def test_only_the_first_networks_count():
    changed = {t: np.where(np.arange(COUNT) < 24, PLANTED[t], 1e9) for t in (A, B, C)}
    assert fitted(changed, networks=24) == fitted(networks=24)


def scores(formula, table, tasks=TASKS):
    return [table.scores(formula, t.context, COUNT).values for t in tasks]


def centred(values):
    return values - values.mean()


def standardised(values):
    return centred(values) / values.std()


def squared_errors(formulas, table, tasks):
    """The squared error of each formula, every task with an intercept of its own."""
    targets = [centred(normal_scores(t.accuracies[:COUNT])) for t in tasks]
    errors = []
    for formula in formulas:
        pairs = zip(scores(formula, table, tasks), targets, strict=True)
        errors.append(sum(((centred(s) - y) ** 2).sum() for s, y in pairs))
    return np.array(errors)


def terms_of(formula):
    """The terms of a printed sum."""
    if formula.name == "add":
        return [t for a in formula.arguments for t in terms_of(a)]
    slope, term = formula.arguments
    assert slope.value is not None
    return [term]


def products(formula):
    return [t for t in terms_of(formula) if t.name == "mul"]


@pytest.mark.parametrize(("planted", "factors"), [(PRODUCT, {A, B}), (SQUARE, {A})])
def test_a_planted_product_is_found(planted, factors):
    candidates = [c for c in CANDIDATES if c.text in factors]
    table = filled(planted, candidates)
    formulas = greedy_formulas(candidates, table, TASKS, COUNT, factors=2)
    assert [features_of(p) for p in products(formulas[0])] == [factors]
    assert max(fitness_of(formulas, table)) > 0.95
    formulas_without_products = greedy_formulas(candidates, table, TASKS, COUNT)
    assert max(fitness_of(formulas_without_products, table)) < 0.6


BENT = {A: np.where(QUANTILES < 0, 2 * QUANTILES, QUANTILES / 9)}


@pytest.mark.parametrize(("name", "larger"), [("max", np.maximum), ("min", np.minimum)])
def test_a_planted_extreme_is_found(name, larger):
    a, b = (standardised(normal_draws(key)) for key in "ab")
    planted, candidates = {A: 1e6 + 1e3 * a, B: -7 + b}, [c for c in CANDIDATES if c.text in (A, B)]
    table, tasks = filled(planted, candidates), [Task("task", 0, larger(a, b))]
    settings = {"factors": 2, "interactions": "min and max"}
    formulas = greedy_formulas(candidates, table, tasks, COUNT, **settings)
    [term] = terms_of(formulas[0])
    assert (term.name, features_of(term)) == (name, {A, B})
    without = greedy_formulas(candidates, table, tasks, COUNT)
    fitness, fitness_without = fitness_of([formulas[0], without[-1]], table, tasks)
    assert fitness > 0.98 > 0.1 + fitness_without


def test_hinges_straighten_a_bent_feature():
    """Between five quantiles an increasing function is followed by straight pieces."""
    candidates = [c for c in CANDIDATES if c.text in BENT]
    table = filled(BENT, candidates)
    bent = greedy_formulas(candidates, table, TASKS, COUNT)
    settings = {"factors": 1, "interactions": "hinges"}
    formulas = greedy_formulas(candidates, table, TASKS, COUNT, **settings)
    assert {t.name for f in formulas for t in terms_of(f)} >= {"min"}
    errors = squared_errors([bent[-1], formulas[-1]], table, TASKS)
    assert errors[1] < 0.3 * errors[0]


def test_products_are_of_the_factors_alone():
    planted = {A: normal_draws("A"), **dict.fromkeys([B], QUANTILES + 0.5 * normal_draws("noise"))}
    formulas = fitted(planted, factors=1, max_terms=30)
    assert {frozenset(features_of(p)) for f in formulas for p in products(f)} == {frozenset({B})}
    assert any(products(f) for f in formulas)
    assert not any(products(f) for f in fitted(planted))


@pytest.mark.parametrize("factors", [0, 6])
def test_a_further_term_never_worsens_the_fit(factors):
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES[::-1])]
    table = table_of(MadeUp(faults=False), contexts=2)
    table.fill(CANDIDATES, COUNT)
    formulas = greedy_formulas(CANDIDATES, table, tasks, COUNT, factors=factors)
    errors = squared_errors(formulas, table, tasks)
    assert len(errors) > 5
    assert (np.diff(errors) < 1e-3 * errors[0]).all()
    assert errors[-1] < 0.9 * errors[0]


def test_yardsticks_are_of_every_kind_and_are_formulas():
    table = filled()
    found = greedy_yardsticks(CANDIDATES, table, TASKS, COUNT)
    linear = greedy_formulas(CANDIDATES, table, TASKS, COUNT, YARDSTICK_TERMS)
    assert found[: len(linear)] == linear
    primitives = [formula.primitives() for formula in found[len(linear) :]]
    assert any("max" in names or "min" in names for names in primitives)
    assert all(parse(formula.text) == formula for formula in found)


def test_it_ends_before_a_sum_is_too_long_for_a_formula(monkeypatch):
    whole = fitted()
    assert len(whole) > 2
    monkeypatch.setattr("eznas.formulas.parser.MOST", whole[1].size)
    assert fitted() == whole[:2]


SCALES = {  # means and deviations of features
    "plain": (0.0, 1.0),
    "huge": (3e43, 1e43),
    "tiny": (1e-30, 1e-31),
    "far": (1e9, 3.0),  # the mean is known to more digits than are usually printed
    "below": (-2e7, 5e-1),
}


@pytest.mark.parametrize("form", ["", *INTERACTIONS])
@pytest.mark.parametrize("scale", SCALES)
def test_the_printed_formula_is_what_was_fitted(scale, form):
    """It equals another fit: least squares on the features, and on their interactions."""
    mean, deviation = SCALES[scale]
    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, np.roll(ACCURACIES, 1))]
    planted = {c.text: mean + deviation * normal_draws(c.text) for c in CANDIDATES}
    planted[A] = mean + deviation * np.exp(5 * normal_draws(A))
    planted[B] = mean + deviation * SIGNS
    planted[C] = mean + deviation * SIGNS * (QUANTILES + 0.3 * normal_draws("noise"))
    table = filled(planted, contexts=2)
    settings = {"factors": 10, "interactions": form} if form else {}
    formulas = greedy_formulas(CANDIDATES, table, tasks, COUNT, **settings)
    assert len(formulas) >= len(CANDIDATES)
    target = np.concatenate([centred(normal_scores(t.accuracies[:COUNT])) for t in tasks])
    for formula in formulas:
        x = np.stack([values(term, table, tasks) for term in terms_of(formula)], 1)
        x /= np.abs(x).max(0)
        x /= np.sqrt((x**2).mean(0))
        penalty = 1e-4 * len(x) * np.eye(x.shape[1])
        expected = x @ np.linalg.solve(x.T @ x + penalty, x.T @ target)
        printed = np.concatenate([centred(s) for s in scores(formula, table, tasks)])
        np.testing.assert_allclose(printed, expected, rtol=0, atol=2e-4)
    assert [features_of(p) for p in products(formulas[0])] == (
        [{B, C}] if form == "products" else []
    )


def values(term, table, tasks):
    """Those of a feature, or of the product of two less their means (the exact ones, not those
    printed), centred in every task: [tasks x networks]."""
    factors = [scores(term, table, tasks)]
    if term.name == "mul":
        assert all(factor.name == "sub" for factor in term.arguments)
        factors = [scores(factor.arguments[0], table, tasks) for factor in term.arguments]
        factors = [np.array(factor) - np.mean(factor) for factor in factors]
    return np.concatenate([centred(product) for product in np.prod(factors, axis=0)])


@pytest.mark.parametrize("factors", [0, 6])
def test_of_proportional_features_only_one_is_selected(factors):
    planted = {OTHERS[0]: 7 - 3 * PLANTED[B], OTHERS[1]: PLANTED[B]}
    formulas = fitted(planted, factors=factors)
    for formula in formulas:
        features = [t.text for t in terms_of(formula) if t.name != "mul"]
        assert len({B, *OTHERS[:2]}.intersection(features)) <= 1
    assert len({p.canonical.text for p in products(formulas[-1])}) == len(products(formulas[-1]))
    if not factors:
        assert len(formulas) == len(CANDIDATES) - 2
        assert fitness_of(formulas, filled(planted))[2] > 0.99


def test_a_product_that_is_a_constant_is_ignored():
    formulas = fitted({A: SIGNS}, CANDIDATES[:1], factors=3)
    assert [features_of(f) for f in formulas] == [{A}]
    assert not products(formulas[0])


@pytest.mark.parametrize("near", [1e-1, 2e-3])
def test_the_next_column_reduces_the_error_most(near):
    """As least squares on every set of columns says, some of which are nearly dependent."""
    random = np.random.default_rng(4)
    x = random.normal(size=(60, 20))
    x[:, 10:] = x[:, :10] + near * random.normal(size=(60, 10))
    x -= x.mean(0)
    y = centred(x[:, ::3].sum(1) + random.normal(size=60))
    selected = forward_selection(torch.from_numpy(x), torch.from_numpy(y), 8)

    def error(columns):
        return np.linalg.lstsq(x[:, columns], y)[1][0]

    for terms, column in enumerate(selected):
        errors = {i: error([*selected[:terms], i]) for i in range(20) if i not in selected[:terms]}
        assert errors[column] == pytest.approx(min(errors.values()), rel=1e-7)
