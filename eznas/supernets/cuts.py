"""Cuts: the options of a position in two groups, the most different ones apart."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from eznas.supernets.parts import Allowed, restricted

Floats = NDArray[np.float64]
Groups = tuple[tuple[int, ...], ...]  # indices of options
PartScore = Callable[[Allowed], float]  # the score of a part, -inf where lowest

GROUPS = ("free", "balanced")


@dataclass(frozen=True)
class Cut:
    """A position, and its allowed options in two groups.

    `value`: the sum of the distances between options of different groups, divided by the number of
    pairs of options. `scores`: of the part in which each option is the only one at the position
    (None where lowest); `reference`: of the part that is cut, where distances are relative to it;
    where options are compared by gradients there are none of either.
    """

    position: int
    groups: Groups
    value: float
    scores: tuple[float | None, ...] = ()
    reference: float | None = None


class Comparison(Protocol):
    """How the options of a position are compared."""

    def __call__(self, allowed: Allowed, position: int) -> tuple[Floats, Cut]:
        """The distances [options, options] of the allowed options of a position, and a cut without
        groups that holds the scores behind them."""


@dataclass(frozen=True)
class ByScore:
    """Options are as far apart as the scores of the parts in which each is alone at its position.

    The lowest score, -inf, is taken as the lowest of the finite ones beside it. `reference`:
    divides distances by the size of the score of the part that is cut, as its sign would turn the
    order of options round (where that is 0 or lowest, by 1).
    """

    score: PartScore
    reference: bool = False

    def __call__(self, allowed: Allowed, position: int) -> tuple[Floats, Cut]:
        """See `Comparison`: [options, options]."""
        scores = [self.score(restricted(allowed, position, [o])) for o in allowed[position]]
        distances = _differences(scores)
        reference = None
        if self.reference:
            reference = finite(self.score(allowed))
            distances /= abs(reference or 1.0)
        return distances, Cut(position, (), 0.0, tuple(map(finite, scores)), reference)


@dataclass(frozen=True)
class ByGradient:
    """Options are 1 - cosine apart; `cosines(allowed, position)`: of the gradients of two options,
    [options, options]."""

    cosines: Callable[[Allowed, int], Sequence[Sequence[float]]]

    def __call__(self, allowed: Allowed, position: int) -> tuple[Floats, Cut]:
        """See `Comparison`: [options, options]."""
        distances = 1.0 - np.array(self.cosines(allowed, position))
        return distances, Cut(position, (), 0.0)


def best_cut(distances: Floats, balanced: bool) -> tuple[Groups, float]:
    """The two groups of indices with the largest sum of distances [options, options] between them,
    and that sum divided by the number of pairs of options.

    `balanced`: the sizes of groups differ by one at most. Of equally good cuts the most balanced
    one is taken, and of these the first.
    """
    options = len(distances)
    pairs = options * (options - 1) / 2
    best: tuple[Groups, float] = ((), -math.inf)
    for groups in two_groups(options, balanced):
        value = float(distances[np.ix_(*groups)].sum()) / pairs
        if value > best[1] * (1 + 1e-12):
            best = groups, value
    return best


def two_groups(options: int, balanced: bool) -> Iterator[Groups]:
    """All ways to share out indices of options in two groups, the most balanced first; that of
    option 0 is first in a way."""
    for size in sorted(range(1, options), key=lambda size: (abs(options - 2 * size), size)):
        if balanced and abs(options - 2 * size) > 1:
            return
        for others in itertools.combinations(range(1, options), size - 1):
            first = (0, *others)
            yield first, tuple(i for i in range(options) if i not in first)


def finite(score: float) -> float | None:
    """A score as a tree keeps it: None where it is lowest."""
    return score if math.isfinite(score) else None


def _differences(scores: Sequence[float]) -> Floats:
    known = [score for score in scores if math.isfinite(score)]
    values = np.array([s if math.isfinite(s) else min(known, default=0.0) for s in scores], float)
    return np.asarray(np.abs(values[:, None] - values))
