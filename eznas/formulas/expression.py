"""Expressions: immutable trees of primitives, statistics and constants, and their text."""

import math
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property

from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, Primitive, ValueType
from eznas.statistics.catalogue import CATALOGUE

_LOOSE, _TIGHT, _UNARY, _ATOM = range(4)  # precedence of the outermost operator of a text
_PRECEDENCE = {"+": _LOOSE, "-": _LOOSE, "*": _TIGHT, "/": _TIGHT}


class ValueTypeError(ValueError):
    """A primitive cannot take arguments of these types, or a constant is not finite."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A node: a primitive with arguments, a statistic, or a constant (`value` is not None).

    Expressions with equal texts are equal. Build them with `call`, `statistic` and `constant`: they
    check types, and give the node that is already there for equal parts, with all it has computed.
    """

    name: str
    type: ValueType
    arguments: tuple["Expression", ...] = ()
    value: float | None = None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Expression) and self.text == other.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def __len__(self) -> int:
        return self.size

    def __reduce__(self) -> tuple[object, ...]:
        return node_of, (self.name, self.type, self.arguments, self.value)

    @cached_property
    def size(self) -> int:
        """The number of nodes."""
        return 1 + sum(a.size for a in self.arguments)

    @cached_property
    def height(self) -> int:
        """The number of levels: 1 for a leaf, n for a sum of n leaves, which nests to the left."""
        return 1 + max((a.height for a in self.arguments), default=0)

    @property
    def text(self) -> str:
        """The formula as text; `parse_any(text)` gives an equal expression."""
        return self._printed[0]

    @cached_property
    def canonical(self) -> "Expression":
        """The same expression with commutative arguments in sorted order."""
        arguments = [a.canonical for a in self.arguments]
        if arguments and PRIMITIVES[self.name].commutative:
            arguments.sort(key=lambda a: a.text)
        return node_of(self.name, self.type, tuple(arguments), self.value)

    @cached_property
    def _printed(self) -> tuple[str, int]:
        return _print(self, [a._printed for a in self.arguments])

    def walk(self) -> Iterator["Expression"]:
        """All nodes, each before its arguments, first arguments first."""
        stack = [self]
        while stack:
            current = stack.pop()
            yield current
            stack += reversed(current.arguments)

    @cached_property
    def is_feature(self) -> bool:
        """Whether this node turns a network's tensors into one number, of type NetScalar.

        All nodes above a feature do arithmetic with such numbers.
        """
        if self.type != NET_SCALAR:
            return False
        return not self.arguments or all(a.type != NET_SCALAR for a in self.arguments)

    def features(self) -> list["Expression"]:
        """The distinct features in the expression, canonical, in the order of the text."""
        return list(self._features)

    @cached_property
    def _features(self) -> tuple["Expression", ...]:
        if self.is_feature and any(n.name in CATALOGUE for n in self.walk()):
            return (self.canonical,)
        return tuple(dict.fromkeys(f for a in self.arguments for f in a._features))

    def constants(self) -> list[float]:
        """The constants, in the order of the text."""
        return [n.value for n in self.walk() if n.value is not None]

    def primitives(self) -> set[str]:
        """The names of the primitives in it."""
        return {node.name for node in self.walk() if node.arguments}

    def statistics(self) -> list[str]:
        """The distinct names of statistics, in the order of the text."""
        return list(dict.fromkeys(n.name for n in self.walk() if n.name in CATALOGUE))


_NODES = weakref.WeakValueDictionary[tuple[str | int, ...], Expression]()


def node_of(
    name: str,
    value_type: ValueType,
    arguments: tuple[Expression, ...] = (),
    value: float | None = None,
) -> Expression:
    """The node of these parts: the one that is in use, or a new one. Formulas of a search share
    most of their terms, and what is known of a term is then computed once."""
    key: tuple[str | int, ...] = (name, *map(id, arguments)) if value is None else ("", repr(value))
    known = _NODES.get(key)
    if known is None:
        known = _NODES[key] = Expression(name, value_type, arguments, value)
    return known


def constant(value: float) -> Expression:
    """The expression of a constant, of type Constant.

    Raises `ValueTypeError` where the value is not finite.
    """
    if not math.isfinite(value):
        raise ValueTypeError(f"a constant must be finite, not {value!r}")
    return node_of("", CONSTANT, (), float(value))


def statistic(name: str) -> Expression:
    """The expression of a statistic of the catalogue; raises `KeyError` for any other name."""
    return node_of(name, CATALOGUE[name].type)


def call(name: str, *arguments: Expression) -> Expression:
    """The expression of a primitive with arguments, of the type that it gives for theirs.

    Raises `KeyError` for an unknown primitive and `ValueTypeError` where it cannot take arguments
    of these types.
    """
    result = _type_of_call(name, tuple(a.type for a in arguments))
    if result is None:
        raise ValueTypeError(_mismatch(PRIMITIVES[name], arguments))
    return node_of(name, result, arguments)


@cache
def _type_of_call(name: str, types: tuple[ValueType, ...]) -> ValueType | None:
    return PRIMITIVES[name].resolve(types)


def rounded(expression: Expression, digits: int = 4, kept: int = 6) -> Expression:
    """The expression with its constants of more than `kept` significant digits rounded to `digits`,
    for people to read: its values may differ."""
    value = expression.value
    if value is not None and float(f"{value:.{kept}g}") != value:
        value = float(f"{value:.{digits}g}")
    arguments = tuple(rounded(argument, digits, kept) for argument in expression.arguments)
    return node_of(expression.name, expression.type, arguments, value)


def _mismatch(primitive: Primitive, arguments: tuple[Expression, ...]) -> str:
    """Why a primitive does not take these arguments: their number or their types."""
    name, arity = primitive.name, primitive.arity
    if len(arguments) != arity:
        return f"{name} takes {arity} argument{'s' * (arity > 1)}, not {len(arguments)}"
    types = ", ".join(str(a.type) for a in arguments)
    forms = dict.fromkeys(f for s in primitive.signatures for f in s.arguments[0])
    expected = " or ".join(str(ValueType(form)) for form in forms)
    return f"{name} cannot take {types}; it takes {expected}{', all of one type' * (arity > 1)}"


def _print(node: Expression, arguments: list[tuple[str, int]]) -> tuple[str, int]:
    """The text of a node, and the precedence of its outermost operator."""
    if node.value is not None:
        return repr(node.value), _ATOM
    if not node.arguments:
        return node.name, _ATOM
    symbol = PRIMITIVES[node.name].symbol
    if symbol:
        precedence = _PRECEDENCE[symbol]
        left, right = _bracket(arguments[0], precedence), _bracket(arguments[1], precedence + 1)
        return f"{left} {symbol} {right}", precedence
    if node.name == "neg" and node.arguments[0].value is None:
        return f"-{_bracket(arguments[0], _UNARY)}", _UNARY
    return f"{node.name}({', '.join(text for text, _ in arguments)})", _ATOM


def _bracket(printed: tuple[str, int], least: int) -> str:
    text, precedence = printed
    return text if precedence >= least else f"({text})"
