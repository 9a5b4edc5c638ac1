"""Variation: children are whole trees of their parents' value_types, and parents stay as they are."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eznas.discovery.config import SKETCHES
from eznas.evolution import randomness
from eznas.evolution import variation as v
from eznas.evolution.grammar import Grammar, Individual, deap_terminal, grow, to_nodes, type_of_node
from eznas.evolution.variation import Limits, crossover, extend, hoist, mutate, perturb, point
from eznas.formulas.parser import parse
from eznas.primitives import NET_SCALAR
from eznas.proxies.classics import CLASSICS
from tests.evolution.made_up import trees

LANGUAGE = Grammar((*SKETCHES, "weight"))
SMALL = Grammar(("layer_params",))
OPERATORS = {m.__name__: m for m, _ in v.MUTATIONS} | {"mutate": mutate}
seeds = st.integers(0, 2**32)


def individual(text):
    return Individual(to_nodes(parse(text)), "seed")


def grown(count):
    """Random trees that name a statistic."""
    saved = randomness.state()
    randomness.seed(0)
    trees = [Individual(grow(LANGUAGE, NET_SCALAR, 2 + i % 5)) for i in range(count)]
    randomness.restore(saved)
    return [t for t in trees if t.expression.statistics()]


CONSTANTS_INSIDE = [  # constants among tensors, where few words take them
    individual("logdet(sum_layers(data_relu_agreement * 2.0))"),
    individual("sum_layers(std(log(2.0) - transpose(weight + 1.0)))"),
    individual("sum(1.0 / (eigenvalues(correlation(data_jacobian)) + 1e-05))"),
]
PARENTS = [*(individual(c.formula) for c in CLASSICS.values()), *CONSTANTS_INSIDE, *grown(60)]
parents = st.sampled_from(PARENTS)


def check(child, origins):
    """A child that names a statistic is a formula, and the same one as text."""
    assert child.origin in origins
    assert not child.fitness.valid  # of a parent's fitness nothing is left
    assert type_of_node(child[0]) == NET_SCALAR
    assert child.searchSubtree(0) == slice(0, len(child))
    if child.expression.statistics():
        assert parse(child.expression.text) == child.expression
        assert child.expression.size == len(child)


def snapshot(tree):
    return list(map(id, tree)), tree.origin, tree.fitness.values, tree.expression.text


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@given(parent=parents, seed=seeds)
def test_mutations_give_whole_trees_and_spare_the_parent(operator, parent, seed):
    before = snapshot(parent)
    randomness.seed(seed)
    child = operator(parent, LANGUAGE)
    check(child, {m.__name__ for m, _ in v.MUTATIONS})
    assert child is not parent
    assert snapshot(parent) == before


@given(first=parents, second=parents, seed=seeds)
def test_crossover_gives_whole_trees_and_spares_the_parents(first, second, seed):
    before = snapshot(first), snapshot(second)
    randomness.seed(seed)
    child = crossover(first, second, LANGUAGE)
    check(child, {"crossover"})
    assert (snapshot(first), snapshot(second)) == before


@given(first=parents, second=parents, seed=seeds)
def test_crossover_exchanges_one_subtree(first, second, seed):
    randomness.seed(seed)
    child = crossover(first, second, LANGUAGE)
    subtrees = [second[second.searchSubtree(i)] for i in range(len(second))]
    found = []
    for at, subtree in itertools.product(range(len(first)), subtrees):
        span = first.searchSubtree(at)
        if len(child) == len(first) - (span.stop - span.start) + len(subtree):
            found.append([*first[: span.start], *subtree, *first[span.stop :]])
    same = [n.name for n in child]
    assert any([n.name for n in nodes] == same for nodes in [*found, list(first)])


@pytest.mark.parametrize("operator", [v.regrow, point, crossover], ids=lambda o: o.__name__)
def test_constants_where_words_take_tensors_are_no_trap(operator):
    # Exchanging the tensor beside a constant, or the word above it, may leave what is no formula.
    for seed in range(150):
        for parent in CONSTANTS_INSIDE:
            randomness.seed(seed)
            child = operator(parent, *([parent] * (operator is crossover)), LANGUAGE)
            check(child, {operator.__name__, "perturb", "extend"})


def test_a_constant_never_leaves_the_finite_numbers():
    parent = individual("params * 1.7e+308")
    for seed in range(20):
        randomness.seed(seed)
        check(perturb(parent, LANGUAGE), {"perturb"})


def test_perturb_moves_every_constant_and_nothing_else():
    parent = individual("0.5 * params - 3.0 * log(params) + sum_layers(mean(weight * -2.0))")
    randomness.seed(1)
    child = perturb(parent, LANGUAGE)
    old, new = numbers(parent), numbers(child)
    assert len(old) == len(new) == 3
    assert all(a != b and a * b > 0 for a, b in zip(old, new, strict=True))
    assert [n.name for n in child if n.arity] == [n.name for n in parent if n.arity]


def numbers(tree):
    return [n.value for n in tree if not n.arity and isinstance(n.value, float)]


def test_perturb_without_constants_grows_anew():
    randomness.seed(2)
    assert perturb(individual("params"), LANGUAGE).origin == "regrow"


@given(parent=parents, seed=seeds)
def test_point_changes_one_node(parent, seed):
    randomness.seed(seed)
    child = point(parent, LANGUAGE)
    if child.origin == "point":
        changed = [(a, b) for a, b in zip(parent, child, strict=True) if a.name != b.name]
        assert len(changed) <= 1
        assert all(a.ret == b.ret and a.arity == b.arity for a, b in changed)


@given(parent=parents, seed=seeds)
def test_extend_keeps_the_parent_and_joins_more(parent, seed):
    randomness.seed(seed)
    child = extend(parent, LANGUAGE)
    assert len(child) >= len(parent) + 2
    assert set(parent.expression.statistics()) <= set(child.expression.statistics())


@given(parent=parents, seed=seeds)
def test_hoist_is_shorter(parent, seed):
    randomness.seed(seed)
    child = hoist(parent, LANGUAGE)
    inner = [n for n in parent[1:] if type_of_node(n) == NET_SCALAR]
    if child.origin == "hoist":
        assert len(child) < len(parent)
    if not inner:
        assert child.origin != "hoist"


SYNFLOW = "sum(abs(weight * log1p(flow_weight_grad)))"


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
@given(seed=seeds)
def test_inside_seeds_beyond_the_language_nothing_is_grown(operator, seed):
    # `SMALL` has no word for weights: what a seed says of them stays, or goes as a whole.
    parent = individual(f"sum_all_layers({SYNFLOW}) + 2.0 * params")
    randomness.seed(seed)
    child = operator(parent, SMALL)
    assert set(child.expression.statistics()) <= {"layer_params", *parent.expression.statistics()}
    beside = child.expression.text.replace(SYNFLOW, "").replace("weighted_mean_layers", "")
    assert "weight" not in beside


def test_kinds_beyond_the_language_are_not_exchanged():
    parent, other = (individual(f"sum_all_layers({s})") for s in (SYNFLOW, "norm(weight)"))
    for seed in range(100):
        randomness.seed(seed)
        text = crossover(parent, other, SMALL).expression.text
        assert text in {f"sum_all_layers({s})" for s in (SYNFLOW, "norm(weight)")}


def test_limits_count_nodes_and_depth_and_ask_for_a_statistic():
    tree = individual("params * 2.0 + 3.0")
    assert (len(tree), tree.height) == (5, 2)
    assert Limits(5, 2).admit(tree)
    assert not Limits(4, 2).admit(tree)
    assert not Limits(5, 1).admit(tree)
    assert Limits(1, 0).admit(Individual([deap_terminal("params")]))
    assert not Limits().admit(Individual(to_nodes(parse("params * 2.0").arguments[1])))


@pytest.mark.parametrize("operator", [*OPERATORS.values(), crossover], ids=lambda o: o.__name__)
def test_operators_repeat_under_a_seed(operator):
    def children():
        randomness.seed(3)
        others = [[p] if operator is crossover else [] for p in PARENTS]
        return [
            operator(p, *other, LANGUAGE).expression.text
            for p, other in zip(PARENTS, others, strict=True)
        ]

    assert children() == children()


def test_a_seed_gives_the_same_children_in_every_process(elsewhere):
    assert elsewhere["children"] == trees()[1]
