"""Parts of a search space: fewer options for some of its choices. A part is a space itself.

A part is given by the options that it allows at each position, as indices into `Space.positions`.
An architecture belongs to it if its choices, as `Space.choices` gives them, are all allowed. Since
every architecture has one option at a position, parts that share out the options of a position
among them share out the architectures too: each is in exactly one of them.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from eznas.errors import InputError
from eznas.spaces import Space
from eznas.spaces.base import LISTED, shortened

Allowed = tuple[tuple[int, ...], ...]  # the indices of the options that each position may take
TRIES = 10_000  # where few draws are spelled by allowed options: one of 700 in NAS-Bench-101
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


def everything(space: Space) -> Allowed:
    """All options of every position."""
    return tuple(tuple(range(len(options))) for options in space.positions)


def checked(space: Space, allowed: Sequence[Sequence[int]]) -> Allowed:
    """The allowed options in ascending order.

    Raises `InputError` where they are not those of the space: another number of positions, a
    position without an option, an index that is none.
    """
    if len(allowed) != len(space.positions):
        expected = f"expected options of {len(space.positions)} positions, got {len(allowed)}"
        raise InputError(f"part of {space.name}: {expected}")
    for position, (indices, options) in enumerate(zip(allowed, space.positions, strict=True)):
        if not indices or not set(indices) <= set(range(len(options))):
            expected = f"expected one or more of 0 to {len(options) - 1}, got {list(indices)}"
            raise InputError(f"part of {space.name}, position {position}: {expected}")
    return tuple(tuple(sorted(set(indices))) for indices in allowed)


def check_shared_out(space: Space, parts: Sequence[Allowed]) -> None:
    """`InputError` where an architecture of a space is in none of some parts, or in several, and as
    `checked` raises it."""
    for allowed in parts:
        checked(space, allowed)
    overlapping = any(
        all(set(a) & set(b) for a, b in zip(first, second, strict=True))
        for first, second in itertools.combinations(parts, 2)
    )
    combinations = sum(math.prod(map(len, allowed)) for allowed in parts)
    if overlapping or combinations != space.combinations:
        raise InputError(f"parts of {space.name}: expected every choice of options in one of them")


def part(space: Space, allowed: Sequence[Sequence[int]]) -> Space:
    """The part of a space with the allowed options: a space that samples, lists, encodes and
    changes its own architectures only, and refuses all others.

    It keeps the name of the space, under which its networks are measured and looked up. A live cell
    may be outside. Raises `InputError` as `checked` does.
    """
    checked_options = checked(space, allowed)
    positions = tuple(
        tuple(options[i] for i in indices)
        for options, indices in zip(space.positions, checked_options, strict=True)
    )
    limits = _Limits(space, positions)
    return replace(
        space,
        positions=positions,
        choices=limits.choices,
        text=limits.text,
        build=limits.build,
        tries=TRIES,
    )


@dataclass(frozen=True)
class _Limits:
    """The functions of a part: those of the whole space, which refuse what is outside."""

    whole: Space
    positions: tuple[tuple[str, ...], ...]

    def choices(self, architecture: str) -> tuple[str, ...]:
        chosen = self.whole.choices(architecture)
        for position, (choice, options) in enumerate(zip(chosen, self.positions, strict=True)):
            if choice not in options:
                problem = f"has {choice!r} at position {position}, expected one of "
                raise InputError(
                    f"{self.whole.name} architecture {shortened(architecture.strip())!r}: outside "
                    f"the part: {problem}{', '.join(map(repr, options))}"
                )
        return chosen

    def text(self, choices: Sequence[str]) -> str:
        architecture = self.whole.text(choices)
        self.choices(architecture)  # whose spelling may have other choices than these
        return architecture

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        self.choices(architecture)
        return self.whole.build(architecture, classes)


def size(space: Space, allowed: Allowed) -> int | None:
    """The number of architectures of a part; None where its combinations of options are too many to
    try."""
    if math.prod(map(len, allowed)) > LISTED:
        return None
    if not space.is_listable:
        return len(part(space, allowed).architectures())
    architectures = space.architectures()
    if len(architectures) == space.combinations:
        return math.prod(map(len, allowed))
    return int(inside(numbered(space, architectures), allowed).sum())


def numbered(space: Space, architectures: Sequence[str]) -> Integers:
    """The indices of the options that architectures choose: int64 [networks, positions]. Raises
    `InputError` for a text that is no architecture of the space."""
    index_of = [{option: i for i, option in enumerate(options)} for options in space.positions]
    rows = [
        [indices[choice] for indices, choice in zip(index_of, space.choices(a), strict=True)]
        for a in architectures
    ]
    return np.array(rows, np.int64).reshape(len(rows), len(index_of))


def inside(choices: Integers, allowed: Allowed) -> Booleans:
    """Which networks are in a part, bool [networks]; `choices`: as `numbered` gives them."""
    columns = [np.isin(choices[:, i], indices) for i, indices in enumerate(allowed)]
    return np.asarray(np.logical_and.reduce(columns))


def restricted(allowed: Allowed, position: int, options: Sequence[int]) -> Allowed:
    """The part of a part in which a position may take these options only."""
    return (*allowed[:position], tuple(options), *allowed[position + 1 :])
