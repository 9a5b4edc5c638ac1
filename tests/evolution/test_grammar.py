"""The grammar: typed trees that are complete, print as formulas, and repeat under a seed."""

import pytest
from deap import gp
from hypothesis import given
from hypothesis import strategies as st

from eznas.discovery.config import EZNAS_TENSORS as ORIGINAL
from eznas.evolution import randomness
from eznas.evolution.config import DEFAULT_STATISTICS
from eznas.evolution.grammar import (
    Grammar,
    Individual,
    deap_constant,
    deap_primitive,
    deap_statistic,
    distinct,
    grow,
    random_constant,
    to_expression,
    to_nodes,
    type_of_node,
)
from eznas.formulas.parser import parse, parse_any
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.proxies.classics import CLASSICS
from tests.evolution.made_up import trees

FEW = ("weight", "data_conv_output", "data_relu_agreement", "data_jacobian", "layer_params")
GRAMMARS = {
    "few": Grammar(FEW),
    "sketches": Grammar(DEFAULT_STATISTICS),
    "original": Grammar(ORIGINAL),
    "scalars": Grammar(("layer_params",)),
}
VECTOR, MATRIX = ValueType("vector", "networks"), ValueType("matrix", "networks")
every_grammar = pytest.mark.parametrize("grammar", GRAMMARS.values(), ids=GRAMMARS)
seeds = st.integers(0, 2**32)


def arguments_of(nodes, index):
    """The indices at which the arguments of a node begin."""
    tree, starts, start = gp.PrimitiveTree(nodes), [], index + 1
    for _ in range(nodes[index].arity):
        starts.append(start)
        start = tree.searchSubtree(start).stop
    return starts


def check(nodes, value_type):
    """A prefix list is one complete tree of a type, and every argument in it has the type that its
    node expects."""
    assert gp.PrimitiveTree(nodes).searchSubtree(0) == slice(0, len(nodes))
    assert type_of_node(nodes[0]) == value_type
    for index, node in enumerate(nodes):
        if node.arity:
            assert [nodes[i].ret for i in arguments_of(nodes, index)] == list(node.args)
    expression = to_expression(nodes)
    assert expression.type in (value_type, CONSTANT)
    return expression


def lowest_trees(grammar):
    """A lowest tree of each type: first those of height 0, then those of 1, and so on."""
    trees = {}
    while len(trees) < len(grammar.productions):
        trees |= {
            value_type: _tree(p, trees)
            for value_type, productions in grammar.productions.items()
            for p in productions
            if value_type not in trees and all(a in trees for a in p.arguments)
        }
    return trees


def _tree(production, trees):
    """The tree of a production whose arguments are these trees, by their types."""
    node = deap_constant(1.0) if production.node is None else production.node
    return [node, *(n for value_type in production.arguments for n in trees[value_type])]


@every_grammar
def test_every_production_is_well_typed(grammar):
    lowest = lowest_trees(grammar)
    for value_type, productions in grammar.productions.items():
        for p in productions:
            expression = check(_tree(p, lowest), value_type)
            if not expression.statistics():  # constants alone, at network level
                assert value_type == NET_SCALAR
                continue
            assert parse_any(expression.text) == expression


@every_grammar
def test_the_depth_of_a_production_is_that_of_its_lowest_tree(grammar):
    heights = {t: gp.PrimitiveTree(nodes).height for t, nodes in lowest_trees(grammar).items()}
    for productions in grammar.productions.values():
        for p in productions:
            assert p.depth == max((1 + heights[a] for a in p.arguments), default=0)


@every_grammar
def test_every_type_can_be_made_and_every_primitive_that_applies_is_there(grammar):
    value_types = set(grammar.productions)
    nodes = [p.node for ps in grammar.productions.values() for p in ps if p.node is not None]
    names = {node.name for node in nodes if node.arity}
    for name, primitive in PRIMITIVES.items():
        for value_type in value_types:
            result = primitive.resolve((value_type,) * primitive.arity)
            if result is not None and name != "zeros":
                assert result in value_types
                assert deap_primitive(name, (value_type,) * primitive.arity).name in names
    assert {node.value for node in nodes if not node.arity} == set(grammar.statistics)


def test_of_individuals_with_equal_texts_the_first_stays():
    texts = ("params", "2.0 * params", "params * 2.0", "params")
    individuals = [
        Individual.of(parse(text), origin) for text, origin in zip(texts, "abcd", strict=True)
    ]
    assert [i.origin for i in distinct(individuals)] == ["a", "b"]


def test_naming_a_statistic_twice_changes_nothing():
    once, twice = Grammar(("params", "weight")), Grammar(("params", "weight", "params"))
    assert twice.statistics == once.statistics
    assert [len(p) for p in twice.productions.values()] == [
        len(p) for p in once.productions.values()
    ]


