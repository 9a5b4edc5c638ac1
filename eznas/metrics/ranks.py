"""Kendall's tau-b and Spearman's rho.

Both count in whole numbers, so that results are equal to the bit for any number of threads. The
conventions are those of the package; `eznas.metrics.weighted` says what a core is.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.metrics.weighted import (
    Floats,
    Integers,
    Order,
    blocks,
    checked,
    comparable,
    ratio,
    undefined,
    unweighted,
)

SIGNS = 1 << 18  # signs of pairs held at once (1 MB): more falls out of cache
FIRST_RUN = 32  # networks whose pairs are compared one by one before runs are merged


def kendall(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Kendall's tau-b of scores [networks] against accuracies [networks]; NaN if undefined.

    Source: Kendall 1938; Kendall 1945 (ties). Raises `InputError` if the shapes do not match.
    """
    return unweighted(taus, scores, accuracies)


def kendall_many(scores: ArrayLike, accuracies: ArrayLike) -> Floats:
    """`kendall` of each row of scores [proxies, networks] against accuracies [networks]:
    [proxies].

    Raises `InputError` if the shapes do not match.
    """
    matrix, target = checked(scores, accuracies)
    return taus(matrix, target, np.ones((1, target.size)))[:, 0]


def spearman(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Spearman's rho of scores [networks] against accuracies [networks]; NaN if undefined.

    Ties get average ranks. Source: Spearman 1904. Raises `InputError` if the shapes do not match.
    """
    return unweighted(rhos, scores, accuracies)


def taus(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """The core of `kendall`: [proxies, replicates]."""
    score_orders, accuracy_order = [Order.of(row) for row in scores], Order.of(accuracies)
    result = _concordance([order.ranks for order in score_orders], accuracy_order.ranks, weights)
    untied_accuracies = _untied(accuracy_order.group_weights(weights))
    defined = comparable(scores, accuracies)
    for row, order, is_defined in zip(result, score_orders, defined, strict=True):
        if is_defined:
            row[:] = ratio(row, _untied(order.group_weights(weights)) * untied_accuracies)
        else:
            row[:] = np.nan
    return result


def within_taus(scores: Floats, accuracies: Floats, weights: Floats, groups: Integers) -> Floats:
    """The core of `kendall_within`, given the group of each network [networks]: [proxies,
    replicates].

    Concordances and untied pairs are added up over the groups; with one group it is tau-b itself.
    """
    concordance = np.zeros((len(scores), len(weights)))
    untied_scores, untied_accuracies = np.zeros_like(concordance), np.zeros(len(weights))
    for group in np.unique(groups):
        members = groups == group
        member_weights = weights[:, members]
        score_orders = [Order.of(row[members]) for row in scores]
        accuracy_order = Order.of(accuracies[members])
        score_ranks = [order.ranks for order in score_orders]
        concordance += _concordance(score_ranks, accuracy_order.ranks, member_weights)
        untied = [_untied(order.group_weights(member_weights)) for order in score_orders]
        untied_scores += np.reshape(untied, untied_scores.shape)
        untied_accuracies += _untied(accuracy_order.group_weights(member_weights))
    defined = comparable(scores, accuracies)[:, None]
    return np.where(defined, ratio(concordance, untied_scores * untied_accuracies), np.nan)


def rhos(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """The core of `spearman`, Pearson's r of average ranks: [proxies, replicates]."""
    weighted_accuracy_ranks, accuracy_spread = centred_ranks(Order.of(accuracies), weights)
    weighted_accuracy_ranks *= weights
    result = undefined(scores, weights)
    for proxy in np.flatnonzero(comparable(scores, accuracies)):
        score_ranks, score_spread = centred_ranks(Order.of(scores[proxy]), weights)
        products = np.einsum("rn,rn->r", score_ranks, weighted_accuracy_ranks)
        result[proxy] = ratio(12 * products, score_spread * accuracy_spread)
    return result


def centred_ranks(order: Order, weights: Floats) -> tuple[Floats, Floats]:
    """Average ranks minus their mean [replicates, networks], and 12 times their sum of squares
    [replicates].

    Times 12 it is the whole number total**3 - sum(ties**3): exactly 0 for a constant.
    """
    ties = order.group_weights(weights)
    total = ties.sum(axis=1)
    ranks = np.cumsum(ties, axis=1) - (ties + total[:, None]) / 2
    spread = np.asarray(total**3 - np.einsum("rt,rt->r", ties * ties, ties))
    return np.take(ranks, order.ranks, axis=1), spread


def _concordance(
    score_ranks: Sequence[Integers], accuracy_ranks: Integers, weights: Floats
) -> Floats:
    """Concordant minus discordant pairs, each weighing w_i * w_j: [proxies, replicates].

    Where all networks weigh 1 they are counted by merging, in n log n steps. Otherwise the product
    is exact in float32: its terms are whole numbers that add up, in any order, to less than the sum
    of the weights, below 2**24. Pairs come in blocks: the signs of all pairs of 15,625 networks
    would be 1 GB.
    """
    if len(score_ranks) and weights.shape[0] == 1 and (weights == 1).all():
        return _unweighted_concordance(np.stack(list(score_ranks)), accuracy_ranks)[:, None]
    score_rows = [ranks.astype(np.float32) for ranks in score_ranks]
    accuracy_row, factors = accuracy_ranks.astype(np.float32), weights.astype(np.float32)
    total = np.zeros((len(score_rows), len(weights)))
    for block in blocks(accuracy_row.size, max(64, SIGNS // max(accuracy_row.size, 1))):
        accuracy_signs = np.triu(_signs(accuracy_row, block), 1)  # each pair once, none with itself
        for sums, score_row in zip(total, score_rows, strict=True):
            partial = factors[:, block.start :] @ (_signs(score_row, block) * accuracy_signs).T
            sums += np.einsum("rn,rn->r", weights[:, block], partial, dtype=np.float64)
    return total


def _unweighted_concordance(scores: Integers, accuracies: Integers) -> Floats:
    """Concordant minus discordant pairs [proxies], from ranks [proxies, networks] and [networks],
    which begin at 0 and are equal for ties. Source: Knight 1966."""
    networks = accuracies.size
    if not networks:
        return np.zeros(len(scores))
    by_accuracy = np.sort(accuracies * networks + scores, axis=1)  # then by score
    tied = _tied_pairs(np.sort(scores, axis=1)) + _tied_pairs(np.sort(accuracies)[None])
    untied = networks * (networks - 1) // 2 - tied + _tied_pairs(by_accuracy)
    return np.asarray(untied - 2 * _inversions(by_accuracy % networks), np.float64)


def _tied_pairs(ordered: Integers) -> Integers:
    """The pairs of equal numbers in each row [rows, networks] of numbers in order: [rows]."""
    places = np.broadcast_to(np.arange(ordered.shape[1]), ordered.shape)
    begins = np.diff(ordered, axis=1, prepend=-1) != 0
    starts = np.maximum.accumulate(np.where(begins, places, 0), axis=1)
    return np.asarray((places - starts).sum(axis=1))


def _inversions(rows: Integers) -> Integers:
    """The pairs of which the earlier number is larger, in each row [rows, networks] of numbers from
    0 to `networks` - 1: [rows]."""
    count, networks = rows.shape
    width = size = FIRST_RUN
    while size < networks:
        size *= 2
    filled = np.full((count, size), networks, np.int16 if networks < 2**15 else np.int64)
    filled[:, :networks] = rows
    runs = filled.reshape(-1, width)
    pairs = sum((runs[:, :-k] > runs[:, k:]).sum(axis=1) for k in range(1, width))
    total = np.reshape(pairs, (count, -1)).sum(axis=1)
    runs = np.sort(runs, axis=1)
    while width < size:
        neighbours = runs.reshape(-1, 2 * width)
        order = np.argsort(neighbours, axis=1, kind="stable")
        # A number of the right run stands behind as many of the left one as are not larger.
        places = ((order >= width) * np.arange(2 * width)).sum(axis=1)
        not_larger = places - width * (width - 1) // 2
        total += (width * width - not_larger).reshape(count, -1).sum(axis=1)
        runs = np.take_along_axis(neighbours, order, axis=1)
        width *= 2
    return np.asarray(total)


def _signs(ranks: NDArray[np.float32], block: slice) -> NDArray[np.float32]:
    """Signs of the ranks in a block minus those from its start to the end: [block, rest]."""
    difference = ranks[block, None] - ranks[None, block.start :]
    return np.clip(difference, -1, 1, out=difference)  # the sign of a whole number, twice as fast


def _untied(ties: Floats) -> Floats:
    """The weight of all untied pairs, given that of each group of ties [replicates, groups]:
    [replicates]."""
    return np.asarray((ties.sum(axis=1) ** 2 - np.einsum("rt,rt->r", ties, ties)) / 2)
