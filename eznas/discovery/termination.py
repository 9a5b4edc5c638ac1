"""Where a search ends, and whether a run has come to its end."""

from dataclasses import dataclass

from eznas.discovery.checkpoint import Checkpoint
from eznas.discovery.config import Config
from eznas.discovery.folder import Outcome, RunFolder
from eznas.errors import InputError
from eznas.evolution.engine import Engine, Generation


@dataclass(frozen=True)
class Termination:
    """Where a search ends: the last generation, and what ends it before; None for no bound.

    `seconds` of this process, `evaluations` of formulas and `target` of the fitness in all,
    `patience`: generations without progress. `held`: whether these are the configuration's.
    """

    last: int
    seconds: float | None = None
    evaluations: int | None = None
    target: float | None = None
    patience: int | None = None
    held: bool = True

    def reached(self, engine: Engine, spent: float) -> str:
        """The bound that a search has come to before its last generation, "" for none."""
        if engine.generation >= self.last:
            return ""
        best = engine.archive.ranked()[0].fitness
        bounds = (
            ("time", self.seconds, spent),
            ("evaluations", self.evaluations, engine.evaluations),
            ("target", self.target, best),
            ("patience", self.patience, engine.stale),
        )
        return next((name for name, bound, at in bounds if bound is not None and at >= bound), "")

    def left(self, report: Generation, spent: float, done: int) -> float:
        """Seconds that are likely to be left after a generation, the last of `done` in `spent`."""
        left = spent / done * (self.last - report.generation)
        return left if self.seconds is None else min(left, self.seconds - spent)


def termination_of(
    config: Config,
    seconds: float | None,
    saved: Checkpoint | None = None,
    generations: int | None = None,
) -> Termination:
    """Those of the configuration; of a run that is to go to another generation, that one alone."""
    last, held = (saved.last, saved.held) if saved else (config.generations, True)
    if generations is not None:
        last, held = generations, False
    if not held:
        return Termination(last, seconds, held=False)
    return Termination(last, seconds, config.max_evals, config.target, config.patience)


def check_unfinished(folder: RunFolder, saved: Checkpoint | None, bounds: Termination) -> None:
    """`InputError` where there is nothing to go on with."""
    if saved is None or not (folder.path / "result.json").exists():
        return
    outcome, at = folder.read("result.json", Outcome), saved.search.generation
    whole = outcome.held_out and outcome.evaluations == saved.search.evaluations
    stopped = outcome.stopped in ("evaluations", "target", "patience")
    if whole and (at >= bounds.last or (stopped and bounds.held)):
        raise InputError(
            f"run {folder.path.name}: finished after generation {at}; "
            "`--generations N` with another N goes on"
        )