@every_grammar
@given(seed=seeds, depth=st.integers(0, 7), data=st.data())
def test_growth_gives_a_complete_tree_of_the_type_within_the_depth(grammar, seed, depth, data):
    value_type = data.draw(st.sampled_from(sorted(grammar.productions)))
    randomness.seed(seed)
    nodes = grow(grammar, value_type, depth)
    check(nodes, value_type)
    least_depth = min(p.depth for p in grammar.productions[value_type])
    assert gp.PrimitiveTree(nodes).height <= max(depth, least_depth)


@given(seed=seeds)
def test_growth_uses_known_features_whole(seed):
    known_feature = parse("sum_layers(log(layer_params))")
    grammar = Grammar(("weight",), [known_feature])
    randomness.seed(seed)
    expression = check(grow(grammar, NET_SCALAR, 6), NET_SCALAR)
    assert set(expression.statistics()) <= {"weight", "layer_params"}
    texts = {feature.text for feature in expression.features() if "layer_params" in feature.text}
    assert texts <= {known_feature.text}


def test_growth_uses_known_features_often_but_not_always():
    known_feature = parse("sum_layers(log(layer_params))")
    grammar = Grammar(("weight",), [known_feature])
    randomness.seed(1)
    statistics = [to_expression(grow(grammar, NET_SCALAR, 4)).statistics() for _ in range(200)]
    known = sum("layer_params" in names for names in statistics)
    new = sum("weight" in names for names in statistics)
    assert known > new > 0


@given(seed=seeds)
def test_random_constants_are_finite_short_and_of_either_sign(seed):
    randomness.seed(seed)
    values = [to_expression([deap_constant(random_constant())]).value for _ in range(40)]
    assert min(values) < 0 < max(values)
    assert all(float(f"{v:.4g}") == v for v in values)


TEXTS = [
    *(c.formula for c in CLASSICS.values()),
    "sum_layers(mean(weight * 2.0))",
    "sum_layers(mean(-1e-30 + -weight))",
    "sum_layers(mean(2.0 * 3.0 - weight))",  # constants alone inside a tensor
    "logdet(sum_layers(data_relu_agreement * log(2.0)))",
    "min(params, 3.0) / neg(2.0) - -4.0",
    "weighted_mean_layers(norm(weight), layer_params)",
]


@pytest.mark.parametrize("text", TEXTS)
def test_formulas_survive_as_trees(text):
    expression = parse(text)
    nodes = to_nodes(expression)
    check(nodes, NET_SCALAR)
    assert to_expression(nodes) == expression
    assert [n.value for n in nodes if not n.arity and isinstance(n.value, float)] == [
        n.value for n in expression.walk() if n.value is not None
    ]
    assert Individual(nodes).text == expression.canonical.text


@every_grammar
@given(seed=seeds)
def test_random_formulas_survive_as_text_and_as_trees(grammar, seed):
    randomness.seed(seed)
    nodes = grow(grammar, NET_SCALAR, 6)
    expression = to_expression(nodes)
    assert parse_any(expression.text) == expression
    assert [str(n.name) for n in to_nodes(expression)] == [str(n.name) for n in nodes]
    assert to_expression(to_nodes(parse_any(expression.text))) == expression


def test_constants_take_the_type_of_the_argument_beside_them():
    nodes = to_nodes(parse("sum(eigenvalues(correlation(data_jacobian)) + 1e-05) * 2.0"))
    value_types = [type_of_node(n) for n in nodes if not n.arity and isinstance(n.value, float)]
    assert value_types == [VECTOR, NET_SCALAR]


def test_a_primitive_refuses_types_that_it_cannot_take():
    with pytest.raises(ValueError, match="eigenvalues cannot take NetScalar"):
        deap_primitive("eigenvalues", (NET_SCALAR,))


@every_grammar
def test_alternatives_have_the_same_signature(grammar):
    for value_type, productions in grammar.productions.items():
        names = set()
        for p in productions:
            if p.node is None:
                continue
            others = grammar.alternatives(p.node)
            assert p.node.name not in {o.name for o in others}
            names |= {o.name for o in others}
            for other in others:
                assert type_of_node(other) == value_type
                assert (other.args if other.arity else []) == (p.node.args if p.arguments else [])
        assert names <= {p.node.name for p in productions if p.node is not None}


def test_alternatives_of_a_leaf_are_statistics():
    grammar = Grammar(("layer_params", "layer_flops", "weight", "params"))
    assert [n.name for n in grammar.alternatives(deap_statistic("layer_params"))] == ["layer_flops"]
    assert [n.name for n in grammar.alternatives(deap_constant(2.0))] == ["params"]
    assert grammar.alternatives(deap_statistic("data_jacobian")) == []  # beyond the grammar


def test_a_seed_gives_one_sequence_of_trees():
    assert trees(seed=1) == trees(seed=1)
    assert trees(seed=1)[0] != trees(seed=2)[0]


def test_a_seed_gives_the_same_trees_in_every_process(other_process):
    assert other_process["grown"] == trees()[0]
