"""The local search on constants: never worse, bounded, and never in need of a new feature."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from eznas.benchmarks import Task
from eznas.evolution import constants, randomness
from eznas.evolution.constants import tune, with_constants, with_digits_that_matter
from eznas.evolution.fitness import evaluate_fitness
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from tests.evolution.made_up import NAMES, MadeUp, drawn, table_of

A, B = "sum_layers(layer_params)", "max_layers(layer_flops)"
A_VALUES, B_VALUES = (np.array([drawn(key, name) for name in NAMES]) for key in "ab")
ALL = len(NAMES)
TASKS = [Task("task", 0, A_VALUES + 0.25 * B_VALUES)]
finite = st.floats(allow_nan=False, allow_infinity=False)


@pytest.fixture
def evaluate():
    return MadeUp({A: A_VALUES, B: B_VALUES, "params": B_VALUES}, faults=False)


def filled(formula, evaluate, networks=ALL):
    table = table_of(evaluate)
    table.fill([formula], networks)
    return table


def fitness(formula, table, networks=ALL):
    return evaluate_fitness([formula], table, TASKS, networks)[0].fitness


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
    table = filled(formula, MadeUp({A: A_VALUES, B: B_VALUES}, faults=False))
    randomness.seed(seed)
    best, _ = tune(formula, table, TASKS, networks)
    gain = fitness(best, table, networks) - fitness(formula, table, networks)
    assert gain > 0 or (gain == 0 and best is formula)


def test_tuning_finds_a_planted_weight(evaluate):
    formula = parse(f"{A} + 3.0 * {B}")
    table = filled(formula, evaluate)
    randomness.seed(1)
    best, _ = tune(formula, table, TASKS, ALL, rounds=12)
    assert fitness(best, table) > 0.95 > fitness(formula, table) + 0.2


@pytest.mark.parametrize(("rounds", "variants"), [(4, 12), (1, 5), (0, 5)])
def test_evaluations_are_counted_and_bounded(evaluate, monkeypatch, rounds, variants):
    formula, evaluated_formulas = parse(f"{A} + 3.0 * {B}"), []
    table = filled(formula, evaluate)

    def recording(formulas, *arguments):
        evaluated_formulas.extend(formulas)
        return evaluate_fitness(formulas, *arguments)

    monkeypatch.setattr(constants, "evaluate_fitness", recording)
    _, evaluated = tune(formula, table, TASKS, ALL, rounds, variants)
    evaluated_formulas.remove(formula)  # as the start of the search it is not counted
    assert evaluated == len(evaluated_formulas) == rounds * variants


def test_no_feature_is_evaluated(evaluate):
    formula = parse(f"2.0 * {A} + 3.0 * log(params * 4.0)")
    table = filled(formula, evaluate)
    evaluate.evaluated.clear()
    tune(formula, table, TASKS, ALL)
    assert not evaluate.evaluated


def test_constants_inside_features_stay():
    formula = parse(f"2.0 * sum_layers(norm(weight + 5.0)) + {A} * 7.0")
    table = filled(formula, MadeUp({A: A_VALUES}, faults=False))
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
    assert tune(formula, filled(formula, evaluate), TASKS, ALL) == (formula, 0)


def test_constants_stay_finite():
    # Half the steps from here lead to an infinite constant. Dividing by it would remove the term
    # that disturbs, which looks like progress, but the formula could not be parsed.
    formula = parse(f"{A} - {B} / 1.7e+308")
    table = filled(formula, MadeUp({A: A_VALUES, B: 1.7e308 * B_VALUES}, faults=False))
    for seed in range(3):
        randomness.seed(seed)
        best, _ = tune(formula, table, TASKS, ALL)
        assert np.isfinite(best.constants()).all()
        assert parse(best.text) == best


def test_an_undefined_formula_may_become_defined():
    broken = parse(f"max({A}, 1.1)")  # the same for every network
    table = filled(broken, MadeUp({A: A_VALUES}, faults=False))
    randomness.seed(1)
    best, _ = tune(broken, table, TASKS, ALL)
    assert fitness(broken, table) == -1.0 < fitness(best, table)


def ranks(formula, table, networks=ALL):
    return rankdata(table.scores(formula, 0, networks).values).tolist()


def significant(value):
    return len(f"{abs(value):e}".partition("e")[0].replace(".", "").rstrip("0"))


NUMBERS = st.floats(-100, 100, allow_subnormal=False)  # whose digits are those that are printed


@given(values=st.lists(NUMBERS, min_size=3, max_size=3), networks=st.integers(2, ALL))
def test_digits_that_matter_are_the_fewest_that_keep_the_order(values, networks):
    formula = with_constants(parse(f"1.0 * {A} + 2.0 * {B} + 3.0"), values)
    table = filled(formula, MadeUp({A: A_VALUES, B: B_VALUES}, faults=False))
    short = with_digits_that_matter(formula, table, TASKS, networks)
    assert ranks(short, table, networks) == ranks(formula, table, networks)
    assert fitness(short, table, networks) == fitness(formula, table, networks)
    digits = max(map(significant, short.constants()), default=1)
    for fewer in range(1, digits):
        other = with_constants(formula, [float(f"{v:.{fewer}g}") for v in values])
        assert other == short or ranks(other, table, networks) != ranks(formula, table, networks)


def test_digits_of_a_single_weight_do_not_matter(evaluate):
    formula = parse(f"-0.0123456789 * {A}")
    short = with_digits_that_matter(formula, filled(formula, evaluate), TASKS, ALL)
    assert short.text == f"-0.01 * {A}"


def test_factors_of_1_are_left_out(evaluate):
    formula = parse(f"0.98765 * {A} * (1.01234 * {B}) / 1.0")
    short = with_digits_that_matter(formula, filled(formula, evaluate), TASKS, ALL)
    assert short == parse(f"{A} * {B}")
    minus = parse(f"{A} - -2.0 * {B}")
    assert (
        with_digits_that_matter(minus, filled(minus, evaluate), TASKS, ALL).text
        == f"{A} + 2.0 * {B}"
    )
    inside = parse("sum_layers(layer_params * 1.0)")
    assert with_digits_that_matter(inside, filled(inside, MadeUp({})), TASKS, ALL) == inside


def test_digits_of_constants_inside_features_stay(evaluate):
    formula = parse(f"3.14159 * {A} + 2.71828 * log(sum_layers(layer_params * 1.2345))")
    table = filled(formula, MadeUp({A: A_VALUES}, faults=False))
    short = with_digits_that_matter(formula, table, TASKS, ALL)
    assert "layer_params * 1.2345" in short.text
    assert short.constants()[0] != 3.14159


def test_the_largest_number_is_not_rounded_to_infinity(evaluate):
    formula = parse(f"{A} + 1.7976931348623157e+308 * {B}")
    table = filled(formula, MadeUp({A: A_VALUES, B: B_VALUES / 1e300}, faults=False))
    short = with_digits_that_matter(formula, table, TASKS, ALL)
    assert np.isfinite(short.constants()).all()
    assert parse(short.text) == short
