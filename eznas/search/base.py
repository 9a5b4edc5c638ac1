"""What a search method is: it proposes what to query next, given what was found out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from eznas.search.candidates import Candidates
from eznas.search.history import History

Floats = NDArray[np.float64]
# Proxies' scores, float64 [networks, proxies]: -inf is the lowest, NaN undefined.
Scores = Callable[[Sequence[str], Sequence[str]], Floats]


class Predictor(Protocol):
    """What guesses accuracies, as `eznas.predictors.base.Predictor` does, or any object of these
    methods that `sklearn.base.clone` can copy."""

    def fit(
        self, architectures: Sequence[str], accuracies: Floats, curves: Floats | None = None
    ) -> Any:
        """Learn from architectures and their accuracies [networks] on any scale."""

    def predict(self, architectures: Sequence[str], return_std: bool = False) -> Any:
        """Accuracies as it guesses them, float64 [networks], on that scale; with `return_std` a
        pair of these and their standard deviations."""


@dataclass(frozen=True)
class Settings:
    """The settings of all methods; each reads its own.

    `queries`: how many networks a search queries. `batch`: how many are queried between two fits of
    the predictor; `predictor`; `acquisition`: a name of `ACQUISITIONS`. `proxies`: by whose mean
    rank networks are queried; `warm_start`: the same for the first batch of a guided search;
    `scores`: measures them. `pool`: how many architectures are considered at a time.
    """

    queries: int = 150
    batch: int = 10
    pool: int = 200
    acquisition: str = "ucb"
    predictor: Predictor | None = None
    warm_start: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    scores: Scores | None = None


class Method(Protocol):
    """One search. What it draws, it draws from the generator that it is handed."""

    def ask(self, history: History, count: int, generator: np.random.Generator) -> list[str]:
        """Architectures to query next, at least one and `count` at most, the most important first;
        none where no candidate is left."""


@dataclass(frozen=True)
class MethodRow:
    """A row of the table of methods.

    `make(candidates, settings)` begins a search; `source`: who published it; `meaning`: what it
    does, in a line; `needs`: settings without which it cannot begin.
    """

    name: str
    make: Callable[[Candidates, Settings], Method]
    source: str
    meaning: str
    needs: tuple[str, ...] = ()
