"""Formulas as people read them in a terminal."""

from textwrap import TextWrapper

from eznas.formulas.expression import rounded
from eznas.formulas.parser import parse
from eznas.report.cells import WIDTH


def formula_lines(formula: str, width: int = WIDTH) -> list[str]:
    """A formula, constants of more than 6 significant digits rounded to 4: in one line of at most
    `width` characters, or in a line for each term of its outermost sum; longer terms go on in lines
    that are indented further."""
    text = rounded(parse(formula)).text.replace(" + -", " - ")
    if len(text) <= width:
        return [text]
    wrapped = TextWrapper(
        width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return [line for term in _terms(text) for line in wrapped.wrap(term)]


def _terms(text: str) -> list[str]:
    """The terms of the outermost sum, each but the first with its sign in front."""
    depth, start, terms = 0, 0, []
    for index, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if not depth and text[index : index + 3] in (" + ", " - "):
            terms.append(text[start:index])
            start = index + 1
    return [*terms, text[start:]]
