"""Ageing (regularised) evolution: the oldest of the population dies, not the worst.

Real, Aggarwal, Huang & Le: Regularized evolution for image classifier architecture search, 2019.
"""

import numpy as np

from eznas.search.base import MethodRow, Settings
from eznas.search.candidates import Candidates
from eznas.search.history import History

POPULATION, SAMPLE = 50, 10  # networks that live, and of which the best becomes a parent
SHARE = 1 / 6  # of the queries that the first population may take at most


class AgeingEvolution:
    """The last networks queried are the population: a new one replaces the oldest.

    The best of a random sample of the population becomes the parent of the next network, which
    differs from it in one choice and was not queried before.
    """

    def __init__(self, candidates: Candidates, settings: Settings) -> None:
        self._candidates = candidates
        self.population = max(2, min(POPULATION, int(SHARE * settings.queries)))

    def ask(self, history: History, count: int, generator: np.random.Generator) -> list[str]:
        """See `Method.ask`."""
        if len(history) < self.population:
            missing = min(count, self.population - len(history))
            return self._candidates.draw(missing, generator, history)
        child = self._candidates.mutant(self.parent(history, generator), generator, history)
        return [] if child is None else [child]

    def parent(self, history: History, generator: np.random.Generator) -> str:
        """The best of a sample of the population."""
        living = np.arange(len(history) - self.population, len(history))
        sample = generator.choice(living, min(SAMPLE, len(living)), replace=False)
        accuracies = history.accuracies[sample]
        return history.architectures[int(sample[accuracies.argmax()])]


ROW = MethodRow(
    "evolution",
    AgeingEvolution,
    "Real et al., 2019",
    "mutants of the best of a sample of the last networks queried; the oldest dies",
)
