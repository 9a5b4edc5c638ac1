"""Expressions: immutable trees over words, statistics and constants, and their text."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from eznas.primitives import CONSTANT, NET_SCALAR, PRIMITIVES, ValueType
from eznas.statistics.catalogue import CATALOGUE

_SYMBOLS = {w.symbol: w.name for w in PRIMITIVES.values() if w.symbol}
_LOOSE, _TIGHT, _UNARY, _ATOM = range(4)  # how strongly a text binds
_BINDING = {"+": _LOOSE, "-": _LOOSE, "*": _TIGHT, "/": _TIGHT}


class ValueTypeError(ValueError):
    """A word that cannot take such arguments."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A node: a word with arguments, a statistic, or a constant (`value` is not None).

    Equal texts are equal expressions. Build one with `call`, `statistic` or `constant`.
    """

    name: str
    type: ValueType
    arguments: tuple["Expression", ...] = ()
    value: float | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def __len__(self) -> int:
        return self.size

    @cached_property
    def size(self) -> int:
        """The number of nodes."""
        return 1 + sum(a.size for a in self.arguments)

    @cached_property
    def height(self) -> int:
        """The number of levels; 1 for a leaf, n for a sum of n leaves."""
        return 1 + max((a.height for a in self.arguments), default=0)

    @property
    def text(self) -> str:
        """The formula as written; `parse(text)` gives an equal expression."""
        return self._bound[0]

    @cached_property
    def canonical(self) -> "Expression":
        """The same expression with commutative arguments in sorted order."""
        arguments = [a.canonical for a in self.arguments]
        if arguments and PRIMITIVES[self.name].commutative:
            arguments.sort(key=lambda a: a.text)
        return Expression(self.name, self.type, tuple(arguments), self.value)

    @cached_property
    def _bound(self) -> tuple[str, int]:
        return _print(self, [a._bound for a in self.arguments])

    def walk(self) -> Iterator["Expression"]:
        """The nodes, root first, in the order of the text."""
        yield self
        for argument in self.arguments:
            yield from argument.walk()

    @property
    def is_feature(self) -> bool:
        """Whether this is where a network's tensors become one number: everything above it is
        arithmetic between networks' numbers."""
        if self.type != NET_SCALAR:
            return False
        return not self.arguments or all(a.type != NET_SCALAR for a in self.arguments)

    def features(self) -> list["Expression"]:
        """The distinct canonical measures in the expression, in the order of the text."""
        found: dict[str, Expression] = {}

        def visit(node: Expression) -> None:
            if node.is_feature and any(n.name in CATALOGUE for n in node.walk()):
                found.setdefault(node.canonical.text, node.canonical)
                return
            for argument in node.arguments:
                visit(argument)

        visit(self)
        return list(found.values())

    def constants(self) -> list[float]:
        """The constants, in the order of the text."""
        return [n.value for n in self.walk() if n.value is not None]

    def statistics(self) -> list[str]:
        """The distinct names of statistics, in the order of the text."""
        return list(dict.fromkeys(n.name for n in self.walk() if n.name in CATALOGUE))


def constant(value: float) -> Expression:
    """A constant; `ValueTypeError` unless finite."""
    if not math.isfinite(value):
        raise ValueTypeError(f"a constant must be finite, not {value!r}")
    return Expression("", CONSTANT, (), float(value))


def statistic(name: str) -> Expression:
    """A statistic of the catalogue."""
    return Expression(name, CATALOGUE[name].type)


def call(name: str, *arguments: Expression) -> Expression:
    """A word with arguments; `ValueTypeError` where it does not take such value_types."""
    word = PRIMITIVES[name]
    value_type = word.resolve([a.type for a in arguments])
    if value_type is None:
        raise ValueTypeError(_refusal(name, arguments))
    return Expression(name, value_type, arguments)


def _refusal(name: str, arguments: tuple[Expression, ...]) -> str:
    word = PRIMITIVES[name]
    if len(arguments) != word.arity:
        return f"{name} takes {word.arity} argument{'s' * (word.arity > 1)}, not {len(arguments)}"
    forms = ["; ".join("|".join(f) for f in s.arguments) for s in word.signatures]
    given = ", ".join(str(a.type) for a in arguments)
    hint = " of one value_type" if word.arity > 1 else ""
    return f"{name} cannot take {given}; it takes {' or '.join(forms)}{hint}"


def _print(node: Expression, arguments: list[tuple[str, int]]) -> tuple[str, int]:
    """The text of a node and how strongly it binds."""
    if node.value is not None:
        return repr(node.value), _ATOM
    if not node.arguments:
        return node.name, _ATOM
    symbol = PRIMITIVES[node.name].symbol
    if symbol:
        binding = _BINDING[symbol]
        left = _bracket(arguments[0], binding)
        return f"{left} {symbol} {_bracket(arguments[1], binding + 1)}", binding
    if node.name == "neg" and node.arguments[0].value is None:
        return f"-{_bracket(arguments[0], _UNARY)}", _UNARY
    return f"{node.name}({', '.join(text for text, _ in arguments)})", _ATOM


def _bracket(printed: tuple[str, int], least: int) -> str:
    text, binding = printed
    return text if binding >= least else f"({text})"
