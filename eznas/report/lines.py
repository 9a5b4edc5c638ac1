"""Curves over a common x, with labelled vertical lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from eznas.errors import InputError
from eznas.report.figure import (
    COLOURS,
    DASHES,
    INK,
    MARKERS,
    TEXT,
    Floats,
    check,
    cycle,
    drawable,
    new_figure,
    save,
    shorten,
    style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def line_plot(
    path: Path,
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
) -> None:
    """Draw curves [len(x)] over x, one line each, and vertical lines at the `marks` (label -> x).

    A curve has a gap where it is not finite (or beyond `DRAWABLE`); the legend names a curve
    without any value, and a mark that is not finite, as undefined. Raises `InputError` if shapes do
    not match or the file cannot be written.
    """
    check(path)
    xs = np.asarray(x, np.float64)
    order = np.argsort(xs, kind="stable")
    figure = new_figure(7.5, 4.6)
    axes = figure.subplots()
    style(axes, grid="both")
    axes.set_xlabel(shorten(x_label, 80, 2), fontsize=10, **TEXT)
    axes.set_ylabel(shorten(y_label, 40, 2), fontsize=10, **TEXT)
    for index, (name, values) in enumerate(curves.items()):
        curve = np.asarray(values, np.float64)
        if xs.ndim != 1 or curve.shape != xs.shape:
            raise InputError(f"{name}: shape {curve.shape}, expected that of x, {xs.shape}")
        _line(axes, shorten(name, 40, 1), xs[order], curve[order], index)
    labelled = [(shorten(label, 40, 1), float(mark)) for label, mark in (marks or {}).items()]
    for label, mark in labelled:
        if not drawable(mark):
            axes.plot([], [], linestyle="none", label=f" {label}: undefined")
    _flags(axes, [(label, mark) for label, mark in labelled if drawable(mark)])
    _legend(figure, axes)
    save(path, figure)


def _line(axes: "Axes", name: str, x: Floats, curve: Floats, index: int) -> None:
    x, curve = x[drawable(x)], curve[drawable(x)]
    visible = drawable(curve)
    isolated = visible & ~np.r_[False, visible[:-1]] & ~np.r_[visible[1:], False]
    marked = (np.arange(x.size) % max(1, x.size // 20) == 0) | isolated
    axes.plot(
        x,
        np.where(visible, curve, np.nan),
        color=cycle(COLOURS, index),
        linestyle=cycle(DASHES, index),
        marker=cycle(MARKERS, index),
        markevery=np.flatnonzero(marked).tolist(),
        markersize=5,
        linewidth=1.6,
        # with a blank in front: "_name" would have no legend
        label=f" {name}" if visible.any() else f" {name}: undefined",
    )


def _flags(axes: "Axes", marks: Sequence[tuple[str, float]]) -> None:
    """Vertical lines with labels to their right above the axes, stacked so that none overlap."""
    for _, x in marks:
        axes.axvline(x, color=INK, linewidth=1, linestyle=(0, (4, 2)))
    low, high = axes.get_xlim()
    starts: list[float] = []  # the leftmost x that is taken on each level
    pole: dict[str, Any] = {"arrowstyle": "-", "color": INK, "shrinkA": 0, "shrinkB": 0}
    pole |= {"relpos": (0, 1), "patchA": None}  # from the top of the label, not round it
    offset: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
    for label, x in sorted(marks, key=lambda mark: mark[1], reverse=True):
        end = x + (0.03 + 0.0125 * len(label)) * (high - low)  # as wide as at 8 points
        level = next((i for i, start in enumerate(starts) if end <= start), len(starts))
        starts[level : level + 1] = [x]
        offset["xytext"] = 0, 3 + 11 * level
        axes.annotate(f" {label}", (x, 1), **offset, arrowprops=pole, fontsize=8, **TEXT)


def _legend(figure: "Figure", axes: "Axes") -> None:
    """A legend below the axes, if there is anything to name."""
    labels = axes.get_legend_handles_labels()[1]
    if not labels:
        return
    columns = max(1, min(4, 90 // (12 + max(map(len, labels)))))
    legend = figure.legend(
        loc="outside lower center", ncols=columns, fontsize=9, handlelength=3.5, frameon=False
    )
    for text in legend.get_texts():
        text.set(**TEXT)
