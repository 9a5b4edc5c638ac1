"""The language of a run as DEAP sees it: typed primitives and terminals, and typed trees.

Every kind becomes a Python class, every word one primitive per kind it takes; a tree is DEAP's
prefix list, and its formula text is what is stored, sent and compared.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from deap import base, gp

from eznas.evolution import generator as chance
from eznas.formulas.expression import Expression, call, constant, statistic
from eznas.primitives import CONSTANT, NET_SCALAR, WORDS, Kind
from eznas.statistics.catalogue import CATALOGUE

Node = Any  # gp.Primitive or gp.Terminal: deap has no types
BELOW = 4  # depth from an aggregation downwards: the signal is in short words
FAMILIAR = 0.85  # how often a random measure comes from the library
_USELESS = ("zeros",)  # a word that cannot change an order is parsed but never generated


@cache
def type_of(kind: Kind) -> type:
    """The class that stands for a kind in DEAP's type system."""
    return type(str(kind), (), {"kind": kind})


@cache
def primitive(word: str, arguments: tuple[Kind, ...]) -> gp.Primitive:
    """The DEAP primitive of a word for arguments of these kinds."""
    result = WORDS[word].resolve(arguments)
    if result is None:
        raise ValueError(f"{word} cannot take {', '.join(map(str, arguments))}")
    name = f"{word}:{','.join(map(str, arguments))}"
    return gp.Primitive(name, [type_of(k) for k in arguments], type_of(result))


@cache
def terminal(name: str) -> gp.Terminal:
    """The DEAP terminal of a statistic."""
    return gp.Terminal(name, True, type_of(CATALOGUE[name].kind))


def number(value: float, kind: Kind = NET_SCALAR) -> gp.Terminal:
    """The DEAP terminal of a constant where a value of `kind` is expected."""
    return gp.Terminal(float(value), False, type_of(kind))


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


def to_nodes(expression: Expression, kind: Kind = NET_SCALAR) -> list[Node]:
    """The prefix list of an expression; a constant gets the kind that its place expects."""
    if expression.value is not None:
        return [number(expression.value, kind)]
    if not expression.arguments:
        return [terminal(expression.name)]
    kinds = [a.kind for a in expression.arguments]
    real = next((k for k in kinds if k != CONSTANT), kind)
    kinds = [real if k == CONSTANT else k for k in kinds]
    nodes: list[Node] = [primitive(expression.name, tuple(kinds))]
    for argument, expected in zip(expression.arguments, kinds, strict=True):
        nodes += to_nodes(argument, expected)
    return nodes


def kind_of(node: Node) -> Kind:
    """The kind that a node returns."""
    found: Kind = node.ret.kind
    return found


@dataclass(frozen=True)
class Production:
    """One way to make a value of a kind: `node` (None: a constant), its arguments, how often it
    is chosen, and the least depth of a tree that begins with it."""

    node: Node | None
    arguments: tuple[Kind, ...]
    weight: float
    depth: int


class Language:
    """What the trees of a run are made of: words over the given statistics.

    `pset` is DEAP's primitive set; `productions` lists, per kind, the ways to make it in a fixed
    order; `library` holds short measures that random trees draw on: what has been evaluated
    once costs nothing to use again.
    """

    def __init__(self, statistics: Sequence[str], library: Sequence[Expression] = ()) -> None:
        self.statistics = tuple(dict.fromkeys(statistics))
        self.library = [to_nodes(e) for e in library]
        self.pset = gp.PrimitiveSetTyped("formula", [], type_of(NET_SCALAR))
        found = _closure({CATALOGUE[s].kind for s in statistics})
        for word, kinds in found:
            self._add(word, kinds)
        self.productions = self._productions(found)

    def _add(self, word: str, kinds: tuple[Kind, ...]) -> None:
        node = primitive(word, kinds)
        self.pset.addPrimitive(WORDS[word].function, node.args, node.ret, name=node.name)

    def _productions(
        self, found: list[tuple[str, tuple[Kind, ...]]]
    ) -> dict[Kind, list[Production]]:
        table: dict[Kind, list[Production]] = {}
        for name in self.statistics:
            self.pset.addTerminal(name, terminal(name).ret, name=name)
            table.setdefault(CATALOGUE[name].kind, []).append(Production(terminal(name), (), 1, 0))
        table.setdefault(NET_SCALAR, []).append(Production(None, (), 1.0, 0))
        depth, level = dict.fromkeys(table, 0), 0
        while reached := {
            kind_of(primitive(w, k)) for w, k in found if all(a in depth for a in k)
        } - set(depth):
            level += 1
            depth |= dict.fromkeys(reached, level)
        for w, k in found:
            node = primitive(w, k)
            entry = Production(node, k, _weight(w, k), 1 + max(depth[a] for a in k))
            table.setdefault(kind_of(node), []).append(entry)
        return table

    def alternatives(self, node: Node) -> list[Node]:
        """Other nodes with the same arguments and result."""
        same = [
            p.node
            for p in self.productions.get(kind_of(node), [])
            if p.node is not None and [type_of(k) for k in p.arguments] == list(_arguments(node))
        ]
        return [n for n in same if n.name != node.name]


def _arguments(node: Node) -> Sequence[type]:
    return node.args if node.arity else ()


def _closure(start: set[Kind]) -> list[tuple[str, tuple[Kind, ...]]]:
    """Every (word, argument kinds) that can be reached from statistics of these kinds."""
    kinds, found = {*start, NET_SCALAR}, set[tuple[str, tuple[Kind, ...]]]()
    grown = True
    while grown:
        reach = {
            (word.name, arguments): result
            for word, kind in product(WORDS.values(), sorted(kinds))
            if word.name not in _USELESS
            and (result := word.resolve(arguments := (kind,) * word.arity)) is not None
        }
        grown = len(reach) > len(found)
        found, kinds = set(reach), kinds | set(reach.values())
    order = list(WORDS)
    return sorted(found, key=lambda entry: (order.index(entry[0]), entry[1]))


def _weight(name: str, kinds: tuple[Kind, ...]) -> float:
    """How often a word is chosen: short below the aggregation, arithmetic above it."""
    word, above = WORDS[name], kinds[0] == NET_SCALAR
    if word.symbol:
        return 4.0 if above else 0.3
    if word.aggregation:
        return 3.0
    if word.elementwise:
        return (0.5 if word.arity == 1 else 0.7) if above else 0.15
    return 1.0


def grow(language: Language, kind: Kind, depth: int) -> list[Node]:
    """A random tree of a kind, at most `depth` deep where that is possible (a measure from the
    library counts as a leaf)."""
    options = language.productions[kind]
    fitting = [p for p in options if p.depth <= depth]
    if not fitting:
        least = min(p.depth for p in options)
        fitting = [p for p in options if p.depth == least]
    chosen = chance.weighted(fitting, [p.weight for p in fitting])
    if chosen.node is None:
        return [number(random_constant())]
    is_measure = kind == NET_SCALAR and NET_SCALAR not in chosen.arguments
    if is_measure and language.library and chance.happens(FAMILIAR):
        return list(chance.choice(language.library))
    nodes = [chosen.node]
    for argument in chosen.arguments:
        nodes += grow(language, argument, min(depth - 1, BELOW))
    return nodes


def random_constant() -> float:
    """A constant around one, either sign, of four digits."""
    value = 10 ** chance.normal(0.7) * chance.choice((1, -1))
    return float(f"{value:.4g}")
