"""Acquisition functions: what a network is worth trying, given what a predictor guesses of it.

White, Neiswanger & Savani: BANANAS, 2021, compares them.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from scipy.special import ndtr

from eznas.search.base import Floats

EXPLORATION = 0.5  # standard deviations that upper confidence bounds add, as in BANANAS

# (mean [networks], std [networks], best accuracy so far, generator) -> worth [networks]
Acquisition = Callable[[Floats, Floats, float, np.random.Generator], Floats]


def mean(mean: Floats, std: Floats, best: float, generator: np.random.Generator) -> Floats:
    """The guess itself: [networks]."""
    return mean


def upper_confidence_bound(
    mean: Floats, std: Floats, best: float, generator: np.random.Generator
) -> Floats:
    """The guess plus `EXPLORATION` standard deviations: [networks] (Srinivas et al., 2010)."""
    return mean + EXPLORATION * std


def expected_improvement(
    mean: Floats, std: Floats, best: float, generator: np.random.Generator
) -> Floats:
    """By how much the best so far is expected to be beaten, [networks], 0 where it is not (Mockus,
    1975): (mean - best) cdf(z) + std pdf(z) with z = (mean - best) / std."""
    ahead = mean - best
    z = ahead / np.where(std > 0, std, 1.0)
    density = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return np.where(std > 0, ahead * ndtr(z) + std * density, np.maximum(ahead, 0.0))


def independent_thompson_sampling(
    mean: Floats, std: Floats, best: float, generator: np.random.Generator
) -> Floats:
    """A draw from a normal distribution for each network by itself: [networks] (White et al.,
    2021)."""
    return mean + std * generator.standard_normal(len(mean))


ACQUISITIONS: Mapping[str, Acquisition] = {
    "mean": mean,
    "ucb": upper_confidence_bound,
    "ei": expected_improvement,
    "its": independent_thompson_sampling,
}
