"""When a search ends: after its last generation, or by one of its limits."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eznas.evolution.engine import Engine
from eznas.evolution.generation import Generation


class TerminationConfig(BaseModel):
    """What ends a search before its last generation; None means no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_evals: int | None = Field(None, ge=1, description="End after so many formulas.")
    target: float | None = Field(None, ge=-1, le=1, description="End at this fitness.")
    patience: int | None = Field(
        None, ge=1, description="End after so many generations without progress."
    )


@dataclass(frozen=True)
class Termination:
    """When a search ends: after its `last` generation, or before it by a limit (None: no limit).

    `seconds` since this process began to search; `evaluations`: formulas evaluated in all;
    `target`: fitness of the best formula; `patience`: generations without progress. `configured`:
    whether last generation and limits are those of the configuration.
    """

    last: int
    seconds: float | None = None
    evaluations: int | None = None
    target: float | None = None
    patience: int | None = None
    configured: bool = True

    def reached(self, engine: Engine, seconds: float) -> str:
        """The name of the limit that a search has reached before its last generation, "" for
        none."""
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
        """The likely seconds to the end of the search, after `done` generations in `seconds`."""
        remaining = seconds / done * (self.last - report.generation)
        return remaining if self.seconds is None else min(remaining, self.seconds - seconds)


def termination_of(
    generations: int, limits: TerminationConfig, seconds: float | None, last: int | None = None
) -> Termination:
    """The termination of a configuration; with another `last` generation, that and the seconds are
    the only limits."""
    if last is not None:
        return Termination(last, seconds, configured=False)
    return Termination(generations, seconds, limits.max_evals, limits.target, limits.patience)
