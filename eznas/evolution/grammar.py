"""The language of a run as DEAP sees it: typed primitives and terminals, and typed trees.

Every value_type becomes a Python class, every word one primitive per value_type it takes; a tree is DEAP's
prefix list, and its formula text is what is stored, sent and compared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from deap import base, gp

from eznas.evolution import randomness
from eznas.formulas.expression import Expression, call, constant, statistic
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.catalogue import CATALOGUE

Node = Any  # gp.Primitive or gp.Terminal: deap has no types
BELOW = 4  # depth from an aggregation downwards: the signal is in short words
FAMILIAR = 0.85  # how often a random measure comes from the library
_USELESS = ("zeros",)  # a word that cannot change an order is parsed but never generated


@cache
def python_type(value_type: ValueType) -> type:
    """The class that stands for a value_type in DEAP's type system."""
    return type(str(value_type), (), {"type": value_type})


@cache
def deap_primitive(name: str, arguments: tuple[ValueType, ...]) -> gp.Primitive:
    """The DEAP primitive of a name for arguments of these value_types."""
    result = PRIMITIVES[name].resolve(arguments)
    if result is None:
        raise ValueError(f"{name} cannot take {', '.join(map(str, arguments))}")
    name = f"{name}:{','.join(map(str, arguments))}"
    return gp.Primitive(name, [python_type(k) for k in arguments], python_type(result))


@cache
def deap_terminal(name: str) -> gp.Terminal:
    """The DEAP terminal of a statistic."""
    return gp.Terminal(name, True, python_type(CATALOGUE[name].type))


def number(value: float, value_type: ValueType = NET_SCALAR) -> gp.Terminal:
    """The DEAP terminal of a constant where a value of `value_type` is expected."""
    return gp.Terminal(float(value), False, python_type(value_type))


class Fitness(base.Fitness):  # type: ignore[misc]
    """One number, larger is better; never NaN."""

    weights = (1.0,)


class Individual(gp.PrimitiveTree):  # type: ignore[misc]
    """A typed tree with a fitness; `origin` names the operator that made it."""

    def __init__(self, nodes: Iterable[Node], origin: str = "") -> None:
        super().__init__(nodes)
        self.fitness = Fitness()
        self.origin = origin
        self.expression = to_expression(list(self))

    @property
    def text(self) -> str:
        """Canonical text: what decides whether two individuals are the same."""
        return self.expression.canonical.text


def to_expression(nodes: Sequence[Node]) -> Expression:
    """The expression behind a prefix list."""
    stack: list[Expression] = []
    for node in reversed(nodes):
        arguments = [stack.pop() for _ in range(node.arity)]
        stack.append(_expression(node, arguments))
    return stack.pop()


def _expression(node: Node, arguments: list[Expression]) -> Expression:
    if node.arity:
        return call(node.name.split(":")[0], *arguments)
    return statistic(node.value) if isinstance(node.value, str) else constant(node.value)


def to_nodes(expression: Expression, value_type: ValueType = NET_SCALAR) -> list[Node]:
    """The prefix list of an expression; a constant gets the value_type that its place expects."""
    if expression.value is not None:
        return [number(expression.value, value_type)]
    if not expression.arguments:
        return [deap_terminal(expression.name)]
    value_types = [a.type for a in expression.arguments]
    real = next((k for k in value_types if k != CONSTANT), value_type)
    value_types = [real if k == CONSTANT else k for k in value_types]
    nodes: list[Node] = [deap_primitive(expression.name, tuple(value_types))]
    for argument, expected in zip(expression.arguments, value_types, strict=True):
        nodes += to_nodes(argument, expected)
    return nodes


def type_of_node(node: Node) -> ValueType:
    """The value_type that a node returns."""
    found: ValueType = node.ret.type
    return found


@dataclass(frozen=True)
class Production:
    """One way to make a value of a value_type: `node` (None: a constant), its arguments, how often it
    is chosen, and the least depth of a tree that begins with it."""

    node: Node | None
    arguments: tuple[ValueType, ...]
    weight: float
    depth: int


