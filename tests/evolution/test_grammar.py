"""The language: typed trees that are complete, print as formulas, and repeat under a seed."""

import pytest
from deap import gp
from hypothesis import given
from hypothesis import strategies as st

from eznas.discovery.config import ORIGINAL, SKETCHES
from eznas.evolution import randomness
from eznas.evolution.grammar import (
    Grammar,
    Individual,
    deap_primitive,
    deap_terminal,
    grow,
    number,
    random_constant,
    to_expression,
    to_nodes,
    type_of_node,
)
from eznas.formulas.parser import parse, parse_any
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.proxies.classics import CLASSICS
from eznas.statistics.catalogue import CATALOGUE
from tests.evolution.made_up import trees

FEW = ("weight", "data_conv_output", "data_relu_agreement", "data_jacobian", "layer_params")
LANGUAGES = {
    "few": Grammar(FEW),
    "sketches": Grammar(SKETCHES),
    "original": Grammar(ORIGINAL),
    "scalars": Grammar(("layer_params",)),
}
VECTOR, MATRIX = ValueType("vector", "networks"), ValueType("matrix", "networks")
every_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
seeds = st.integers(0, 2**32)


def arguments_of(nodes, at):
    """Where the arguments of a node begin."""
    tree, places, start = gp.PrimitiveTree(nodes), [], at + 1
    for _ in range(nodes[at].arity):
        places.append(start)
        start = tree.searchSubtree(start).stop
    return places


def check(nodes, value_type):
    """A prefix list is one whole tree of a value_type in which every argument has the value_type asked for."""
    assert gp.PrimitiveTree(nodes).searchSubtree(0) == slice(0, len(nodes))
    assert type_of_node(nodes[0]) == value_type
    for at, node in enumerate(nodes):
        if node.arity:
            assert [nodes[i].ret for i in arguments_of(nodes, at)] == list(node.args)
    expression = to_expression(nodes)
    assert expression.type in (value_type, CONSTANT)
    return expression


def lowest_trees(language):
    """A lowest tree of each value_type: first those of height 0, then those of 1, and so on."""
    found = {}
    while len(found) < len(language.productions):
        found |= {
            value_type: _tree(p, found)
            for value_type, productions in language.productions.items()
            for p in productions
            if value_type not in found and all(a in found for a in p.arguments)
        }
    return found


def _tree(production, below):
    node = number(1.0) if production.node is None else production.node
    return [node, *(n for value_type in production.arguments for n in below[value_type])]


@every_language
def test_every_production_is_well_typed(language):
    lowest = lowest_trees(language)
    for value_type, productions in language.productions.items():
        for p in productions:
            expression = check(_tree(p, lowest), value_type)
            if not expression.statistics():  # constants alone, at network level
                assert value_type == NET_SCALAR
                continue
            assert parse_any(expression.text) == expression


@every_language
def test_the_depth_of_a_production_is_that_of_its_lowest_tree(language):
    least = {k: gp.PrimitiveTree(t).height for k, t in lowest_trees(language).items()}
    for productions in language.productions.values():
        for p in productions:
            assert p.depth == max((1 + least[a] for a in p.arguments), default=0)


@every_language
def test_every_kind_can_be_made_and_every_word_that_applies_is_there(language):
    value_types = set(language.productions)
    found = {p.node.name for ps in language.productions.values() for p in ps if p.arguments}
    for name, word in PRIMITIVES.items():
        for value_type in value_types:
            result = word.resolve((value_type,) * word.arity)
            if result is not None and name != "zeros":
                assert result in value_types
                assert deap_primitive(name, (value_type,) * word.arity).name in found
    every = [p.node for ps in language.productions.values() for p in ps if p.node is not None]
    assert {n.value for n in every if not n.arity} == set(language.statistics)


def test_deap_knows_the_same_words():
    language = LANGUAGES["few"]
    known = {p.name for ps in language.pset.primitives.values() for p in ps}
    made = {p.node.name for ps in language.productions.values() for p in ps if p.arguments}
    assert made <= known
    assert language.pset.ret.type == NET_SCALAR


