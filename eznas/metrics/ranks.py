"""Kendall's tau-b and Spearman's rho, and the weighted core that all metrics share.

For one score vector, for a generation of them, and for every replicate of a bootstrap. Tau and rho
count in whole numbers: results are equal to the bit for any number of threads.

A *core* takes checked scores [proxies, networks], accuracies [networks] and weights [replicates,
networks], whole numbers in float64, and returns [proxies, replicates]. A network of weight k counts
as k copies that tie; one of weight 0 is not there, but makes the row undefined if it is.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError

Floats = NDArray[np.float64]
Ranks = NDArray[np.intp]
Core = Callable[[Floats, Floats, Floats], Floats]

SIGNS = 1 << 18  # signs of pairs held at once (1 MB): more falls out of cache


def kendall(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Kendall's tau-b of scores [networks] against accuracies [networks]; NaN if undefined.

    Source: Kendall 1938; Kendall 1945 (ties). Raises `InputError` if the shapes do not match.
    """
    return single(taus, scores, accuracies)


def kendall_many(scores: ArrayLike, accuracies: ArrayLike) -> Floats:
    """`kendall` of each row of scores [formulas, networks]: [formulas]."""
    matrix, target = checked(scores, accuracies)
    return taus(matrix, target, np.ones((1, target.size)))[:, 0]