class Grammar:
    """What the trees of a run are made of: words over the given statistics.

    `pset` is DEAP's primitive set; `productions` lists, per value_type, the ways to make it in a fixed
    order; `library` holds short measures that random trees draw on: what has been evaluated
    once costs nothing to use again.
    """

    def __init__(self, statistics: Sequence[str], library: Sequence[Expression] = ()) -> None:
        self.statistics = tuple(dict.fromkeys(statistics))
        self.library = [to_nodes(e) for e in library]
        self.pset = gp.PrimitiveSetTyped("formula", [], python_type(NET_SCALAR))
        found = _closure({CATALOGUE[s].type for s in statistics})
        for word, value_types in found:
            self._add(word, value_types)
        self.productions = self._productions(found)

    def _add(self, word: str, value_types: tuple[ValueType, ...]) -> None:
        node = deap_primitive(word, value_types)
        self.pset.addPrimitive(PRIMITIVES[word].function, node.args, node.ret, name=node.name)

    def _productions(
        self, found: list[tuple[str, tuple[ValueType, ...]]]
    ) -> dict[ValueType, list[Production]]:
        table: dict[ValueType, list[Production]] = {}
        for name in self.statistics:
            self.pset.addTerminal(name, deap_terminal(name).ret, name=name)
            table.setdefault(CATALOGUE[name].type, []).append(
                Production(deap_terminal(name), (), 1, 0)
            )
        table.setdefault(NET_SCALAR, []).append(Production(None, (), 1.0, 0))
        depth, level = dict.fromkeys(table, 0), 0
        while reached := {
            type_of_node(deap_primitive(w, k)) for w, k in found if all(a in depth for a in k)
        } - set(depth):
            level += 1
            depth |= dict.fromkeys(reached, level)
        for w, k in found:
            node = deap_primitive(w, k)
            entry = Production(node, k, _weight(w, k), 1 + max(depth[a] for a in k))
            table.setdefault(type_of_node(node), []).append(entry)
        return table

    def alternatives(self, node: Node) -> list[Node]:
        """Other nodes with the same arguments and result."""
        same = [
            p.node
            for p in self.productions.get(type_of_node(node), [])
            if p.node is not None
            and [python_type(k) for k in p.arguments] == list(_arguments(node))
        ]
        return [n for n in same if n.name != node.name]


def _arguments(node: Node) -> Sequence[type]:
    return node.args if node.arity else ()


def _closure(start: set[ValueType]) -> list[tuple[str, tuple[ValueType, ...]]]:
    """Every (word, argument value_types) that can be reached from statistics of these value_types."""
    value_types, found = {*start, NET_SCALAR}, set[tuple[str, tuple[ValueType, ...]]]()
    grown = True
    while grown:
        reach = {
            (word.name, arguments): result
            for word, value_type in product(PRIMITIVES.values(), sorted(value_types))
            if word.name not in _USELESS
            and (result := word.resolve(arguments := (value_type,) * word.arity)) is not None
        }
        grown = len(reach) > len(found)
        found, value_types = set(reach), value_types | set(reach.values())
    order = list(PRIMITIVES)
    return sorted(found, key=lambda entry: (order.index(entry[0]), entry[1]))


def _weight(name: str, value_types: tuple[ValueType, ...]) -> float:
    """How often a word is chosen: short below the aggregation, arithmetic above it."""
    word, above = PRIMITIVES[name], value_types[0] == NET_SCALAR
    if word.symbol:
        return 4.0 if above else 0.3
    if word.aggregation:
        return 3.0
    if word.elementwise:
        return (0.5 if word.arity == 1 else 0.7) if above else 0.15
    return 1.0


def grow(language: Grammar, value_type: ValueType, depth: int) -> list[Node]:
    """A random tree of a value_type, at most `depth` deep where that is possible (a measure from the
    library counts as a leaf)."""
    options = language.productions[value_type]
    fitting = [p for p in options if p.depth <= depth]
    if not fitting:
        least = min(p.depth for p in options)
        fitting = [p for p in options if p.depth == least]
    chosen = randomness.weighted(fitting, [p.weight for p in fitting])
    if chosen.node is None:
        return [number(random_constant())]
    is_feature = value_type == NET_SCALAR and NET_SCALAR not in chosen.arguments
    if is_feature and language.library and randomness.happens(FAMILIAR):
        return list(randomness.choice(language.library))
    nodes = [chosen.node]
    for argument in chosen.arguments:
        nodes += grow(language, argument, min(depth - 1, BELOW))
    return nodes


def random_constant() -> float:
    """A constant around one, either sign, of four digits."""
    value = 10 ** randomness.normal(0.7) * randomness.choice((1, -1))
    return float(f"{value:.4g}")
