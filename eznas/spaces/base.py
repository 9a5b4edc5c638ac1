"""The search space: its choices, their spelling as text, and the networks that they make."""

import functools
import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from eznas.errors import InputError

LISTED = 1_000_000  # architectures of a space that can be listed, at most

# A position and the modules of its options -> the module that runs there.
Combine = Callable[[int, Mapping[str, nn.Module]], nn.Module]


def shortened(text: str, limit: int = 60) -> str:
    """A text of at most `limit` characters, as error messages quote it: what is longer is cut."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _same_cell(architecture: str) -> str:
    return architecture


def _always_connected(architecture: str) -> bool:
    return True


def _own_name(architecture: str) -> tuple[Hashable, ...]:
    return (architecture,)


@dataclass(frozen=True)
class Presentation:
    """How the network of one architecture is measured, where that is not as all others of a space.

    `input_size`: what goes into it, as `eznas.statistics.inputs.input_form` takes it;
    `initialisation`: "keep" (parameters as they were made) or "kaiming" (drawn anew).
    """

    input_size: Any
    initialisation: str


@dataclass(frozen=True)
class Space:
    """A search space: data and functions for its architectures, which are texts.

    `positions`: the options of each choice that makes an architecture.
    `choices(architecture)`: its option at each position; raises `InputError` for a text that is no
    architecture of the space.
    `text(choices)`: the canonical spelling; raises `InputError` for choices that make no network.
    `build(architecture, classes)`: the network with torch's default initialisation, from images
    [batch, 3, height, width] to logits [batch, classes]; raises `InputError` as `choices` does.
    `datasets`: those on which its networks were trained, the default first.

    The other functions take an architecture in its canonical spelling.
    `live_cell`: the architecture without operations that lie on no path from input to output;
    measurements are stored under it.
    `connected`: whether there is such a path.
    `names`: names of the function that it computes; architectures that share a name are never
    placed on both sides of a split.

    `supernet(combine, classes, width, cells)`: a network that holds all options of all positions,
    from images to logits as `build`; wherever options stand, it runs the module that `combine`
    makes of their position and their modules by option. None where the space has none.

    `tries`: draws for each architecture of a sample, at most.

    `presented`: architecture -> how its network is measured; empty for a space whose networks all
    see images of a data set's size and are initialised alike. Networks of such a space are measured
    each for itself: they need not have anything in common.
    """

    name: str
    positions: tuple[tuple[str, ...], ...]
    choices: Callable[[str], tuple[str, ...]]
    text: Callable[[Sequence[str]], str]
    build: Callable[..., nn.Module]
    live_cell: Callable[[str], str] = _same_cell
    connected: Callable[[str], bool] = _always_connected
    datasets: tuple[str, ...] = ("cifar10",)
    names: Callable[[str], tuple[Hashable, ...]] = _own_name
    supernet: Callable[..., nn.Module] | None = None
    tries: int = 100
    presented: Mapping[str, Presentation] = field(default_factory=dict, compare=False)

    @property
    def combinations(self) -> int:
        """The number of combinations of options, of which not all need to make a network."""
        return math.prod(map(len, self.positions))

    @property
    def is_listable(self) -> bool:
        """Whether `architectures` lists the space."""
        return self.combinations <= LISTED

    def canonical(self, architecture: str) -> str:
        """The canonical spelling; raises `InputError` for a text that is no architecture here."""
        return self.text(self.choices(architecture))

    def architectures(self) -> tuple[str, ...]:
        """All architectures in the order of `positions`; raises `InputError` if more than
        `LISTED`."""
        if not self.is_listable:
            raise InputError(f"space {self.name}: too many architectures to list; draw a sample")
        return _listed(self)

    def sample(self, count: int, seed: int = 0) -> tuple[str, ...]:
        """`count` different architectures, every choice drawn uniformly.

        Choices that make no network are drawn again. With the same seed, a smaller sample is the
        beginning of a larger one. Raises `InputError` if the space has too few architectures.
        """
        generator = np.random.default_rng(seed)
        architectures: dict[str, None] = {}
        tries = self.tries * count if count <= self.combinations else 0
        for _ in range(tries + 1):
            if len(architectures) == count:
                return tuple(architectures)
            uniform = generator.random(len(self.positions))
            pairs = zip(self.positions, uniform, strict=True)
            choices = [options[int(u * len(options))] for options, u in pairs]
            architectures |= dict.fromkeys(self._texts([choices]))
        raise InputError(f"space {self.name}: cannot sample {count} different architectures")

    def neighbours(self, architecture: str) -> tuple[str, ...]:
        """The architectures that differ in one choice, in the order of `positions`.

        Raises `InputError` as `choices` does.
        """
        choices = self.choices(architecture)
        changed = (
            (*choices[:position], option, *choices[position + 1 :])
            for position, options in enumerate(self.positions)
            for option in options
            if option != choices[position]
        )
        neighbours = dict.fromkeys(self._texts(changed))
        neighbours.pop(self.text(choices), None)
        return tuple(neighbours)

    def encode(self, architecture: str) -> NDArray[np.float64]:
        """The choices one-hot encoded: float64 [options of all positions], 1 for each choice.

        Raises `InputError` as `choices` does.
        """
        pairs = zip(self.positions, self.choices(architecture), strict=True)
        return np.array([float(o == choice) for options, choice in pairs for o in options])

    def _texts(self, combinations: Iterable[Sequence[str]]) -> Iterator[str]:
        """The architectures of combinations of choices, without those that make no network."""
        for choices in combinations:
            with suppress(InputError):
                yield self.text(choices)


@functools.cache
def _listed(space: Space) -> tuple[str, ...]:
    return tuple(dict.fromkeys(space._texts(itertools.product(*space.positions))))
