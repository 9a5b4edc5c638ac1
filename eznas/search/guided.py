"""Predictor-guided evolution: a predictor, fitted to what was queried, chooses among mutants.

Wei, Niu, Tang, Wang, Hu & Liang: NPENAS, 2022; the acquisition functions are those of BANANAS
(White, Neiswanger & Savani, 2021).
"""

import numpy as np

from eznas.predictors.targets import NormalScores
from eznas.search.acquisition import ACQUISITIONS
from eznas.search.base import Floats, MethodRow, Settings
from eznas.search.candidates import Candidates
from eznas.search.history import History
from eznas.search.proxy_order import best_first

PARENTS = 10  # networks that are mutated: the best so far
MUTANTS = 0.5  # share of the pool; the others are random
TOP = 0.05  # share of a pool, ranked by proxies, that a warm start draws from


class Guided:
    """Fits the predictor to all queries, and queries those of a pool that are worth most.

    The pool is half mutants of the best networks so far and half random ones.
    """

    def __init__(self, candidates: Candidates, settings: Settings) -> None:
        self._candidates, self._settings = candidates, settings

    def ask(self, history: History, count: int, generator: np.random.Generator) -> list[str]:
        """See `Method.ask`."""
        wanted = min(count, self._settings.batch)
        if not len(history):
            return self._first(wanted, generator)
        pool = self.pool(history, generator)
        if not pool:
            return []
        order = np.argsort(-self._worth(history, pool, generator), kind="stable")
        return [pool[i] for i in order[:wanted]]

    def _first(self, count: int, generator: np.random.Generator) -> list[str]:
        """Random networks; with a warm start, of those that proxies rank highest."""
        settings = self._settings
        if not settings.warm_start:
            return self._candidates.draw(count, generator)
        assert settings.scores is not None
        pool = self._candidates.draw(max(settings.pool, count), generator)
        ranked = best_first(pool, settings.warm_start, settings.scores)
        top = ranked[: max(count, round(TOP * len(ranked)))]
        chosen = generator.choice(len(top), min(count, len(top)), replace=False)
        return [top[i] for i in chosen]

    def pool(self, history: History, generator: np.random.Generator) -> list[str]:
        """Different architectures that were not queried: mutants of the best in turn, then random
        ones."""
        mutants: dict[str, None] = {}
        taken = set(history)
        parents = history.best(PARENTS)
        for i in range(int(MUTANTS * self._settings.pool)):
            mutant = self._candidates.mutant(parents[i % len(parents)], generator, taken)
            if mutant is None:
                break
            mutants[mutant] = None
            taken.add(mutant)
        return [
            *mutants,
            *self._candidates.draw(self._settings.pool - len(mutants), generator, taken),
        ]

    def _worth(self, history: History, pool: list[str], generator: np.random.Generator) -> Floats:
        """What each network of the pool is worth trying, [pool]; -inf where nothing is known.

        The predictor learns normal scores of the accuracies: in percent, the deviations of guesses
        would be those towards the long low tail, and uncertain bad networks would be worth most.
        """
        from sklearn.base import clone  # slow to import

        targets = NormalScores.fit(history.accuracies).transform(history.accuracies)
        predictor = clone(self._settings.predictor)
        predictor.fit(history.architectures, targets)
        if self._settings.acquisition == "mean":  # which not every predictor has deviations for
            mean = predictor.predict(pool)
            std = np.zeros(len(mean))
        else:
            mean, std = predictor.predict(pool, return_std=True)
        acquire = ACQUISITIONS[self._settings.acquisition]
        worth = acquire(mean, std, float(targets.max()), generator)
        return np.where(np.isnan(worth), -np.inf, worth)


ROW = MethodRow(
    "guided",
    Guided,
    "Wei et al., 2022; White et al., 2021",
    "mutants of the best networks and random ones, chosen by a predictor",
    ("predictor",),
)
