"""Equal expressions by algebra: what need not be computed twice.

A rule holds to the bit for all numbers, infinities and NaN among them (a test is the certificate),
so that an expression may stand for another without changing a score.
"""

from functools import lru_cache

from eznas.formulas.expression import Expression, call

Pattern = str | tuple["str | Pattern", ...]  # a variable x, or a word with its arguments

_SIGNLESS = ("abs", "square", "norm", "mean_abs", "sum_abs", "log", "abs_log")
_OF_MAGNITUDE = ("square", "norm", "mean_abs", "sum_abs", "log", "abs_log")
_SETTLED = ("abs", "relu", "sign", "positive")  # twice is once
_KEEPING = ("neg", "abs", "square", "sqrt", "exp", "log", "log1p", "sigmoid", "relu", "sign")

RULES: tuple[tuple[Pattern, Pattern], ...] = (
    (("neg", ("neg", "x")), "x"),
    (("min", "x", "x"), "x"),
    (("max", "x", "x"), "x"),
    *(((word, ("neg", "x")), (word, "x")) for word in _SIGNLESS),
    *(((word, ("abs", "x")), (word, "x")) for word in _OF_MAGNITUDE),
    *(((word, (word, "x")), (word, "x")) for word in _SETTLED),
    *(((word, (kept, "x")), (word, "x")) for word in ("ones", "numel") for kept in _KEEPING),
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
    (("add", ("neg", "y"), "x"), ("sub", "x", "y")),  # as canonical order has it
    (("mul", ("neg", "x"), ("neg", "y")), ("mul", "x", "y")),
    (("div", ("neg", "x"), ("neg", "y")), ("div", "x", "y")),
)


@lru_cache(1 << 16)
def simplified(expression: Expression) -> Expression:
    """The canonical form of an expression after all rules, innermost first."""
    node = expression.canonical
    if node.arguments:
        arguments = tuple(simplified(a) for a in node.arguments)
        node = Expression(node.name, node.type, arguments, node.value).canonical
    for pattern, result in RULES:
        found: dict[str, Expression] = {}
        if _matches(pattern, node, found):
            return simplified(_filled(result, found))
    return node


def _matches(pattern: Pattern, node: Expression, found: dict[str, Expression]) -> bool:
    """Whether a node is of a form; `found`: what its variables stand for."""
    if isinstance(pattern, str):
        return node.value is None and found.setdefault(pattern, node) == node
    word, *arguments = pattern
    return (
        node.name == word
        and len(node.arguments) == len(arguments)
        and all(_matches(p, a, found) for p, a in zip(arguments, node.arguments, strict=True))
    )


def _filled(pattern: Pattern, found: dict[str, Expression]) -> Expression:
    if isinstance(pattern, str):
        return found[pattern]
    word, *arguments = pattern
    return call(str(word), *(_filled(a, found) for a in arguments))
