"""Who is told how a long command gets on."""

from typing import Protocol

from eznas.evaluation.executors import Progress
from eznas.evolution.engine import Generation


class Callback(Protocol):
    """What is told about a run while it goes on."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """A phase begins that measures so many networks; what it returns is told of shards."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done: seconds since the search began, and seconds still to go."""


class NoCallback:
    """Tells nobody."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Callback.phase`."""
        return None

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Callback.generation`."""
