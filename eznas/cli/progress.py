"""The progress of a long command, shown on the error stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eznas.cli.app import err
from eznas.evolution.generation import Generation


class LiveProgress:
    """A callback that shows phases and generations."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._evaluations = 0
        self._best = ""
        self._task: Any = None

    def phase(self, name: str, networks: int) -> Any:
        """Begin a phase: its title, then a progress bar over the shards of its networks."""
        self.close()
        err.print(f"[bold]{name}[/bold]: {networks} networks")
        self._begin()
        return self._shards

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """Print a line about a generation, and its best formula where that is new."""
        self._evaluations += report.evaluations
        best = report.best
        self.close()
        err.print(
            f"generation {report.generation:3}  networks {report.networks:4}  "
            f"best {best.fitness:+.4f}  median {report.median:+.4f}  valid {report.valid:4.0%}  "
            f"{self._evaluations / max(seconds, 1e-9):6.0f} formulas/s  left {left:4.0f} s  "
            f"disconnected {report.disconnected}{_counts('undefined', report.reasons)}"
            f"{_counts('failed', report.failed)}",
            highlight=False,
        )
        if best.formula != self._best:
            err.print(f"  {best.formula}", style="dim", markup=False, highlight=False)
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
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=err, transient=True)
        self._task = None

    def _shards(self, done: int, total: int) -> None:
        if self._bar is None or total < 2:
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        if done == 1:
            self._bar.reset(self._task, total=total, start=False)
        self._bar.update(self._task, completed=done)


def _counts(what: str, reasons: dict[str, int]) -> str:
    """How many formulas or networks failed, and why; "" for none."""
    counts = ", ".join(f"{reason} {count}" for reason, count in reasons.items())
    return f"  {what} {sum(reasons.values())} ({counts})" if reasons else ""


@contextmanager
def live_progress() -> Iterator[LiveProgress]:
    """A callback whose progress bar is removed in the end."""
    progress = LiveProgress()
    try:
        yield progress
    finally:
        progress.close()
