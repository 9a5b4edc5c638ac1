"""The picture of who wins: a grid of labels and query budgets, one colour for each winner."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eznas.report.cells import bare
from eznas.report.figure import (
    COLOURS,
    INK,
    TEXT,
    check,
    cycle,
    new_figure,
    save,
    shorten,
    style,
)
from eznas.report.predictor_tables import two_digits, winner_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "///", "...", "xx", "---", "oo", "||", "\\\\\\", "++", "**")
_LEGEND = 4  # names in a line of the legend


def winner_map(path: Path, maps: Sequence[Mapping[str, Any]]) -> None:
    """Draw maps of winners side by side, with the winner's tau in each cell; `maps` as
    `eznas.studies.winners.winners` has them. Raises `InputError` where the file cannot be
    written."""
    check(path)
    names = list(dict.fromkeys(name for winners in maps for name in winner_names(winners)))
    figure = new_figure(7.2 * len(maps), 6.5 + 0.22 * (len(names) / _LEGEND + 1))
    panels = figure.subplots(1, len(maps), squeeze=False)[0]
    for axes, winners in zip(panels, maps, strict=True):
        _panel(axes, winners, names)
    handles = [_patch(names.index(name), name) for name in names]
    form: dict[str, Any] = {"ncols": _LEGEND, "fontsize": 7, "handlelength": 4, "handleheight": 1.6}
    figure.legend(handles=handles, loc="outside lower center", frameon=False, **form)
    save(path, figure)


def _panel(axes: "Axes", winners: Mapping[str, Any], names: Sequence[str]) -> None:
    from matplotlib.patches import Rectangle

    style(axes)
    columns, rows = len(winners["labels"]), len(winners["queries"])
    axes.set(xlim=(0, columns), ylim=(0, rows))
    axes.set_xticks([i + 0.5 for i in range(columns)], [str(n) for n in winners["labels"]])
    axes.set_yticks([i + 0.5 for i in range(rows)], [two_digits(q) for q in winners["queries"]])
    axes.set_xlabel("networks trained first", fontsize=9, **TEXT)
    axes.set_ylabel(f"budget for a query [{winners['unit']}]", fontsize=9, **TEXT)
    axes.set_title(f"labels of champions {winners['champions']}", fontsize=9, **TEXT)
    for index, cell in enumerate(winners["cells"]):
        if not cell["winner"]:
            continue
        y, x = divmod(index, columns)
        number = names.index(cell["winner"])
        axes.add_patch(Rectangle((x, y), 1, 1, **_look(number)))
        axes.text(
            x + 0.5, y + 0.5, bare(cell["tau"]), ha="center", va="center", fontsize=6, color=INK
        )


def _look(number: int) -> dict[str, Any]:
    """The colour and hatching of a winner by its number."""
    return {
        "facecolor": cycle(COLOURS[:6], number),
        "edgecolor": "white",  # of the hatching too
        "alpha": 0.55,
        "hatch": cycle(_HATCHES, number // 6),
    }


def _patch(number: int, name: str) -> Any:
    from matplotlib.patches import Patch

    return Patch(label=shorten(name, 44, 1), **_look(number))
