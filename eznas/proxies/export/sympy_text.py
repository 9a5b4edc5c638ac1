"""A formula as text that sympy reads: `sympy.sympify(text)`.

Arithmetic is sympy's own, the same as the primitives' where these are defined (a division by zero,
which gives 0 here, is not). Statistics are real symbols; other primitives are functions without a
meaning, so that what one knows of numbers can be done with a formula: simplify, derive, solve.
"""

from eznas.formulas.expression import Expression

_WRITTEN = {  # primitives as sympy knows them
    "add": "({0} + {1})",
    "sub": "({0} - {1})",
    "mul": "({0}*{1})",
    "div": "({0}/{1})",
    "min": "Min({0}, {1})",
    "max": "Max({0}, {1})",
    "less": "Piecewise((1, {0} < {1}), (0, True))",
    "greater": "Piecewise((1, {0} > {1}), (0, True))",
    "neg": "(-{0})",
    "abs": "Abs({0})",
    "log": "log(Abs({0}))",
    "abs_log": "Abs(log(Abs({0})))",
    "log1p": "(sign({0})*log(1 + Abs({0})))",
    "exp": "exp({0})",
    "square": "({0}**2)",
    "sqrt": "(sign({0})*sqrt(Abs({0})))",
    "reciprocal": "(1/{0})",
    "relu": "Max({0}, 0)",
    "sign": "sign({0})",
    "heaviside": "Heaviside({0}, Rational(1, 2))",
    "sigmoid": "(1/(1 + exp(-{0})))",
    "positive": "Heaviside({0}, 0)",
    "negative": "Heaviside(-{0}, 0)",
}


def sympy_text(formula: Expression) -> str:
    """A formula as text that sympy reads, in one line, constants with all their digits."""
    text = _text(formula)
    return text[1:-1] if _is_enclosed(text) else text


def _text(node: Expression) -> str:
    if node.value is not None:
        return repr(node.value) if node.value >= 0 else f"({node.value!r})"
    if not node.arguments:
        return f"Symbol('{node.name}', real=True)"
    arguments = [_text(argument) for argument in node.arguments]
    if node.name in _WRITTEN:
        return _WRITTEN[node.name].format(*arguments)
    return f"Function('{node.name}', real=True)({', '.join(arguments)})"


def _is_enclosed(text: str) -> bool:
    """Whether the first bracket of a text closes at its end."""
    depth = 0
    for index, letter in enumerate(text):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth == 0:
            return index == len(text) - 1 and text.startswith("(")
    return False
