"""Trees and their text: printed text parses to the same tree, canonical text finds duplicates."""

import copy
import gc
import math
import pickle

import pytest
from hypothesis import given, settings

from eznas.formulas.expression import (
    _NODES,
    Expression,
    ValueTypeError,
    call,
    constant,
    statistic,
)
from eznas.formulas.parser import DEEPEST, parse, parse_any
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.catalogue import CATALOGUE
from tests.formulas.drawing import DEPTH, LEAST_DEPTHS, WAYS, expressions, expressions_of_any_type


def _same_tree(a, b):
    """Equal node by node; constants by repr, which tells -0.0 from 0.0."""
    assert (a.name, a.type, repr(a.value)) == (b.name, b.type, repr(b.value))
    assert len(a.arguments) == len(b.arguments)
    for x, y in zip(a.arguments, b.arguments, strict=True):
        _same_tree(x, y)


def _swapped(node):
    """An equal expression: the arguments of every commutative primitive in reverse order."""
    arguments = [_swapped(a) for a in node.arguments]
    if arguments and PRIMITIVES[node.name].commutative:
        arguments.reverse()
    return Expression(node.name, node.type, tuple(arguments), node.value)


moderately = settings(max_examples=150)


@moderately
@given(expressions())
def test_printed_text_parses_to_the_same_tree(formula):
    parsed = parse(formula.text)
    _same_tree(parsed, formula)
    assert parsed.text == formula.text
    assert parsed == formula
    assert hash(parsed) == hash(formula)


@moderately
@given(expressions_of_any_type())
def test_printed_text_of_every_type_parses_to_the_same_tree(expression):
    _same_tree(parse_any(expression.text), expression)


@moderately
@given(expressions())
def test_canonical_text_is_a_fixed_point(formula):
    canonical = formula.canonical
    assert canonical.canonical.text == canonical.text
    assert parse(canonical.text).canonical == canonical
    assert (canonical.size, canonical.type) == (formula.size, formula.type)


@moderately
@given(expressions())
def test_canonical_text_ignores_the_order_of_commutative_arguments(formula):
    assert _swapped(formula).canonical.text == formula.canonical.text


@moderately
@given(expressions())
def test_nodes_statistics_and_features_agree(formula):
    nodes = list(formula.walk())
    assert nodes[0] is formula
    assert len(nodes) == len(formula) == formula.size
    assert formula.height <= DEPTH
    assert formula.statistics() == list(dict.fromkeys(n.name for n in nodes if n.name in CATALOGUE))
    features = formula.features()
    assert features, "only features give a NetScalar"
    assert len({f.text for f in features}) == len(features)
    assert all(f.type == NET_SCALAR and f.is_feature for f in features)
    assert all(f.canonical.text == f.text for f in features)
    assert {f.text for f in features} <= {n.canonical.text for n in nodes}
    assert {s for f in features for s in f.statistics()} == set(formula.statistics())


def test_every_type_and_primitive_can_be_drawn():
    """Guards the tests above, which would otherwise cover less than they claim."""
    assert set(LEAST_DEPTHS) == {CONSTANT, *WAYS, *(row.type for row in CATALOGUE.values())}
    assert {name for ways in WAYS.values() for name, _ in ways} == set(PRIMITIVES)


P = statistic("params")
TWO = constant(2.0)
SUM, DIFFERENCE = call("add", P, TWO), call("sub", P, TWO)
PRODUCT, QUOTIENT = call("mul", P, TWO), call("div", P, TWO)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (call("sub", P, DIFFERENCE), "params - (params - 2.0)"),
        (call("sub", DIFFERENCE, P), "params - 2.0 - params"),
        (call("add", P, SUM), "params + (params + 2.0)"),
        (call("add", SUM, P), "params + 2.0 + params"),
        (call("add", P, DIFFERENCE), "params + (params - 2.0)"),
        (call("div", P, PRODUCT), "params / (params * 2.0)"),
        (call("div", PRODUCT, P), "params * 2.0 / params"),
        (call("mul", P, QUOTIENT), "params * (params / 2.0)"),
        (call("mul", SUM, P), "(params + 2.0) * params"),
        (call("mul", P, SUM), "params * (params + 2.0)"),
        (call("add", PRODUCT, QUOTIENT), "params * 2.0 + params / 2.0"),
        (call("neg", SUM), "-(params + 2.0)"),
        (call("neg", PRODUCT), "-(params * 2.0)"),
        (call("mul", call("neg", P), TWO), "-params * 2.0"),
        (call("mul", TWO, call("neg", P)), "2.0 * -params"),
        (call("sub", call("neg", P), call("neg", P)), "-params - -params"),
        (call("neg", call("neg", P)), "--params"),
        (call("neg", TWO), "neg(2.0)"),
        (call("neg", constant(-2.0)), "neg(-2.0)"),
        (call("neg", call("neg", TWO)), "-neg(2.0)"),
        (call("neg", call("add", TWO, TWO)), "-(2.0 + 2.0)"),
        (call("sub", P, constant(-2.0)), "params - -2.0"),
        (call("mul", constant(-2.0), P), "-2.0 * params"),
        (call("min", SUM, call("neg", P)), "min(params + 2.0, -params)"),
        (call("log", call("neg", P)), "log(-params)"),
    ],
)
def test_brackets_are_printed_only_where_needed(expression, text):
    assert expression.text == text
    _same_tree(parse_any(text), expression)


