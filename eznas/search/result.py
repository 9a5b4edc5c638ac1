"""What searches found: queries in order, the best so far, regret, and intervals over repeats."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.metrics.resampling import bootstrap_weights
from eznas.search.costs import Cost, Limits
from eznas.search.pareto import front
from eznas.system.arguments import checked

Floats = NDArray[np.float64]

REPLICATES = 2000  # of the bootstrap over repeats


@dataclass(frozen=True)
class Query:
    """A network that a search asked the accuracy of. `cost`: None where it was not measured."""

    architecture: str
    accuracy: float
    cost: Cost | None = None


@dataclass(frozen=True, eq=False)
class Curve:
    """The mean of curves over repeats with its 95 % interval, each float64 [queries]; the ends of
    the interval are NaN where there is one repeat only."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The repeats of a search by one method.

    `repeats`: the queries of each repeat in their order; `kind` of the accuracies: "validation",
    "test", "surrogate" or "given"; `queries`: how many each repeat could make; `limits` that hold
    for every network; `best_known`: the highest accuracy that any network within the limits has,
    None where that is not known; `within`: the part of the space that was searched (None: all).
    Costs are known for the first repeat, and with limits for all.
    """

    method: str
    space: str
    dataset: str
    kind: str
    seed: int
    queries: int
    repeats: tuple[tuple[Query, ...], ...]
    limits: Limits = field(default_factory=Limits)
    best_known: float | None = None
    within: str | None = None

    @property
    def best(self) -> Query:
        """The query of the highest accuracy; of equal ones the first of the first repeat."""
        return max((q for repeat in self.repeats for q in repeat), key=lambda q: q.accuracy)

    @property
    def best_so_far(self) -> Floats:
        """The highest accuracy after each query, float64 [repeats, queries]; a repeat that found no
        further network keeps its best."""
        curves = np.empty((len(self.repeats), self.queries))
        for curve, repeat in zip(curves, self.repeats, strict=True):
            accuracies = [query.accuracy for query in repeat]
            curve[: len(repeat)] = np.maximum.accumulate(accuracies)
            curve[len(repeat) :] = max(accuracies)
        return curves

    @property
    def regret(self) -> Floats | None:
        """How far the best so far is below the best known, float64 [repeats, queries]; None where
        that is not known."""
        return None if self.best_known is None else self.best_known - self.best_so_far

    def curve(self) -> Curve:
        """The mean of the best so far over repeats with its interval, see `Curve`: [queries]."""
        return mean_curve(self.best_so_far)

    def front(self) -> list[Query]:
        """The networks of known cost that no other has at least the accuracy of at no more
        parameters and FLOPs, the most accurate first."""
        known = {q.architecture: q for repeat in self.repeats for q in repeat if q.cost is not None}
        queries = list(known.values())
        if not queries:
            return []
        rows = [(q.accuracy, -q.cost.params, -q.cost.flops) for q in queries if q.cost is not None]
        return [queries[i] for i in front(np.array(rows, np.float64))]


def mean_curve(curves: Floats) -> Curve:
    """The mean over repeats of curves [repeats, queries], and its 95 % percentile interval when
    repeats are drawn again with replacement (Efron, 1979)."""
    mean = curves.mean(axis=0)
    repeats = len(curves)
    if repeats < 2:
        return Curve(mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan))
    weights = bootstrap_weights(np.arange(repeats), REPLICATES)
    low, high = np.quantile(weights @ curves / repeats, [0.025, 0.975], axis=0)
    return Curve(mean, low, high)


@checked
def compare(first: SearchResult, second: SearchResult) -> Curve:
    """The best so far of a search minus that of another, in pairs of repeats: see `Curve`, float64
    [queries]; methods differ where the interval excludes 0.

    Raises `InputError` unless both have the same space, data set, seed, queries, limits and number
    of repeats.
    """
    for name in ("space", "dataset", "kind", "seed", "queries", "limits"):
        one, other = getattr(first, name), getattr(second, name)
        if one != other:
            raise InputError(f"searches with {name} {one} and {other}: expected the same")
    if len(first.repeats) != len(second.repeats):
        counts = f"{len(first.repeats)} and {len(second.repeats)}"
        raise InputError(f"searches of {counts} repeats: expected as many")
    return mean_curve(first.best_so_far - second.best_so_far)
