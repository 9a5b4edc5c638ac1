"""Tables of a search: the best accuracy so far against queries, and the front against cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report.cells import UNDEFINED, new_table

_SHOWN = (1, 2, 5, 10, 25, 50, 75, 100, 150, 200, 300, 500, 750, 1000)  # numbers of queries
_SIZES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def search_table(content: Mapping[str, Any]) -> Table:
    """The best accuracy so far after some numbers of queries, the last included.

    `content`: as `eznas.search.as_json.described` returns it.
    """
    table = new_table()
    several = content["repeats"] > 1
    headings = ["queries", "best so far", *(["[95 %]"] if several else []), "regret"]
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in shown_rows(content):
        interval = [f"[{row['low']:.2f}, {row['high']:.2f}]"] if several else []
        regret = UNDEFINED if row["regret"] is None else f"{row['regret']:.2f}"
        table.add_row(str(row["queries"]), f"{row['mean']:.2f}", *interval, regret)
    return table


def shown_rows(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of a search's table: queries, mean, low, high and regret (None where not known);
    `content` as in `search_table`."""
    curve = content["curve"]
    return [
        {key: None if values is None else values[query - 1] for key, values in curve.items()}
        for query in _shown(len(curve["queries"]))
    ]


def front_table(content: Mapping[str, Any]) -> Table:
    """Networks that no other has the accuracy of at no more parameters and FLOPs; `content` as in
    `search_table`."""
    rows: Sequence[Mapping[str, Any]] = content["front"]
    table = new_table(f"front of accuracy against cost{_first(content)}")
    timed = any(row["seconds"] is not None for row in rows)
    for heading in ("accuracy", "params", "FLOPs", *(["ms"] if timed else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for row in rows:
        cells = [f"{row['accuracy']:.2f}", count(row["params"]), count(row["flops"])]
        cells += [f"{1000 * row['seconds']:.2f}"] if timed else []
        table.add_row(*cells, Text(row["architecture"]))
    return table


def comparison_table(content: Mapping[str, Any]) -> Table:
    """The best so far of several searches after some numbers of queries, and how far each is ahead
    of the first; `content`: as `eznas.studies.search_comparison.compare_saved` returns it."""
    table = new_table()
    table.add_column("queries", justify="right", no_wrap=True)
    table.add_column("search", overflow="fold")
    table.add_column("best so far", justify="right", no_wrap=True)
    table.add_column("ahead of the first", justify="right", no_wrap=True)
    for row in content["rows"]:
        is_first = row["search"] == content["first"]
        if is_first and table.row_count:
            table.add_section()
        queries = str(row["queries"]) if is_first else ""
        table.add_row(queries, Text(row["search"]), best_so_far(row), ahead(row))
    return table


def best_so_far(row: Mapping[str, Any]) -> str:
    """The best so far in a row of a comparison, with its interval over repeats."""
    return _with_interval(row, ("mean", "low", "high"), "")


def ahead(row: Mapping[str, Any]) -> str:
    """How far a search is ahead of the first in a row of a comparison, with the interval; nothing
    for the first itself."""
    keys = ("difference", "difference_low", "difference_high")
    return _with_interval(row, keys, "+") if "difference" in row else ""


def _with_interval(row: Mapping[str, Any], keys: Sequence[str], sign: str) -> str:
    rounded = (row[key] if row[key] is None else round(row[key], 2) + 0.0 for key in keys)  # no -0
    value, low, high = rounded
    if low is None:  # of a single repeat
        return f"{value:{sign}.2f}"
    return f"{value:{sign}.2f} [{low:{sign}.2f}, {high:{sign}.2f}]"


def comparison_title(content: Mapping[str, Any]) -> str:
    """What is compared, in a line; `content` as in `comparison_table`."""
    repeats = content["repeats"]
    mean = f"mean of {repeats} repeats [95 %]" if repeats > 1 else "1 repeat"
    where = f"{content['space']}/{content['dataset']}"
    return f"best {content['accuracy']} accuracy, {where}, {mean}"


def search_title(content: Mapping[str, Any]) -> str:
    """What was searched, in a line; `content` as in `search_table`."""
    repeats = content["repeats"]
    mean = f", {repeats} repeats" if repeats > 1 else ""
    where = f"{content['space']}/{content['dataset']}"
    if content.get("within"):
        where += f" within {content['within']}"
    return f"{content['method']} search, {where}, {content['accuracy']} accuracy{mean}"


def best_line(content: Mapping[str, Any], mark: str = "") -> str:
    """The most accurate network in a line, `mark` before and behind its architecture; `content` as
    in `search_table`."""
    best = content["best"]
    return f"best: {best['accuracy']:.2f}  {mark}{best['architecture']}{mark}"


def count(number: float) -> str:
    """A large number in three digits: 812, 73.2k, 1.07M, 153M, 2.1G."""
    rounded = float(f"{number:.3g}")
    size, letter = next((s for s in _SIZES if rounded >= s[0]), (1.0, ""))
    return f"{rounded / size:g}{letter}"


def _shown(queries: int) -> list[int]:
    return [*(n for n in _SHOWN if n < queries), queries]


def _first(content: Mapping[str, Any]) -> str:
    """Which repeat's networks the front is of, where there are several and no limits."""
    limited = any(limit is not None for limit in content["limits"].values())
    return ", first repeat" if content["repeats"] > 1 and not limited else ""