def spearman(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Spearman's rho of scores [networks] against accuracies [networks]; NaN if undefined.

    Ties get average ranks. Source: Spearman 1904. Raises `InputError` if the shapes do not match.
    """
    return single(rhos, scores, accuracies)


def single(core: Core, scores: ArrayLike, accuracies: ArrayLike) -> float:
    """A core for one score vector [networks], each network once."""
    matrix, target = checked(array(scores, 1)[None], accuracies)
    return float(core(matrix, target, np.ones((1, target.size)))[0, 0])


@dataclass(frozen=True, slots=True)
class Order:
    """A vector as an order: its dense `ranks` (0, 1, ...), and where ties start in `order`."""

    ranks: Ranks
    order: Ranks
    starts: Ranks

    @classmethod
    def of(cls, values: Floats) -> "Order":
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        new = np.ones(values.size, bool)
        new[1:] = ordered[1:] != ordered[:-1]  # compared, not subtracted: -inf minus -inf is NaN
        ranks = np.empty(values.size, np.intp)
        ranks[order] = np.cumsum(new) - 1
        return cls(ranks, order, np.flatnonzero(new))

    def ties(self, weights: Floats) -> Floats:
        """The weight of each group of equal values, lowest first: [replicates, groups]."""
        ordered = np.take(weights, self.order, axis=1)
        return np.asarray(np.add.reduceat(ordered, self.starts, axis=1))


def taus(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted tau-b: [proxies, replicates]."""
    orders, target = [Order.of(row) for row in scores], Order.of(accuracies)
    result = _concordance([one.ranks for one in orders], target.ranks, weights)
    theirs = _untied(target.ties(weights))
    fine = comparable(scores, accuracies)
    for row, one, defined in zip(result, orders, fine, strict=True):
        row[:] = ratio(row, _untied(one.ties(weights)) * theirs) if defined else np.nan
    return result


def within_taus(scores: Floats, accuracies: Floats, weights: Floats, groups: Ranks) -> Floats:
    """Weighted tau-b over the pairs of networks of one group, `groups` [networks]: [proxies,
    replicates].

    Concordances and untied pairs are added up over the groups; with one group it is tau-b itself.
    """
    numerator = np.zeros((len(scores), len(weights)))
    ours, theirs = np.zeros_like(numerator), np.zeros(len(weights))
    for group in np.unique(groups):
        own = groups == group
        orders, target = [Order.of(row[own]) for row in scores], Order.of(accuracies[own])
        numerator += _concordance([o.ranks for o in orders], target.ranks, weights[:, own])
        ours += np.stack([_untied(o.ties(weights[:, own])) for o in orders])
        theirs += _untied(target.ties(weights[:, own]))
    fine = comparable(scores, accuracies)
    return np.where(fine[:, None], ratio(numerator, ours * theirs), np.nan)


def rhos(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted rho, Pearson's correlation of average ranks: [proxies, replicates]."""
    theirs, their_spread = centred_ranks(Order.of(accuracies), weights)
    theirs *= weights
    result = undefined(scores, weights)
    for at in np.flatnonzero(comparable(scores, accuracies)):
        ours, spread = centred_ranks(Order.of(scores[at]), weights)
        result[at] = ratio(12 * np.einsum("rn,rn->r", ours, theirs), spread * their_spread)
    return result


def centred_ranks(order: Order, weights: Floats) -> tuple[Floats, Floats]:
    """Average ranks less their mean [replicates, networks], and 12 times their sum of squares.

    Times 12 it is the whole number total**3 - sum(ties**3): exactly 0 for a constant.
    """
    ties = order.ties(weights)
    total = ties.sum(axis=1)
    ranks = np.cumsum(ties, axis=1) - (ties + total[:, None]) / 2
    spread = np.asarray(total**3 - np.einsum("rt,rt->r", ties * ties, ties))
    return np.take(ranks, order.ranks, axis=1), spread


def ratio(numerator: Floats, square: Floats) -> Floats:
    """numerator / sqrt(square) in [-1, 1]; NaN where square is 0."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, np.sqrt(square), out=result, where=square > 0)
    return np.asarray(np.clip(result, -1, 1))


def comparable(scores: Floats, accuracies: Floats) -> NDArray[np.bool_]:
    """Which rows of scores, and the accuracies, are free of NaN and +inf: [proxies]."""
    return np.asarray((scores < np.inf).all(axis=1) & (accuracies < np.inf).all())


def undefined(scores: Floats, weights: Floats) -> Floats:
    """A result [proxies, replicates] in which nothing is defined yet."""
    return np.full((len(scores), len(weights)), np.nan)


def top_weights(accuracies: Floats, weights: Floats, share: float) -> Floats:
    """Weights [replicates, networks], those outside the top share by accuracy set to 0."""
    if not accuracies.size:
        return weights
    best_first = np.argsort(-accuracies, kind="stable")
    counted = np.cumsum(weights[:, best_first], axis=1)
    last = (counted >= quota(counted[:, -1:], share)).argmax(axis=1)
    return np.where(accuracies >= accuracies[best_first][last][:, None], weights, 0.0)


def quota(networks: Floats, share: float) -> Floats:
    """ceil(share * networks), at least 1; rounded first, since 0.07 * 100 is more than 7."""
    return np.maximum(np.ceil(np.round(share * networks, 6)), 1)


def blocks(size: int, step: int) -> Iterator[slice]:
    step = max(step, 1)
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


def array(values: ArrayLike, axes: int) -> Floats:
    found = np.asarray(values, np.float64)
    if found.ndim != axes:
        raise InputError(f"expected an array of {axes} axes, got shape {found.shape}")
    return found


def checked(
    scores: ArrayLike, accuracies: ArrayLike, what: str = "scores"
) -> tuple[Floats, Floats]:
    matrix, target = array(scores, 2), array(accuracies, 1)
    if matrix.shape[1] != target.size:
        raise InputError(f"{what} of {matrix.shape[1]} networks, accuracies of {target.size}")
    return matrix, target


def checked_share(share: float) -> float:
    if not 0 < share <= 1:
        raise InputError(f"share {share}: expected more than 0 and at most 1")
    return share


def _concordance(scores: Sequence[Ranks], accuracies: Ranks, weights: Floats) -> Floats:
    """Concordant minus discordant pairs, each weighing w_i * w_j: [proxies, replicates].

    The product is exact in float32: its terms are whole numbers that add up, in any order, to less
    than the sum of the weights, below 2**24. Pairs come in blocks: the signs of all pairs of
    15,625 networks would be 1 GB.
    """
    ours, theirs = [row.astype(np.float32) for row in scores], accuracies.astype(np.float32)
    factors = weights.astype(np.float32)
    total = np.zeros((len(ours), len(weights)))
    for block in blocks(theirs.size, max(64, SIGNS // max(theirs.size, 1))):
        signs = np.triu(_signs(theirs, block), 1)  # each pair once, none with itself
        for sums, row in zip(total, ours, strict=True):
            partial = factors[:, block.start :] @ (_signs(row, block) * signs).T
            sums += np.einsum("rn,rn->r", weights[:, block], partial, dtype=np.float64)
    return total


def _signs(ranks: NDArray[np.float32], block: slice) -> NDArray[np.float32]:
    """Signs of the networks of a block against all from its start on: [block, rest]."""
    difference = ranks[block, None] - ranks[None, block.start :]
    return np.clip(difference, -1, 1, out=difference)  # the sign of a whole number, twice as fast


def _untied(ties: Floats) -> Floats:
    """Weighted pairs that are no tie: [replicates]."""
    return np.asarray((ties.sum(axis=1) ** 2 - np.einsum("rt,rt->r", ties, ties)) / 2)
