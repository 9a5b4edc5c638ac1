"""The certificate of the simplifier: every rule holds to the bit, on every value_type it applies to."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.test_plan import SHARD

from eznas.evaluation.plan import Plan, evaluate
from eznas.evolution import randomness
from eznas.evolution.grammar import Grammar, grow, to_expression
from eznas.formulas.expression import ValueTypeError, call, statistic
from eznas.formulas.parser import parse, parse_any
from eznas.formulas.simplify import RULES, simplified
from eznas.primitives import NET_SCALAR, PRIMITIVES

SPECIAL = [0.0, -0.0, 1.0, -2.5, 1e-300, -1e300, float("inf"), -float("inf"), float("nan")]
OF_KIND = {
    "maps": "data_conv_output",
    "weights": "weight",
    "samples": "data_relu_agreement",
    "matrix": "data_conv_output_covariance",
    "vector": "zen_bn_input_variance",
    "scalar": "layer_params",
}


def values(form, dtype):
    """Ordinary and special numbers in tensors of a form, three rows."""
    generator = torch.Generator().manual_seed(1)
    shape = {"maps": (2, 3, 4, 4), "weights": (3, 3, 2, 2), "samples": (5, 5)}.get(form)
    shape = shape or {"matrix": (4, 4), "vector": (7,), "scalar": ()}[form]
    special = torch.tensor(SPECIAL, dtype=torch.float64)
    plain = torch.randn(3, *shape, generator=generator, dtype=torch.float64)
    picked = special[torch.randint(len(SPECIAL), plain.shape, generator=generator)]
    rows = [plain, torch.where(plain > 1, picked, plain), picked]
    return torch.cat(rows).to(dtype)


def built(pattern, variables):
    if isinstance(pattern, str):
        return variables[pattern]
    return call(pattern[0], *(built(a, variables) for a in pattern[1:]))


def computed(expression, tensors):
    if expression.text in tensors:
        return tensors[expression.text]
    arguments = [computed(a, tensors) for a in expression.arguments]
    return PRIMITIVES[expression.name].function(*arguments)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_a_rule_holds_to_the_bit(rule, dtype):
    held = 0
    for form, name in OF_KIND.items():
        x = statistic(name)
        y = call("sqrt", x)  # another expression of the value_type, which no rule touches
        try:
            left, right = (built(side, {"x": x, "y": y}) for side in rule)
        except ValueTypeError:
            continue
        first = values(form, dtype)
        tensors = {x.text: first, y.text: first.roll(1, 0)}
        a, b = computed(left, tensors), computed(right, tensors)
        assert a.dtype == b.dtype
        assert torch.equal(a.isnan(), b.isnan())
        assert torch.equal(a.nan_to_num(), b.nan_to_num()), (left, right)
        assert left.type == right.type
        held += 1
    assert held


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params + -operations", "params - operations"),
        ("-operations + params", "params - operations"),
        ("params - -operations", "operations + params"),
        ("sum_layers(norm(transpose(transpose(weight))))",) * 2,  # absent where it is not square
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
    before = randomness.state()
    try:
        randomness.seed(seed)
        language = Grammar(("weight", "data_conv_output", "layer_params", "params"), ())
        formula = to_expression(grow(language, NET_SCALAR, 5))
    finally:
        randomness.restore(before)
    if not formula.statistics():
        return
    short = simplified(formula)
    assert short.size <= formula.size
    assert simplified(short) == short
    assert parse(short.text) == short
    first, second = (evaluate(Plan.of([f]), SHARD) for f in (formula, short))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
