"""Networks in the order of proxies' ranks: nothing is learnt from what was queried."""

from collections.abc import Sequence

import numpy as np

from eznas.metrics.normal import mid_ranks
from eznas.search.base import Floats, MethodRow, Scores, Settings
from eznas.search.candidates import Candidates
from eznas.search.history import History


def mean_ranks(scores: Floats) -> Floats:
    """The mean over proxies of each network's rank, float64 [networks], larger is better, from
    scores [networks, proxies].

    Equal scores share their mean rank; a score that is undefined (NaN) counts as the lowest.
    """
    defined = np.where(np.isnan(scores), -np.inf, scores)
    ranks: Floats = np.apply_along_axis(mid_ranks, 0, defined).mean(axis=1)
    return ranks


def best_first(architectures: Sequence[str], proxies: Sequence[str], scores: Scores) -> list[str]:
    """Architectures by the mean of their ranks by proxies, the highest first; of equal ones the
    earlier comes first."""
    if not architectures:
        return []
    order = np.argsort(-mean_ranks(scores(proxies, architectures)), kind="stable")
    return [architectures[i] for i in order]


class ProxyOrder:
    """A random pool of networks, the one that proxies rank highest first; then another pool."""

    def __init__(self, candidates: Candidates, settings: Settings) -> None:
        assert settings.scores is not None
        self._candidates, self._scores = candidates, settings.scores
        self._proxies, self._pool = settings.proxies, settings.pool

    def ask(self, history: History, count: int, generator: np.random.Generator) -> list[str]:
        """See `Method.ask`."""
        pool = self._candidates.draw(self._pool, generator, history)
        return best_first(pool, self._proxies, self._scores)[:count]


ROW = MethodRow(
    "proxies",
    ProxyOrder,
    "Abdelfattah et al., 2021",
    "a random pool of networks in the order of proxies' mean rank",
    ("proxies", "scores"),
)
