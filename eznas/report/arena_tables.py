"""Formulas beside each other on several spaces."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group

from eznas.report.cells import WIDTH, interval_texts, sort_key
from eznas.report.correlation_tables import sections


def arena_table(rows: Sequence[Mapping[str, Any]], width: int = WIDTH) -> Group:
    """Tau with 95 % intervals: a table for each space with a column for each data set, the formula
    of the highest tau on the first one first. `rows` are those of `eznas.studies.arena`."""
    return Group(
        *(_of_space(rows, space, width) for space in dict.fromkeys(r["space"] for r in rows))
    )


def _of_space(rows: Sequence[Mapping[str, Any]], space: str, width: int) -> Group:
    of_space = [row for row in rows if row["space"] == space]
    datasets = list(dict.fromkeys(row["dataset"] for row in of_space))
    by_dataset = {
        dataset: {row["formula"]: row for row in of_space if row["dataset"] == dataset}
        for dataset in datasets
    }
    first = by_dataset[datasets[0]]
    names = sorted(first, key=lambda name: sort_key(first[name]["tau"]), reverse=True)
    columns: dict[str, Sequence[str]] = {
        f"{dataset} [95 %]": interval_texts(
            [(r["tau"], r["low"], r["high"]) for r in (of_dataset[name] for name in names)]
        )
        for dataset, of_dataset in by_dataset.items()
    }
    some = of_space[0]
    title = f"tau on {some['networks']} networks of the search part, {some['accuracy']} accuracy"
    shown = [{"formula": name, "dataset": space} for name in names]
    missing = [(n, max(by[n]["undefined"] for by in by_dataset.values())) for n in names]
    notes = [f"{name}: undefined on {count} networks" for name, count in missing if count]
    return sections(title, "formula", shown, columns, width, notes)
