"""Simplification by algebraic rules, so that equal expressions are computed once.

Both sides of a rule are equal to the bit for all numbers, infinities and NaN included
(tests/formulas/test_simplify.py checks each rule), so simplification never changes a score.
"""

from functools import lru_cache

from eznas.formulas.expression import Expression, call, node_of

Pattern = str | tuple["str | Pattern", ...]  # a variable "x", or a primitive and its arguments

_EVEN = ("abs", "square", "norm", "mean_abs", "sum_abs", "log", "abs_log")
_MAGNITUDE_ONLY = ("square", "norm", "mean_abs", "sum_abs", "log", "abs_log")
_IDEMPOTENT = ("abs", "relu", "sign", "positive")
_SHAPE_ONLY = ("ones", "numel")
_SHAPE_KEEPING = ("neg", "abs", "square", "sqrt", "exp", "log", "log1p", "sigmoid", "relu", "sign")

RULES: tuple[tuple[Pattern, Pattern], ...] = (
    (("neg", ("neg", "x")), "x"),
    (("min", "x", "x"), "x"),
    (("max", "x", "x"), "x"),
    *(((outer, ("neg", "x")), (outer, "x")) for outer in _EVEN),
    *(((outer, ("abs", "x")), (outer, "x")) for outer in _MAGNITUDE_ONLY),
    *(((outer, (outer, "x")), (outer, "x")) for outer in _IDEMPOTENT),
    *(((outer, (inner, "x")), (outer, "x")) for outer in _SHAPE_ONLY for inner in _SHAPE_KEEPING),
    (("sign", ("positive", "x")), ("positive", "x")),
    (("abs", ("positive", "x")), ("positive", "x")),
    (("abs", ("square", "x")), ("square", "x")),
    (("relu", ("square", "x")), ("square", "x")),
    (("relu", ("abs", "x")), ("abs", "x")),
    (("positive", ("neg", "x")), ("negative", "x")),
    (("negative", ("neg", "x")), ("positive", "x")),
    (("positive", ("relu", "x")), ("positive", "x")),
    (("trace", ("transpose", "x")), ("trace", "x")),
    (("sub", "x", ("neg", "y")), ("add", "x", "y")),
    (("add", ("neg", "y"), "x"), ("sub", "x", "y")),  # in canonical order
    (("mul", ("neg", "x"), ("neg", "y")), ("mul", "x", "y")),
    (("div", ("neg", "x"), ("neg", "y")), ("div", "x", "y")),
)


@lru_cache(1 << 16)
def simplified(expression: Expression) -> Expression:
    """The canonical form of an expression after all rules, applied to the arguments first.

    It has the type and, to the bit, the values of the expression.
    """
    node = expression.canonical
    if node.arguments:
        arguments = tuple(simplified(a) for a in node.arguments)
        node = node_of(node.name, node.type, arguments, node.value).canonical
    for pattern, result in RULES:
        bindings: dict[str, Expression] = {}
        if _matches(pattern, node, bindings):
            return simplified(_filled(result, bindings))
    return node


def _matches(pattern: Pattern, node: Expression, bindings: dict[str, Expression]) -> bool:
    """Whether a node matches a pattern, and records what each variable matched in `bindings`.

    A variable never matches a constant.
    """
    if isinstance(pattern, str):
        return node.value is None and bindings.setdefault(pattern, node) == node
    name, *subpatterns = pattern
    return (
        node.name == name
        and len(node.arguments) == len(subpatterns)
        and all(_matches(p, a, bindings) for p, a in zip(subpatterns, node.arguments, strict=True))
    )


def _filled(pattern: Pattern, bindings: dict[str, Expression]) -> Expression:
    """The pattern with its variables replaced by the expressions that they are bound to."""
    if isinstance(pattern, str):
        return bindings[pattern]
    name, *subpatterns = pattern
    return call(str(name), *(_filled(p, bindings) for p in subpatterns))
