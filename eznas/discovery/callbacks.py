"""Callbacks: what is called as a long command gets on."""

from typing import Protocol

from eznas.evaluation.executors import Progress
from eznas.evolution.generation import Generation


class Callback(Protocol):
    """What is called while a run or a study goes on."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """A phase begins that measures so many networks; what it returns is called as shards are
        done, with their number and the number of all."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done: seconds since the search began, and seconds still to go."""


class NoCallback:
    """Does nothing."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Callback.phase`."""
        return None

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
