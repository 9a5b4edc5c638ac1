"""Variation: new trees from old ones. Parents are never changed; children keep within the limits.

DEAP's typed crossover walks a set of classes, whose order changes from process to process; ours
draws one node and then one of the same value_type, and so repeats under a seed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eznas.evolution import randomness
from eznas.evolution.grammar import (
    Grammar,
    Individual,
    Node,
    deap_primitive,
    grow,
    number,
    random_constant,
    type_of_node,
)
from eznas.formulas.expression import ValueTypeError
from eznas.primitives import NET_SCALAR

ABOVE = 0.8  # how often the varied node is above the aggregations
_JOINTS = ("add", "sub", "mul", "div", "min", "max")


@dataclass(frozen=True)
class Limits:
    """The largest tree: nodes, and depth as DEAP counts it (a leaf has 0)."""

    nodes: int = 60
    depth: int = 14

    def admit(self, tree: Individual) -> bool:
        """Whether a tree is within the limits and names at least one statistic."""
        within = len(tree) <= self.nodes and tree.height <= self.depth
        return within and bool(tree.expression.statistics())


def crossover(first: Individual, second: Individual, language: Grammar) -> Individual:
    """`first` with one subtree replaced by one of the same value_type from `second`.

    Inside a seed that names statistics beyond the language nothing is exchanged.
    """
    at = _place(first)
    places = [i for i, n in enumerate(second) if type_of_node(n) == type_of_node(first[at])]
    if not places or type_of_node(first[at]) not in language.productions:
        return Individual(first, "crossover")
    donor = second.searchSubtree(randomness.choice(places))
    return _replaced(first, at, list(second[donor]), "crossover")


def regrow(parent: Individual, language: Grammar) -> Individual:
    """A random subtree grown anew."""
    at = _place(parent)
    value_type = type_of_node(parent[at])
    if value_type not in language.productions:
        return extend(parent, language)
    return _replaced(
        parent, at, grow(language, value_type, randomness.choice((1, 2, 3, 4))), "regrow"
    )


def point(parent: Individual, language: Grammar) -> Individual:
    """One node exchanged for another with the same arguments and result."""
    at = _place(parent)
    options = language.alternatives(parent[at])
    if not options:
        return perturb(parent, language)
    nodes = list(parent)
    nodes[at] = randomness.choice(options)
    return _child(parent, nodes, "point")


def extend(parent: Individual, language: Grammar) -> Individual:
    """A network-level subtree joined with a new one, which may carry a constant."""
    at = randomness.choice(_network_places(parent))
    old = list(parent[parent.searchSubtree(at)])
    new = grow(language, NET_SCALAR, randomness.choice((3, 4, 5, 6)))
    if randomness.happens(0.5):
        new = [deap_primitive("mul", (NET_SCALAR,) * 2), number(random_constant()), *new]
    joint = deap_primitive(randomness.choice(_JOINTS), (NET_SCALAR,) * 2)
    parts = (old, new) if randomness.happens(0.7) else (new, old)
    return _replaced(parent, at, [joint, *parts[0], *parts[1]], "extend")


def hoist(parent: Individual, language: Grammar) -> Individual:
    """A network-level subtree replaced by one inside it: shorter."""
    at = randomness.choice(_network_places(parent))
    span = parent.searchSubtree(at)
    inside = [i for i in range(span.start + 1, span.stop) if type_of_node(parent[i]) == NET_SCALAR]
    if not inside:
        return regrow(parent, language)
    kept = list(parent[parent.searchSubtree(randomness.choice(inside))])
    return _replaced(parent, at, kept, "hoist")


def perturb(parent: Individual, language: Grammar) -> Individual:
    """Every constant moved by a log-normal step; a tree without one is regrown."""
    if not any(_is_number(n) for n in parent):
        return regrow(parent, language)
    nodes = [
        number(n.value * 2 ** randomness.normal(0.5), type_of_node(n)) if _is_number(n) else n
        for n in parent
    ]
    return _child(parent, nodes, "perturb")


MUTATIONS: tuple[tuple[Callable[[Individual, Grammar], Individual], float], ...] = (
    (regrow, 0.25),
    (point, 0.25),
    (extend, 0.25),
    (hoist, 0.1),
    (perturb, 0.15),
)


def mutate(parent: Individual, language: Grammar) -> Individual:
    """One of the mutations, drawn by its weight."""
    operator = randomness.weighted([m for m, _ in MUTATIONS], [w for _, w in MUTATIONS])
    return operator(parent, language)


def _replaced(parent: Individual, at: int, subtree: list[Node], origin: str) -> Individual:
    span = parent.searchSubtree(at)
    nodes = list(parent)
    return _child(parent, nodes[: span.start] + subtree + nodes[span.stop :], origin)


def _child(parent: Individual, nodes: list[Node], origin: str) -> Individual:
    """The tree of these nodes, or the parent's again where that is none: a constant has left
    the finite numbers, or stands where its word takes tensors."""
    try:
        return Individual(nodes, origin)
    except ValueTypeError:
        return Individual(parent, origin)


def _place(parent: Individual) -> int:
    """A node to vary: mostly above the aggregations, where variation costs no measurement."""
    if randomness.happens(ABOVE):
        return randomness.choice(_network_places(parent))
    return randomness.choice(range(len(parent)))


def _network_places(parent: Individual) -> list[int]:
    return [i for i, n in enumerate(parent) if type_of_node(n) == NET_SCALAR]


def _is_number(node: Node) -> bool:
    return not node.arity and isinstance(node.value, float)