def test_naming_a_statistic_twice_changes_nothing():
    once, twice = Grammar(("params", "weight")), Grammar(("params", "weight", "params"))
    assert twice.statistics == once.statistics
    assert [len(p) for p in twice.productions.values()] == [
        len(p) for p in once.productions.values()
    ]


@every_language
@given(seed=seeds, depth=st.integers(0, 7), data=st.data())
def test_growth_gives_a_whole_tree_of_the_kind_within_the_depth(language, seed, depth, data):
    value_type = data.draw(st.sampled_from(sorted(language.productions)))
    randomness.seed(seed)
    nodes = grow(language, value_type, depth)
    check(nodes, value_type)
    least = min(p.depth for p in language.productions[value_type])
    assert gp.PrimitiveTree(nodes).height <= max(depth, least)


@given(seed=seeds)
def test_growth_draws_on_the_library(seed):
    measure = parse("sum_layers(log(layer_params))")
    language = Grammar(("weight",), [measure])
    randomness.seed(seed)
    expression = check(grow(language, NET_SCALAR, 6), NET_SCALAR)
    value_types = {s: CATALOGUE[s].type for s in expression.statistics()}
    assert set(value_types) <= {"weight", "layer_params"}
    own = [m.text for m in expression.features() if "layer_params" in m.text]
    assert set(own) <= {measure.text}


def test_growth_uses_the_library_often_but_not_always():
    measure = parse("sum_layers(log(layer_params))")
    language = Grammar(("weight",), [measure])
    randomness.seed(1)
    grown = [to_expression(grow(language, NET_SCALAR, 4)).statistics() for _ in range(200)]
    familiar = sum("layer_params" in s for s in grown)
    foreign = sum("weight" in s for s in grown)
    assert familiar > foreign > 0


@given(seed=seeds)
def test_random_constants_are_finite_short_and_of_either_sign(seed):
    randomness.seed(seed)
    found = [to_expression([number(random_constant())]).value for _ in range(40)]
    assert min(found) < 0 < max(found)
    assert all(float(f"{v:.4g}") == v for v in found)


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


@every_language
@given(seed=seeds)
def test_random_formulas_survive_as_text_and_as_trees(language, seed):
    randomness.seed(seed)
    nodes = grow(language, NET_SCALAR, 6)
    expression = to_expression(nodes)
    assert parse_any(expression.text) == expression
    assert [str(n.name) for n in to_nodes(expression)] == [str(n.name) for n in nodes]
    assert to_expression(to_nodes(parse_any(expression.text))) == expression


def test_constants_take_the_kind_of_their_place():
    nodes = to_nodes(parse("sum(eigenvalues(correlation(data_jacobian)) + 1e-05) * 2.0"))
    value_types = [type_of_node(n) for n in nodes if not n.arity and isinstance(n.value, float)]
    assert value_types == [VECTOR, NET_SCALAR]


def test_a_word_refuses_kinds_it_cannot_take():
    with pytest.raises(ValueError, match="eigenvalues cannot take NetScalar"):
        deap_primitive("eigenvalues", (NET_SCALAR,))


@every_language
def test_alternatives_have_the_same_signature(language):
    for value_type, productions in language.productions.items():
        names = set()
        for p in productions:
            if p.node is None:
                continue
            others = language.alternatives(p.node)
            assert p.node.name not in {o.name for o in others}
            names |= {o.name for o in others}
            for other in others:
                assert type_of_node(other) == value_type
                assert (other.args if other.arity else []) == (p.node.args if p.arguments else [])
        assert names <= {p.node.name for p in productions if p.node is not None}


def test_alternatives_of_a_leaf_are_statistics():
    language = Grammar(("layer_params", "layer_flops", "weight", "params"))
    assert [n.name for n in language.alternatives(deap_terminal("layer_params"))] == ["layer_flops"]
    assert [n.name for n in language.alternatives(number(2.0))] == ["params"]
    assert language.alternatives(deap_terminal("data_jacobian")) == []  # beyond the language


def test_a_seed_gives_one_sequence_of_trees():
    assert trees(seed=1) == trees(seed=1)
    assert trees(seed=1)[0] != trees(seed=2)[0]


def test_a_seed_gives_the_same_trees_in_every_process(elsewhere):
    assert elsewhere["grown"] == trees()[0]
