"""Random search: every network is as likely as another."""

import numpy as np

from eznas.search.base import MethodRow, Settings
from eznas.search.candidates import Candidates
from eznas.search.history import History


class RandomSearch:
    """Networks in random order."""

    def __init__(self, candidates: Candidates, settings: Settings) -> None:
        self._candidates = candidates

    def ask(self, history: History, count: int, generator: np.random.Generator) -> list[str]:
        """See `Method.ask`."""
        return self._candidates.draw(count, generator, history)


ROW = MethodRow("random", RandomSearch, "Li & Talwalkar, 2019", "networks in random order")
