"""Callbacks: what a run or a study calls as it makes progress."""

from typing import Protocol

from eznas.evaluation.executors import Progress
from eznas.evolution.generation import Generation


class Callback(Protocol):
    """What a run or a study calls as it makes progress; an exception ends it."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """A phase begins that measures so many networks; its name says so to people. The function
        it returns, if any, is called after every shard with the number of shards done and of
        all."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done, `seconds` after the search began; `left`: the likely seconds to its
        end."""


class NoCallback:
    """Does nothing."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Callback.phase`."""
        return None

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
