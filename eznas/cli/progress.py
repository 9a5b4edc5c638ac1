"""The progress of a long command, shown on the error stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from eznas.cli.app import err
from eznas.evolution.generation import Generation
from eznas.report.cells import bare
from eznas.report.formulas import formula_lines

_HEADED = 10  # generations between two headings
_HEADING = "networks   best  median  formulas/s  time left"


class LiveProgress:
    """A callback that shows phases and generations; `last`: the generation that a search ends with,
    0 or -1 where it is unknown."""

    def __init__(self, last: int = 0) -> None:
        self._last = last
        self._bar: Progress | None = None
        self._evaluations = 0
        self._generations = 0
        self._best = ""
        self._task: Any = None
        self._owner = object()  # the phase whose progress the bar shows

    def phase(self, name: str, networks: int) -> Any:
        """Begin a phase: its title, then a progress bar over the shards of its networks."""
        self.close()
        err.print(name, style="bold", markup=False, highlight=False)
        self._begin()
        self._owner = object()
        return partial(self._shards, self._owner)

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """Print a line about a generation, why formulas or networks failed, and its best formula
        where that is new."""
        self._evaluations += report.evaluations
        best = report.best
        self.close()
        number = f"generation {report.generation:{len(str(self._last))}}"
        if report.generation <= self._last:
            number += f"/{self._last}"
        if self._generations % _HEADED == 0:
            _print(f"{'':{len(number)}}  {_HEADING}")
        self._generations += 1
        rate = self._evaluations / max(seconds, 1e-9)
        _print(
            f"{number}  {report.networks:8}  {bare(best.fitness):>5}  {bare(report.median):>6}  "
            f"{rate:10.0f}  {duration(left):>9}"
        )
        failures = {"undefined formulas": report.reasons, "failed networks": report.failed}
        for what, reasons in failures.items():
            if reasons:
                counts = ", ".join(f"{reason} ({count})" for reason, count in reasons.items())
                _print(f"  {what}: {counts}", style="dim")
        if best.formula != self._best:
            for line in formula_lines(best.formula, err.width - 2):
                _print(f"  {line}", style="dim")
        self._best = best.formula
        self._begin()

    def close(self) -> None:
        """Remove the progress bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _begin(self) -> None:
        columns = (
            TextColumn("measuring"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=err, transient=True)
        self._task = None

    def _shards(self, phase: object, done: int, total: int) -> None:
        if self._bar is None or total < 2:
            return
        if phase is not self._owner:  # it goes on after another phase within it
            self.close()
            self._begin()
            self._owner = phase
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        if done == 1:
            self._bar.reset(self._task, total=total, start=False)
        self._bar.update(self._task, completed=done)


def duration(seconds: float) -> str:
    """A time for people: 25s, 3m 20s, 1h 5m."""
    whole = max(0, round(seconds))
    minutes, hours = whole // 60, whole // 3600
    if hours:
        return f"{hours}h {minutes % 60}m"
    return f"{minutes}m {whole % 60}s" if minutes else f"{whole}s"


def _print(text: str, style: str = "") -> None:
    err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def live_progress(last: int = 0) -> Iterator[LiveProgress]:
    """A callback whose progress bar is removed in the end; `last`: see `LiveProgress`."""
    progress = LiveProgress(last)
    try:
        yield progress
    finally:
        progress.close()
