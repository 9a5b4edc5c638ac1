"""The one place that touches Python's global random state, which DEAP draws from too."""

import random
from collections.abc import Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def seed(value: int) -> None:
    """Start the global state from a seed."""
    random.seed(value)


def state() -> tuple[Any, ...]:
    """The global state, to be `restore`d later."""
    return random.getstate()


def restore(saved: tuple[Any, ...]) -> None:
    """Go back to a state."""
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


def normal(deviation: float = 1.0) -> float:
    """A draw from a normal distribution around zero."""
    return random.gauss(0.0, deviation)
