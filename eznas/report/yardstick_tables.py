"""Yardsticks and searches by folds: tables for a terminal, and the sections of a page."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group

from eznas.metrics import verdict
from eznas.report.cells import UNDEFINED, WIDTH, bare, interval_texts
from eznas.report.correlation_tables import sections
from eznas.report.markdown import Column, text
from eznas.report.markdown import table as markdown_table

Row = Mapping[str, Any]

_GREEDY = "so many terms: greedy least squares"
_COLUMNS = (
    f"{_GREEDY}; nodes: of its formula, a mean over folds; labels: networks fitted to. Components "
    "are whole in a fold; models are\nfitted to the other folds and rank the networks of theirs. "
    "tau: Kendall's with accuracy, a mean over folds, with 95 % intervals from\na bootstrap of "
    "components, the same draws in all rows; mean: over the data sets."
)
_OF_HELD_OUT = (
    f"{_GREEDY}; nodes: of its formula; labels: networks fitted to. tau: Kendall's with accuracy, "
    "with 95 % intervals from\na bootstrap of components, the same draws in all rows; mean: over "
    "the data sets."
)
_NOTE = "mean: tau over data sets and folds; won, lost: folds whose interval excludes zero"
_OF_SEARCHES = (
    "labels: networks that a search sees; nodes and seconds (of a search, without "
    "measuring): means over seeds; formulas: how many it\nevaluates. Seed s searches without fold "
    "s, and its champion ranks the networks there. tau: Kendall's with accuracy, a mean over "
    "folds,\nwith 95 % intervals from a bootstrap of components, the same draws in all rows; mean: "
    "over the data sets; by fold: the same of each; minus:\npaired; won, lost: folds whose "
    "interval excludes zero."
)


def folds_table(rows: Sequence[Row], width: int = WIDTH) -> Group:
    """Tau by data set, and the mean with its 95 % interval: a table for each set of features, a
    section for each number of labels; `rows` are those of `eznas.studies.yardsticks`."""
    by_language: dict[str, list[Row]] = {}
    for row in rows:
        by_language.setdefault(_language(row), []).append(row)
    return Group(*(_of_language(some, width) for some in by_language.values()), _GREEDY)


def _of_language(rows: Sequence[Row], width: int) -> Group:
    shown = [{"model": _model(row), "dataset": f"{row['labels']:,} labels"} for row in rows]
    columns: dict[str, Sequence[str]] = {
        "nodes": [_nodes(row) for row in rows],
        **{
            dataset: [_number(row["tau"][dataset][0]) for row in rows] for dataset in rows[0]["tau"]
        },
        "mean [95 %]": interval_texts([(v[0], v[1], v[2]) for v in (row["mean"] for row in rows)]),
    }
    title = f"{_language(rows[0])}: tau {_sample(rows[0])}"
    return sections(title, "model", shown, columns, width, _notes(rows))


def described_folds(content: Mapping[str, Any]) -> str:
    """The first sentence of the section of yardsticks by folds."""
    return f"Models of short features {_sample(content['by_folds'][0])}"


def tables_of_folds(content: Mapping[str, Any]) -> Iterator[str]:
    """All rows, with all intervals, and what the columns mean."""
    rows = content["by_folds"]
    cells = [_cells(row) for row in rows]
    columns: list[Column] = [(heading, text(heading)) for heading in cells[0]]
    yield markdown_table(columns, cells)
    yield _COLUMNS if rows[0]["folds"] else _OF_HELD_OUT
    yield from _notes(rows)


def ablation_table(rows: Sequence[Row], width: int = WIDTH) -> Group:
    """Searches with other settings: `rows` are those of `eznas.studies.ablation`."""
    shown = [{"search": row["variant"], "dataset": f"{row['labels']:,} labels"} for row in rows]
    columns: dict[str, Sequence[str]] = {
        "nodes": [_nodes(row) for row in rows],
        "mean [95 %]": interval_texts([tuple(row["mean"]) for row in rows]),
        f"minus {rows[0]['variant']}": ["", *_differences(rows[1:])],
        "won, lost": ["", *map(_won_and_lost, rows[1:])],
    }
    notes = [_NOTE, *_without_scores(rows)]
    return sections(f"Searches {_sample(rows[0])}", "search", shown, columns, width, notes)


def described_ablation(content: Mapping[str, Any]) -> str:
    """The first sentence of the section of searches by folds."""
    return f"Searches with other settings {_sample(content['variants'][0])}"


def tables_of_ablation(content: Mapping[str, Any]) -> Iterator[str]:
    """All rows, with all intervals, and what the columns mean."""
    rows = content["variants"]
    cells = [
        {
            "search": row["variant"],
            "settings": _settings(row),
            "labels": f"{row['labels']:,}",
            "nodes": _nodes(row),
            "formulas": "" if row["evaluations"] is None else f"{row['evaluations']:,}",
            "seconds": "" if row["seconds"] is None else f"{row['seconds']:.0f}",
            **{f"{d} [95 %]": interval_texts([tuple(v)])[0] for d, v in row["tau"].items()},
            "mean [95 %]": interval_texts([tuple(row["mean"])])[0],
            "by fold": ", ".join(map(_number, row["by_fold"])),
            f"minus {rows[0]['variant']} [95 %]": difference,
            "the same by fold": _by_fold(row) if row is not rows[0] else "",
            "won, lost": _won_and_lost(row) if row is not rows[0] else "",
        }
        for row, difference in zip(rows, ["", *_differences(rows[1:])], strict=True)
    ]
    yield markdown_table([(heading, text(heading)) for heading in cells[0]], cells)
    yield _OF_SEARCHES
    yield from _without_scores(rows)


def _differences(rows: Sequence[Row]) -> list[str]:
    """The difference of each row from the first, with its interval."""
    return interval_texts([tuple(row["minus"]) for row in rows], "+")


def _settings(row: Row) -> str:
    """The settings in which a search differs, as on a command line."""
    settings = row["settings"].items()
    return "<br>".join(f"`{key.rpartition('.')[2]}={json.dumps(value)}`" for key, value in settings)


def _by_fold(row: Row) -> str:
    """The differences of a row from the first one on each fold."""
    return "<br>".join(interval_texts([tuple(values) for values in row["minus_by_fold"]], "+"))


def _won_and_lost(row: Row) -> str:
    """On how many folds a row is ahead of the first one, and on how many behind, by more than
    chance."""
    verdicts = [verdict(low, high) for _, low, high in row["minus_by_fold"]]
    return f"{verdicts.count('won')}, {verdicts.count('lost')} of {len(verdicts)}"


def _without_scores(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row['variant']}: no score for {max(row['undefined'].values())} networks"
        for row in rows
        if "undefined" in row
    ]


def _cells(row: Row) -> dict[str, str]:
    """Heading -> text of a row of the page."""
    intervals = {**row["tau"], "mean": row["mean"]}
    return {
        "model": _model(row),
        "features": _language(row),
        "labels": f"{row['labels']:,}",
        "nodes": _nodes(row),
        **{f"{name} [95 %]": interval_texts([tuple(v)])[0] for name, v in intervals.items()},
    }


def _sample(row: Row) -> str:
    part = f"the search part of {row['space']}"
    networks = f"{row['networks']:,} networks"
    ranked = (
        f"by {row['folds']} folds of {networks} of {part}"
        if row["folds"]
        else f"fitted to {part}, on {networks} of its held-out part"
    )
    rows = row.get("initialisations", 1)
    fitted = f", fitted to {rows} initialisations of each" if rows > 1 else ""
    return f"{ranked}{fitted}, {row['accuracy']} accuracy"


def _language(row: Row) -> str:
    return f"{row['language']} ({row['features']:,})"


def _model(row: Row) -> str:
    if row["terms"] is None:
        return str(row["model"])
    return f"{row['model']}, {row['terms']} terms"


def _nodes(row: Row) -> str:
    return "" if row["nodes"] is None else f"{row['nodes']:.0f}"


def _number(value: float | None) -> str:
    return UNDEFINED if value is None else bare(value)


def _notes(rows: Sequence[Row]) -> list[str]:
    """A line for each row whose model gave networks no score."""
    return [
        f"{_model(row)}, {_language(row)}, {row['labels']:,} labels: no score for "
        f"{max(row['undefined'].values())} networks"
        for row in rows
        if "undefined" in row
    ]
