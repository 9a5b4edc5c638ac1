"""What is drawn to go into a model, image by image: pictures, noise, whole numbers, and labels.

Image i depends only on the seed and i, so that a batch of 16 is the beginning of the batch of 64.
"""

import numpy as np
import torch

from eznas.errors import InputError
from eznas.statistics.colours import MEAN, grey, normalised
from eznas.statistics.dead_leaves import Draws, picture
from eznas.statistics.surroundings import own_surroundings

# Purposes, each with its own random streams.
PICTURE, LABELS, MEMBERS, ORDER, NOISE = range(5)


def pictures(count: int, shape: tuple[int, ...], seed: int, part: int = 0) -> torch.Tensor:
    """Generated images, normalised: float32 [count, channels, height, width].

    `shape`: three channels or their `grey`, height and width; `part`: which of a model's inputs
    they are, each with scenes of its own.
    """
    channels, height, width = shape
    more = (part,) if part else ()
    streams = (stream(PICTURE, i, seed, *more) for i in range(count))
    coloured = normalised(torch.stack([picture(rng, height, width) for rng in streams]))
    return coloured if channels == len(MEAN) else grey(coloured)


def noises(count: int, shape: tuple[int, ...], seed: int, part: int = 0) -> torch.Tensor:
    """Standard normal numbers, float32 [count, *shape], that stand for data which are no images;
    those of one input depend only on the seed, its number and the `part`."""
    streams = (stream(NOISE, i, seed, part) for i in range(count))
    return torch.stack([torch.as_tensor(rng.standard_normal(shape, "float32")) for rng in streams])


def choices(
    count: int, shape: tuple[int, ...], bounds: tuple[int, int], seed: int, part: int = 0
) -> torch.Tensor:
    """Whole numbers within bounds, int64 [count, *shape], all alike likely; see `noises`."""
    streams = (stream(NOISE, i, seed, part) for i in range(count))
    rows = (rng.integers(*bounds, shape, "int64", endpoint=True) for rng in streams)
    return torch.stack([torch.as_tensor(row) for row in rows])


@own_surroundings()
def balanced_labels(count: int, classes: int, seed: int) -> torch.Tensor:
    """Random labels, int64 [count], from 0 to `classes` - 1, and balanced: the numbers of images in
    two classes differ by at most 1. Raises `InputError` if a number is below 1, or the seed below
    0."""
    at_least("count", count, 1)
    at_least("classes", classes, 1)
    at_least("seed", seed, 0)
    orders = [stream(LABELS, i, seed).permutation(classes) for i in range(-(-count // classes))]
    return torch.cat([torch.as_tensor(order) for order in orders])[:count]


def stream(purpose: int, index: int, seed: int, *more: int) -> Draws:
    """The random numbers of one image for one purpose."""
    return np.random.default_rng([purpose, index, seed, *more])


def at_least(name: str, value: int, minimum: int) -> None:
    """Raises `InputError` if a number is below the minimum."""
    if value < minimum:
        raise InputError(f"{name} is {value}, expected at least {minimum}")
