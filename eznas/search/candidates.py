"""The architectures that a search may query: random ones and mutants, within the limits."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from eznas.spaces import Space

Generator = np.random.Generator

_DRAWS = 1000  # architectures drawn from a space without a list, at most, for each that is wanted


def _anything(architecture: str) -> bool:
    return True


class Candidates:
    """The architectures that a search may query.

    `listed`: those that have an accuracy (None: all of the space, which need not be listed);
    `allows(architecture)`: whether it is within the limits, asked only of architectures that would
    be queried otherwise. `taken`, below, holds architectures that are not wanted again.
    """

    def __init__(
        self,
        space: Space,
        listed: Sequence[str] | None = None,
        allows: Callable[[str], bool] = _anything,
    ) -> None:
        self.space = space
        self.listed = None if listed is None else tuple(listed)
        self.allows = allows

    def draw(self, count: int, generator: Generator, taken: Collection[str] = ()) -> list[str]:
        """`count` different architectures in random order, every one as likely as another; fewer
        where there are no more."""
        shuffled = self._shuffled(count + len(taken), generator)
        return list(islice((a for a in shuffled if a not in taken and self.allows(a)), count))

    def mutant(self, parent: str, generator: Generator, taken: Collection[str] = ()) -> str | None:
        """An architecture that differs from its parent in one choice, drawn at random.

        Where no such architecture is left, one of those that differ in the fewest choices; None
        where none is left at all.
        """
        for architecture in self._outward(parent, generator):
            if architecture not in taken and self.allows(architecture):
                return architecture
        return None

    def _shuffled(self, count: int, generator: Generator) -> Iterator[str]:
        """Architectures in random order: all that are listed, or many more than `count`."""
        if self.listed is not None:
            yield from (self.listed[i] for i in generator.permutation(len(self.listed)))
            return
        seen: set[str] = set()
        for seed in generator.integers(2**32, size=_DRAWS * max(1, count)):
            [architecture] = self.space.sample(1, int(seed))
            if architecture not in seen:
                seen.add(architecture)
                yield architecture

    def _outward(self, parent: str, generator: Generator) -> Iterator[str]:
        """Neighbours of an architecture in random order, then the others by distance."""
        neighbours = self.space.neighbours(parent)
        for i in generator.permutation(len(neighbours)):
            if neighbours[i] in self:
                yield neighbours[i]
        if self.listed is None:
            yield from self._shuffled(1, generator)
            return
        choices = self._numbered(parent)
        distances = (self._choices != choices).sum(axis=1)
        order = np.lexsort((generator.random(len(distances)), distances))
        yield from (self.listed[i] for i in order if distances[i] > 0)

    def __contains__(self, architecture: str) -> bool:
        return self._members is None or architecture in self._members

    @cached_property
    def _members(self) -> frozenset[str] | None:
        return None if self.listed is None else frozenset(self.listed)

    @cached_property
    def _choices(self) -> NDArray[np.int16]:
        """The options of every listed architecture by number: int16 [networks, positions]."""
        return np.array([self._numbered(a) for a in self.listed or ()])

    def _numbered(self, architecture: str) -> NDArray[np.int16]:
        pairs = zip(self.space.positions, self.space.choices(architecture), strict=True)
        return np.array([options.index(choice) for options, choice in pairs], np.int16)
