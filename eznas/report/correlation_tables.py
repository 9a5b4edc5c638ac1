"""Correlations with accuracy, and differences between those of two proxies."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from eznas.metrics import METRICS, Difference, verdict
from eznas.report.cells import interval_cell, new_table, sort_key, value_cell

_STYLE = {"won": "bold blue", "lost": "bold red", "even": "dim"}
_FURTHER = {  # key of a row -> heading, format
    **{m.name: (m.heading, m.form) for m in METRICS.values() if m.heading},
    "seconds": ("seconds", ".3g"),  # per network
    "variation": ("tau sd\n(seeds)", ".3f"),
}


def correlation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Tau and rho with 95 % intervals: a section per dataset, the proxy of the highest tau first.

    `rows` are `eznas.metrics.Row`s. Further metrics, without their intervals, have a column each
    where any row has them; the table then has no lines between columns, so that it fits.
    """
    further = [key for key in _FURTHER if any(key in row for row in rows)]
    table = new_table(_title(rows))
    if further:  # wide: narrow gaps; names and, below 120 columns, intervals are folded
        table.box, table.show_edge, table.pad_edge = SIMPLE, False, False
        table.collapse_padding = True
    table.add_column("proxy", overflow="fold", max_width=24 if further else 30)
    table.add_column("tau [95 %]", justify="right", no_wrap=not further)
    table.add_column("rho [95 %]", justify="right", no_wrap=not further)
    for key in further:
        table.add_column(_FURTHER[key][0], justify="right", no_wrap=True)
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        of_dataset = [row for row in rows if row["dataset"] == dataset]
        for row in sorted(of_dataset, key=lambda row: sort_key(row["tau"]), reverse=True):
            intervals = [
                interval_cell(row[metric], row[f"{metric}_low"], row[f"{metric}_high"])
                for metric in ("tau", "rho")
            ]
            numbers = [_further_cell(row, key) for key in further]
            table.add_row(Text(row["proxy"]), *intervals, *numbers)
    return table


def difference_table(proxy: str, rows: Sequence[Difference]) -> Table:
    """Paired differences of tau with 95 % intervals, a section per dataset: "won" or "lost" only
    where they exclude zero."""
    table = new_table(f"tau of {proxy} minus tau of another, paired")
    table.add_column("against", overflow="fold")
    table.add_column("difference [95 %]", justify="right", no_wrap=True)
    table.add_column("")
    for dataset in dict.fromkeys(row["dataset"] for row in rows):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        for row in (row for row in rows if row["dataset"] == dataset):
            outcome = verdict(row["low"], row["high"])
            interval = interval_cell(row["tau"], row["low"], row["high"])
            table.add_row(Text(row["against"]), interval, Text(outcome, style=_STYLE[outcome]))
    return table


def _further_cell(row: Mapping[str, Any], key: str) -> Text | str:
    if key not in row:
        return ""
    value = row[key]["deviation"] if key == "variation" else row[key]
    return value_cell(value, _FURTHER[key][1])


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    """The networks, accuracy and seeds behind rows, by dataset if these differ."""
    if not rows:
        return "no rows"
    seeds = f"initialisation seeds {', '.join(map(str, rows[0]['seeds']))}"
    samples = {
        row["dataset"]: f"{row['networks']} networks ({row['set']}), {row['accuracy']} accuracy"
        for row in rows
    }
    if len(set(samples.values())) == 1:
        return f"{next(iter(samples.values()))}, {seeds}"
    return "\n".join([f"{dataset}: {sample}" for dataset, sample in samples.items()] + [seeds])
