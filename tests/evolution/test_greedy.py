"""The pursuit: it finds what was planted, one term at a time, and is not led astray."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from eznas.evolution.fitness import Task, judge
from eznas.evolution.greedy import pursue
from eznas.evolution.language import to_nodes
from eznas.evolution.words import short_measures
from eznas.formulas.parser import parse
from eznas.formulas.table import MeasureTable
from eznas.statistics.catalogue import CATALOGUE
from primitives import NET_SCALAR
from tests.evolution.made_up import NAMES, STATISTICS, MadeUp, drawn

COUNT = len(NAMES)
WORDS = ("sum", "mean", "std", "min", "max")
CANDIDATES = [parse(f"{w}_layers({s})") for w in WORDS for s in ("layer_params", "layer_flops")]
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
    table = MeasureTable(NAMES, MadeUp(PLANTED | dict(planted), settings, faults=False))
    table.fill(candidates, networks)
    return table


def found(planted=(), candidates=CANDIDATES, tasks=TASKS, networks=COUNT, **more):
    table = filled(planted, candidates, networks, 1 + max(t.setting for t in tasks))
    return pursue(candidates, table, tasks, networks, **more)


def chosen(formula):
    return {m.text for m in formula.measures()}


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


def test_a_network_that_is_lowest_is_left_out_of_the_fit():
    lowest = np.where(np.arange(COUNT) == 3, -np.inf, column(OTHERS[0]))
    formulas = found({OTHERS[0]: lowest})
    assert chosen(formulas[2]) == {A, B, C}
    assert OTHERS[0] in chosen(formulas[-1])


@pytest.mark.parametrize("lost", [COUNT, COUNT - 4])
def test_a_column_that_is_lowest_as_a_rule_spoils_nothing(lost):
    lowest = np.where(np.arange(COUNT) < lost, -np.inf, column(OTHERS[0]))
    rest = [c for c in CANDIDATES if c.text != OTHERS[0]]
    assert found({OTHERS[0]: lowest}) == found(candidates=rest)


def test_without_a_network_that_all_score_there_is_no_fit():
    half = np.arange(COUNT) % 2 == 0
    third = np.arange(COUNT) % 2 == 1
    third[:2] = False
    half[-2:] = False
    lost = {A: np.where(half, -np.inf, 1.0), B: np.where(third, -np.inf, 1.0)}
    lost[C] = np.where((np.arange(COUNT) < 2) | (np.arange(COUNT) > COUNT - 3), -np.inf, 1.0)
    assert found(lost) == []


def test_nothing_usable_nothing_found():
    assert found(candidates=[]) == []
    assert found(dict.fromkeys((c.text for c in CANDIDATES), np.full(COUNT, np.nan))) == []
    assert found(dict.fromkeys((c.text for c in CANDIDATES), np.full(COUNT, 2.0))) == []


def test_every_task_has_its_own_intercept_and_setting():
    # A measure that differs by a constant between settings must fit as well as without.
    class Shifted(MadeUp):
        def __call__(self, shards, texts):
            values, coverage = super().__call__(shards, texts)
            values[1] += 1e4
            return values, coverage

    tasks = [Task("first", 0, ACCURACIES), Task("second", 1, ACCURACIES)]
    plain, shifted = (
        MeasureTable(NAMES, made(PLANTED, 2, faults=False)) for made in (MadeUp, Shifted)
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


@pytest.mark.parametrize("statistics", [tuple(CATALOGUE), STATISTICS], ids=["all", "few"])
def test_short_measures_are_distinct_formulas(statistics):
    measures = short_measures(statistics)
    assert len({m.canonical.text for m in measures}) == len(measures) > 0
    for m in measures:
        assert m.kind == NET_SCALAR
        assert parse(m.text) == m
    assert {s for m in measures for s in m.statistics()} == set(statistics)


def test_short_measures_come_in_one_order():
    assert short_measures(STATISTICS) == short_measures(STATISTICS)
    both = short_measures(("params", "layer_params"))
    assert both == short_measures(("params",)) + short_measures(("layer_params",))
