"""Tau of proxies as bars with intervals, a panel per dataset."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eznas.report.cells import sample_title
from eznas.report.figure import (
    COLOURS,
    INK,
    TEXT,
    by_mean_tau,
    check,
    cycle,
    new_figure,
    note,
    save,
    shorten,
    style,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def bar_plot(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Draw tau with its 95 % interval: a panel per dataset, proxies by mean tau, the highest on
    top.

    `rows` are `eznas.metrics.Row`s; a tau of None (or NaN) is shown as undefined. Raises
    `InputError` if the file cannot be written.
    """
    check(path)
    datasets = list(dict.fromkeys(str(row["dataset"]) for row in rows))
    cells = {(str(row["proxy"]), str(row["dataset"])): row for row in rows}
    proxies = by_mean_tau({key: _number(row.get("tau")) for key, row in cells.items()})
    labels = [shorten(proxy, 34, 2) for proxy in proxies]
    bar_height = 0.34 if any("\n" in label for label in labels) else 0.26
    height = 1.3 + bar_height * max(len(proxies), 1)
    figure = new_figure(2.2 + 3.1 * max(len(datasets), 1), height)
    if not rows:
        note(figure, "no rows")
        return save(path, figure)
    title(figure, sample_title(rows[0]))
    panels = figure.subplots(1, len(datasets), squeeze=False, sharex=True, sharey=True)[0]
    panels[0].set_xlim(*_limits(rows))
    panels[0].set_ylim(len(proxies) - 0.4, -0.6)
    panels[0].set_yticks(range(len(proxies)), labels, parse_math=False)
    for column, (axes, dataset) in enumerate(zip(panels, datasets, strict=True)):
        style(axes, grid="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.set_title(shorten(dataset, 30, 1), fontsize=10, **TEXT)
        axes.set_xlabel("tau [95 %]", fontsize=9, **TEXT)
        for y, proxy in enumerate(proxies):
            _bar(axes, y, cells.get((proxy, dataset), {}), _pale(column))
    save(path, figure)


def _limits(rows: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The ends of the tau axis, with room for the numbers beside the bars."""
    ends = [_number(row.get(key)) for row in rows for key in ("tau", "tau_low", "tau_high")]
    low, high = min([0.0, *_defined(ends)]), max([0.1, *_defined(ends)])
    room = 0.26 * (high - low)
    return low - (room if low < 0 else 0), high + room


def _bar(axes: "Axes", y: int, row: Mapping[str, Any], colour: tuple[float, ...]) -> None:
    tau, low, high = (_number(row.get(key)) for key in ("tau", "tau_low", "tau_high"))
    if math.isnan(tau):
        _label(axes, 0, y, "undefined", right=True)
        return
    axes.barh(y, tau, height=0.68, color=colour, linewidth=0)
    if not math.isnan(low + high):
        axes.hlines(y, low, high, color=INK, linewidth=1.1)
        axes.vlines([low, high], y - 0.18, y + 0.18, color=INK, linewidth=1.1)
    end = max(_defined([tau, high])) if tau >= 0 else min(_defined([tau, low]))
    _label(axes, end, y, f"{tau:+.3f}", right=tau >= 0)


def _label(axes: "Axes", x: float, y: float, text: str, *, right: bool) -> None:
    """A text just to the right or to the left of a point."""
    points, side = (3, "left") if right else (-3, "right")
    offset: dict[str, Any] = {"xytext": (points, 0), "textcoords": "offset points", "ha": side}
    axes.annotate(text, (x, y), **offset, va="center_baseline", fontsize=7.5, **TEXT)


def _pale(index: int) -> tuple[float, ...]:
    """A colour on which error bars are seen."""
    from matplotlib.colors import to_rgb

    return tuple(0.3 + 0.7 * part for part in to_rgb(cycle(COLOURS, index)))


def _number(value: float | None) -> float:
    return math.nan if value is None or not math.isfinite(value) else float(value)


def _defined(values: Sequence[float]) -> list[float]:
    return [v for v in values if not math.isnan(v)]
