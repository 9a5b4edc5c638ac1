"""The local search on constants: never worse, bounded, and never a reason to measure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import constants, randomness
from eznas.evolution.constants import tune, with_constants
from eznas.evolution.fitness import Task, judge
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from tests.evolution.made_up import NAMES, MadeUp, drawn

A, B = "sum_layers(layer_params)", "max_layers(layer_flops)"
ONE, OTHER = (np.array([drawn(m, n) for n in NAMES]) for m in "ab")
ALL = len(NAMES)
TASKS = [Task("task", 0, ONE + 0.25 * OTHER)]
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def evaluate():
    return MadeUp({A: ONE, B: OTHER, "params": OTHER}, faults=False)


def table_of(formula, evaluate, networks=ALL):
    table = FeatureTable(NAMES, evaluate)
    table.fill([formula], networks)
    return table


def fitness(formula, table, networks=ALL):
    return judge([formula], table, TASKS, networks)[0].fitness


def test_constants_stand_in_the_order_of_the_text():
    formula = parse(f"2.0 * {A} - -3.0 / ({B} + 4.0) + sum_layers(norm(weight + 5.0))")
    assert formula.constants() == [2.0, -3.0, 4.0, 5.0]
    other = with_constants(formula, [1.0, 2.0, 3.0, -4.0])
    assert other.text == f"1.0 * {A} - 2.0 / ({B} + 3.0) + sum_layers(norm(weight + -4.0))"
    assert formula.constants() == [2.0, -3.0, 4.0, 5.0]


@pytest.mark.parametrize("name", CLASSICS)
def test_the_same_constants_give_the_same_formula(name):
    formula = parse(CLASSICS[name].formula)
    assert with_constants(formula, formula.constants()) == formula


@given(values=st.lists(finite, min_size=3, max_size=3))
def test_any_finite_constants_make_a_formula(values):
    formula = with_constants(parse(f"1.0 * {A} - 2.0 * ({B} + 3.0)"), values)
    assert parse(formula.text).constants() == values


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), networks=st.sampled_from([8, 24, 32]))
def test_tuning_never_gets_worse_on_its_sample(seed, networks):
    formula = parse(f"{A} + 3.0 * {B}")
    table = table_of(formula, MadeUp({A: ONE, B: OTHER}, faults=False))
    randomness.seed(seed)
    best, _ = tune(formula, table, TASKS, networks)
    before, after = fitness(formula, table, networks), fitness(best, table, networks)
    assert after > before or (after == before and best is formula)


def test_tuning_finds_a_planted_weight(evaluate):
    formula = parse(f"{A} + 3.0 * {B}")
    table = table_of(formula, evaluate)
    randomness.seed(1)
    best, _ = tune(formula, table, TASKS, ALL, rounds=12)
    assert fitness(best, table) > 0.95 > fitness(formula, table) + 0.2


@pytest.mark.parametrize(("rounds", "variants"), [(4, 12), (1, 5), (0, 5)])
def test_evaluations_are_counted_and_bounded(evaluate, monkeypatch, rounds, variants):
    formula, judged = parse(f"{A} + 3.0 * {B}"), []
    table = table_of(formula, evaluate)

    def counted(formulas, *rest):
        judged.extend(formulas)
        return judge(formulas, *rest)

    monkeypatch.setattr(constants, "judge", counted)
    _, evaluated = tune(formula, table, TASKS, ALL, rounds, variants)
    assert evaluated == len(judged) - 1 == rounds * variants  # its own fitness is known already


def test_nothing_is_measured(evaluate):
    formula = parse(f"2.0 * {A} + 3.0 * log(params * 4.0)")
    table = table_of(formula, evaluate)
    evaluate.asked.clear()
    tune(formula, table, TASKS, ALL)
    assert not evaluate.asked


def test_constants_inside_measures_stay():
    formula = parse(f"2.0 * sum_layers(norm(weight + 5.0)) + {A} * 7.0")
    table = table_of(formula, MadeUp({A: ONE}, faults=False))
    moved = set()
    for seed in range(5):
        randomness.seed(seed)
        best, _ = tune(formula, table, TASKS, ALL)
        values = best.constants()
        assert values[1] == 5.0
        moved |= {i for i in (0, 2) if values[i] != (2.0, 5.0, 7.0)[i]}
    assert moved == {0, 2}


@pytest.mark.parametrize("text", [A, "sum_layers(norm(weight + 5.0))"])
def test_without_constants_to_move_nothing_is_evaluated(evaluate, text):
    formula = parse(text)
    assert tune(formula, table_of(formula, evaluate), TASKS, ALL) == (formula, 0)


def test_constants_stay_finite():
    # Half the steps from here would leave the finite numbers, where the term that disturbs is
    # divided away altogether: it would look like progress, and not parse.
    formula = parse(f"{A} - {B} / 1.7e+308")
    table = table_of(formula, MadeUp({A: ONE, B: 1.7e308 * OTHER}, faults=False))
    for seed in range(3):
        randomness.seed(seed)
        best, _ = tune(formula, table, TASKS, ALL)
        assert np.isfinite(best.constants()).all()
        assert parse(best.text) == best


def test_an_undefined_formula_may_become_defined():
    broken = parse(f"max({A}, 1.1)")  # the same for every network
    table = table_of(broken, MadeUp({A: ONE}, faults=False))
    randomness.seed(1)
    best, _ = tune(broken, table, TASKS, ALL)
    assert fitness(broken, table) == -1.0 < fitness(best, table)
