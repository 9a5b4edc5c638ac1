"""Where a search ends, and whether a run has come to its end."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eznas.evolution.engine import Engine
from eznas.evolution.generation import Generation


class TerminationConfig(BaseModel):
    """What ends a search before its last generation; None for no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_evals: int | None = Field(None, ge=1, description="End after so many formulas.")
    target: float | None = Field(None, ge=-1, le=1, description="End at this fitness.")
    patience: int | None = Field(
        None, ge=1, description="End after so many generations without progress."
    )


@dataclass(frozen=True)
class Termination:
    """Where a search ends: at the `last` generation, or before it by one of the limits (None: no
    limit): `seconds` of this process, `evaluations` of formulas and `target` of the fitness in
    all, `patience`, generations without progress. `configured`: whether these limits are those of
    the configuration."""

    last: int
    seconds: float | None = None
    evaluations: int | None = None
    target: float | None = None
    patience: int | None = None
    configured: bool = True

    def reached(self, engine: Engine, seconds: float) -> str:
        """The limit that a search has come to before its last generation, "" for none."""
        if engine.generation >= self.last:
            return ""
        best = engine.archive.ranked()[0].fitness
        limits = (
            ("time", self.seconds, seconds),
            ("evaluations", self.evaluations, engine.evaluations),
            ("target", self.target, best),
            ("patience", self.patience, engine.stale),
        )
        return next(
            (name for name, limit, value in limits if limit is not None and value >= limit), ""
        )

    def seconds_left(self, report: Generation, seconds: float, done: int) -> float:
        """The likely seconds left after a generation, the last of `done` in `seconds`."""
        left = seconds / done * (self.last - report.generation)
        return left if self.seconds is None else min(left, self.seconds - seconds)


def termination_of(
    generations: int, limits: TerminationConfig, seconds: float | None, last: int | None = None
) -> Termination:
    """That of a configuration; where another `last` generation is asked for, that one alone."""
    if last is not None:
        return Termination(last, seconds, configured=False)
    return Termination(generations, seconds, limits.max_evals, limits.target, limits.patience)
