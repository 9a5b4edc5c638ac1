"""Trees and their text: what is printed is read back, and canonical text finds duplicates."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.formulas.expression import Expression, ValueTypeError, call, constant, statistic
from eznas.formulas.parser import DEEPEST, parse, parse_any
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.catalogue import CATALOGUE

DEPTH = 8


def _reachable():
    """Every typed way to call a word, by the value_type it gives: {value_type: [(word, argument value_types)]}."""
    value_types = {row.type for row in CATALOGUE.values()} | {CONSTANT}
    while True:
        ways = {}
        for word in PRIMITIVES.values():
            for given_kinds in itertools.product(sorted(value_types), repeat=word.arity):
                if value_type := word.resolve(given_kinds):
                    ways.setdefault(value_type, []).append((word.name, given_kinds))
        if value_types.issuperset(ways):
            return ways
        value_types |= set(ways)


def _least_depths():
    """The fewest levels in which each value_type can be made."""
    least = dict.fromkeys([CONSTANT, *(row.type for row in CATALOGUE.values())], 1)
    for _ in range(DEPTH):
        for value_type, ways in WAYS.items():
            known = [max(least[k] for k in ks) + 1 for _, ks in ways if all(k in least for k in ks)]
            if known:
                least[value_type] = min([*known, least.get(value_type, DEPTH)])
    return least


WAYS = _reachable()
LEAST = _least_depths()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [0.0, -0.0, 1e-300, 1e22, 1e16, 5e-324, 0.1, -2.0, 123456789.0]
)


@st.composite
def expressions(draw, value_type=NET_SCALAR, depth=DEPTH):
    """A well-typed expression of a value_type, of at most so many levels."""
    leaves = [n for n, row in CATALOGUE.items() if row.type == value_type]
    ways = [w for w in WAYS.get(value_type, []) if max(LEAST[k] for k in w[1]) < depth]
    if value_type == CONSTANT and not (ways and draw(st.integers(0, 4)) == 0):
        return constant(draw(NUMBERS))
    if leaves and (not ways or draw(st.integers(0, 3)) == 0):
        return statistic(draw(st.sampled_from(leaves)))
    name, value_types = draw(st.sampled_from(ways))
    return call(name, *(draw(expressions(k, depth - 1)) for k in value_types))


def _same_tree(a, b):
    """Equal node by node; constants by repr, which tells -0.0 from 0.0."""
    assert (a.name, a.type, repr(a.value)) == (b.name, b.type, repr(b.value))
    assert len(a.arguments) == len(b.arguments)
    for x, y in zip(a.arguments, b.arguments, strict=True):
        _same_tree(x, y)


def _swapped(node):
    """The same value: the arguments of every commutative word the other way round."""
    arguments = [_swapped(a) for a in node.arguments]
    if arguments and PRIMITIVES[node.name].commutative:
        arguments.reverse()
    return Expression(node.name, node.type, tuple(arguments), node.value)


moderately = settings(max_examples=150, deadline=None)


@moderately
@given(expressions())
def test_what_is_printed_is_read_back(formula):
    again = parse(formula.text)
    _same_tree(again, formula)
    assert again.text == formula.text
    assert again == formula
    assert hash(again) == hash(formula)


@moderately
@given(st.sampled_from(sorted(WAYS)).flatmap(expressions))
def test_what_is_printed_is_read_back_at_every_kind(expression):
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
def test_canonical_text_does_not_see_the_order_of_commutative_arguments(formula):
    assert _swapped(formula).canonical.text == formula.canonical.text


@moderately
@given(expressions())
def test_books_are_kept(formula):
    nodes = list(formula.walk())
    assert nodes[0] is formula
    assert len(nodes) == len(formula) == formula.size
    assert formula.height <= DEPTH
    assert formula.statistics() == list(dict.fromkeys(n.name for n in nodes if n.name in CATALOGUE))
    measures = formula.features()
    assert measures, "a NetScalar comes from somewhere"
    assert len({m.text for m in measures}) == len(measures)
    assert all(m.type == NET_SCALAR and m.is_feature for m in measures)
    assert all(m.canonical.text == m.text for m in measures)
    inside = {n.canonical.text for n in nodes}
    assert {m.text for m in measures} <= inside
    assert {s for m in measures for s in m.statistics()} == set(formula.statistics())


def test_every_kind_and_word_can_be_drawn():
    """Otherwise the tests above would be about less than they say."""
    assert set(LEAST) == {CONSTANT, *WAYS, *(row.type for row in CATALOGUE.values())}
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
def test_brackets_stand_where_they_are_needed_and_only_there(expression, text):
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
def test_forms_axes_and_batches_never_meet(other):
    a, b = Expression("a", ValueType("samples", "layers", "raw")), Expression("b", other)
    assert call("matmul", a, a).type == a.type
    with pytest.raises(ValueTypeError, match=r"matmul cannot take SampleMatrix\(raw\), "):
        call("matmul", a, b)


def test_canonical_text_sorts_what_commutes_and_nothing_else():
    assert call("add", P, TWO).canonical.text == "2.0 + params"
    assert call("sub", P, TWO).canonical.text == "params - 2.0"
    assert call("max", P, call("min", P, TWO)).canonical.text == "max(min(2.0, params), params)"


def test_measures_are_where_tensors_become_numbers():
    text = "params + sum_layers(mean(weight)) * log(sum_layers(mean(weight))) - logdet(sum_layers("
    formula = parse(text + "data_relu_agreement))")
    assert [m.text for m in formula.features()] == [
        "params",
        "sum_layers(mean(weight))",
        "logdet(sum_layers(data_relu_agreement))",
    ]
    assert formula.statistics() == ["params", "weight", "data_relu_agreement"]


def test_measures_are_canonical_and_distinct():
    formula = parse("sum_layers(norm(weight + 1)) - sum_layers(norm(1 + weight))")
    assert [m.text for m in formula.features()] == ["sum_layers(norm(1.0 + weight))"]


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
def test_the_deepest_tree_can_be_walked_printed_sorted_and_read_back(head, tail, levels):
    """Workers read canonical text: whatever can be read must stay readable when sorted."""
    times = (DEEPEST - 1) // levels
    formula = parse(head * times + "params" + tail * times)
    assert formula.height == 1 + times * levels
    assert parse(formula.text) == formula
    assert parse(formula.canonical.text).canonical == formula.canonical
    assert len(formula.features()) == 1
    assert len(list(formula.walk())) == formula.size


def test_brackets_cost_nothing_but_their_depth():
    assert parse("(" * DEEPEST + "params" + ")" * DEEPEST) == P


def test_names_mean_one_thing():
    assert not set(CATALOGUE) & set(PRIMITIVES)
