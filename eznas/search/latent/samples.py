"""Architectures to train an autoencoder on, and how large it is for a space."""

import itertools
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from eznas.errors import InputError
from eznas.evaluation.executors import Progress
from eznas.spaces import Space

_WALKS = 20  # side by side
_FORGOTTEN = 1000  # steps, until it does not matter where a walk began
_STRIDE = 10  # steps between two architectures of a walk
_REDRAWN = 3  # choices drawn anew in a step, at most


@dataclass(frozen=True)
class Sizes:
    """`latent`: numbers of the latent; `width`: of each hidden layer; `samples`: architectures to
    train on; `steps`: of the optimiser."""

    latent: int
    width: int
    samples: int
    steps: int


class _Walk(NamedTuple):
    """Where a walk through a space is."""

    architecture: str
    choices: tuple[str, ...]


def default_sizes(space: Space) -> Sizes:
    """Sizes that grow with the number of options of all positions of a space.

    They are those with which architectures that were not trained on are decoded exactly
    (`eznas.studies.autoencoding`): 30 options (NAS-Bench-201) make a latent of 16, 57
    (NAS-Bench-101) of 32, 193 (NDS-DARTS) of 128.
    """
    options = sum(map(len, space.positions))
    latent = 2 ** max(3, math.ceil(math.log2(options / 2)))
    return Sizes(
        latent=latent,
        width=min(8 * latent, 512),
        samples=max(20_000, 160 * options),
        steps=max(1_500, 50 * options),
    )


def training_sample(
    space: Space, count: int | None = None, seed: int = 0, progress: Progress | None = None
) -> tuple[str, ...]:
    """`count` different architectures of a space (default: `default_sizes`), or all where there are
    no more, in an order that depends on the seed.

    A space that can be listed is listed. Of others a sample is drawn in which every architecture is
    as likely as any other. `Space.sample` is not that: there every choice is as likely as any
    other, and in a space that leaves out dead parts most draws are spellings of few small
    architectures (of NAS-Bench-101, 3 % have seven vertices). With the same seed, a smaller sample
    is the beginning of a larger one. `progress` is called as architectures are drawn.

    Raises `InputError` for a count below 1, and for a large space of fewer architectures.
    """
    count = default_sizes(space).samples if count is None else count
    if count < 1:
        raise InputError(f"{count} architectures to train on: expected at least 1")
    if space.is_listable:
        listed = space.architectures()
        order = np.random.default_rng(seed).permutation(len(listed))[:count]
        return tuple(listed[i] for i in order)
    architectures: dict[str, None] = {}
    for taken, texts in enumerate(_walks(space, seed)):
        architectures |= dict.fromkeys(texts)
        if progress is not None:
            progress(min(len(architectures), count), count)
        if len(architectures) >= count:
            return tuple(architectures)[:count]
        if taken > count:
            break
    raise InputError(f"space {space.name}: cannot sample {count} different architectures")


def _walks(space: Space, seed: int) -> Iterator[list[str]]:
    """Where several walks through a space are, after every `_STRIDE` steps, without end.

    A step draws some choices anew, and is taken where the result is the canonical spelling of an
    architecture: as a step is as likely as the one back, walks come equally often to all
    architectures that steps lead to (Metropolis et al., 1953).
    """
    generator = np.random.default_rng(seed)
    walks = [_Walk(text, space.choices(text)) for text in space.sample(_WALKS, seed)]
    for step in itertools.count(1):
        walks = [_moved(walk, space, generator) for walk in walks]
        if step > _FORGOTTEN and step % _STRIDE == 0:
            yield [walk.architecture for walk in walks]


def _moved(walk: _Walk, space: Space, generator: np.random.Generator) -> _Walk:
    """A walk after one step, or where it is if the step is not taken."""
    choices = list(walk.choices)
    uniform = generator.random(1 + 2 * _REDRAWN).tolist()
    redrawn = 1 + int(uniform[0] * _REDRAWN)
    for where, what in list(zip(uniform[1::2], uniform[2::2], strict=True))[:redrawn]:
        position = int(where * len(choices))
        options = space.positions[position]
        choices[position] = options[int(what * len(options))]
    with suppress(InputError):
        text = space.text(choices)
        if space.choices(text) == tuple(choices):
            return _Walk(text, tuple(choices))
    return walk
