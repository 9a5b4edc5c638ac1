"""Tables for a terminal: rows in, rich tables out; nothing here prints."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.metrics import Difference, Row, verdict

_STYLE = {"won": "bold blue", "lost": "bold red", "even": "dim"}


def correlation_table(rows: Sequence[Row]) -> Table:
    """Per data set the proxies' tau and rho with 95 % intervals, the highest tau first."""
    table = Table(title=_title(rows), title_justify="left")
    table.add_column("proxy", overflow="fold", max_width=30)
    table.add_column("tau [95 %]", justify="right", no_wrap=True)
    table.add_column("rho [95 %]", justify="right", no_wrap=True)
    for dataset in dict.fromkeys(r["dataset"] for r in rows):
        own = [r for r in rows if r["dataset"] == dataset]
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        for row in sorted(
            own, key=lambda r: -math.inf if r["tau"] is None else r["tau"], reverse=True
        ):
            tau = _interval(row["tau"], row["tau_low"], row["tau_high"])
            rho = _interval(row["rho"], row["rho_low"], row["rho_high"])
            table.add_row(Text(row["proxy"]), tau, rho)
    return table


def difference_table(proxy: str, rows: Sequence[Difference]) -> Table:
    """Paired differences of tau with 95 % intervals; ahead only where they exclude zero."""
    table = Table(title=f"tau of {proxy} minus tau of another, paired", title_justify="left")
    table.add_column("against")
    table.add_column("difference [95 %]", justify="right", no_wrap=True)
    table.add_column("")
    for dataset in dict.fromkeys(r["dataset"] for r in rows):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        for row in (r for r in rows if r["dataset"] == dataset):
            outcome = verdict(row["low"], row["high"])
            interval = _interval(row["tau"], row["low"], row["high"])
            table.add_row(Text(row["against"]), interval, Text(outcome, style=_STYLE[outcome]))
    return table


def score_table(scores: Sequence[Mapping[str, Any]]) -> Table:
    """Models by score, highest first."""
    table = Table()
    for name, justify in (("rank", "right"), ("model", "left"), ("proxy", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in ("score", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("reason")
    for rank, row in enumerate(scores, 1):
        value = "" if row["score"] is None else f"{row['score']:.6g}"
        cells = (str(rank), row["model"], row["proxy"], value, f"{row['seconds']:.2f}")
        table.add_row(*map(Text, cells), Text(row["reason"]))
    return table


def proxy_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """Named proxies: name, formula, source."""
    table = Table(show_lines=True)
    for column in ("proxy", "formula", "source"):
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(Text(row["proxy"]), Text(row["formula"]), Text(row["source"]))
    return table


def _title(rows: Sequence[Row]) -> str:
    if not rows:
        return "no rows"
    row = rows[0]
    seeds = ", ".join(map(str, row["seeds"]))
    what = f"{row['networks']} networks ({row['set']}), {row['accuracy']} accuracy"
    return f"{what}, initialisation seeds {seeds}"


def _interval(value: float | None, low: float | None, high: float | None) -> Text:
    if value is None or low is None or high is None:
        return Text("undefined", style="dim")
    return Text(f"{value:+.3f} [{low:+.3f}, {high:+.3f}]")
