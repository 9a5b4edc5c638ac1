"""Plots: data in, a PNG file out.

Nothing here prints, and nothing outlives a call: figures are objects of their own (no pyplot).
Colours and fonts are set here, so that no matplotlibrc makes a plot unreadable. Equal input gives
equal bytes. Colours are those of Okabe & Ito (2008); markers and dashes tell lines apart in grey.
"""

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError, unknown
from eznas.metrics import kendall_many
from eznas.system.files import write_whole

if TYPE_CHECKING:  # matplotlib takes its time: the functions import it, not the file
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]

DPI = 150
PANELS = 6  # proxies in a scatter plot
HIGHEST = 200.0  # inches: Agg draws no more than 65,536 pixels
DECADES = 4  # a symlog axis is for scores that span more orders of magnitude than these
CRUSHED = 100  # ... and of which a linear axis would leave the middle half 1/100 of its length
DRAWABLE = 1e100  # beyond it axes overflow, below its inverse they show a point

_INK, _PALE, _FONT = "#222222", "#D9D9D9", "DejaVu Sans"  # the font comes with matplotlib
_SAID: dict[str, Any] = {"color": _INK, "parse_math": False}  # "$" in a name is no mathematics
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
_DASHES: tuple[Any, ...] = ("-", "--", "-.", (0, (1, 1.2)))


def scatter_plot(
    path: Path,
    scores: Mapping[str, Mapping[str, ArrayLike]],
    accuracies: Mapping[str, ArrayLike],
) -> None:
    """Score against accuracy: a column per data set, a row per proxy, the highest mean tau first.

    `scores` maps data sets to proxies to [networks], `accuracies` data sets to [networks]. No more
    than `PANELS` proxies are shown. Tau is `eznas.metrics.kendall` of all networks (-inf is the
    lowest score, NaN makes it undefined); what has no place on an axis is counted in its panel.
    Raises `InputError` if shapes do not match or the file cannot be written.
    """
    check(path)
    cells: dict[tuple[str, str], tuple[float, Floats, Floats]] = {}
    for dataset, own in scores.items():
        if dataset not in accuracies:
            raise unknown("dataset", dataset, accuracies)
        target = np.asarray(accuracies[dataset], np.float64)
        vectors = {proxy: np.asarray(values, np.float64) for proxy, values in own.items()}
        for proxy, score in vectors.items():
            if target.ndim != 1 or score.shape != target.shape:
                shapes = f"scores {score.shape}, accuracies {target.shape}"
                raise InputError(f"{proxy} on {dataset}: shapes do not match: {shapes}")
        taus = kendall_many(np.array([*vectors.values()]).reshape(len(own), target.size), target)
        for (proxy, score), tau in zip(vectors.items(), taus, strict=True):
            cells[proxy, dataset] = float(tau), score, target
    proxies = _by_mean({key: cell[0] for key, cell in cells.items()})
    shown = proxies[:PANELS]
    figure = _figure(0.4 + 3.4 * max(len(scores), 1), 0.5 + 2.6 * max(len(shown), 1))
    if len(shown) < len(proxies):
        _title(figure, f"{PANELS} of {len(proxies)} proxies: those of the highest mean tau")
    if not cells:
        _empty(figure, "no scores")
    else:
        grid = figure.subplots(len(shown), len(scores), squeeze=False, sharey="col")
        for row, proxy in zip(grid, shown, strict=True):
            for at, (axes, dataset) in enumerate(zip(row, scores, strict=True)):
                _style(axes)
                tau, score, target = cells.get((proxy, dataset), (math.nan, *np.empty((2, 0))))
                heading = f"{_short(proxy, 38, 2)}\n{_short(dataset, 24, 1)}: {_tau(tau)}"
                axes.set_title(heading, fontsize=9, **_SAID)
                _scatter(axes, score, target, at, corner="left" if tau < 0 else "right")
            row[0].set_ylabel("accuracy", fontsize=9, **_SAID)
    _save(path, figure)


