"""The progress of a long command, shown on the error stream.

A terminal has a bar for the phase that goes on and, in a search for formulas, a panel above it;
both are gone in the end. Elsewhere a phase and a generation are a plain line each.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.panel import Panel
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
)
from rich.text import Text

from eznas.cli.app import err
from eznas.evolution.generation import Generation
from eznas.report.cells import bare, duration, shortened
from eznas.report.formulas import formula_lines

_PANEL = 76  # characters in a line of the panel, at most
_FORMULA = 3  # lines of it that a formula takes, at most


class LiveProgress:
    """A callback that shows phases and generations; `last`: the generation that a search ends with,
    0 or -1 where it is unknown; `console`: where, by default the error stream."""

    def __init__(self, last: int = 0, console: Console | None = None) -> None:
        self._last, self._console = last, console or err
        self._search: _Search | None = None
        self._bar = Progress(BarColumn(), MofNCompleteColumn(), _TimeLeft(), console=self._console)
        self._live: Live | None = None
        self._task: TaskID | None = None
        self._phase = _Phase()  # whose progress the bar shows
        self._evaluations = 0

    def phase(self, name: str, networks: int) -> Any:
        """Begin a phase: its title, then a progress bar over its networks."""
        self.close()
        self._console.print(name, style="bold", markup=False, highlight=False)
        self._phase = _Phase()
        return partial(self._advance, self._phase)

    def note(self, text: str) -> None:
        """Show a line."""
        self._print(f"eznas: {text}")

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """Show a generation: how good the best formula is and how many are evaluated in a second,
        how much time is left, and which networks could not be measured."""
        self._evaluations += report.evaluations
        rate = self._evaluations / max(seconds, 1e-9)
        self._search = _Search(report, self._last, rate, time.monotonic() + left)
        self._remove_bar()
        self._phase.since = time.monotonic()
        if self._console.is_terminal:
            self._show()
        else:
            self._print(self._search.line())

    def close(self) -> None:
        """Remove bar and panel; of the panel's last generation a line stays."""
        self._remove_bar()
        if self._live is not None:
            self._live.stop()
            self._live = None
            if self._search is not None:
                self._print(self._search.line())
        self._search = None

    def _advance(self, phase: "_Phase", done: int, total: int) -> None:
        if total < 2 or not done or not self._console.is_terminal:
            return
        if phase is not self._phase:  # it goes on after another phase within it
            self._remove_bar()
            self._phase = phase
        if self._task is not None and done < self._bar.tasks[0].completed:  # a new call
            self._remove_bar()
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._show()
        now = time.monotonic()
        left = (now - phase.since) * (total - done) / done
        self._bar.update(self._task, completed=done, end=now + left)
        if done == total:
            phase.since = now

    def _remove_bar(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def _show(self) -> None:
        content = self._bar if self._search is None else Group(self._search, self._bar)
        if self._live is None:
            self._live = Live(content, console=self._console, transient=True)
            self._live.start(refresh=True)
        else:
            self._live.update(content)

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class _Phase:
    """A phase; `since`: when what is going on in it began."""

    def __init__(self) -> None:
        self.since = time.monotonic()


class _Search:
    """How far a search is: a panel that counts the time down, or a line."""

    def __init__(self, report: Generation, last: int, rate: float, end: float) -> None:
        self._report, self._rate, self._end = report, rate, end
        self._number = f"generation {report.generation:{len(str(max(last, 0)))}}"
        if report.generation <= last:
            self._number += f"/{last}"

    def line(self) -> str:
        """The generation in a line."""
        return f"{self._number}: {', '.join(self._parts())}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(_PANEL, options.max_width)
        formula = formula_lines(self._report.best.formula, 1 << 20)[0]
        lines = [", ".join(self._parts()), shortened(formula, _FORMULA * (width - 8))]
        text = Text("\n".join(lines))
        yield Panel(text, title=self._number, title_align="left", width=width)

    def _parts(self) -> list[str]:
        report = self._report
        parts = [
            f"best {bare(report.best.fitness)}",
            f"median {bare(report.median)}",
            f"{report.networks} networks",
            f"{self._rate:.0f} formulas/s",
        ]
        if (left := self._end - time.monotonic()) > 0:
            parts.append(f"{duration(left)} left")
        if report.failed:
            reasons = ", ".join(f"{reason} ({n})" for reason, n in report.failed.items())
            parts.append(f"failed networks: {reasons}")
        return parts


class _TimeLeft(ProgressColumn):
    """The time left, known as soon as anything is done. A task has the field `end`: when it will
    be done, in seconds of `time.monotonic`."""

    def render(self, task: Task) -> Text:
        """The time left of a task, "" before anything is done."""
        if not task.completed:
            return Text("")
        left = duration(task.fields["end"] - time.monotonic())
        return Text(f"{left} left", style="progress.remaining")


@contextmanager
def live_progress(last: int = 0) -> Iterator[LiveProgress]:
    """A callback whose bar and panel are removed in the end; `last`: see `LiveProgress`. What is
    printed meanwhile goes to the error stream: standard output is for the result."""
    progress = LiveProgress(last)
    with redirect_stdout(sys.stderr):
        try:
            yield progress
        finally:
            progress.close()
