"""The charts of a run's page, as SVG: its front, its fitness by generation, scores of its champion
against accuracies. They are small enough to be read on a phone."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from eznas.metrics import kendall, undefined_scores
from eznas.report.figure import COLOURS, INK, TEXT, drawable, new_figure, style
from eznas.report.scatter import draw_networks
from eznas.report.svg import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _NARROW, _HEIGHT = 4.0, 3.5, 2.9  # inches: as wide as a phone, at letters of 8 points
DRAWN = 500  # networks in a panel, at most
BLUE, VERMILION, GREEN = COLOURS[:3]


def front_chart(rows: Sequence[Mapping[str, Any]], on: str = "on other networks") -> str:
    """Size against fitness, `rows` as `eznas.Front` has them; where these have no fitness on other
    networks, that on the networks searched on alone. `on`: which those other networks are."""
    figure, axes = _panel("nodes of the formula", "fitness")
    sizes = [row["size"] for row in rows]
    searched = [_number(row["searched"]) for row in rows]
    measured = "fitness" in rows[0]
    axes.step(sizes, searched, where="post", color=INK, linewidth=0.8, linestyle=(0, (3, 2)))
    axes.plot(sizes, searched, "o", color=INK, markersize=2, label=" on the networks searched on")
    if measured:
        fitness, low, high = (_column(rows, key) for key in ("fitness", "low", "high"))
        axes.vlines(sizes, low, high, color=BLUE, linewidth=1.2, alpha=0.55)
        axes.plot(sizes, fitness, "o", color=BLUE, markersize=4, label=f" {on} [95 %]")
    height = "fitness" if measured else "searched"
    marks = (("recommended", VERMILION, "D", 8), ("champion", GREEN, "s", 5))
    for key, colour, marker, size in marks:
        for row in rows:
            if row.get(key):
                point = [row["size"]], [_number(row[height])]
                label = f" {key}: #{row['number']}"
                axes.plot(*point, marker, color=colour, markersize=size, label=label)
    axes.locator_params(axis="x", integer=True)
    _legend(figure)
    return svg(figure, "front", "Size of formulas against their fitness")


def fitness_chart(generations: Sequence[Mapping[str, Any]]) -> str:
    """Fitness by generation, best and median; `generations`: the lines of a run's journal."""
    figure, axes = _panel("generation", "fitness")
    x = [row["generation"] for row in generations]
    best = [_number(row["best"]["fitness"]) for row in generations]
    axes.plot(x, best, "-o", color=BLUE, markersize=3, linewidth=1.4, label=" best")
    median = [_number(row["median"]) for row in generations]
    axes.plot(x, median, "--", color=VERMILION, linewidth=1.2, label=" median of the population")
    for before, row in pairwise(generations):
        if row["networks"] != before["networks"]:
            axes.axvline(row["generation"] - 0.5, color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
            at = row["generation"] - 0.5, 0.03
            text = f" {row['networks']} networks"
            axes.text(*at, text, transform=axes.get_xaxis_transform(), fontsize=7, **TEXT)
    axes.locator_params(axis="x", integer=True)
    _legend(figure)
    return svg(figure, "fitness", "Fitness by generation, best and median")


def score_chart(number: int, dataset: str, scores: ArrayLike, accuracies: ArrayLike) -> str:
    """Score against accuracy on a data set, [networks] each; of more than `DRAWN` networks the
    first of them. `number`: of the chart on its page."""
    figure, axes = _panel("score", "accuracy", _NARROW)
    values, targets = (np.asarray(each, np.float64)[:DRAWN] for each in (scores, accuracies))
    defined = ~undefined_scores(values)
    draw_networks(axes, (kendall(values[defined], targets[defined]), values, targets))
    return svg(figure, f"scores-{number}", f"Score against accuracy on {dataset}")


def _panel(x_label: str, y_label: str, width: float = _WIDTH) -> "tuple[Figure, Axes]":
    figure = new_figure(width, _HEIGHT)
    axes = figure.subplots()
    style(axes, grid="y")
    axes.set_xlabel(x_label, fontsize=9, **TEXT)
    axes.set_ylabel(y_label, fontsize=9, **TEXT)
    return figure, axes


def _legend(figure: "Figure") -> None:
    legend = figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    for text in legend.get_texts():
        text.set(**TEXT)


def _column(rows: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [_number(row[key]) for row in rows]


def _number(value: float | None) -> float:
    """A number that axes can show, NaN for any other."""
    return float("nan") if value is None or not drawable(value) else float(value)
