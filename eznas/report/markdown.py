"""Pieces of Markdown: tables whose columns are headings and cells of a row, and fenced blocks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]  # heading, and the cell of a row
UNDEFINED = "-"


def table(columns: Sequence[Column], rows: Sequence[Row]) -> str:
    """A table of rows; `columns` are headings with the function that makes a row's cell."""
    lines = [" | ".join(heading for heading, _ in columns), " | ".join("---" for _ in columns)]
    lines += [" | ".join(cell(row) for _, cell in columns) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def code(key: str) -> Callable[[Row], str]:
    """A column's cells: the value of a key, as code."""
    return lambda row: "`" + str(row[key]).replace("|", "\\|") + "`"


def text(key: str) -> Callable[[Row], str]:
    """A column's cells: the value of a key."""
    return lambda row: str(row[key])


def number(key: str, form: str) -> Callable[[Row], str]:
    """A column's cells: the number of a key in a format such as "+.3f"."""
    return lambda row: formatted(row.get(key), form)


def interval(key: str, low: str = "", high: str = "") -> Callable[[Row], str]:
    """A column's cells: a number and the interval from `low` to `high`, by default the keys
    KEY_low and KEY_high."""

    def cell(row: Row) -> str:
        ends = [row[low or f"{key}_low"], row[high or f"{key}_high"]]
        if row[key] is None or None in ends:
            return UNDEFINED
        return f"{row[key]:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]"

    return cell


def formatted(value: float | None, form: str) -> str:
    """A number in a format; a dash for None."""
    return UNDEFINED if value is None else format(value, form)


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"
