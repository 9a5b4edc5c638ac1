"""What every metric is built from: checked arrays, orders with ties, and weights of networks.

Each metric has a *core*, which computes it for many proxies and many bootstrap replicates at once.
It takes scores [proxies, networks], accuracies [networks] and weights [replicates, networks] (whole
numbers in float64), all checked beforehand, and returns [proxies, replicates]. A network of weight
k counts as k tied copies. A network of weight 0 is left out, but if its score is undefined, the
whole row of its proxy is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Core = Callable[[Floats, Floats, Floats], Floats]


def unweighted(core: Core, scores: ArrayLike, accuracies: ArrayLike) -> float:
    """A core for one score vector [networks] in which every network counts once.

    Raises `InputError` if scores and accuracies are not two vectors of one length.
    """
    matrix, target = checked(float_array(scores, 1)[None], accuracies)
    return float(core(matrix, target, np.ones((1, target.size)))[0, 0])


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a vector [networks], in which equal values form a group.

    `ranks` [networks] counts the groups from 0, the lowest value; `order` [networks] are the
    indices that sort the vector; `starts` [groups] says where in `order` each group begins.
    """

    ranks: Integers
    order: Integers
    starts: Integers

    @classmethod
    def of(cls, values: Floats) -> "Order":
        """The order of values [networks] without NaN; -inf is a value like any other."""
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        starts_group = np.ones(values.size, bool)
        # compared, not subtracted: -inf minus -inf is NaN
        starts_group[1:] = ordered[1:] != ordered[:-1]
        ranks = np.empty(values.size, np.intp)
        ranks[order] = np.cumsum(starts_group) - 1
        return cls(ranks, order, np.flatnonzero(starts_group))

    def group_weights(self, weights: Floats) -> Floats:
        """Sums of weights [replicates, networks] over each group, the lowest values first:
        [replicates, groups]."""
        ordered = np.take(weights, self.order, axis=1)
        return np.asarray(np.add.reduceat(ordered, self.starts, axis=1))


def ratio(numerator: Floats, square: Floats) -> Floats:
    """numerator / sqrt(square), clipped to [-1, 1]; NaN where square is 0. Shapes are equal."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, np.sqrt(square), out=result, where=square > 0)
    return np.asarray(np.clip(result, -1, 1))


def comparable(scores: Floats, accuracies: Floats) -> NDArray[np.bool_]:
    """Whether each row of scores [proxies, networks] and the accuracies are free of NaN and +inf:
    [proxies]."""
    return np.asarray((scores < np.inf).all(axis=1) & (accuracies < np.inf).all())


def undefined(scores: Floats, weights: Floats) -> Floats:
    """A result [proxies, replicates] of NaN, to be filled where the metric is defined."""
    return np.full((len(scores), len(weights)), np.nan)


def top_weights(accuracies: Floats, weights: Floats, share: float) -> Floats:
    """Weights [replicates, networks], set to 0 outside the top share by accuracy.

    Networks that are as accurate as the last one of the top belong to it.
    """
    if not accuracies.size:
        return weights
    best_first = np.argsort(-accuracies, kind="stable")
    counts = np.cumsum(weights[:, best_first], axis=1)
    last = (counts >= top_count(counts[:, -1:], share)).argmax(axis=1)
    return np.where(accuracies >= accuracies[best_first][last][:, None], weights, 0.0)


def top_count(networks: Floats, share: float) -> Floats:
    """ceil(share * networks), at least 1, of numbers of networks [...]; rounded first, since
    0.07 * 100 is more than 7."""
    return np.maximum(np.ceil(np.round(share * networks, 6)), 1)


def blocks(size: int, step: int) -> Iterator[slice]:
    """Slices of at most `step` (at least 1) indices that together cover range(size)."""
    step = max(step, 1)
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


def float_array(values: ArrayLike, axes: int) -> Floats:
    """Values as float64 [...], of the same shape; `InputError` unless they have so many axes."""
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != axes:
        raise InputError(f"expected an array of {axes} axes, got shape {numbers.shape}")
    return numbers


def checked(
    scores: ArrayLike, accuracies: ArrayLike, what: str = "scores"
) -> tuple[Floats, Floats]:
    """Scores [rows, networks] and accuracies [networks] as float64.

    Raises `InputError`, which calls the scores `what`, for other shapes or numbers of networks.
    """
    matrix, target = float_array(scores, 2), float_array(accuracies, 1)
    if matrix.shape[1] != target.size:
        raise InputError(f"{what} of {matrix.shape[1]} networks, accuracies of {target.size}")
    return matrix, target


def checked_groups(groups: ArrayLike, networks: int) -> Integers:
    """Labels (numbers or texts) [networks] as numbers; raises `InputError` for another length."""
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    if labels.shape != (networks,):
        raise InputError(f"groups of {labels.size} networks, accuracies of {networks}")
    return labels


def checked_share(share: float) -> float:
    """The share; `InputError` unless it is in (0, 1]."""
    if not 0 < share <= 1:
        raise InputError(f"share {share}: expected more than 0 and at most 1")
    return share