def bar_plot(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Tau with its 95 % interval: a panel per data set, proxies by mean tau, the highest on top.

    `rows` are `eznas.metrics.Row`s; None (or NaN) is undefined and said to be so. Raises
    `InputError` if the file cannot be written.
    """
    check(path)
    datasets = list(dict.fromkeys(str(r["dataset"]) for r in rows))
    cells = {(str(r["proxy"]), str(r["dataset"])): r for r in rows}
    proxies = _by_mean({key: _number(row.get("tau")) for key, row in cells.items()})
    names = [_short(p, 34, 2) for p in proxies]
    tall = 0.34 if any("\n" in n for n in names) else 0.26
    figure = _figure(2.2 + 3.1 * max(len(datasets), 1), 1.3 + tall * max(len(proxies), 1))
    if not rows:
        _empty(figure, "no rows")
        return _save(path, figure)
    _title(figure, _sample(rows[0]))
    panels = figure.subplots(1, len(datasets), squeeze=False, sharex=True, sharey=True)[0]
    ends = [_number(r.get(k)) for r in rows for k in ("tau", "tau_low", "tau_high")]
    low, high = min([0.0, *_finite(ends)]), max([0.1, *_finite(ends)])
    space = 0.26 * (high - low)  # for the values
    panels[0].set_xlim(low - (space if low < 0 else 0), high + space)
    panels[0].set_ylim(len(proxies) - 0.4, -0.6)
    panels[0].set_yticks(range(len(proxies)), names, parse_math=False)
    for at, (axes, dataset) in enumerate(zip(panels, datasets, strict=True)):
        _style(axes, grid="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.axvline(0, color=_INK, linewidth=0.8)
        axes.set_title(_short(dataset, 30, 1), fontsize=10, **_SAID)
        axes.set_xlabel("tau [95 %]", fontsize=9, **_SAID)
        for place, proxy in enumerate(proxies):
            _bar(axes, place, cells.get((proxy, dataset), {}), _pale(at))
    _save(path, figure)


def line_plot(
    path: Path,
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    x_label: str,
    y_label: str,
    marks: Mapping[str, float] | None = None,
) -> None:
    """Curves [len(x)] over x, one line each, and labelled vertical lines at the `marks`.

    A curve has a gap where it is not finite (or beyond `DRAWABLE`); one without any value, and a
    mark that is not finite, are said to be undefined in the legend. Raises `InputError` if shapes
    do not match or the file cannot be written.
    """
    check(path)
    places = np.asarray(x, np.float64)
    order = np.argsort(places, kind="stable")
    figure = _figure(7.5, 4.6)
    axes = figure.subplots()
    _style(axes, grid="both")
    axes.set_xlabel(_short(x_label, 80, 2), fontsize=10, **_SAID)
    axes.set_ylabel(_short(y_label, 40, 2), fontsize=10, **_SAID)
    for at, (name, values) in enumerate(curves.items()):
        curve = np.asarray(values, np.float64)
        if places.ndim != 1 or curve.shape != places.shape:
            raise InputError(f"{name}: shape {curve.shape}, expected that of x, {places.shape}")
        _line(axes, _short(name, 40, 1), places[order], curve[order], at)
    flags = [(_short(label, 40, 1), float(place)) for label, place in (marks or {}).items()]
    for label, place in flags:
        if not _drawable(place):
            axes.plot([], [], linestyle="none", label=f" {label}: undefined")
    _flags(axes, [flag for flag in flags if _drawable(flag[1])])
    labels = axes.get_legend_handles_labels()[1]
    if labels:
        columns = max(1, min(4, 90 // (12 + max(map(len, labels)))))
        legend = figure.legend(
            loc="outside lower center", ncols=columns, fontsize=9, handlelength=3.5, frameon=False
        )
        for text in legend.get_texts():
            text.set(**_SAID)
    _save(path, figure)


# Panels


def _scatter(
    axes: "Axes", score: Floats, accuracy: Floats, at: int, corner: Literal["left", "right"]
) -> None:
    """The networks of a panel that have a place on both axes, and how many have none."""
    lowest, top = score == -np.inf, np.abs(score[np.isfinite(score)]).max(initial=0)
    ranked = top > DRAWABLE or 0 < top < 1 / DRAWABLE
    if ranked:
        score = np.where(np.isfinite(score), np.unique(score, return_inverse=True)[1], score)
    axes.set_xlabel("rank of score" if ranked else "score", fontsize=9, **_SAID)
    kept = _drawable(score) & _drawable(accuracy)
    _spread(axes, score[kept])
    alpha = min(0.6, max(0.12, 600 / max(1, kept.sum())))
    look: dict[str, Any] = {"markersize": 3, "markeredgewidth": 0, "color": _at(_COLOURS, at)}
    axes.plot(score[kept], accuracy[kept], _at(_MARKERS, at), alpha=alpha, **look)
    notes = [(int(lowest.sum()), "lowest (-inf)"), (int((~kept & ~lowest).sum()), "undefined")]
    note = ", ".join(f"{count} {what}" for count, what in notes if count)
    if not kept.any():
        axes.set_xticks([])
        axes.tick_params(left=False, labelleft=False)  # the ticks are those of the whole column
        axes.text(0.5, 0.5, "nothing to show", transform=axes.transAxes, ha="center", **_SAID)
    if note:
        place, note = 0.97 if corner == "right" else 0.03, f"not shown: {note}"
        text = axes.text(
            place, 0.04, note, transform=axes.transAxes, ha=corner, fontsize=7, **_SAID
        )
        text.set_bbox({"facecolor": "white", "edgecolor": _PALE, "alpha": 0.85, "pad": 2})


def _spread(axes: "Axes", values: Floats) -> None:
    """A symlog axis where scores span so much that a linear one would show a line."""
    sizes = np.sort(np.abs(values[values != 0]))
    if not sizes.size or sizes[-1] <= 10.0**DECADES * sizes[0]:
        return
    first, third = np.quantile(values, [0.25, 0.75])
    if (third - first) * CRUSHED > values.max() - values.min():
        return
    both = bool((values < 0).any() and (values > 0).any())
    # linear below: the few tiny ones claim no decades, and zero is no gap between two signs
    threshold = max(float(sizes[sizes.size // (2 if both else 20)]), float(sizes[-1]) / 1e30)
    axes.set_xscale("symlog", linthresh=threshold)
    powers = range(math.ceil(math.log10(threshold)), math.floor(math.log10(sizes[-1])) + 1)
    step = max(1, math.ceil(len(powers) / (2 if both else 4)))
    ticks = {10.0**p: f"$10^{{{p}}}$" for p in powers[::-step]}
    ticks |= {-t: f"$-10^{{{p}}}$" for t, p in zip(ticks, powers[::-step], strict=True)}
    inside = {t: s for t, s in ticks.items() if values.min() <= t <= values.max()}
    if values.min() <= threshold and values.max() >= -threshold:
        inside[0.0] = "0"
    axes.set_xticks(list(inside), list(inside.values()))


def _bar(axes: "Axes", place: int, row: Mapping[str, Any], colour: tuple[float, ...]) -> None:
    tau, low, high = (_number(row.get(k)) for k in ("tau", "tau_low", "tau_high"))
    if math.isnan(tau):
        _value(axes, 0, place, "undefined", ahead=True)
        return
    axes.barh(place, tau, height=0.68, color=colour, linewidth=0)
    if not math.isnan(low + high):
        axes.hlines(place, low, high, color=_INK, linewidth=1.1)
        axes.vlines([low, high], place - 0.18, place + 0.18, color=_INK, linewidth=1.1)
    end = max(_finite([tau, high])) if tau >= 0 else min(_finite([tau, low]))
    _value(axes, end, place, f"{tau:+.3f}", ahead=tau >= 0)


def _value(axes: "Axes", x: float, y: float, text: str, *, ahead: bool) -> None:
    away, side = (3, "left") if ahead else (-3, "right")
    where: dict[str, Any] = {"xytext": (away, 0), "textcoords": "offset points", "ha": side}
    axes.annotate(text, (x, y), **where, va="center_baseline", fontsize=7.5, **_SAID)


def _line(axes: "Axes", name: str, x: Floats, curve: Floats, at: int) -> None:
    x, curve = x[_drawable(x)], curve[_drawable(x)]
    there = _drawable(curve)
    lonely = there & ~np.r_[False, there[:-1]] & ~np.r_[there[1:], False]
    marked = (np.arange(x.size) % max(1, x.size // 20) == 0) | lonely
    axes.plot(
        x,
        np.where(there, curve, np.nan),
        color=_at(_COLOURS, at),
        linestyle=_at(_DASHES, at),
        marker=_at(_MARKERS, at),
        markevery=np.flatnonzero(marked).tolist(),
        markersize=5,
        linewidth=1.6,
        label=f" {name}" if there.any() else f" {name}: undefined",  # "_name" would have no legend
    )


def _flags(axes: "Axes", marks: Sequence[tuple[str, float]]) -> None:
    """Labels fly to the right of their poles above the axes, as high as they need to be free."""
    for _, place in marks:
        axes.axvline(place, color=_INK, linewidth=1, linestyle=(0, (4, 2)))
    low, high = axes.get_xlim()
    starts: list[float] = []  # per level the leftmost that is taken
    pole: dict[str, Any] = {"arrowstyle": "-", "color": _INK, "shrinkA": 0, "shrinkB": 0}
    pole |= {"relpos": (0, 1), "patchA": None}  # from the top of the label, not round it
    where: dict[str, Any] = {"xycoords": axes.get_xaxis_transform(), "textcoords": "offset points"}
    for label, place in sorted(marks, key=lambda mark: mark[1], reverse=True):
        end = place + (0.03 + 0.0125 * len(label)) * (high - low)  # as wide as at 8 points
        level = next((i for i, start in enumerate(starts) if end <= start), len(starts))
        starts[level : level + 1] = [place]
        where["xytext"] = 0, 3 + 11 * level
        axes.annotate(f" {label}", (place, 1), **where, arrowprops=pole, fontsize=8, **_SAID)


# Figures, texts, numbers, files


def _figure(width: float, height: float) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    size = min(width, HIGHEST), min(height, HIGHEST)
    figure = Figure(size, DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style(axes: "Axes", grid: str | None = None) -> None:
    axes.set(facecolor="white", axisbelow=True)
    axes.tick_params(labelsize=8, colors=_INK, labelfontfamily=_FONT)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set(size=8, color=_INK)
    axes.grid(False)
    if grid is not None:
        axes.grid(True, axis=grid, color=_PALE, linewidth=0.6)  # type: ignore[arg-type]
    for side, spine in axes.spines.items():
        spine.set(color=_INK, visible=side in ("left", "bottom"))


def _at(cycle: Sequence[Any], at: int) -> Any:
    return cycle[at % len(cycle)]


def _pale(at: int) -> tuple[float, ...]:
    """A colour on which error bars are seen."""
    from matplotlib.colors import to_rgb

    return tuple(0.3 + 0.7 * part for part in to_rgb(_at(_COLOURS, at)))


def _title(figure: "Figure", text: str) -> None:
    room = int(11 * figure.get_figwidth())
    figure.suptitle(_short(text, room, 3), fontsize=10, **_SAID)


def _empty(figure: "Figure", text: str) -> None:
    figure.text(0.5, 0.5, text, ha="center", color=_INK)


def _sample(row: Mapping[str, Any]) -> str:
    """What was judged, as the table of correlations says it."""
    seeds = ", ".join(map(str, row.get("seeds") or []))
    parts = {
        "networks": f"{row.get('networks')} networks",
        "set": f" ({row.get('set')})",
        "accuracy": f", {row.get('accuracy')} accuracy",
        "seeds": f", initialisation seeds {seeds}",
    }
    return "".join(part for key, part in parts.items() if row.get(key)).lstrip(" ,")


def _short(text: str, width: int, lines: int) -> str:
    """At most so many lines of so many characters, cut in the middle, of what the font can draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties(family=_FONT)))
    text = "".join(
        c if c.isprintable() and font.get_char_index(ord(c)) else "\N{REPLACEMENT CHARACTER}"
        for c in text
    )
    parts = textwrap.wrap(text, width)
    if len(parts) > lines:
        room = width * lines - 1
        text = f"{text[: room - room // 3]}…{text[len(text) - room // 3 :]}"
        parts = [text[i : i + width] for i in range(0, len(text), width)]
    return "\n".join(parts)


