"""Variation: new trees from old ones. Parents are never changed.

DEAP's typed crossover walks a set of classes, whose order changes from process to process; ours
draws one node and then another of the same type, and so repeats under a seed.
"""

from collections.abc import Callable

from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import (
    Grammar,
    Individual,
    Node,
    deap_constant,
    deap_primitive,
    grow,
    random_constant,
    type_of_node,
)
from eznas.formulas.expression import Expression, ValueTypeError
from eznas.formulas.terms import weighted_terms
from eznas.primitives import NET_SCALAR

NETWORK_LEVEL = 0.8  # how often a network-level node is varied: that needs few new features
_JOINTS = ("add", "sub", "mul", "div", "min", "max")


def is_within(formula: Expression, config: EvolutionConfig) -> bool:
    """Whether a formula is within the limits of a configuration, and names at least one statistic.
    Its depth is as DEAP counts it: a leaf has 0."""
    if config.size_of(formula) > config.max_nodes or formula.height > config.max_depth + 1:
        return False
    if config.max_terms is not None and len(weighted_terms(formula)[0]) > config.max_terms:
        return False
    if config.max_constants is not None and len(formula.constants()) > config.max_constants:
        return False
    return bool(formula.statistics())


def crossover(first: Individual, second: Individual, grammar: Grammar) -> Individual:
    """`first` with one subtree replaced by one of the same type from `second`.

    The child equals `first` where there is none, and where the grammar cannot make the type: inside
    a seed that names other statistics nothing is exchanged.
    """
    target = _random_node(first)
    value_type = type_of_node(first[target])
    sources = [i for i, node in enumerate(second) if type_of_node(node) == value_type]
    if not sources or value_type not in grammar.productions:
        return Individual(first, "crossover")
    source = second.searchSubtree(randomness.choice(sources))
    return _replaced(first, target, list(second[source]), "crossover")


def regrow(parent: Individual, grammar: Grammar) -> Individual:
    """A random subtree replaced by a random tree; `extend` where the grammar cannot make one."""
    target = _random_node(parent)
    value_type = type_of_node(parent[target])
    if value_type not in grammar.productions:
        return extend(parent, grammar)
    subtree = grow(grammar, value_type, randomness.choice((1, 2, 3, 4)))
    return _replaced(parent, target, subtree, "regrow")


def point(parent: Individual, grammar: Grammar) -> Individual:
    """One node exchanged for another with the same types of arguments and result; `perturb` where
    there is none."""
    target = _random_node(parent)
    alternatives = grammar.alternatives(parent[target])
    if not alternatives:
        return perturb(parent, grammar)
    nodes = list(parent)
    nodes[target] = randomness.choice(alternatives)
    return _child(parent, nodes, "point")


def extend(parent: Individual, grammar: Grammar) -> Individual:
    """A network-level subtree joined with a random tree, which may carry a constant; `regrow` where
    the grammar cannot join."""
    joints = [name for name in _JOINTS if name in grammar.primitives]
    if not joints:
        return regrow(parent, grammar)
    target = randomness.choice(_network_level(parent))
    old = list(parent[parent.searchSubtree(target)])
    new = grow(grammar, NET_SCALAR, randomness.choice((3, 4, 5, 6)))
    if "mul" in grammar.primitives and randomness.happens(0.5):
        product = deap_primitive("mul", (NET_SCALAR,) * 2)
        new = [product, deap_constant(random_constant()), *new]
    joint = deap_primitive(randomness.choice(joints), (NET_SCALAR,) * 2)
    left, right = (old, new) if randomness.happens(0.7) else (new, old)
    return _replaced(parent, target, [joint, *left, *right], "extend")


def hoist(parent: Individual, grammar: Grammar) -> Individual:
    """A network-level subtree replaced by a smaller one inside it; `regrow` where there is none."""
    target = randomness.choice(_network_level(parent))
    span = parent.searchSubtree(target)
    inside = [i for i in range(span.start + 1, span.stop) if type_of_node(parent[i]) == NET_SCALAR]
    if not inside:
        return regrow(parent, grammar)
    subtree = list(parent[parent.searchSubtree(randomness.choice(inside))])
    return _replaced(parent, target, subtree, "hoist")


def perturb(parent: Individual, grammar: Grammar) -> Individual:
    """Every constant moved by a log-normal step; `regrow` where there is none."""
    if not any(_is_constant(node) for node in parent):
        return regrow(parent, grammar)
    nodes = [
        deap_constant(node.value * 2 ** randomness.normal(0.5), type_of_node(node))
        if _is_constant(node)
        else node
        for node in parent
    ]
    return _child(parent, nodes, "perturb")


MUTATIONS: tuple[tuple[Callable[[Individual, Grammar], Individual], float], ...] = (
    (regrow, 0.25),
    (point, 0.25),
    (extend, 0.25),
    (hoist, 0.1),
    (perturb, 0.15),
)


def mutate(parent: Individual, grammar: Grammar) -> Individual:
    """A child by one of the mutations, drawn by its weight."""
    operators, weights = [m for m, _ in MUTATIONS], [w for _, w in MUTATIONS]
    return randomness.weighted(operators, weights)(parent, grammar)


def _replaced(parent: Individual, target: int, subtree: list[Node], origin: str) -> Individual:
    span = parent.searchSubtree(target)
    nodes = list(parent)
    return _child(parent, nodes[: span.start] + subtree + nodes[span.stop :], origin)


def _child(parent: Individual, nodes: list[Node], origin: str) -> Individual:
    """The tree of these nodes, or the parent's again where they are no formula: a constant is no
    longer finite, or is an argument of a primitive that takes only tensors."""
    try:
        return Individual(nodes, origin)
    except ValueTypeError:
        return Individual(parent, origin)


def _random_node(tree: Individual) -> int:
    """The index of a node to vary, mostly one at network level."""
    if randomness.happens(NETWORK_LEVEL):
        return randomness.choice(_network_level(tree))
    return randomness.choice(range(len(tree)))


def _network_level(tree: Individual) -> list[int]:
    """The indices of the nodes that make a number per network."""
    return [i for i, node in enumerate(tree) if type_of_node(node) == NET_SCALAR]


def _is_constant(node: Node) -> bool:
    return not node.arity and isinstance(node.value, float)
