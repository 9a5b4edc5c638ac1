"""Trained supernets in tables, for a terminal and for a page: how they rank, and their pairs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table
from rich.text import Text

from eznas.report.cells import WIDTH, wide_or_narrow
from eznas.report.markdown import Column, code, formatted, number, table, text

Content = Mapping[str, Any]
Columns = Sequence[tuple[str, str, str]]  # heading, key, format

_RANKINGS: Columns = (
    ("tau", "tau", "+.3f"),
    ("rho", "rho", "+.3f"),
    ("found", "found", ".2f"),
    ("regret", "regret", ".2f"),
    ("tau within leaves", "within", "+.3f"),
    ("one-shot's there", "one_shot_within", "+.3f"),
    ("found in chosen leaf", "chosen_found", ".2f"),
    ("regret of the best in chosen leaf", "chosen_regret", ".2f"),
)
_SHORT = {  # headings for a terminal
    "within": "within",
    "one_shot_within": "one-shot",
    "chosen_found": "in leaf",
    "chosen_regret": "lost",
}
_MEANS = (
    "tau and rho: Kendall's and Spearman's rank correlation with trained accuracy; found: the "
    "accuracy of the network that is ranked first,\nregret: how far it is below the best of the "
    "sample; tau within leaves: over pairs of networks of the same leaf; chosen leaf: that of the\n"
    "highest mean accuracy in its own supernet, on images that judge no network. The leaf's mean "
    "proxy + supernet brings leaves to one scale."
)
_PAIRS = (
    "Differences of tau are paired: the mean over seeds, with its 95 % bootstrap interval over "
    "seeds and components of networks; won or lost\nwhere that excludes zero."
)


def supernet_table(content: Content, width: int = WIDTH) -> Table | Text:
    """Rankings by supernets, the mean over seeds of each; `content`: a dict with `supernets`, rows
    of `eznas.studies.supernets.rank_supernets`."""
    rows = averaged(content["supernets"])
    first, seeds = rows[0], max(row["seeds"] for row in rows)
    shown = [column for column in _RANKINGS if any(row.get(column[1]) is not None for row in rows)]
    title = f"{first['networks']} networks, {first['space']}, {first['dataset']}"
    return wide_or_narrow(
        title + (f", means over {seeds} seeds" if seeds > 1 else ""),
        ("ranked by", *(_SHORT.get(key, heading) for heading, key, _ in shown)),
        [(_label(row), *(formatted(row.get(key), form) for _, key, form in shown)) for row in rows],
        names=1,
        width=width,
    )


def few_shot_table(content: Content, width: int = WIDTH) -> Table | Text:
    """Paired differences of tau; `content`: a dict with `few_shot`, rows of
    `eznas.studies.few_shot.few_shot`."""
    rows = [
        (
            *(_named(row, end) for end in ("first", "second")),
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
            row["verdict"],
        )
        for row in content["few_shot"]
    ]
    title = "differences of tau, paired, with 95 % intervals over seeds and networks"
    headings = ("first", "second", "difference", "interval", "")
    return wide_or_narrow(title, headings, rows, names=2, width=width)


def described_supernets(content: Content) -> str:
    """The first sentence of the section of ranked supernets."""
    row = content["supernets"][0]
    return (
        f"Supernets of {content['space']} against {row['networks']} trained networks "
        f"({content['set']}, {row['kind']} accuracy, {row['dataset']})"
    )


def described_few_shot(content: Content) -> str:
    """The first sentence of the section of one-shot and few-shot supernets."""
    parent = content["epochs"] - content["leaves"] * content["leaf_epochs"]
    return (
        f"{described_supernets(content)}: one-shot and few-shot at equal steps. One-shot: "
        f"{content['epochs']} epochs of {content['images']:,} images at {content['size']} pixels, "
        f"batch {content['batch']}; few-shot: {parent}, and {content['leaf_epochs']} for each of "
        f"{content['leaves']} leaves. {content['width']} channels, cells a stage: "
        f"{content['cells']}; {content['judging']:,} images judge; {content['seeds']} seeds"
    )


def tables_of_supernets(content: Content) -> Iterator[str]:
    """The table of rankings, the mean over seeds of each."""
    rows = averaged(content["supernets"])
    columns: list[Column] = [
        ("supernets", text("supernets")),
        ("ranked by", text("ranked_by")),
        ("seeds", number("seeds", "")),
    ]
    for heading, key, form in _RANKINGS:
        if any(row.get(key) is not None for row in rows):
            columns.append((heading, number(key, form)))
            if key == "tau" and rows[-1]["seeds"] > 1:
                columns.append(("of each seed", text("each")))
    yield table(columns, rows)
    yield _MEANS


def tables_of_few_shot(content: Content) -> Iterator[str]:
    """The tables of rankings and of their paired differences."""
    yield from tables_of_supernets(content)
    rows = [
        row | {end: _named(row, end) for end in ("first", "second")}
        | {"each": ", ".join(f"{value:+.3f}" for value in row["each"])}
        | {"interval": f"[{row['low']:+.3f}, {row['high']:+.3f}]"}
        for row in map(dict, content["few_shot"])
    ]  # fmt: skip
    columns: list[Column] = [
        ("first", code("first")),
        ("second", code("second")),
        ("difference of tau", number("difference", "+.3f")),
        ("95 %", text("interval")),
        ("of each seed", text("each")),
        ("", text("verdict")),
    ]
    yield table(columns, rows)
    yield _PAIRS


def averaged(rows: Sequence[Content]) -> list[dict[str, Any]]:
    """Rows of the same supernets and ranking as one: the mean of each number, how many `seeds`
    there were, and tau of `each` as text."""
    groups: dict[tuple[str, str], list[Content]] = {}
    for row in rows:
        groups.setdefault((row["supernets"], row["ranked_by"]), []).append(row)
    result = []
    for group in groups.values():
        merged = dict(group[0]) | {"seeds": len({row.get("seed") for row in group})}
        for _, key, _ in _RANKINGS:
            values = [row[key] for row in group if row.get(key) is not None]
            merged[key] = float(np.mean(values)) if values else None
        merged["each"] = ", ".join(formatted(row["tau"], "+.3f") for row in group)
        result.append(merged)
    return result


def _named(row: Content, end: str) -> str:
    return _label({"supernets": row[end], "ranked_by": row[f"{end}_by"]})


def _label(row: Content) -> str:
    name, by = row["supernets"], row["ranked_by"]
    return str(name) if by in ("supernet", "proxy") else f"{name}: {by}"
