"""What is gained by choosing networks by score: nDCG, regret, precision.

The conventions are those of the package: larger scores are better; NaN, +inf or a constant make a
value undefined, which is NaN; -inf is a legal score, "lowest". Networks that tie in score come in
random order: every value is the exact expectation over all their orders.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.metrics.weighted import (
    Floats,
    Order,
    checked_share,
    comparable,
    top_count,
    top_weights,
    undefined,
    unweighted,
)


def ndcg(scores: ArrayLike, accuracies: ArrayLike, k: int | None = None) -> float:
    """Normalised discounted cumulative gain of scores [networks] against accuracies [networks]; NaN
    if undefined.

    The network at position p by score (1 is the best) gains (accuracy - min) / (max - min),
    discounted by 1 / log2(p + 1); the sum over all positions, or the first k, is divided by that of
    the order by accuracy. Networks that tie in score gain their mean. -inf as an accuracy makes it
    NaN. Source: Järvelin & Kekäläinen 2002; McSherry & Najork 2008 (ties). Raises `InputError` if
    the shapes do not match, and for a k below 1.
    """
    return unweighted(partial(ndcgs, k=None if k is None else _count(k)), scores, accuracies)


def regret(scores: ArrayLike, accuracies: ArrayLike, k: int = 1) -> float:
    """Accuracy lost by training only the k best by scores [networks]; NaN if undefined.

    The best of all accuracies [networks] minus the best among those k, in units of accuracy: 0 is
    the least, also where there are no more than k networks. If not all networks that tie in score
    are among the k best, those that are come from a random draw (hypergeometric). -inf as an
    accuracy makes it NaN. Source: Bubeck et al. 2009 (simple regret). Raises `InputError` if the
    shapes do not match, and for a k below 1.
    """
    return unweighted(partial(regrets, k=_count(k)), scores, accuracies)


def precision(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """Share of the top networks by scores [networks] that are at the top by accuracies [networks]
    too; NaN if undefined.

    The top by score are ceil(share * networks), drawn at random among those that tie at its border;
    the top by accuracy are as many, and all that are as accurate as the last of them. Source:
    Abdelfattah et al. 2021. Raises `InputError` if the shapes do not match, and for a share outside
    (0, 1].
    """
    return unweighted(partial(precisions, share=checked_share(share)), scores, accuracies)


def ndcgs(scores: Floats, accuracies: Floats, weights: Floats, k: int | None = None) -> Floats:
    """The core of `ndcg`: [proxies, replicates]."""
    result = undefined(scores, weights)
    if not np.isfinite(accuracies).all():
        return result
    positions = int(weights.sum(axis=1).max(initial=0))
    discounts = 1 / np.log2(np.arange(2, min(positions, k or positions) + 2))
    sums = np.concatenate([[0.0], np.cumsum(discounts)])

    def total_discount(counts: Floats) -> Floats:
        return np.asarray(sums[np.minimum(counts, len(sums) - 1).astype(np.intp)])

    lowest = np.where(weights > 0, accuracies, np.inf).min(axis=1, initial=np.inf)
    gains = np.where(weights > 0, accuracies - lowest[:, None], 0)  # max - min cancels out
    ideal = _expected_gain(Order.of(accuracies), weights, gains, total_discount)
    for proxy, order, defined in _orders(scores, accuracies, weights):
        gain = _expected_gain(order, weights, gains, total_discount)
        np.divide(gain, ideal, out=result[proxy], where=defined)
    return np.asarray(np.minimum(result, 1))


def regrets(scores: Floats, accuracies: Floats, weights: Floats, k: int) -> Floats:
    """The core of `regret`: [proxies, replicates]."""
    result = undefined(scores, weights)
    if not np.isfinite(accuracies).all():
        return result
    best_first = np.argsort(-accuracies, kind="stable")
    ordered, counts = accuracies[best_first], weights[:, best_first]
    best = np.where(counts > 0, ordered, -np.inf).max(axis=1, initial=-np.inf)
    for proxy, order, defined in _orders(scores[:, best_first], ordered, counts):
        best_by_score = _expected_best(k, order, ordered, counts[defined])
        result[proxy, defined] = np.maximum(best[defined] - best_by_score, 0)
    return result


def precisions(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """The core of `precision`: [proxies, replicates]."""
    result = undefined(scores, weights)
    top = top_count(weights.sum(axis=1, keepdims=True), share)
    hits = (top_weights(accuracies, weights, share) > 0).astype(np.float64)
    for proxy, order, defined in _orders(scores, accuracies, weights):
        top_hits = _expected_gain(order, weights, hits, lambda counts: np.minimum(counts, top))
        np.divide(top_hits, top[:, 0], out=result[proxy], where=defined)
    return result


def _orders(
    scores: Floats, accuracies: Floats, weights: Floats
) -> Iterator[tuple[int, Order, NDArray[np.bool_]]]:
    """The index and the order of each proxy that is defined, and in which replicates neither its
    scores nor the accuracies are constant."""
    accuracies_vary = _varies(Order.of(accuracies), weights)
    for proxy in np.flatnonzero(comparable(scores, accuracies)):
        order = Order.of(scores[proxy])
        defined = accuracies_vary & _varies(order, weights)
        if defined.any():
            yield int(proxy), order, defined


def _varies(order: Order, weights: Floats) -> NDArray[np.bool_]:
    """Whether more than one value is drawn: [replicates]."""
    return np.asarray((order.group_weights(weights) > 0).sum(axis=1) > 1)


def _expected_gain(
    order: Order, weights: Floats, gains: Floats, total_discount: Callable[[Floats], Floats]
) -> Floats:
    """The sum of gains over positions, best first, each times the discount of its position:
    [replicates].

    `gains` is [replicates, networks] (or [networks]); `total_discount` turns a number of positions
    into the sum of the first so many discounts. Tied networks share the discounts of their
    positions equally.
    """
    counts, sums = (order.group_weights(v)[:, ::-1] for v in (weights, weights * gains))
    means = np.divide(sums, counts, out=np.zeros(counts.shape), where=counts > 0)
    discounts = np.diff(total_discount(np.cumsum(counts, axis=1)), axis=1, prepend=0)
    return np.asarray(np.einsum("rt,rt->r", means, discounts))


def _expected_best(k: int, order: Order, accuracies: Floats, weights: Floats) -> Floats:
    """The expected best accuracy among the k first by score: [replicates].

    Networks come in the order of their accuracies, the best first. Groups of ties before the border
    are among the k first entirely, some of the border group are drawn at random, and none beyond.
    """
    sizes = order.group_weights(weights)[:, ::-1]
    counts = np.cumsum(sizes, axis=1)
    selected = np.minimum(counts[:, -1:], k)
    border = (counts >= selected).argmax(axis=1)[:, None]
    border_size = np.take_along_axis(sizes, border, axis=1)
    draws = selected - np.take_along_axis(counts, border, axis=1) + border_size
    group = sizes.shape[1] - 1 - order.ranks
    before_border = (group < border) & (weights > 0)
    certain_best = np.where(before_border, accuracies, -np.inf).max(axis=1)
    as_good = np.cumsum(np.where(group == border, weights, 0), axis=1)
    none_drawn = np.ones(as_good.shape)  # the chance that no network at least as good is drawn
    for draw in range(int(draws.max(initial=0))):
        miss = np.maximum(border_size - as_good - draw, 0) / np.maximum(border_size - draw, 1)
        none_drawn *= np.where(draw < draws, miss, 1)
    # that a network is drawn, and none that is better
    chances = -np.diff(none_drawn, axis=1, prepend=1)
    return np.asarray(np.einsum("rn,rn->r", chances, np.maximum(accuracies, certain_best[:, None])))


def _count(k: int) -> int:
    if k < 1:
        raise InputError(f"k {k}: expected 1 or more")
    return k
