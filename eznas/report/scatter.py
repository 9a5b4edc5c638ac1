"""Score against accuracy, a panel per dataset and proxy."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from eznas.errors import InputError, unknown
from eznas.metrics import kendall, undefined_scores
from eznas.report.figure import (
    COLOURS,
    DRAWABLE,
    MARKERS,
    PALE,
    TEXT,
    Floats,
    by_mean_tau,
    check,
    cycle,
    drawable,
    new_figure,
    note,
    save,
    shorten,
    style,
    title,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PANELS = 6  # proxies in a plot
DECADES = 4  # a symlog axis is for scores that span more orders of magnitude than these
CRUSHED = 100  # ... and of which a linear axis would leave the middle half 1/100 of its length

Panel = tuple[float, Floats, Floats]  # tau, scores [networks], accuracies [networks]


def scatter_plot(
    path: Path,
    scores: Mapping[str, Mapping[str, ArrayLike]],
    accuracies: Mapping[str, ArrayLike],
) -> None:
    """Draw score against accuracy: a column per dataset, a row per proxy, the highest mean tau
    first.

    `scores` maps datasets to proxies to [networks], `accuracies` datasets to [networks]. At most
    `PANELS` proxies are shown. Tau is `eznas.metrics.kendall` of all networks with a score
    (-inf is the lowest); networks that have no place on an axis are counted in their panel.
    Raises `InputError` for a dataset without accuracies, if shapes do not match and if the file
    cannot be written.
    """
    check(path)
    panels = _panels(scores, accuracies)
    proxies = by_mean_tau({key: panel[0] for key, panel in panels.items()})
    shown = proxies[:PANELS]
    figure = new_figure(0.4 + 3.4 * max(len(scores), 1), 0.5 + 2.6 * max(len(shown), 1))
    if len(shown) < len(proxies):
        title(figure, f"{PANELS} of {len(proxies)} proxies: those of the highest mean tau")
    if not panels:
        note(figure, "no scores")
        return save(path, figure)
    grid = figure.subplots(len(shown), len(scores), squeeze=False, sharey="col")
    missing: Panel = (math.nan, np.empty(0), np.empty(0))
    for row, proxy in zip(grid, shown, strict=True):
        for column, (axes, dataset) in enumerate(zip(row, scores, strict=True)):
            _draw(axes, proxy, dataset, panels.get((proxy, dataset), missing), column)
        row[0].set_ylabel("accuracy", fontsize=9, **TEXT)
    save(path, figure)


def _panels(
    scores: Mapping[str, Mapping[str, ArrayLike]], accuracies: Mapping[str, ArrayLike]
) -> dict[tuple[str, str], Panel]:
    """The panel of each (proxy, dataset)."""
    panels: dict[tuple[str, str], Panel] = {}
    for dataset, by_proxy in scores.items():
        if dataset not in accuracies:
            raise unknown("dataset", dataset, accuracies)
        target = np.asarray(accuracies[dataset], np.float64)
        vectors = {proxy: np.asarray(values, np.float64) for proxy, values in by_proxy.items()}
        for proxy, vector in vectors.items():
            if target.ndim != 1 or vector.shape != target.shape:
                shapes = f"scores {vector.shape}, accuracies {target.shape}"
                raise InputError(f"{proxy} on {dataset}: shapes do not match: {shapes}")
        for proxy, vector in vectors.items():
            defined = ~undefined_scores(vector)
            panels[proxy, dataset] = kendall(vector[defined], target[defined]), vector, target
    return panels


def _draw(axes: "Axes", proxy: str, dataset: str, panel: Panel, column: int) -> None:
    tau = panel[0]
    tau_text = "tau undefined" if math.isnan(tau) else f"tau {tau:+.3f}"
    heading = f"{shorten(proxy, 38, 2)}\n{shorten(dataset, 24, 1)}: {tau_text}"
    axes.set_title(heading, fontsize=9, **TEXT)
    draw_networks(axes, panel, column)


def draw_networks(axes: "Axes", panel: Panel, column: int = 0) -> None:
    """Draw the networks of a panel that have a place on both axes, and say how many have none."""
    tau, scores, accuracies = panel
    style(axes)
    lowest, largest = scores == -np.inf, np.abs(scores[np.isfinite(scores)]).max(initial=0)
    ranked = largest > DRAWABLE or 0 < largest < 1 / DRAWABLE
    if ranked:
        ranks = np.unique(scores, return_inverse=True)[1]
        scores = np.where(np.isfinite(scores), ranks, scores)
    axes.set_xlabel("rank of score" if ranked else "score", fontsize=9, **TEXT)
    visible = drawable(scores) & drawable(accuracies)
    _spread(axes, scores[visible])
    alpha = min(0.6, max(0.12, 600 / max(1, visible.sum())))
    look: dict[str, Any] = {"markersize": 3, "markeredgewidth": 0, "color": cycle(COLOURS, column)}
    axes.plot(scores[visible], accuracies[visible], cycle(MARKERS, column), alpha=alpha, **look)
    if not visible.any():
        axes.set_xticks([])
        axes.tick_params(left=False, labelleft=False)  # the ticks are those of the whole column
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", **TEXT)
    hidden = [(int(lowest.sum()), "lowest (-inf)"), (int((~visible & ~lowest).sum()), "undefined")]
    hidden_text = ", ".join(f"{count} {reason}" for count, reason in hidden if count)
    if hidden_text:
        _corner_note(axes, f"not shown: {hidden_text}", left=tau < 0)


def _corner_note(axes: "Axes", text: str, *, left: bool) -> None:
    """A note in the lower corner where a trend leaves room: left where it falls, else right."""
    x, side = (0.03, "left") if left else (0.97, "right")
    look: dict[str, Any] = {"transform": axes.transAxes, "ha": side, "fontsize": 7}
    label = axes.text(x, 0.04, text, **look, **TEXT)
    label.set_bbox({"facecolor": "white", "edgecolor": PALE, "alpha": 0.85, "pad": 2})


def _spread(axes: "Axes", values: Floats) -> None:
    """A symlog axis for scores that span so much that a linear one would show a line."""
    sizes = np.sort(np.abs(values[values != 0]))
    if not sizes.size or sizes[-1] <= 10.0**DECADES * sizes[0]:
        return
    first, third = np.quantile(values, [0.25, 0.75])
    if (third - first) * CRUSHED > values.max() - values.min():
        return
    both_signs = bool((values < 0).any() and (values > 0).any())
    # linear below: the few tiny ones claim no decades, and zero is no gap between two signs
    threshold = max(float(sizes[sizes.size // (2 if both_signs else 20)]), float(sizes[-1]) / 1e30)
    axes.set_xscale("symlog", linthresh=threshold)
    powers = range(math.ceil(math.log10(threshold)), math.floor(math.log10(sizes[-1])) + 1)
    step = max(1, math.ceil(len(powers) / (2 if both_signs else 4)))
    labels = {10.0**p: f"$10^{{{p}}}$" for p in powers[::-step]}
    labels |= {-(10.0**p): f"$-10^{{{p}}}$" for p in powers[::-step]}
    ticks = {tick: text for tick, text in labels.items() if values.min() <= tick <= values.max()}
    if values.min() <= threshold and values.max() >= -threshold:
        ticks[0.0] = "0"
    axes.set_xticks(list(ticks), list(ticks.values()))
