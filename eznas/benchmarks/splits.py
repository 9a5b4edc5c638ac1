"""Which networks a search may use, and which are held out to test its result.

The unit is a component: networks linked by a shared name (isomorphism class, live cell). So no
network is used in a search under one name and tests its result under another.
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
    """Component of each architecture, int64 [networks], numbered from 0 by first appearance.

    Architectures that share one of the space's `names` are in one component. Raises `InputError` if
    an architecture is not of the space.

    The names in NAS-Bench-201 are the official isomorphism class (Dong & Yang, ICLR 2020) and the
    live cell, up to exchanging nodes 1 and 2: 5,615 components in the whole space. (Without the
    exchange it would be 6,226, and 2,388 networks would have a twin in another component.)
    """
    return connected_components(*zip(*map(space.names, architectures), strict=True))


def connected_components(*namings: Iterable[Hashable]) -> Integers:
    """Connected components, int64 [networks], of networks that share a name in any naming.

    Each naming gives one name per network, and there is at least one naming. Components are
    numbered from 0 by first appearance.
    """
    groupings = [_numbered(names) for names in namings]
    labels, previous = groupings[0], None
    while previous is None or (labels != previous).any():
        previous = labels
        for groups in groupings:
            labels = _lowest_label(groups, labels)
    return _numbered(labels.tolist())


def _numbered(names: Iterable[Hashable]) -> Integers:
    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def _lowest_label(groups: Integers, labels: Integers) -> Integers:
    """The lowest label in the group of each network; all are int64 [networks]."""
    lowest = np.full(groups.max(initial=-1) + 1, len(labels))
    np.minimum.at(lowest, groups, labels)
    return lowest[groups]


@dataclass(frozen=True, eq=False)
class Split:
    """Networks that a search may use and networks held out from it: indices, int64, ascending."""

    search: Integers
    held_out: Integers


def split(components: Integers, seed: int = SPLIT_SEED) -> Split:
    """The split of networks by whole components, 40 % of the components held out.

    components: int64 [networks], numbered from 0. Every run uses the default seed, so that all
    results are tested on the same networks.
    """
    count = int(components.max(initial=-1)) + 1
    is_held_out = np.zeros(count, dtype=bool)
    is_held_out[_shuffled(count, seed)[: round(HELD_OUT_SHARE * count)]] = True
    return Split(
        search=np.flatnonzero(~is_held_out[components]),
        held_out=np.flatnonzero(is_held_out[components]),
    )


def sample(indices: Integers, count: int, seed: int) -> Integers:
    """`count` of the indices, int64 [count], in a random order that depends on the number of
    indices and the seed alone.

    A smaller sample is the beginning of a larger one. Raises `InputError` if `count` is negative or
    larger than the number of indices.
    """
    if not 0 <= count <= len(indices):
        raise InputError(f"cannot sample {count} networks; expected 0 to {len(indices)}")
    return indices[_shuffled(len(indices), seed)[:count]]


def _shuffled(count: int, seed: int) -> Integers:
    # Sorted uniform draws: unlike `permutation`, they do not depend on how numpy shuffles.
    return np.argsort(np.random.default_rng(seed).random(count), kind="stable")
