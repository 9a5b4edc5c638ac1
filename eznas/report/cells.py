"""What all tables share: the empty table, names, and numbers as cells, undefined ones included."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

WIDTH = 80  # characters in a line of a terminal
UNDEFINED = "-"

Interval = tuple[float | None, float | None, float | None]  # a number, its low and high end


def new_table(title: str = "") -> Table:
    """An empty table; the title is shown as it is, without markup."""
    text = Text(title, style="table.title") if title else None
    return Table(title=text, title_justify="left")


def open_table(gap: int = 2) -> Table:
    """An empty table without lines between its columns, which are `gap` (1 or 2) blanks apart."""
    table = new_table()
    table.box, table.show_edge, table.pad_edge = SIMPLE, False, False
    table.padding, table.collapse_padding = (0, gap - 1), True
    return table


def wide_or_narrow(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], names: int, width: int
) -> Table | Text:
    """Rows of cells as a table; in a window narrower than `WIDTH` each row as lines instead: the
    first `names` cells (which are names) without headings, and the others below, with theirs."""
    if width < WIDTH:
        blocks = [title]
        for row in rows:
            cells = zip(headings[names:], row[names:], strict=True)
            numbers = ", ".join(f"{heading} {cell}".strip() for heading, cell in cells)
            blocks += [", ".join(row[:names]), f"  {numbers}"]
        return Text("\n".join(filter(None, blocks)))
    table = open_table(1)
    table.title, table.title_justify = Text(title, style="table.title") if title else None, "left"
    for number, heading in enumerate(headings):
        is_name = number < names
        table.add_column(
            Text(heading),
            justify="left" if is_name else "right",
            no_wrap=not is_name,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def sample_title(row: Mapping[str, Any], with_seeds: bool = True) -> str:
    """The networks, accuracy and seeds behind a row of correlations, as far as it has them."""
    networks = "" if row.get("set") in (None, "all") else f" ({row['set']})"
    seeds = list(row.get("seeds") or ()) if with_seeds else []
    parts = (
        f"{row['networks']} networks{networks}" if row.get("networks") else networks.strip(" ()"),
        f"{row['accuracy']} accuracy" if row.get("accuracy") else "",
        f"initialisation {seeds_text(seeds)}" if seeds else "",
    )
    return ", ".join(part for part in parts if part)


def seeds_text(seeds: Sequence[int]) -> str:
    """Seeds by their numbers, as in "seeds 0, 1"."""
    return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def shortened(text: str, width: int) -> str:
    """A text of at most `width` (3 or more) characters, cut in the middle."""
    if len(text) <= width:
        return text
    tail = (width - 1) // 2
    return f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"


def correlation_cell(value: float | None, digits: int = 3) -> Text:
    """A correlation; "-" for None, which is undefined."""
    return Text(UNDEFINED, style="dim") if value is None else Text(bare(value, digits=digits))


def interval_cell(value: float | None, low: float | None, high: float | None) -> Text:
    """A correlation with its interval; "-" if any of the three is None."""
    if value is None or low is None or high is None:
        return Text(UNDEFINED, style="dim")
    return Text(f"{bare(value)} [{bare(low)}, {bare(high)}]")


def bare(value: float, sign: str = "", digits: int = 3) -> str:
    """A correlation without the zero before its point: .717, -.034, 1.000."""
    text = format(value, f"{sign}.{digits}f")
    if float(text) == 0:
        text = text.replace("-", sign)
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def interval_texts(intervals: Sequence[Interval], sign: str = "") -> list[str]:
    """Correlations with their intervals as in ".717 [.509, .911]", aligned; "-" where undefined.
    One without an interval stands alone."""
    columns = [
        [UNDEFINED if value is None else bare(value, sign) for value in column]
        for column in zip(*intervals, strict=True)
    ]
    aligned = [[text.rjust(max(map(len, column))) for text in column] for column in columns]
    return [
        UNDEFINED if value is None else text if bound is None else f"{text} [{low}, {high}]"
        for (value, bound, _), text, low, high in zip(intervals, *aligned, strict=True)
    ]


def sort_key(value: float | None) -> float:
    """A number to sort by; None is below all others."""
    return -math.inf if value is None else value


def duration(seconds: float) -> str:
    """A time for people: 25s, 3m 20s, 1h 5m, 3d 4h."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes % 60}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"
