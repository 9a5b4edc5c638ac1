"""Callbacks: what a run or a study calls as it makes progress."""

from typing import Protocol

from eznas.evaluation.executors import NoPhases, Phases
from eznas.evolution.generation import Generation


class Callback(Phases, Protocol):
    """What a run or a study calls as it makes progress; an exception ends it."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done, `seconds` after the search began; `left`: the likely seconds to its
        end."""


class NoCallback(NoPhases):
    """Does nothing."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
