"""Variation: children are complete trees of their parents' types, and parents stay unchanged."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eznas.evolution import randomness
from eznas.evolution.config import DEFAULT_STATISTICS, EvolutionConfig
from eznas.evolution.grammar import Grammar, Individual, deap_statistic, grow, type_of_node
from eznas.evolution.variation import (
    MUTATIONS,
    crossover,
    extend,
    hoist,
    is_within,
    mutate,
    perturb,
    point,
    regrow,
)
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR
from eznas.proxies.classics import CLASSICS
from tests.evolution.made_up import trees

GRAMMAR = Grammar((*DEFAULT_STATISTICS, "weight"))
SMALL = Grammar(("layer_params",))
ORIGINS = {m.__name__ for m, _ in MUTATIONS}
OPERATORS = {m.__name__: m for m, _ in MUTATIONS} | {"mutate": mutate}
seeds = st.integers(0, 2**32)


def individual(text):
    return Individual.of(parse(text), "seed")


def grown(count):
    """Random trees that name a statistic."""
    saved = randomness.state()
    randomness.seed(0)
    trees = [Individual(grow(GRAMMAR, NET_SCALAR, 2 + i % 5)) for i in range(count)]
    randomness.restore(saved)
    return [t for t in trees if t.expression.statistics()]


CONSTANTS_INSIDE = [  # constants among tensors, where few primitives take them
    individual("logdet(sum_layers(data_relu_agreement * 2.0))"),
    individual("sum_layers(std(log(2.0) - transpose(weight + 1.0)))"),
    individual("sum(1.0 / (eigenvalues(correlation(data_jacobian)) + 1e-05))"),
]
PARENTS = [*(individual(c.formula) for c in CLASSICS.values()), *CONSTANTS_INSIDE, *grown(60)]
parents = st.sampled_from(PARENTS)


def check(child, origins):
    """A child that names a statistic is a formula, and the same one as text."""
    assert child.origin in origins
    assert not child.fitness.valid  # it has not inherited its parent's
    assert type_of_node(child[0]) == NET_SCALAR
    assert child.searchSubtree(0) == slice(0, len(child))
    if child.expression.statistics():
        assert parse(child.expression.text) == child.expression
        assert child.expression.size == len(child)


def snapshot(tree):
    return list(map(id, tree)), tree.origin, tree.fitness.values, tree.expression.text


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@given(parent=parents, seed=seeds)
def test_mutations_give_complete_trees_and_leave_the_parent_unchanged(operator, parent, seed):
    parent_before = snapshot(parent)
    randomness.seed(seed)
    child = operator(parent, GRAMMAR)
    check(child, ORIGINS)
    assert child is not parent
    assert snapshot(parent) == parent_before


@given(first=parents, second=parents, seed=seeds)
def test_crossover_gives_complete_trees_and_leaves_the_parents_unchanged(first, second, seed):
    parents_before = snapshot(first), snapshot(second)
    randomness.seed(seed)
    child = crossover(first, second, GRAMMAR)
    check(child, {"crossover"})
    assert (snapshot(first), snapshot(second)) == parents_before


@given(first=parents, second=parents, seed=seeds)
def test_crossover_exchanges_one_subtree(first, second, seed):
    randomness.seed(seed)
    child = crossover(first, second, GRAMMAR)
    subtrees = [second[second.searchSubtree(i)] for i in range(len(second))]
    possible_children = [list(first)]
    for index, subtree in itertools.product(range(len(first)), subtrees):
        span = first.searchSubtree(index)
        if len(child) == len(first) - (span.stop - span.start) + len(subtree):
            possible_children.append([*first[: span.start], *subtree, *first[span.stop :]])
    names = [node.name for node in child]
    assert any([node.name for node in nodes] == names for nodes in possible_children)


@pytest.mark.parametrize("operator", [regrow, point, crossover], ids=lambda o: o.__name__)
def test_constants_where_primitives_take_tensors_raise_nothing(operator):
    # Exchanging the tensor beside a constant, or the primitive above it, may give no formula.
    for seed in range(150):
        for parent in CONSTANTS_INSIDE:
            randomness.seed(seed)
            child = operator(parent, *([parent] * (operator is crossover)), GRAMMAR)
            check(child, {operator.__name__, "perturb", "extend"})


def test_constants_stay_finite():
    parent = individual("params * 1.7e+308")
    for seed in range(20):
        randomness.seed(seed)
        check(perturb(parent, GRAMMAR), {"perturb"})


def test_perturb_moves_every_constant_and_nothing_else():
    parent = individual("0.5 * params - 3.0 * log(params) + sum_layers(mean(weight * -2.0))")
    randomness.seed(1)
    child = perturb(parent, GRAMMAR)
    old, new = constants(parent), constants(child)
    assert len(old) == len(new) == 3
    assert all(a != b and a * b > 0 for a, b in zip(old, new, strict=True))
    assert [n.name for n in child if n.arity] == [n.name for n in parent if n.arity]


def constants(tree):
    return [n.value for n in tree if not n.arity and isinstance(n.value, float)]


def test_perturb_without_constants_regrows():
    randomness.seed(2)
    assert perturb(individual("params"), GRAMMAR).origin == "regrow"


@given(parent=parents, seed=seeds)
def test_point_changes_one_node(parent, seed):
    randomness.seed(seed)
    child = point(parent, GRAMMAR)
    if child.origin == "point":
        changed = [(a, b) for a, b in zip(parent, child, strict=True) if a.name != b.name]
        assert len(changed) <= 1
        assert all(a.ret == b.ret and a.arity == b.arity for a, b in changed)


@given(parent=parents, seed=seeds)
def test_extend_keeps_the_parent_and_joins_more(parent, seed):
    randomness.seed(seed)
    child = extend(parent, GRAMMAR)
    assert len(child) >= len(parent) + 2
    assert set(parent.expression.statistics()) <= set(child.expression.statistics())


@given(parent=parents, seed=seeds)
def test_hoist_is_shorter(parent, seed):
    randomness.seed(seed)
    child = hoist(parent, GRAMMAR)
    has_inner_subtrees = any(type_of_node(node) == NET_SCALAR for node in parent[1:])
    if child.origin == "hoist":
        assert len(child) < len(parent)
    if not has_inner_subtrees:
        assert child.origin != "hoist"


SYNFLOW = "sum(abs(weight * log1p(flow_weight_grad)))"


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@given(seed=seeds)
def test_inside_seeds_beyond_the_grammar_nothing_is_grown(operator, seed):
    # `SMALL` cannot make weights: a part of a seed that uses them stays, or goes as a whole.
    parent = individual(f"sum_all_layers({SYNFLOW}) + 2.0 * params")
    randomness.seed(seed)
    child = operator(parent, SMALL)
    assert set(child.expression.statistics()) <= {"layer_params", *parent.expression.statistics()}
    other_text = child.expression.text.replace(SYNFLOW, "").replace("weighted_mean_layers", "")
    assert "weight" not in other_text


def test_types_beyond_the_grammar_are_not_exchanged():
    parent, other = (individual(f"sum_all_layers({s})") for s in (SYNFLOW, "norm(weight)"))
    for seed in range(100):
        randomness.seed(seed)
        text = crossover(parent, other, SMALL).expression.text
        assert text in {f"sum_all_layers({s})" for s in (SYNFLOW, "norm(weight)")}


def within(tree, **limits):
    return is_within(tree.expression, EvolutionConfig.model_construct(**limits))


def test_limits_count_nodes_and_depth_and_require_a_statistic():
    tree = individual("params * 2.0 + 3.0")
    assert (len(tree), tree.height) == (5, 2)
    assert within(tree, max_nodes=5, max_depth=2)
    assert not within(tree, max_nodes=4)
    assert not within(tree, max_depth=1)
    assert within(Individual([deap_statistic("params")]), max_nodes=1, max_depth=0)
    assert not within(Individual.of(parse("params * 2.0").arguments[1], "constant"))


def test_limits_on_terms_constants_and_complexity():
    tree = individual("params * 2.0 + log(operations) - 3.0")
    assert within(tree, max_terms=2, max_constants=2, max_nodes=8)
    assert not within(tree, max_terms=1)
    assert not within(tree, max_constants=1)
    assert within(tree, complexity={"log": 3, "operations": 2}, max_nodes=11)
    assert not within(tree, complexity={"log": 3, "operations": 2}, max_nodes=10)


def test_without_joints_a_tree_is_regrown():
    grammar = Grammar(("layer_params",), primitives=("sum_layers", "mean_layers", "log"))
    for seed in range(20):
        randomness.seed(seed)
        child = extend(individual("sum_layers(layer_params)"), grammar)
        assert child.expression.primitives() <= grammar.primitives


@pytest.mark.parametrize("operator", [*OPERATORS.values(), crossover], ids=lambda o: o.__name__)
def test_operators_repeat_under_a_seed(operator):
    def children():
        randomness.seed(3)
        copies = 2 if operator is crossover else 1
        return [operator(*[parent] * copies, GRAMMAR).expression.text for parent in PARENTS]

    assert children() == children()


def test_a_seed_gives_the_same_children_in_every_process(other_process):
    assert other_process["children"] == trees()[1]
