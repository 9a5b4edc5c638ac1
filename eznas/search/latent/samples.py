"""Architectures to train an autoencoder on, and how large it is for a space."""

import math
from dataclasses import dataclass

import numpy as np

from eznas.errors import InputError
from eznas.spaces import Space
from eznas.spaces.base import LISTED


@dataclass(frozen=True)
class Sizes:
    """`latent`: numbers of the latent; `width`: of each hidden layer; `samples`: architectures to
    train on; `steps`: of the optimiser."""

    latent: int
    width: int
    samples: int
    steps: int


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
        steps=max(1_500, 75 * options),
    )


def training_sample(space: Space, count: int | None = None, seed: int = 0) -> tuple[str, ...]:
    """`count` different architectures of a space (default: `default_sizes`), or all where there are
    no more, in an order that depends on the seed.

    A space that can be listed is listed; of others a sample is drawn with choices that are
    uniform. With the same seed, a smaller sample is the beginning of a larger one. Raises
    `InputError` for a count below 1, and as `Space.sample`.
    """
    count = default_sizes(space).samples if count is None else count
    if count < 1:
        raise InputError(f"{count} architectures to train on: expected at least 1")
    if math.prod(map(len, space.positions)) > LISTED:
        return space.sample(count, seed)
    listed = space.architectures()
    order = np.random.default_rng(seed).permutation(len(listed))[:count]
    return tuple(listed[i] for i in order)
