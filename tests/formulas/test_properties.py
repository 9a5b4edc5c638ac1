"""What holds for the simplified form of any expression: expressions of every type are drawn."""

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from eznas.formulas.expression import ValueTypeError, call, constant, statistic
from eznas.formulas.parser import parse_any
from eznas.formulas.simplify import RULES, simplified
from eznas.primitives import PRIMITIVES
from tests.formulas.computing import STATISTICS, built, computed, values
from tests.formulas.drawing import expressions_of_any_type

FORMS = sorted(STATISTICS)
FORM_KEEPING = [
    p for p in PRIMITIVES.values() if not p.aggregation and p.signatures[0].result == "same"
]


@st.composite
def nested(draw, form, depth=5):
    """An expression over two tensors of a form, in which many rules apply."""
    x = statistic(STATISTICS[form])
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([x, call("sqrt", x), constant(2.0), constant(-0.5)]))
    variables = {"x": draw(nested(form, depth - 1)), "y": draw(nested(form, depth - 1))}
    pattern = draw(st.sampled_from([left for left, _ in RULES]))
    primitive = draw(st.sampled_from(FORM_KEEPING))
    for candidate in (pattern, (primitive.name, *"xy"[: primitive.arity])):
        try:
            expression = built(candidate, variables)
        except ValueTypeError:
            continue
        if expression.type == x.type:
            return expression
    return x


def check_simplified(expression):
    simple = simplified(expression)
    assert simplified(simple) == simple == simple.canonical
    assert simplified(expression.canonical) == simple
    assert simple.type == expression.type
    assert simple.size <= expression.size
    assert parse_any(simple.text) == simple


def check_values(form, expression):
    tensors = {STATISTICS[form]: values(form, torch.float64)}
    tensors |= {repr(c): torch.tensor(c, dtype=torch.float64) for c in expression.constants()}
    result = computed(expression.canonical, tensors)
    simple_result = computed(simplified(expression), tensors)
    assert torch.equal(result.isnan(), simple_result.isnan())
    assert torch.equal(result.nan_to_num(), simple_result.nan_to_num())


def forms_and_expressions():
    return st.sampled_from(FORMS).flatmap(lambda f: st.tuples(st.just(f), nested(f)))


@settings(max_examples=150)
@given(expressions_of_any_type())
def test_a_simplified_form_is_a_fixed_point(expression):
    check_simplified(expression)


@settings(max_examples=150)
@given(forms_and_expressions())
def test_simplified_expressions_compute_the_same_bits(drawn):
    check_simplified(drawn[1])
    check_values(*drawn)


@pytest.mark.slow
@settings(max_examples=5000)
@given(expressions_of_any_type())
def test_many_simplified_forms_are_fixed_points(expression):
    check_simplified(expression)


@pytest.mark.slow
@settings(max_examples=5000)
@given(forms_and_expressions())
def test_many_simplified_expressions_compute_the_same_bits(drawn):
    check_simplified(drawn[1])
    check_values(*drawn)


def test_rules_apply_to_drawn_expressions():
    """Guards the tests above: rules apply to the expressions that they draw."""
    find(forms_and_expressions(), lambda drawn: simplified(drawn[1]).size < drawn[1].size - 3)
