"""Which networks a search may use, and which are held out to test its result.

The unit is a component: networks linked by a shared name (isomorphism class, live cell). So no
network is used in a search under one name and tests its result under another. The side of a
component does not depend on which other networks a table holds (see `parts`).
"""

import functools
import hashlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.spaces import Space

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

SPLIT_SEED = 201
HELD_OUT_SHARE = 0.4
HALVED = ("naap440",)  # spaces so small that half of their networks are held out


def parts(space: Space, architectures: Sequence[str]) -> tuple[Integers, Booleans]:
    """Component of each architecture, int64 [networks], numbered from 0 by first appearance, and
    whether it is held out, bool [networks].

    Which networks are together and which are held out is the same in every table of the space.
    Where the space can be listed, that is determined on the whole space: 40 % of its components are
    held out, of `HALVED` spaces half of the networks. Elsewhere a draw from a component's name
    alone says whether it is held out (of 40 % it is), and components are those of these
    architectures: they are the same in every table where a network has one name, as in all such
    spaces that come with eznas. Raises `InputError` if an architecture is not of the space.
    """
    if space.is_listable:
        index_of, of_whole, is_held_out = _whole(space)
        indices = [index_of[space.canonical(a)] for a in architectures]
        return connected_components(of_whole[indices].tolist()), is_held_out[indices]
    names = [space.names(a) for a in architectures]
    numbers = connected_components(*zip(*names, strict=True))
    first: dict[int, str] = {}  # component -> its first name
    for number, name in zip(numbers.tolist(), (min(map(repr, n)) for n in names), strict=True):
        first[number] = min(name, first.get(number, name))
    drawn = [_uniform(f"{space.name} {first[number]}") for number in numbers.tolist()]
    return numbers, np.array(drawn) < HELD_OUT_SHARE


@functools.cache
def _whole(space: Space) -> tuple[Mapping[str, int], Integers, Booleans]:
    """Of a space that can be listed: architecture -> its index, and the `parts` of all."""
    architectures = space.architectures()
    numbers = components(space, architectures)
    is_held_out = np.zeros(len(architectures), dtype=bool)
    held_out = _half(numbers) if space.name in HALVED else split(numbers).held_out
    is_held_out[held_out] = True
    return {a: i for i, a in enumerate(architectures)}, numbers, is_held_out


def _half(components: Integers) -> Integers:
    """The indices of half of the networks, int64 [networks // 2]: whole components in random order,
    but for those with more networks than are still missing."""
    sizes = np.bincount(components)
    chosen, missing = list[int](), len(components) // 2
    for component in _shuffled(len(sizes), SPLIT_SEED).tolist():
        if sizes[component] <= missing:
            chosen.append(component)
            missing -= int(sizes[component])
    return np.flatnonzero(np.isin(components, chosen))


def _uniform(text: str) -> float:
    """A number in [0, 1) drawn from a text: always the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


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

    components: int64 [networks], numbered from 0. Everything uses the default seed, so that all
    results are tested on the same networks; `Benchmark.split` is the split of those of a table.
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
    return _first(indices[_shuffled(len(indices), seed)], count)


def across_components(indices: Integers, components: Integers, count: int, seed: int) -> Integers:
    """`count` of the indices, int64 [count], in a random order that goes round the components:
    first a network of each, then a second one of those that have more.

    `components`: of all networks, int64; the order depends on the seed, the number of indices and
    their components. A smaller sample is the beginning of a larger one. Raises `InputError` if
    `count` is negative or larger than the number of indices.
    """
    shuffled = sample(indices, len(indices), seed)
    by_component = np.argsort(components[shuffled], kind="stable")
    _, starts, sizes = np.unique(
        components[shuffled][by_component], return_index=True, return_counts=True
    )
    rounds = np.empty(len(shuffled), dtype=np.int64)
    rounds[by_component] = np.arange(len(shuffled)) - np.repeat(starts, sizes)
    return _first(shuffled[np.argsort(rounds, kind="stable")], count)


def _first(indices: Integers, count: int) -> Integers:
    if not 0 <= count <= len(indices):
        raise InputError(f"cannot sample {count} networks; expected 0 to {len(indices)}")
    return indices[:count]


def _shuffled(count: int, seed: int) -> Integers:
    # Sorted uniform draws: unlike `permutation`, they do not depend on how numpy shuffles.
    return np.argsort(np.random.default_rng(seed).random(count), kind="stable")
