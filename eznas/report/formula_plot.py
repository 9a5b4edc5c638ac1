"""A formula as a picture: mathematics, one line for each term of its outermost sum."""

from pathlib import Path
from typing import Any

from eznas.formulas.expression import Expression
from eznas.proxies.export.latex import latex_terms
from eznas.report.figure import INK, TEXT, check, new_figure, save, shorten

_MARGIN, _GAP = 0.25, 0.16  # inches
_SIZE = 13.0  # points


def formula_plot(path: Path, formula: Expression, name: str, source: str) -> None:
    """Draw a formula, its constants rounded, below its name and above its source, as large as it
    needs. Raises `InputError` if the file cannot be written."""
    check(path)
    figure = new_figure(6.0, 2.0)
    figure.set_layout_engine("none")
    terms = latex_terms(formula)
    style: dict[str, Any] = {"fontsize": _SIZE, "color": INK, "math_fontfamily": "dejavusans"}
    texts = [figure.text(0, 0, shorten(name, 90, 1), fontsize=11, fontweight="bold", **TEXT)]
    texts += [figure.text(0, 0, f"${term}$", **style) for term in terms]
    texts.append(figure.text(0, 0, shorten(source, 90, 2), fontsize=8, **TEXT))
    extents = [text.get_window_extent() for text in texts]
    widths, heights = (
        [getattr(e, side) / figure.dpi for e in extents] for side in ("width", "height")
    )
    indents = [0.0, *(0.0 if i == 0 else _SIZE / 72 for i in range(len(terms))), 0.0]
    width = max(w + i for w, i in zip(widths, indents, strict=True)) + 2 * _MARGIN
    height = sum(heights) + _GAP * (len(texts) - 1) + 2 * _MARGIN
    figure.set_size_inches(max(width, 3.0), height)
    top = height - _MARGIN
    for text, indent, tall in zip(texts, indents, heights, strict=True):
        text.set_position(((_MARGIN + indent) / max(width, 3.0), top / height))
        text.set_verticalalignment("top")
        top -= tall + _GAP
    save(path, figure)
