"""The score of a part by its members: how a proxy ranks the architectures in it, on average."""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.spaces import Space
from eznas.supernets.parts import TRIES, Allowed, everything, inside, numbered, part, size

Floats = NDArray[np.float64]
Scores = Callable[[Sequence[str]], Floats]  # architectures -> float64 [networks]

LEAST = 8  # members of a part whose ranks are averaged, where it has as many


class MemberRanks:
    """The mean rank of the members of a part by a score, as a share of the space from 0, lowest,
    to 1: no supernet is needed, so that it works for every space.

    `score(architectures)`: float64 [networks], -inf where lowest and NaN where undefined (which
    counts as lowest). `reference`: ranks are those among these networks, all of the space or a
    sample; a part that has fewer than `LEAST` of a sample gets more, drawn inside with `seed`
    (None: it does not, as no others have a score).
    """

    def __init__(
        self, space: Space, score: Scores, reference: Sequence[str], seed: int | None = 0
    ) -> None:
        self._space, self._score, self._reference = space, score, tuple(reference)
        self._seed = seed
        self._parts: dict[Allowed, float] = {}

    def __call__(self, allowed: Allowed) -> float:
        """The mean rank of a part; -inf where it has no members. Raises `InputError` as the score
        does."""
        if allowed not in self._parts:
            self._parts[allowed] = self._mean_rank(allowed)
        return self._parts[allowed]

    def _mean_rank(self, allowed: Allowed) -> float:
        ranks = self._ranks[inside(self._choices, allowed)]
        if len(ranks) < LEAST and self._seed is not None and not self._is_complete:
            drawn = _drawn(part(self._space, allowed), self._seed)
            ranks = shares_below(_lowest(self._score(drawn)), self._sorted)
        return float(ranks.mean()) if len(ranks) else -np.inf

    @cached_property
    def _is_complete(self) -> bool:
        return size(self._space, everything(self._space)) == len(self._reference)

    @cached_property
    def _choices(self) -> NDArray[np.int64]:
        return numbered(self._space, self._reference)

    @cached_property
    def _scores(self) -> Floats:
        return _lowest(self._score(self._reference))

    @cached_property
    def _sorted(self) -> Floats:
        return np.sort(self._scores)

    @cached_property
    def _ranks(self) -> Floats:
        return shares_below(self._scores, self._sorted)


def _lowest(scores: Floats) -> Floats:
    return np.where(np.isnan(scores), -np.inf, scores)


def shares_below(scores: Floats, reference: Floats) -> Floats:
    """The share of ascending scores [reference] that are below each score, equal ones by half:
    float64 [networks]."""
    ends = [np.searchsorted(reference, scores, side=side) for side in ("left", "right")]
    return np.asarray((ends[0] + ends[1]) / (2 * len(reference)))


def _drawn(space: Space, seed: int) -> tuple[str, ...]:
    """`LEAST` architectures of a part, fewer where it has no more."""
    if space.combinations <= TRIES:
        members = space.architectures()
        order = np.random.default_rng(seed).permutation(len(members))
        return tuple(members[i] for i in order[:LEAST])
    try:
        return space.sample(LEAST, seed)
    except InputError:
        return ()