@pytest.mark.parametrize("value", [1e-300, -0.0, 0.0, 1e22, 0.1, 5e-324, -1.7976931348623157e308])
def test_constants_are_printed_by_repr(value):
    assert constant(value).text == repr(value)
    assert repr(parse_any(repr(value)).value) == repr(value)


def test_a_constant_is_a_finite_float():
    assert constant(2).text == "2.0"
    for value in (math.inf, -math.inf, math.nan):
        with pytest.raises(ValueTypeError, match="must be finite"):
            constant(value)


@pytest.mark.parametrize(
    "other",
    [
        ValueType("samples", "layers", "sketch"),
        ValueType("samples", "activations", "raw"),
        ValueType("samples", "networks", "raw"),
        ValueType("matrix", "layers", ""),
    ],
)
def test_different_forms_axes_and_batches_never_meet(other):
    a, b = Expression("a", ValueType("samples", "layers", "raw")), Expression("b", other)
    assert call("matmul", a, a).type == a.type
    with pytest.raises(ValueTypeError, match=r"matmul cannot take SampleMatrix\(raw\), "):
        call("matmul", a, b)


def test_canonical_text_sorts_commutative_arguments_only():
    assert call("add", P, TWO).canonical.text == "2.0 + params"
    assert call("sub", P, TWO).canonical.text == "params - 2.0"
    assert call("max", P, call("min", P, TWO)).canonical.text == "max(min(2.0, params), params)"


def test_features_are_where_tensors_become_numbers():
    text = "params + sum_layers(mean(weight)) * log(sum_layers(mean(weight))) - logdet(sum_layers("
    formula = parse(text + "data_relu_agreement))")
    assert [f.text for f in formula.features()] == [
        "params",
        "sum_layers(mean(weight))",
        "logdet(sum_layers(data_relu_agreement))",
    ]
    assert formula.statistics() == ["params", "weight", "data_relu_agreement"]


def test_features_are_canonical_and_distinct():
    formula = parse("sum_layers(norm(weight + 1)) - sum_layers(norm(1 + weight))")
    assert [f.text for f in formula.features()] == ["sum_layers(norm(1.0 + weight))"]


@pytest.mark.parametrize(
    ("head", "tail", "levels"),
    [
        ("log(", ")", 1),
        ("-", "", 1),
        ("", " - 1", 1),
        ("", " + params", 1),  # in canonical order, this chain nests to the other side
        ("(1 * ", " + params)", 2),
        ("1 - (", ")", 1),
        ("1 / (", ")", 1),
        ("params * -(1 - ", ")", 3),
        ("max(1, ", ")", 1),
    ],
)
def test_the_deepest_tree_can_be_walked_printed_sorted_and_parsed(head, tail, levels):
    """Workers parse canonical text: sorting a formula must not make it too deep for the parser."""
    repeats = (DEEPEST - 1) // levels
    formula = parse(head * repeats + "params" + tail * repeats)
    assert formula.height == 1 + repeats * levels
    assert parse(formula.text) == formula
    assert parse(formula.canonical.text).canonical == formula.canonical
    assert len(formula.features()) == 1
    assert len(list(formula.walk())) == formula.size


def test_brackets_cost_nothing_but_their_depth():
    assert parse("(" * DEEPEST + "params" + ")" * DEEPEST) == P


def test_no_name_is_both_a_statistic_and_a_primitive():
    assert not set(CATALOGUE) & set(PRIMITIVES)


def test_equal_parts_are_one_node():
    """What is known of a term is then computed once, whichever formula it stands in."""
    first = parse("log(params) + 2.0 * operations")
    second = parse("3.0 * operations - log(params)")
    assert first.arguments[0] is second.arguments[1]
    assert parse("log(params) + 2.0 * operations") is first
    assert first.canonical.canonical is first.canonical
    assert constant(0.0) is not constant(-0.0)
    assert pickle.loads(pickle.dumps(first)) is first
    assert copy.deepcopy(first) is first


def test_nodes_that_nothing_holds_are_forgotten():
    gc.collect()
    before = len(_NODES)
    formula = parse(" + ".join(f"{n}.125 * params" for n in range(50)))
    assert formula.canonical.size == 199
    assert len(_NODES) > before + 100
    del formula
    gc.collect()  # a canonical node refers to itself
    assert len(_NODES) == before


def test_nodes_are_walked_each_before_its_arguments():
    formula = parse("log(params) + (2.0 - operations)")
    texts = [node.text for node in formula.walk()]
    assert texts[1:] == ["log(params)", "params", "2.0 - operations", "2.0", "operations"]
    assert texts[0] == formula.text
