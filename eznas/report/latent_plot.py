"""A latent space of architectures, seen along two axes, with the paths of an ascent."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from eznas.report.figure import INK, PALE, TEXT, Floats, check, new_figure, save, shorten, style

MARK = "#D55E00"


def latent_plot(
    path: Path,
    points: ArrayLike,
    panels: Mapping[str, ArrayLike],
    paths: ArrayLike,
    answers: ArrayLike,
) -> None:
    """Draw networks at points [networks, 2], a panel for each of some values [networks] (NaN: grey)
    that colour them by rank, with paths [steps, starts, 2] and answers [answers, 2] over them.

    Raises `InputError` if the file cannot be written.
    """
    check(path)
    places, routes, goals = (np.asarray(a, np.float64) for a in (points, paths, answers))
    figure = new_figure(5.2 * len(panels), 4.6)
    grid = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (name, values) in zip(grid, panels.items(), strict=True):
        style(axes)
        colours = _ranks(np.asarray(values, np.float64))
        known = np.isfinite(colours)
        axes.scatter(*places[~known].T, s=5, color=PALE, linewidths=0)
        drawn = axes.scatter(
            *places[known].T, s=7, c=colours[known], cmap="viridis", vmin=0, vmax=1, linewidths=0
        )
        for start in range(routes.shape[1]):
            axes.plot(*routes[:, start].T, color=INK, linewidth=0.7, alpha=0.75)
        axes.plot(
            *routes[0].T, "o", color="white", markeredgecolor=INK, markersize=4, label="start"
        )
        axes.plot(*goals.T, "*", color=MARK, mec=INK, markersize=9, label="answer")
        axes.set_title(shorten(name, 40, 2), fontsize=10, **TEXT)
        axes.set_xlabel("first principal component of the latent", fontsize=9, **TEXT)
        bar = figure.colorbar(drawn, ax=axes, ticks=[0, 0.5, 1])
        bar.ax.set_yticklabels(["lowest", "median", "highest"], fontsize=8, **TEXT)
    grid[0].set_ylabel("second", fontsize=9, **TEXT)
    grid[0].legend(fontsize=8, loc="best")
    save(path, figure)


def _ranks(values: Floats) -> Floats:
    """The share of finite values that are lower, from 0 to 1; NaN where a value is none."""
    ranks = np.full(len(values), np.nan)
    finite = np.isfinite(values)
    order = np.argsort(np.argsort(values[finite], kind="stable"), kind="stable")
    ranks[finite] = order / max(len(order) - 1, 1)
    return ranks
