"""What holds for any expression: one is drawn at every value_type, with what the simplifier looks for."""

import pytest
import torch
from hypothesis import find, given, settings
from hypothesis import strategies as st

from eznas.formulas.expression import ValueTypeError, call, constant, statistic
from eznas.formulas.parser import parse_any
from eznas.formulas.simplify import RULES, simplified
from eznas.primitives import PRIMITIVES
from tests.formulas.test_expression import WAYS, expressions
from tests.formulas.test_simplify import OF_KIND, built, computed, values

FORMS = sorted(OF_KIND)
KEEPING = [w for w in PRIMITIVES.values() if not w.aggregation and w.signatures[0].result == "same"]


@st.composite
def nested(draw, form, depth=5):
    """An expression over two tensors of a form, rich in left sides of rules."""
    x = statistic(OF_KIND[form])
    if depth == 0 or draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from([x, call("sqrt", x), constant(2.0), constant(-0.5)]))
    variables = {"x": draw(nested(form, depth - 1)), "y": draw(nested(form, depth - 1))}
    pattern = draw(st.sampled_from([left for left, _ in RULES]))
    word = draw(st.sampled_from(KEEPING))
    for shape in (pattern, (word.name, *"xy"[: word.arity])):
        try:
            made = built(shape, variables)
        except ValueTypeError:
            continue
        if made.type == x.type:
            return made
    return x


def check_simplified(expression):
    short = simplified(expression)
    assert simplified(short) == short == short.canonical
    assert simplified(expression.canonical) == short
    assert short.type == expression.type
    assert short.size <= expression.size
    assert parse_any(short.text) == short


def check_values(form, expression):
    tensors = {OF_KIND[form]: values(form, torch.float64)}
    tensors |= {repr(c): torch.tensor(c, dtype=torch.float64) for c in expression.constants()}
    long, short = (computed(e, tensors) for e in (expression.canonical, simplified(expression)))
    assert torch.equal(long.isnan(), short.isnan())
    assert torch.equal(long.nan_to_num(), short.nan_to_num())


def at_every_kind():
    return st.sampled_from(sorted(WAYS)).flatmap(expressions)


def of_a_form():
    return st.sampled_from(FORMS).flatmap(lambda f: st.tuples(st.just(f), nested(f)))


@settings(max_examples=150, deadline=None)
@given(at_every_kind())
def test_a_simplified_form_is_a_fixed_point(expression):
    check_simplified(expression)


@settings(max_examples=150, deadline=None)
@given(of_a_form())
def test_what_is_simplified_computes_the_same_to_the_bit(drawn):
    check_simplified(drawn[1])
    check_values(*drawn)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(at_every_kind())
def test_many_simplified_forms_are_fixed_points(expression):
    check_simplified(expression)


@pytest.mark.slow
@settings(max_examples=5000, deadline=None)
@given(of_a_form())
def test_much_that_is_simplified_computes_the_same_to_the_bit(drawn):
    check_simplified(drawn[1])
    check_values(*drawn)


def test_rules_are_drawn():
    """Guards the tests above: what is drawn has something to simplify."""
    find(of_a_form(), lambda drawn: simplified(drawn[1]).size < drawn[1].size - 3)
