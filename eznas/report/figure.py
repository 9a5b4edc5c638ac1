"""What all plots share: the empty figure, its style, texts that fit, and saving.

Figures are objects of their own (no pyplot), so nothing outlives a call. Colours and fonts are set
here: no matplotlibrc makes a plot unreadable, and equal input gives equal bytes. Colours are those
of Okabe & Ito (2008); markers and dashes tell lines apart in grey.
"""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.system.files import write_whole

if TYPE_CHECKING:  # matplotlib is slow to import: the functions import it, not the file
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

DPI = 150
LONGEST_SIDE = 200.0  # inches: Agg draws no more than 65,536 pixels
DRAWABLE = 1e100  # beyond it axes overflow, below its inverse they show a point

INK, PALE, FONT = "#222222", "#D9D9D9", "DejaVu Sans"  # the font comes with matplotlib
TEXT: dict[str, Any] = {"color": INK, "parse_math": False}  # "$" in a name is no mathematics
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SCHEMES = {  # of pages: the colours of figures by name, light and dark
    "page": ("#FFFFFF", "#15171C"),
    "ink": (INK, "#E4E6EA"),
    "pale": (PALE, "#3B4048"),
    "blue": (COLOURS[0], "#5AB4F0"),
    "vermilion": (COLOURS[1], "#FF9A57"),
    "green": (COLOURS[2], "#3CCFA4"),
    "orange": (COLOURS[4], "#F2B83D"),
}
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)))


def new_figure(width: float, height: float) -> "Figure":
    """An empty white figure; width and height in inches, at most `LONGEST_SIDE`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = min(width, LONGEST_SIDE), min(height, LONGEST_SIDE)
    figure = Figure(size, DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def style(axes: "Axes", grid: str | None = None) -> None:
    """Colours, fonts and spines of a panel; `grid` is "x", "y", "both" or None for no grid."""
    axes.set(facecolor="white", axisbelow=True)
    axes.tick_params(labelsize=8, colors=INK, labelfontfamily=FONT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(size=8, color=INK)
    axes.grid(False)
    if grid is not None:
        axes.grid(True, axis=grid, color=PALE, linewidth=0.6)  # type: ignore[arg-type]
    for side, spine in axes.spines.items():
        spine.set(color=INK, visible=side in ("left", "bottom"))


def cycle(values: Sequence[Any], index: int) -> Any:
    """The value at an index, starting over where they end."""
    return values[index % len(values)]


def title(figure: "Figure", text: str) -> None:
    """Write a title over all panels, in at most three lines."""
    width = int(11 * figure.get_figwidth())
    figure.suptitle(shorten(text, width, 3), fontsize=10, **TEXT)


def note(figure: "Figure", text: str) -> None:
    """Write a text into the middle of a figure that has nothing to show."""
    figure.text(0.5, 0.5, text, ha="center", color=INK)


def shorten(text: str, width: int, lines: int) -> str:
    """At most so many lines of `width` characters, cut in the middle; what the font cannot draw is
    replaced."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=FONT)))
    text = "".join(
        c if c.isprintable() and font.get_char_index(ord(c)) else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
    parts = textwrap.wrap(text, width)
    if len(parts) > lines:
        length = width * lines - 1
        text = f"{text[: length - length // 3]}…{text[len(text) - length // 3 :]}"
        parts = [text[i : i + width] for i in range(0, len(text), width)]
    return "\n".join(parts)


def by_mean_tau(taus: Mapping[tuple[str, str], float]) -> list[str]:
    """Proxies by the mean of their taus (keys: proxy, dataset) that are not NaN, highest first."""
    defined: dict[str, list[float]] = {}
    for (proxy, _), tau in taus.items():
        defined.setdefault(proxy, []).extend([] if math.isnan(tau) else [tau])
    means = {p: sum(ts) / len(ts) if ts else -math.inf for p, ts in defined.items()}
    return sorted(means, key=lambda p: means[p], reverse=True)


def drawable(values: ArrayLike) -> NDArray[np.bool_]:
    """Which values are finite and within `DRAWABLE`, in the shape of the values."""
    return np.asarray(np.abs(np.asarray(values, np.float64)) <= DRAWABLE)


def check(path: Path) -> None:
    """`InputError` unless the name is that of a PNG file."""
    if not path.name.lower().endswith(".png"):
        raise InputError(f"{path}: plots are PNG files: expected a name that ends in .png")


def save(path: Path, figure: "Figure") -> None:
    """Write a figure as a PNG file: a reader sees all of it or nothing.

    Raises `InputError` if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_fontfamily(FONT)
    png = io.BytesIO()
    assert isinstance(figure.canvas, FigureCanvasAgg)
    metadata = {"Software": None}  # no version; a date is not written by default
    figure.canvas.print_png(png, metadata=metadata)  # type: ignore[no-untyped-call]
    write_whole(path, png.getvalue())
