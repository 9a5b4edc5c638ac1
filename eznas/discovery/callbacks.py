"""Callbacks: what a run or a study calls as it makes progress."""

from pathlib import Path
from typing import Any, Protocol

from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases, Progress
from eznas.evolution.generation import Generation
from eznas.system.folder import make_folder


class Callback(Phases, Protocol):
    """What a run or a study calls as it makes progress; an exception ends it. A class that inherits
    from it has the methods that it needs alone: these do nothing."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done, `seconds` after the search began; `left`: the likely seconds to its
        end."""


class NoCallback(NoPhases):
    """Does nothing."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""


class CallbackList:
    """Calls several callbacks, in their order."""

    def __init__(self, *callbacks: Callback) -> None:
        self._callbacks = callbacks

    def phase(self, name: str, networks: int) -> Progress:
        """See `Callback.phase`."""
        several = [callback.phase(name, networks) for callback in self._callbacks]

        def progress(done: int, total: int) -> None:
            for each in filter(None, several):
                each(done, total)

        return progress

    def note(self, text: str) -> None:
        """See `Phases.note`."""
        for callback in self._callbacks:
            callback.note(text)

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
        for callback in self._callbacks:
            callback.generation(report, seconds, left)


class TensorBoard(NoCallback):
    """Writes how a search goes on into a folder that TensorBoard shows: a point a generation, and
    the best formula where it is new. Close it in the end.

    `InputError` where the package tensorboardX is not installed, and for a folder that cannot be
    written.
    """

    def __init__(self, folder: str) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            advice = "expected the package tensorboardX: `pip install 'eznas[tensorboard]'`"
            raise InputError(f"tensorboard: {advice}") from None
        make_folder(Path(folder))
        try:
            self._writer: Any = SummaryWriter(folder)
        except OSError as error:
            raise InputError(f"tensorboard {folder}: cannot write: {error.strerror}") from None
        self._formula = ""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
        best, step = report.best, report.generation
        numbers = {
            "fitness/best": best.fitness,
            "fitness/median": report.median,
            "best_formula/nodes": best.size,
            "new_formulas/defined": report.valid,
            "new_formulas/evaluated": report.evaluations,
            "search/networks": report.networks,
            "search/seconds": seconds,
        }
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, step)
        if best.formula != self._formula:
            self._writer.add_text("best_formula", f"`{best.formula}`", step)
        self._formula = best.formula
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
