"""Ranks, and the quantiles of a normal distribution that they stand for."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri

from eznas.metrics.weighted import Floats


def mid_ranks(values: ArrayLike) -> Floats:
    """The ranks [n] of values [n], none of them NaN, from 1 for the lowest; equal ones share the
    mean of theirs."""
    _, places, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks


def normal_scores(values: ArrayLike) -> Floats:
    """Values [n], none of them NaN, as quantiles of a normal distribution, (rank - 1/2) / n [n]:
    only their order counts. Empty for none.

    Source: Hazen's plotting positions (1914).
    """
    ranks = mid_ranks(values)
    quantiles: Floats = ndtri((ranks - 0.5) / max(len(ranks), 1))
    return quantiles
