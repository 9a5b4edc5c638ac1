"""Figures as SVG inside an HTML page, in the colours of the page's scheme, light or dark."""

import io
import re
from html import escape
from typing import TYPE_CHECKING

from eznas.report.figure import FONT, SCHEMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DROPPED = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>|(?<=<g) id=\"[^\"]*\"", re.DOTALL
)
_FIGURE = re.compile(r"<svg[^>]*?width=\"([^\"]*)\"[^>]*?viewBox=\"([^\"]*)\"[^>]*>")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b(?=[;\"])")
_NAMES = {light: name for name, (light, _) in SCHEMES.items()}
_FAMILY = re.compile(r"font-family: [^;\"]*")


def svg(figure: "Figure", name: str, title: str, *, text: bool = True) -> str:
    """A figure as an `<svg>` element, whose colours are CSS variables with the names in
    `SCHEMES`.

    `name`: of the figure, one on a page; `title`: what it shows, for those who cannot see it. Its
    texts are in the page's font, or, without `text`, outlines. Equal figures give equal texts.
    """
    import matplotlib
    from matplotlib.text import Text

    for each in figure.findobj(Text):
        each.set_fontfamily(FONT)
    settings = {"svg.fonttype": "none" if text else "path", "svg.hashsalt": name}
    buffer = io.StringIO()
    with matplotlib.rc_context(settings):  # type: ignore[arg-type]
        metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(buffer, format="svg", metadata=metadata)
    drawn = buffer.getvalue()
    element = _DROPPED.sub("", drawn[drawn.index("<svg") :])
    element = _FIGURE.sub(
        lambda match: (
            f'<svg viewBox="{match[2]}" style="--width: {match[1]}" role="img">'
            f"<title>{escape(title)}</title>"
        ),
        element,
    )
    element = _FAMILY.sub("font-family: var(--font)", element)
    return _COLOUR.sub(_variable, re.sub(r"\s*\n\s*", " ", element)).strip()


def _variable(match: re.Match[str]) -> str:
    name = _NAMES.get(match[0].upper())
    return match[0] if name is None else f"var(--{name})"
