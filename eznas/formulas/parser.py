"""The parser: formula text to expression.

Nothing is evaluated as Python, because a formula file may be untrusted. The grammar:

    sum    := product (("+" | "-") product)*
    product:= factor (("*" | "/") factor)*
    factor := "-" factor | number | name | name "(" sum ("," sum)* ")" | "(" sum ")"

A minus directly before a number is the sign of the number.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from eznas.errors import InputError, unknown
from eznas.formulas.expression import Expression, ValueTypeError, call, constant, statistic
from eznas.primitives import NET_SCALAR, PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE

LONGEST = 20_000  # characters
MOST = 400  # nodes of an expression; printed, so many are never longer than LONGEST
DEEPEST = 60  # levels of brackets, and of the tree: recursion over either stays in the stack
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_TOKEN = re.compile(rf"\s*(?:({_NUMBER})|(\w+)|(.))", re.S)
_TOO_DEEP = f"nested deeper than {DEEPEST} levels (a sum of n terms takes n)"
_OWN = "; one of your own must be registered before (`eznas guide extend`)"
_SUM = {"+": "add", "-": "sub"}
_PRODUCT = {"*": "mul", "/": "div"}


def parse(text: str) -> Expression:
    """The expression of a formula, whose type is NetScalar: one number per network.

    Raises `InputError` for a text that is no formula, with the position (from 1) and the name or
    symbol at fault, and for an expression of another type.
    """
    formula = parse_any(text)
    if formula.type != NET_SCALAR:
        expected = "a formula must give one number per network (NetScalar)"
        raise InputError(f"formula: {expected}, this gives {formula.type}{_advice(formula)}")
    return formula


def parse_any(text: str) -> Expression:
    """The expression of a text, whatever its type. Raises `InputError` as `parse` does."""
    if len(text) > LONGEST:
        raise InputError(f"formula: {len(text)} characters, at most {LONGEST} are read")
    parser = _Parser(_tokens(text), len(text) + 1)
    expression = parser.sum(0)
    parser.expect("")
    return expression


def _advice(formula: Expression) -> str:
    """How to reach one number per network from an expression of another type."""
    if formula.type.form == "scalar":
        return "; aggregate it, for example sum_layers(...)"
    return "; reduce and aggregate it, for example sum_layers(mean(...))" * bool(formula.type.axis)


@dataclass(frozen=True)
class _Token:
    text: str
    position: int
    is_number: bool = False
    is_name: bool = False


def _tokens(text: str) -> list[_Token]:
    return [
        _Token(m.group(m.lastindex), m.start(m.lastindex) + 1, m.lastindex == 1, m.lastindex == 2)
        for m in _TOKEN.finditer(text)
        if m.lastindex is not None and m.group(m.lastindex).strip()
    ]


class _Parser:
    """Recursive descent over the tokens; `end` is the position after the last character."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = [*tokens, _Token("", end)]
        self._next = 0

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += token.text != ""
        return token

    def expect(self, text: str) -> None:
        token = self._take()
        if token.text != text:
            raise _error(token, f"expected {text!r}" if text else "expected the end")

    def sum(self, depth: int) -> Expression:
        return self._chain(_SUM, self._product, depth)

    def _product(self, depth: int) -> Expression:
        return self._chain(_PRODUCT, self._factor, depth)

    def _chain(
        self, operators: dict[str, str], operand: Callable[[int], Expression], depth: int
    ) -> Expression:
        """Operands joined by operators of one precedence; they nest to the left."""
        expression = operand(depth)
        while self._token.text in operators:
            token = self._take()
            expression = _call(token, operators[token.text], expression, operand(depth))
        return expression

    def _factor(self, depth: int) -> Expression:
        token = self._take()
        if depth > DEEPEST:
            raise _error(token, _TOO_DEEP)
        if token.text == "-":
            return self._negative(token, depth)
        if token.is_number:
            return _constant(token, token.text)
        if token.text == "(":
            inner = self.sum(depth + 1)
            self.expect(")")
            return inner
        if token.is_name:
            return self._named(token, depth)
        raise _error(token, "expected a number, a name or '('")

    def _negative(self, token: _Token, depth: int) -> Expression:
        number = self._token
        if number.is_number and number.position == token.position + 1:
            return _constant(self._take(), "-" + number.text)
        return _call(token, "neg", self._factor(depth + 1))

    def _named(self, token: _Token, depth: int) -> Expression:
        if self._token.text != "(":
            if token.text in CATALOGUE:
                return statistic(token.text)
            if token.text in PRIMITIVES:
                problem = f"{token.text} is a primitive that takes arguments: expected '('"
                raise _error(token, problem)
            raise _unknown(token, "name", [*CATALOGUE, *PRIMITIVES])
        if token.text not in PRIMITIVES:
            raise _unknown(token, "primitive", list(PRIMITIVES), _OWN)
        self.expect("(")
        arguments = [self.sum(depth + 1)]
        while self._token.text == ",":
            self._take()
            arguments.append(self.sum(depth + 1))
        self.expect(")")
        return _call(token, token.text, *arguments)


def _call(token: _Token, primitive: str, *arguments: Expression) -> Expression:
    try:
        expression = call(primitive, *arguments)
    except ValueTypeError as error:
        raise _error(token, str(error)) from None
    if expression.height > DEEPEST:
        raise _error(token, _TOO_DEEP)
    if expression.size > MOST:
        raise _error(token, f"more than {MOST} primitives, statistics and constants")
    return expression


def _constant(token: _Token, text: str) -> Expression:
    try:
        return constant(float(text))
    except ValueTypeError as error:
        raise _error(token, str(error)) from None


def _error(token: _Token, problem: str) -> InputError:
    text = f"at {token.text!r}" if token.text else "at the end"
    return InputError(f"formula: {problem} (position {token.position}, {text})")


def _unknown(token: _Token, what: str, known: list[str], advice: str = "") -> InputError:
    problem = unknown(what, token.text, known, "eznas vocabulary")
    return InputError(f"formula: {problem} (position {token.position}){advice}")