def _tau(value: float) -> str:
    return "tau undefined" if math.isnan(value) else f"tau {value:+.3f}"


def _by_mean(taus: Mapping[tuple[str, str], float]) -> list[str]:
    """Proxies by the mean of their taus (keys: proxy, data set) that are defined, highest first."""
    found: dict[str, list[float]] = {}
    for (proxy, _), tau in taus.items():
        found.setdefault(proxy, []).extend(_finite([tau]))
    means = {p: sum(ts) / len(ts) if ts else -math.inf for p, ts in found.items()}
    return sorted(means, key=lambda p: means[p], reverse=True)


def _number(value: float | None) -> float:
    return math.nan if value is None or not math.isfinite(value) else float(value)


def _finite(values: Sequence[float]) -> list[float]:
    return [v for v in values if not math.isnan(v)]


def _drawable(values: ArrayLike) -> NDArray[np.bool_]:
    return np.asarray(np.abs(np.asarray(values, np.float64)) <= DRAWABLE)


def check(path: Path) -> None:
    """`InputError` unless the name is one of a PNG file."""
    if not path.name.lower().endswith(".png"):
        raise InputError(f"{path}: plots are PNG files: expected a name that ends in .png")


def _save(path: Path, figure: "Figure") -> None:
    """Draw, then write to a new file beside and rename: a reader never sees half of it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_fontfamily(_FONT)
    drawn = io.BytesIO()
    assert isinstance(figure.canvas, FigureCanvasAgg)
    metadata = {"Software": None}  # no version; a date is not written by default
    figure.canvas.print_png(drawn, metadata=metadata)  # type: ignore[no-untyped-call]
    write_whole(path, drawn.getvalue())
