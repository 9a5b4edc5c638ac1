"""The grammar of a run and its trees: the typed language in the form that DEAP works on.

Every type of value becomes a Python class, and every primitive one DEAP primitive for each type
that it takes. A tree is DEAP's prefix list of nodes; its formula text is what is stored, sent to
workers and compared.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from deap import base, gp

from eznas.errors import InputError
from eznas.evolution import randomness
from eznas.evolution.config import DEFAULT_PRIMITIVES
from eznas.formulas.expression import Expression, call, constant, statistic
from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.catalogue import CATALOGUE

Node = Any  # gp.Primitive or gp.Terminal: deap has no types
Application = tuple[str, tuple[ValueType, ...]]  # a primitive's name and the types it is applied to
MAX_ARGUMENT_DEPTH = 4  # of random trees: short features carry the signal
KNOWN_FEATURE_SHARE = 0.85  # of the random features, where any are known


@cache
def python_type(value_type: ValueType) -> type:
    """The class that stands for a type in DEAP's type system."""
    return type(str(value_type), (), {"type": value_type})


@cache
def deap_primitive(name: str, arguments: tuple[ValueType, ...]) -> gp.Primitive:
    """The DEAP primitive of a primitive, by its name, for arguments of these types.

    Raises `ValueError` where it cannot take them.
    """
    result = PRIMITIVES[name].resolve(arguments)
    if result is None:
        raise ValueError(f"{name} cannot take {', '.join(map(str, arguments))}")
    name = f"{name}:{','.join(map(str, arguments))}"
    return gp.Primitive(name, [python_type(a) for a in arguments], python_type(result))


@cache
def deap_statistic(name: str) -> gp.Terminal:
    """The DEAP terminal of a statistic."""
    return gp.Terminal(name, True, python_type(CATALOGUE[name].type))


def deap_constant(value: float, value_type: ValueType = NET_SCALAR) -> gp.Terminal:
    """The DEAP terminal of a constant where a value of `value_type` is expected."""
    return gp.Terminal(float(value), False, python_type(value_type))


class Fitness(base.Fitness):  # type: ignore[misc]
    """One number, larger is better; never NaN."""

    weights = (1.0,)


class Individual(gp.PrimitiveTree):  # type: ignore[misc]
    """A typed tree with a fitness; `origin` names the operator that made it.

    Raises `ValueTypeError` where the nodes are no formula.
    """

    def __init__(
        self, nodes: Iterable[Node], origin: str = "", expression: Expression | None = None
    ) -> None:
        """`expression`: that of the nodes, where it is known."""
        super().__init__(nodes)
        self.fitness = Fitness()
        self.origin = origin
        self.expression = expression or to_expression(list(self))

    @staticmethod
    def of(formula: Expression, origin: str) -> "Individual":
        """The individual of a formula."""
        return Individual(to_nodes(formula), origin, formula)

    @property
    def text(self) -> str:
        """Canonical text: what decides whether two individuals are the same."""
        return self.expression.canonical.text


def distinct(individuals: Iterable[Individual]) -> list[Individual]:
    """The individuals without duplicates: of equal canonical texts the first."""
    by_text: dict[str, Individual] = {}
    for individual in individuals:
        by_text.setdefault(individual.text, individual)
    return list(by_text.values())


def to_expression(nodes: Sequence[Node]) -> Expression:
    """The expression of a prefix list."""
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
    """The prefix list of an expression; a constant takes the type of the arguments beside it, or
    `value_type` where all are constants."""
    nodes: list[Node] = []
    _append_nodes(expression, value_type, nodes)
    return nodes


def _append_nodes(expression: Expression, value_type: ValueType, nodes: list[Node]) -> None:
    if expression.value is not None:
        nodes.append(deap_constant(expression.value, value_type))
    elif not expression.arguments:
        nodes.append(deap_statistic(expression.name))
    else:
        value_types = [a.type for a in expression.arguments]
        common_type = next((t for t in value_types if t != CONSTANT), value_type)
        value_types = [common_type if t == CONSTANT else t for t in value_types]
        nodes.append(deap_primitive(expression.name, tuple(value_types)))
        for argument, expected_type in zip(expression.arguments, value_types, strict=True):
            _append_nodes(argument, expected_type, nodes)


def type_of_node(node: Node) -> ValueType:
    """The type of the value that a node returns."""
    value_type: ValueType = node.ret.type
    return value_type


@dataclass(frozen=True)
class Production:
    """One way to make a value of some type: by `node` (None: a random constant) from arguments of
    these types. `weight`: how often it is drawn, compared with the other ways; `depth`: that of the
    lowest tree with this root."""

    node: Node | None
    arguments: tuple[ValueType, ...]
    weight: float
    depth: int


