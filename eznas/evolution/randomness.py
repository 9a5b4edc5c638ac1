"""Random draws of the search: the one file that uses Python's global random state, because DEAP
draws from it too."""

import random
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def seed(value: int) -> None:
    """Seed the global state."""
    random.seed(value)


def state() -> tuple[Any, ...]:
    """The global state, for `restore`."""
    return random.getstate()


def restore(saved: tuple[Any, ...]) -> None:
    """Set the global state to one that `state` returned."""
    random.setstate(saved)


def happens(probability: float) -> bool:
    """True with this probability."""
    return random.random() < probability


def choice(options: Sequence[T]) -> T:
    """One of the options, each equally likely."""
    return random.choice(options)


def weighted(options: Sequence[T], weights: Sequence[float]) -> T:
    """One of the options, in proportion to its weight."""
    return random.choices(options, weights)[0]


def from_cumulative(options: Sequence[T], cumulative: Sequence[float]) -> T:
    """One of the options, in proportion to its weight; given are the sums of the weights so far."""
    return random.choices(options, cum_weights=cumulative)[0]


def uniform(low: float, high: float) -> float:
    """A draw from all numbers between two, each equally likely."""
    return random.uniform(low, high)


def normal(deviation: float = 1.0) -> float:
    """A draw from a normal distribution with mean zero and this standard deviation."""
    return random.gauss(0.0, deviation)
