"""What all tables share: the empty table, and numbers as cells, undefined ones included."""

import math

from rich.table import Table
from rich.text import Text


def new_table(title: str = "") -> Table:
    """An empty table; the title is shown as it is, without markup."""
    text = Text(title, style="table.title") if title else None
    return Table(title=text, title_justify="left")


def value_cell(value: float | None, form: str) -> Text:
    """A number in a format such as "+.3f"; None is undefined."""
    return Text("undef.", style="dim") if value is None else Text(format(value, form))


def interval_cell(value: float | None, low: float | None, high: float | None) -> Text:
    """A number with its interval; undefined if any of the three is None."""
    if value is None or low is None or high is None:
        return Text("undefined", style="dim")
    return Text(f"{value:+.3f} [{low:+.3f}, {high:+.3f}]")


def sort_key(value: float | None) -> float:
    """A number to sort by; None is below all others."""
    return -math.inf if value is None else value