class Grammar:
    """What the trees of a run are made of: the given primitives, where they apply to the given
    statistics and to what becomes of them. `InputError` where these make no number for a network.

    `productions`: for each type the ways to make a value of it, in a fixed order;
    `known_features`: features, as prefix lists, that random trees often use whole, because what has
    been evaluated once costs nothing to use again.
    """

    def __init__(
        self,
        statistics: Sequence[str],
        known_features: Sequence[Expression] = (),
        primitives: Sequence[str] = DEFAULT_PRIMITIVES,
    ) -> None:
        self.statistics = tuple(dict.fromkeys(statistics))
        self.primitives = frozenset(primitives)
        self.known_features = [to_nodes(f) for f in known_features if self.computes(f)]
        self.productions = _productions(self.statistics, self.primitives)
        if all(p.node is None for p in self.productions[NET_SCALAR]):
            aggregations = [p.name for p in PRIMITIVES.values() if p.aggregation and p.live]
            raise InputError(
                "the statistics and primitives make no number for a network: expected a statistic "
                f"of networks (params, ...) or an aggregation ({', '.join(aggregations)})"
            )

    def computes(self, formula: Expression) -> bool:
        """Whether a formula has these primitives alone."""
        return formula.primitives() <= self.primitives

    def alternatives(self, node: Node) -> list[Node]:
        """Other nodes with the same types of arguments and result."""
        arguments = list(node.args if node.arity else ())
        return [
            production.node
            for production in self.productions.get(type_of_node(node), [])
            if production.node is not None
            and [python_type(a) for a in production.arguments] == arguments
            and production.node.name != node.name
        ]


def _productions(
    statistics: Sequence[str], primitives: Collection[str]
) -> dict[ValueType, list[Production]]:
    productions: dict[ValueType, list[Production]] = {}
    for name in statistics:
        terminal = Production(deap_statistic(name), (), 1, 0)
        productions.setdefault(CATALOGUE[name].type, []).append(terminal)
    productions.setdefault(NET_SCALAR, []).append(Production(None, (), 1.0, 0))
    applications = _reachable_applications(set(productions), primitives)
    depths = _least_depths(productions, applications)
    for name, arguments in applications:
        node = deap_primitive(name, arguments)
        depth = 1 + max(depths[a] for a in arguments)
        production = Production(node, arguments, _weight(name, arguments), depth)
        productions.setdefault(type_of_node(node), []).append(production)
    return productions


def _reachable_applications(
    value_types: set[ValueType], primitives: Collection[str]
) -> list[Application]:
    """All applications of these primitives that start from values of these types, in the order of
    the registry."""
    results: dict[Application, ValueType] = {}
    grown = True
    while grown:
        reached = {
            (primitive.name, arguments): result
            for primitive, value_type in product(PRIMITIVES.values(), sorted(value_types))
            if primitive.name in primitives
            and (result := primitive.resolve(arguments := (value_type,) * primitive.arity))
            is not None
        }
        grown = len(reached) > len(results)
        results, value_types = reached, value_types | set(reached.values())
    order = {name: number for number, name in enumerate(PRIMITIVES)}
    return sorted(results, key=lambda application: (order[application[0]], application[1]))


def _least_depths(
    terminals: Iterable[ValueType], applications: list[Application]
) -> dict[ValueType, int]:
    """For every type the depth of the lowest tree that makes it; that of a terminal is 0."""
    depths, depth = dict.fromkeys(terminals, 0), 0
    while new_types := {
        type_of_node(deap_primitive(name, arguments))
        for name, arguments in applications
        if all(a in depths for a in arguments)
    } - set(depths):
        depth += 1
        depths |= dict.fromkeys(new_types, depth)
    return depths


def _weight(name: str, argument_types: tuple[ValueType, ...]) -> float:
    """How often a primitive is drawn: arithmetic above the features, short chains inside them."""
    primitive, is_above_features = PRIMITIVES[name], argument_types[0] == NET_SCALAR
    if primitive.symbol:
        return 4.0 if is_above_features else 0.3
    if primitive.aggregation:
        return 3.0
    if primitive.elementwise:
        return (0.5 if primitive.arity == 1 else 0.7) if is_above_features else 0.15
    return 1.0


def grow(grammar: Grammar, value_type: ValueType, depth: int) -> list[Node]:
    """The prefix list of a random tree that makes a value of `value_type`.

    It is at most `depth` deep (a known feature counts as a leaf), or as low as trees of that type
    can be.
    """
    productions = grammar.productions[value_type]
    fitting = [p for p in productions if p.depth <= depth]
    if not fitting:
        least_depth = min(p.depth for p in productions)
        fitting = [p for p in productions if p.depth == least_depth]
    production = randomness.weighted(fitting, [p.weight for p in fitting])
    if production.node is None:
        return [deap_constant(random_constant())]
    is_feature = value_type == NET_SCALAR and NET_SCALAR not in production.arguments
    if is_feature and grammar.known_features and randomness.happens(KNOWN_FEATURE_SHARE):
        return list(randomness.choice(grammar.known_features))
    nodes = [production.node]
    for argument in production.arguments:
        nodes += grow(grammar, argument, min(depth - 1, MAX_ARGUMENT_DEPTH))
    return nodes


def random_constant() -> float:
    """A constant of either sign, log-normal around one, rounded to four digits."""
    value = 10 ** randomness.normal(0.7) * randomness.choice((1, -1))
    return float(f"{value:.4g}")
