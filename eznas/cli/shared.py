"""What the commands share: options, the live display, printing."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eznas.errors import InputError
from eznas.evolution.engine import Generation
from eznas.ground import SETS, AtMost
from eznas.report import plots
from eznas.system.files import plain
from eznas.system.machine import cores

app = typer.Typer(
    help="Discover zero-cost proxies: formulas that rank untrained networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SEEDS = 2**32 - 1  # the largest that every generator takes
out = Console()
err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default the cores.")]
ImagesPath = Annotated[
    str | None,
    typer.Option("--images", help="An .npz (images, labels) or a CIFAR-10/100 folder."),
]
Device = Annotated[str, typer.Option(help="Where networks run: cpu, cuda, ...")]
Datasets = Annotated[list[str] | None, typer.Option(help="A data set; may be repeated.")]
Networks = Annotated[str, typer.Option(help="How many networks: a number, up to a number, or all.")]
SetName = Annotated[str, typer.Option("--set", help="One of " + ", ".join(SETS) + ".")]
SpaceName = Annotated[str, typer.Option("--space", help="The search space.")]
Seed = Annotated[int, typer.Option(min=0, max=SEEDS, help="Seed of sample and initialisation.")]
Initialisations = Annotated[int, typer.Option(min=1, help="Averaged over so many.")]
Batch = Annotated[int | None, typer.Option(min=2, help="Images for sketches.")]
Plot = Annotated[Path | None, typer.Option(metavar="FILE.png", help="Draw it as well.")]
RecordsPath = Annotated[
    str | None,
    typer.Option(
        "--records", metavar="FOLDER", help="Look into these measured values, and add to them."
    ),
]


class Live:
    """Shows a run on the error stream while it goes on."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._evaluations = 0
        self._best = ""
        self._task: Any = None

    def phase(self, name: str, networks: int) -> Any:
        """Begin a phase with a progress bar over its shards."""
        self.close()
        err.print(f"[bold]{name}[/bold]: {networks} networks")
        self._begin()
        return self._shards

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """One line per generation."""
        self._evaluations += report.evaluations
        best = report.best
        self._end()
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
        """Take the progress bar away."""
        self._end()

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

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _counts(what: str, reasons: dict[str, int]) -> str:
    """How many, and why; "" for none."""
    told = ", ".join(f"{why} {count}" for why, count in reasons.items())
    return f"  {what} {sum(reasons.values())} ({told})" if reasons else ""


@contextmanager
def live() -> Iterator[Live]:
    live = Live()
    try:
        yield live
    finally:
        live.close()


def how(
    images: str | None, batch: int | None, device: str, workers: int | None, records: str | None
) -> dict[str, Any]:
    """How networks are measured, as the fields of `eznas.studies.experiments.StudySettings`."""
    return {
        "images": images,
        "sketch": batch or 0,
        "device": device,
        "workers": workers or cores(),
        "records": records,
    }


def emit(content: Any, as_json: bool, show: Any) -> None:
    if as_json:
        sys.stdout.write(json.dumps(plain(content), allow_nan=False) + "\n")
    else:
        show(content)


def drawable(plot: Path | None) -> None:
    """Before hours of measuring: `InputError` for a plot that could not be written."""
    if plot is not None:
        plots.check(plot)
        if not plot.parent.is_dir():
            raise InputError(f"{plot}: cannot write: no folder {plot.parent}")


def count(text: str) -> int | None:
    if text == "all":
        return None
    number = text.removeprefix("up to ")
    if not number.isdecimal():
        raise InputError(f"networks {text!r}: expected a number or all")
    return AtMost(number) if number != text else int(number)
