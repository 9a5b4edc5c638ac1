"""The front of a run: formulas by size, and which of them to take."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from eznas.formulas.expression import rounded
from eznas.formulas.parser import parse
from eznas.report.cells import UNDEFINED, WIDTH, bare, interval_texts, open_table

_LEAST_FORMULA = 12  # characters of a formula in a table
_UNDEFINED = "undefined: networks on which the formula has no score; they do not count"
_SEARCHED = "searched: fitness on the networks that the search compared formulas on"


def formula_front_table(content: Mapping[str, Any], width: int = WIDTH) -> Group:
    """A row for each formula of a front, the smallest first, as much of each as `width` has room
    for; `content`: an `eznas.discovery.front.Front` as a dict."""
    rows: Sequence[Mapping[str, Any]] = content["rows"]
    intervals = interval_texts([(r["fitness"], r["low"], r["high"]) for r in rows])
    columns = {
        "": ["*" if row["recommended"] else "" for row in rows],
        "formula": [f"#{row['number']}" for row in rows],
        "nodes": [str(row["size"]) for row in rows],
        "fitness [95 %]": intervals,
    }
    if not _is_own(content):  # where it is the same
        columns["searched"] = [_bare(row["searched"]) for row in rows]
    if _undefined(rows):
        columns["undefined"] = [str(row.get("undefined", 0)) for row in rows]
    taken = sum(max(map(len, (heading, *texts))) + 2 for heading, texts in columns.items())
    table: Table = open_table()
    for heading in columns:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for index, row in enumerate(rows):
        formula = _start(row["formula"], max(width - taken, _LEAST_FORMULA))
        style = "bold" if row["recommended"] else ""
        cells = [*(texts[index] for texts in columns.values()), formula]
        table.add_row(*(Text(cell, style=style) for cell in cells))
    return Group(Text(f"front of {content['run']}", style="italic"), table)


def formula_front_lines(content: Mapping[str, Any]) -> list[str]:
    """What is to be read below the table: on which networks, which formula to take and why."""
    run, rows = content["run"], content["rows"]
    recommended = next(row for row in rows if row["recommended"])
    name = f"{run}#{recommended['number']}"
    champions = [f"#{row['number']}" for row in rows if row["champion"]]
    return [
        f"fitness: tau on {'; '.join(map(networks_text, content['sets']))}",
        *([] if _is_own(content) else [_SEARCHED]),
        *([_UNDEFINED] if _undefined(rows) else []),
        f"* recommended: {name}, the smallest formula within one standard error "
        f"({bare(content['error'])}) of the best"
        + (f"; champion: {champions[0]}" if champions else ""),
        f"next: `eznas show {name}` shows it whole, `eznas explain {name}` says what it computes",
    ]


def _undefined(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a formula has no score on some networks; fronts of earlier versions do not say."""
    return any(row.get("undefined") for row in rows)


def _is_own(content: Mapping[str, Any]) -> bool:
    """Whether a front is of a user's own models, all of which were searched on."""
    return all(of_space["accuracy"] == "given" for of_space in content["sets"])


def networks_text(of_space: Mapping[str, Any]) -> str:
    """The networks of one space that a front was measured on, as `Front.sets` says."""
    count, name, accuracy = of_space["networks"], of_space["set"], of_space["accuracy"]
    if accuracy == "given":
        return f"all {count} models, which the search used: expect less on others"
    return f"{count} networks of {of_space['space']} ({name}), {accuracy} accuracy"


def _bare(value: float | None) -> str:
    return UNDEFINED if value is None else bare(value)


def _start(formula: str, width: int) -> str:
    """The beginning of a formula, its constants rounded to 3 digits."""
    text = rounded(parse(formula), 3, 3).text.replace(" + -", " - ")
    return text if len(text) <= width else f"{text[: width - 1].rstrip()}…"
