"""What a search space is: choices, how they are written, and the network that they make."""

import functools
import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from eznas.errors import InputError

LISTED = 1_000_000  # architectures that are listed at most
_TRIES = 100  # per architecture that is drawn


def _itself(architecture: str) -> str:
    return architecture


def _always(architecture: str) -> bool:
    return True


def _alone(architecture: str) -> tuple[Hashable, ...]:
    return (architecture,)


@dataclass(frozen=True)
class Space:
    """A search space: one row of data and functions.

    `positions`: the options of every choice. `choices`: of an architecture, one option for each
    position; `InputError` where the space has none such. `text`: the one spelling of choices;
    `InputError` where they make no network. `build(architecture, classes)`: the network in
    torch's own initialisation, [batch, 3, height, width] to logits [batch, classes].

    `datasets`: on which its networks were trained, the usual one first.

    The rest take an architecture in its one spelling. `live_cell`: less what lies on no path from
    input to output (the measuring key). `connected`: whether there is such a path. `names`: under
    which the function is known; networks that share one are never on both sides of a split.
    """

    name: str
    positions: tuple[tuple[str, ...], ...]
    choices: Callable[[str], tuple[str, ...]]
    text: Callable[[Sequence[str]], str]
    build: Callable[..., nn.Module]
    live_cell: Callable[[str], str] = _itself
    connected: Callable[[str], bool] = _always
    datasets: tuple[str, ...] = ("cifar10",)
    names: Callable[[str], tuple[Hashable, ...]] = _alone

    @property
    def _largest(self) -> int:
        """The most architectures that there can be."""
        return math.prod(map(len, self.positions))

    def canonical(self, architecture: str) -> str:
        """The one spelling of an architecture; `InputError` where the space has none such."""
        return self.text(self.choices(architecture))

    def architectures(self) -> tuple[str, ...]:
        """Every architecture, in the order of `positions`; `InputError` where they are too many."""
        if self._largest > LISTED:
            raise InputError(f"space {self.name}: too many architectures to list; draw a sample")
        return _listed(self)

    def sample(self, count: int, seed: int = 0) -> tuple[str, ...]:
        """Different architectures, every choice drawn uniformly; what makes no network is drawn
        anew. A smaller sample is the beginning of a larger one. `InputError` where there are too
        few."""
        random = np.random.default_rng(seed)
        found: dict[str, None] = {}
        tries = _TRIES * count if count <= self._largest else 0
        for _ in range(tries + 1):
            if len(found) == count:
                return tuple(found)
            drawn = random.random(len(self.positions))
            options = zip(self.positions, drawn, strict=True)
            found |= dict.fromkeys(self._made([[o[int(u * len(o))] for o, u in options]]))
        raise InputError(f"space {self.name}: cannot sample {count} different architectures")

    def neighbours(self, architecture: str) -> tuple[str, ...]:
        """The architectures that differ in one choice, in the order of `positions`."""
        own = self.choices(architecture)
        changed = (
            (*own[:place], option, *own[place + 1 :])
            for place, options in enumerate(self.positions)
            for option in options
            if option != own[place]
        )
        found = dict.fromkeys(self._made(changed))
        found.pop(self.text(own), None)
        return tuple(found)

    def encode(self, architecture: str) -> NDArray[np.float64]:
        """The choices as 0 and 1, one number per option: float64 [options of all positions]."""
        own = self.choices(architecture)
        marks = [
            float(option == chosen)
            for options, chosen in zip(self.positions, own, strict=True)
            for option in options
        ]
        return np.array(marks)

    def _made(self, drawn: Iterable[Sequence[str]]) -> Iterator[str]:
        """The architectures among these choices, some of which may make no network."""
        for chosen in drawn:
            with suppress(InputError):
                yield self.text(chosen)


@functools.cache
def _listed(space: Space) -> tuple[str, ...]:
    return tuple(dict.fromkeys(space._made(itertools.product(*space.positions))))
