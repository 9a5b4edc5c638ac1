"""The simplifier: every rule holds to the bit, for every type that it applies to."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eznas.evaluation.plan import Plan, evaluate
from eznas.evolution import randomness
from eznas.evolution.grammar import Grammar, grow, to_expression
from eznas.formulas.expression import ValueTypeError, call, statistic
from eznas.formulas.parser import parse, parse_any
from eznas.formulas.simplify import RULES, simplified
from eznas.primitives import NET_SCALAR
from tests.evaluation.hand_made import BANK
from tests.formulas.computing import STATISTICS, built, computed, values


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_holds_to_the_bit(rule, dtype):
    types_checked = 0
    for form, name in STATISTICS.items():
        x = statistic(name)
        y = call("sqrt", x)  # another expression of this type, which no rule changes
        try:
            left, right = (built(side, {"x": x, "y": y}) for side in rule)
        except ValueTypeError:
            continue
        x_values = values(form, dtype)
        tensors = {x.text: x_values, y.text: x_values.roll(1, 0)}
        left_values, right_values = computed(left, tensors), computed(right, tensors)
        assert left_values.dtype == right_values.dtype
        assert torch.equal(left_values.isnan(), right_values.isnan())
        assert torch.equal(left_values.nan_to_num(), right_values.nan_to_num()), (left, right)
        assert left.type == right.type
        types_checked += 1
    assert types_checked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params + -operations", "params - operations"),
        ("-operations + params", "params - operations"),
        ("params - -operations", "operations + params"),
        ("sum_layers(norm(transpose(transpose(weight))))",) * 2,  # undefined if not square
        ("sum_layers(norm(abs(-weight)))", "sum_layers(norm(weight))"),
        ("sum_layers(mean(-(-(-weight))))", "sum_layers(mean(-weight))"),
        ("min(params, params)", "params"),
        ("params - -(params * 2)", "2.0 * params + params"),
        ("sum_layers(numel(sigmoid(square(weight))))", "sum_layers(numel(weight))"),
        ("sum_layers(mean(min(weight, 2)))", "sum_layers(mean(min(2.0, weight)))"),
    ],
)
def test_simplified_by_hand(text, expected):
    assert simplified(parse_any(text)).text == expected


@given(st.integers(0, 2**32 - 1))
def test_a_formula_scores_as_its_simplified_form(seed):
    random_state = randomness.state()
    try:
        randomness.seed(seed)
        grammar = Grammar(("weight", "data_conv_output", "layer_params", "params"), ())
        formula = to_expression(grow(grammar, NET_SCALAR, 5))
    finally:
        randomness.restore(random_state)
    if not formula.statistics():
        return
    simple = simplified(formula)
    assert simple.size <= formula.size
    assert simplified(simple) == simple
    assert parse(simple.text) == simple
    values, simple_values = (evaluate(Plan.of([f]), BANK) for f in (formula, simple))
    for array, simple_array in zip(values, simple_values, strict=True):
        np.testing.assert_array_equal(array, simple_array)
