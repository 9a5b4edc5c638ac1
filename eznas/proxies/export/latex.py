"""A formula as mathematics: LaTeX, of the part that matplotlib draws as well."""

from eznas.formulas.expression import Expression, rounded
from eznas.primitives import PRIMITIVES
from eznas.primitives.types import AXES

DIGITS = 4  # of constants, significant ones
_SUM, _PRODUCT, _POWER, _ATOM = range(4)  # precedence of the outermost operator of a text

# Primitives whose argument stands in a place of its own: {0}, {1}. What is not here is written as a
# function with its name.
_ENCLOSING = {
    "abs": r"\left|{0}\right|",
    "log": r"\ln\left|{0}\right|",
    "abs_log": r"\left|\ln\left|{0}\right|\right|",
    "log1p": r"\mathrm{{log1p}}\left({0}\right)",
    "exp": r"\exp\left({0}\right)",
    "sigmoid": r"\sigma\left({0}\right)",
    "norm": r"\left\Vert{0}\right\Vert",
    "logdet": r"\ln\left|\det\left({0}\right)\right|",
    "det": r"\det\left({0}\right)",
    "sqrt": r"\sqrt{{{0}}}",
    "div": r"\frac{{{0}}}{{{1}}}",
    "reciprocal": r"\frac{{1}}{{{0}}}",
    "eigenvalues": r"\lambda\left({0}\right)",
    "singular_values": r"\varsigma\left({0}\right)",
    "min": r"\min\left({0},\,{1}\right)",
    "max": r"\max\left({0},\,{1}\right)",
}
_OVER_LAYERS = {  # aggregations, before "_layers" or "_all_layers"
    "sum": r"\sum",
    "min": r"\min",
    "max": r"\max",
}


def latex(formula: Expression) -> str:
    """A formula in LaTeX's mathematical mode, its constants rounded to `DIGITS` digits."""
    return " ".join(latex_terms(formula))


def latex_terms(formula: Expression) -> list[str]:
    """The terms of the outermost sum of a formula, each but the first with its sign in front."""
    terms: list[str] = []

    def visit(node: Expression, sign: str) -> None:
        if node.name in ("add", "sub") and sign != "-":
            left, right = node.arguments
            visit(left, sign)
            visit(right, "-" if node.name == "sub" else "+")
            return
        text, precedence = _written(node)
        if sign == "-" and precedence == _SUM:
            text = _in_brackets(text)
        if text.startswith("-") and terms:
            sign, text = ("+" if sign == "-" else "-"), text[1:]
        terms.append(f"{sign if terms else ''} {text}".strip())

    visit(rounded(formula, DIGITS, DIGITS), "")
    return terms


def latex_file(formula: Expression, name: str, source: str) -> str:
    """A piece of a LaTeX document with a formula, one line for each of its terms; comments say its
    name, its source and its exact text. It needs the package amsmath."""
    first, *others = latex_terms(formula)
    lines = [f"s ={{}}& {first}", *(f"&{term}" for term in others)]
    body = " \\\\\n  ".join(lines)
    comments = (
        f"{name}: {source}",
        f"constants rounded to {DIGITS} digits; exactly: {formula.text}",
        r"needs \usepackage{amsmath}; read with \input",
    )
    comment = "".join(f"% {text}\n" for text in comments)
    return f"{comment}\\[\n\\begin{{aligned}}\n  {body}\n\\end{{aligned}}\n\\]\n"


def _written(node: Expression) -> tuple[str, int]:
    """The text of a node, and the precedence of its outermost operator."""
    if node.value is not None:
        return _number(node.value)
    if not node.arguments:
        return _word(node.name), _ATOM
    written = [_written(argument) for argument in node.arguments]
    texts = [text for text, _ in written]
    if node.name in ("add", "sub"):
        right = texts[1]
        if (node.name == "sub" and written[1][1] == _SUM) or right.startswith("-"):
            right = _in_brackets(right)
        return f"{texts[0]} {PRIMITIVES[node.name].symbol} {right}", _SUM
    if node.name == "neg":
        return f"-{_bracketed(written[0], _PRODUCT)}", _SUM
    if node.name == "mul":
        left, right = (_bracketed(w, _PRODUCT) for w in written)
        return rf"{left} \, {_in_brackets(right) if right.startswith('-') else right}", _PRODUCT
    if node.name == "square":
        return f"{_bracketed(written[0], _ATOM)}^{{2}}", _POWER
    if node.name == "log" and node.arguments[0].name in ("abs", "norm"):
        return rf"\ln{texts[0]}", _ATOM  # bars enough
    if node.name in _ENCLOSING:
        return _ENCLOSING[node.name].format(*texts), _ATOM
    if PRIMITIVES[node.name].aggregation:
        return _over_layers(node, written)
    return rf"{_word(node.name)}\left({_listed(texts)}\right)", _ATOM


def _over_layers(node: Expression, written: list[tuple[str, int]]) -> tuple[str, int]:
    """An aggregation: its name with the rows that it runs over below."""
    axis, kind = node.arguments[0].type.axis, node.name
    scope = axis if axis in AXES else "layers"
    for ending, prefix in (("_all_layers", "all "), ("_layers", ""), ("_layer", "")):
        if kind.endswith(ending):
            kind, scope = kind.removesuffix(ending), prefix + scope
            break
    operator = _OVER_LAYERS.get(kind, _word(kind))
    escaped = scope.replace(" ", r"\ ")
    below = rf"\mathrm{{{escaped}}}"
    if kind == "sum":
        return rf"{operator}_{{{below}}} {_bracketed(written[0], _PRODUCT)}", _PRODUCT
    texts = _listed([text for text, _ in written])
    return rf"{operator}_{{{below}}}\left({texts}\right)", _ATOM


def _number(value: float) -> tuple[str, int]:
    text = f"{value:.{DIGITS}g}"
    mantissa, mark, exponent = text.partition("e")
    if mark:
        power = rf"10^{{{int(exponent)}}}"
        return rf"{mantissa} \times {power}", _PRODUCT
    return text, _ATOM


def _listed(texts: list[str]) -> str:
    return r",\,".join(texts)


def _word(name: str) -> str:
    escaped = name.replace("_", r"\_")
    return rf"\mathrm{{{escaped}}}"


def _bracketed(written: tuple[str, int], least: int) -> str:
    text, precedence = written
    return text if precedence >= least else _in_brackets(text)


def _in_brackets(text: str) -> str:
    return rf"\left({text}\right)"
