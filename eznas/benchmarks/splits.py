"""Which networks a run may see and which judge it.

The unit is a component: networks linked by a shared name (isomorphism class, live cell), so that
none takes part in a run under one name and judges it under another.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.spaces import Space

Integers = NDArray[np.int64]

SPLIT_SEED = 201
HELD_OUT_SHARE = 0.4


def components(space: Space, architectures: Sequence[str]) -> Integers:
    """Component of each architecture, int64 [networks], numbered from 0: linked are those that
    share one of the space's `names`.

    In NAS-Bench-201 these are the official isomorphism class (Dong & Yang, ICLR 2020) and the
    live cell, up to exchanging nodes 1 and 2: 5,615 components in the whole space. (Without the
    exchange it would be 6,226, and 2,388 networks would have a twin in another component.)
    """
    return linked(*zip(*map(space.names, architectures), strict=True))


def linked(*namings: Iterable[Hashable]) -> Integers:
    """Connected components, int64 [networks], of networks that share a name in any naming.

    Each naming gives one name per network. Components are numbered from 0 by first appearance.
    """
    groups = [_numbered(names) for names in namings]
    lowest, before = groups[0], None
    while before is None or (lowest != before).any():
        before = lowest
        for group in groups:
            lowest = _lowest_in(group, lowest)
    return _numbered(lowest.tolist())


def _numbered(names: Iterable[Hashable]) -> Integers:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _lowest_in(group: Integers, labels: Integers) -> Integers:
    """For each network the lowest label in its group."""
    lowest = np.full(group.max(initial=-1) + 1, len(labels))
    np.minimum.at(lowest, group, labels)
    return lowest[group]


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the networks that a search may use, and of those that judge it; ascending."""

    search: Integers
    held_out: Integers


def split(components: Integers, seed: int = SPLIT_SEED) -> Split:
    """Whole components, 40 % of them held out.

    The default seed is the same for every run, so that all are judged on the same networks.
    """
    count = int(components.max(initial=-1)) + 1
    held_out = np.zeros(count, dtype=bool)
    held_out[_shuffled(count, seed)[: round(HELD_OUT_SHARE * count)]] = True
    return Split(
        search=np.flatnonzero(~held_out[components]),
        held_out=np.flatnonzero(held_out[components]),
    )


def sample(indices: Integers, count: int, seed: int) -> Integers:
    """`count` of the networks, in a random order that depends on indices and seed alone.

    A smaller sample is the beginning of a larger one. `InputError` where there are too few.
    """
    if not 0 <= count <= len(indices):
        raise InputError(f"cannot sample {count} networks; expected 0 to {len(indices)}")
    return indices[_shuffled(len(indices), seed)[:count]]


def _shuffled(count: int, seed: int) -> Integers:
    # Sorted uniform draws: unlike `permutation`, they do not depend on how numpy shuffles.
    return np.argsort(np.random.default_rng(seed).random(count), kind="stable")
