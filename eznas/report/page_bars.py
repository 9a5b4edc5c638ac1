"""Correlations with intervals for an HTML page: in groups of rows, each with a bar."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eznas.metrics import verdict
from eznas.report.cells import bare, interval_texts, sort_key
from eznas.report.run_tables import CHAMPION, WORDS

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """A row: its name, a number with its interval (None: undefined), a note (""); and a number that
    it is compared with (None: with none)."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str = ""
    before: float | None = None

    @property
    def text(self) -> str:
        """The number with its interval."""
        return interval_texts([(self.value, self.low, self.high)])[0]

    @property
    def is_champion(self) -> bool:
        """Whether the row is that of the champion."""
        return self.name == CHAMPION

    @property
    def numbers(self) -> list[float]:
        """All numbers of the row that are defined."""
        numbers = (self.value, self.low, self.high, self.before)
        return [number for number in numbers if number is not None]


@dataclass(frozen=True)
class Bars:
    """Rows under a title; an axis from `start` to `end`, which zero is on."""

    title: str
    rows: list[Bar]
    start: float
    end: float

    def at(self, number: float) -> float:
        """Where a number lies on the axis, from 0 to 100."""
        return round(100 * (number - self.start) / (self.end - self.start), 2)


def baseline_bars(result: Content) -> list[Bars]:
    """Tau of champion and baselines, a group for each data set, the highest first; the note says
    how far the champion is ahead. `result` as `eznas.Result` has it."""
    leads = {(row["against"], row["dataset"]): row for row in result["difference"]}

    def bar(row: Content) -> Bar:
        note = _lead(leads.get((row["proxy"], row["dataset"])))
        return Bar(row["proxy"], row["tau"], row["tau_low"], row["tau_high"], note)

    return grouped((row["dataset"], bar(row)) for row in _in_order(result, "tau"))


def size_bars(result: Content) -> list[Bars]:
    """Partial rho beside rho, a group for each data set, the highest rho first; without the proxies
    that network sizes explain whole. `result` as `eznas.Result` has it."""

    def bar(row: Content) -> Bar:
        low, high = row["partial_rho_low"], row["partial_rho_high"]
        note = f"rho {bare(row['rho'])}"
        return Bar(row["proxy"], row["partial_rho"], low, high, note, row["rho"])

    return grouped(
        (row["dataset"], bar(row))
        for row in _in_order(result, "rho")
        if row.get("partial_rho") is not None and row["rho"] is not None
    )


def part_bars(parts: Sequence[Content]) -> Bars:
    """Tau lost without each part; `parts` as `eznas.Explanation` has them."""
    [bars] = grouped(("", Bar(p["formula"], p["lost"], p["low"], p["high"])) for p in parts)
    return bars


def grouped(rows: Iterable[tuple[str, Bar]]) -> list[Bars]:
    """Rows in groups by title, on one axis."""
    groups: dict[str, list[Bar]] = {}
    for title, bar in rows:
        groups.setdefault(title, []).append(bar)
    numbers = [number for bars in groups.values() for bar in bars for number in bar.numbers]
    start, end = min([0.0, *numbers]), max([0.0, *numbers])
    end += (start == end) * 1.0
    return [Bars(title, bars, start, end) for title, bars in groups.items()]


def _in_order(result: Content, key: str) -> list[Content]:
    """The rows of a result, the highest first, with its data sets in their order."""
    datasets = list(dict.fromkeys(row["dataset"] for row in result["held_out"]))
    return sorted(
        result["held_out"], key=lambda row: (datasets.index(row["dataset"]), -sort_key(row[key]))
    )


def _lead(row: Content | None) -> str:
    """How far the champion is ahead of a baseline."""
    if row is None or row["tau"] is None:
        return ""
    [interval] = interval_texts([(row["tau"], row["low"], row["high"])], sign="+")
    return f"champion {WORDS[verdict(row['low'], row['high'])]} {interval}"
