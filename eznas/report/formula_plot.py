"""A formula as a picture: mathematics, one line for each term of its outermost sum."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eznas.formulas.expression import Expression
from eznas.proxies.export.latex import latex_terms
from eznas.report.figure import INK, TEXT, check, new_figure, save, shorten
from eznas.report.svg import svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

_MARGIN, _GAP = 0.25, 0.16  # inches
_SIZE = 13.0  # points


def formula_plot(path: Path, formula: Expression, name: str, source: str) -> None:
    """Draw a formula, its constants rounded, below its name and above its source, as large as it
    needs. Raises `InputError` if the file cannot be written."""
    check(path)
    figure = new_figure(6.0, 2.0)
    above = figure.text(0, 0, shorten(name, 90, 1), fontsize=11, fontweight="bold", **TEXT)
    terms = _terms(figure, formula)
    below = figure.text(0, 0, shorten(source, 90, 2), fontsize=8, **TEXT)
    _stack(figure, [above, *terms, below], indented=terms[1:])
    save(path, figure)


def formula_svg(formula: Expression) -> str:
    """A formula as an `<svg>` element, its constants rounded; its letters are outlines, so that no
    font is needed."""
    figure = new_figure(6.0, 2.0)
    terms = _terms(figure, formula)
    _stack(figure, terms, indented=terms[1:])
    return svg(figure, "formula", "The formula as mathematics", text=False)


def _terms(figure: "Figure", formula: Expression) -> list["Text"]:
    style: dict[str, Any] = {"fontsize": _SIZE, "color": INK, "math_fontfamily": "dejavusans"}
    return [figure.text(0, 0, f"${term}$", **style) for term in latex_terms(formula)]


def _stack(figure: "Figure", texts: Sequence["Text"], indented: Sequence["Text"]) -> None:
    """Stand texts below one another, in a figure as large as they need."""
    figure.set_layout_engine("none")
    extents = [text.get_window_extent() for text in texts]
    widths, heights = (
        [getattr(e, side) / figure.dpi for e in extents] for side in ("width", "height")
    )
    indents = [_SIZE / 72 if text in indented else 0.0 for text in texts]
    width = max(w + i for w, i in zip(widths, indents, strict=True)) + 2 * _MARGIN
    height = sum(heights) + _GAP * (len(texts) - 1) + 2 * _MARGIN
    figure.set_size_inches(max(width, 3.0), height)
    top = height - _MARGIN
    for text, indent, tall in zip(texts, indents, heights, strict=True):
        text.set_position(((_MARGIN + indent) / max(width, 3.0), top / height))
        text.set_verticalalignment("top")
        top -= tall + _GAP
