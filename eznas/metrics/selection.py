"""What is gained by choosing networks by score: nDCG, regret, precision.

The conventions are those of the package: larger scores are better; NaN, +inf or a constant make a
value undefined, which is NaN; -inf is a legal score, "lowest". Where networks tie in score, chance
decides among them: every value is the exact expectation over their orders.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.metrics.ranks import (
    Floats,
    Order,
    checked_share,
    comparable,
    quota,
    single,
    top_weights,
    undefined,
)


def ndcg(scores: ArrayLike, accuracies: ArrayLike, k: int | None = None) -> float:
    """Normalised discounted cumulative gain of scores [networks]; NaN if undefined.

    The network at place p by score gains (accuracy - min) / (max - min), discounted by
    1 / log2(p + 1); the sum over all places, or the first k, is divided by that of the order by
    accuracy. Networks that tie in score gain their mean. -inf as an accuracy makes it NaN. Source:
    Järvelin & Kekäläinen 2002; McSherry & Najork 2008 (ties). Raises `InputError` if the shapes do
    not match, and for a k below 1.
    """
    return single(partial(ndcgs, k=None if k is None else _count(k)), scores, accuracies)


def regret(scores: ArrayLike, accuracies: ArrayLike, k: int = 1) -> float:
    """Accuracy lost by training only the k best by scores [networks]; NaN if undefined.

    The best accuracy of all less the best among those k, in units of accuracy: 0 is best, also
    where there are no more than k networks. Of networks that tie in score at the border, those
    that still fit are drawn at random (hypergeometric). -inf as an accuracy makes it NaN. Source:
    Bubeck et al. 2009 (simple regret). Raises `InputError` if the shapes do not match, and for a k
    below 1.
    """
    return single(partial(regrets, k=_count(k)), scores, accuracies)


def precision(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """Share of the top networks by scores [networks] that are at the top by accuracy too.

    The top by score are ceil(share * networks), drawn at random among those that tie at the border;
    the top by accuracy as many, and all that are as accurate as the last of them. NaN if undefined.
    Source: Abdelfattah et al. 2021. Raises `InputError` if the shapes do not match, and for a
    share outside (0, 1].
    """
    return single(partial(precisions, share=checked_share(share)), scores, accuracies)


def ndcgs(scores: Floats, accuracies: Floats, weights: Floats, k: int | None = None) -> Floats:
    """Weighted `ndcg`, a core: [proxies, replicates]."""
    result = undefined(scores, weights)
    if not np.isfinite(accuracies).all():
        return result
    places = int(weights.sum(axis=1).max(initial=0))
    discounts = np.cumsum(1 / np.log2(np.arange(2, min(places, k or places) + 2)))
    discounts = np.concatenate([[0.0], discounts])

    def worth(counts: Floats) -> Floats:
        return np.asarray(discounts[np.minimum(counts, len(discounts) - 1).astype(np.intp)])

    lowest = np.where(weights > 0, accuracies, np.inf).min(axis=1, initial=np.inf)
    gains = np.where(weights > 0, accuracies - lowest[:, None], 0)  # max - min cancels out
    ideal = _gained(Order.of(accuracies), weights, gains, worth)
    for at, order, fine in _rankings(scores, accuracies, weights):
        own = _gained(order, weights, gains, worth)
        np.divide(own, ideal, out=result[at], where=fine)
    return np.asarray(np.minimum(result, 1))


def regrets(scores: Floats, accuracies: Floats, weights: Floats, k: int) -> Floats:
    """Weighted `regret`, a core: [proxies, replicates]."""
    result = undefined(scores, weights)
    if not np.isfinite(accuracies).all():
        return result
    best_first = np.argsort(-accuracies, kind="stable")
    ordered, copies = accuracies[best_first], weights[:, best_first]
    best = np.where(copies > 0, ordered, -np.inf).max(axis=1, initial=-np.inf)
    for at, order, fine in _rankings(scores[:, best_first], ordered, copies):
        found = _best_of(k, order, ordered, copies[fine])
        result[at, fine] = np.maximum(best[fine] - found, 0)
    return result


def precisions(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """Weighted `precision`, a core: [proxies, replicates]."""
    result = undefined(scores, weights)
    chosen = quota(weights.sum(axis=1, keepdims=True), share)
    hits = (top_weights(accuracies, weights, share) > 0).astype(np.float64)
    for at, order, fine in _rankings(scores, accuracies, weights):
        found = _gained(order, weights, hits, lambda counts: np.minimum(counts, chosen))
        np.divide(found, chosen[:, 0], out=result[at], where=fine)
    return result


def _rankings(
    scores: Floats, accuracies: Floats, weights: Floats
) -> Iterator[tuple[int, Order, NDArray[np.bool_]]]:
    """Each proxy that is defined, its order, and in which replicates neither side is a constant."""
    varied = _varied(Order.of(accuracies), weights)
    for at in np.flatnonzero(comparable(scores, accuracies)):
        order = Order.of(scores[at])
        fine = varied & _varied(order, weights)
        if fine.any():
            yield int(at), order, fine


def _varied(order: Order, weights: Floats) -> NDArray[np.bool_]:
    return np.asarray((order.ties(weights) > 0).sum(axis=1) > 1)


def _gained(
    order: Order, weights: Floats, gains: Floats, worth: Callable[[Floats], Floats]
) -> Floats:
    """The sum of gains over places, best first, each gain times what its place is worth.

    `gains` is [replicates, networks] (or [networks]); `worth` tells what the first so many places
    are worth together. Those that tie share their places: [replicates].
    """
    ties, sums = (order.ties(values)[:, ::-1] for values in (weights, weights * gains))
    means = np.divide(sums, ties, out=np.zeros(ties.shape), where=ties > 0)
    shares = np.diff(worth(np.cumsum(ties, axis=1)), axis=1, prepend=0)
    return np.asarray(np.einsum("rt,rt->r", means, shares))


def _best_of(k: int, order: Order, accuracies: Floats, weights: Floats) -> Floats:
    """The best accuracy to be expected among the k first by score: [replicates].

    The networks come in the order of their accuracies, best first.
    """
    ties = order.ties(weights)[:, ::-1]
    counts = np.cumsum(ties, axis=1)
    chosen = np.minimum(counts[:, -1:], k)
    border = (counts >= chosen).argmax(axis=1)[:, None]
    size = np.take_along_axis(ties, border, axis=1)  # of the group in which the last one stands
    room = chosen - np.take_along_axis(counts, border, axis=1) + size
    group = ties.shape[1] - 1 - order.ranks
    sure = np.where((group < border) & (weights > 0), accuracies, -np.inf).max(axis=1)
    better = np.cumsum(np.where(group == border, weights, 0), axis=1)
    missed = np.ones(better.shape)  # the chance that none so good is among those drawn
    for drawn in range(int(room.max(initial=0))):
        left = np.maximum(size - better - drawn, 0) / np.maximum(size - drawn, 1)
        missed *= np.where(drawn < room, left, 1)
    chances = -np.diff(missed, axis=1, prepend=1)
    return np.asarray(np.einsum("rn,rn->r", chances, np.maximum(accuracies, sure[:, None])))


def _count(k: int) -> int:
    if k < 1:
        raise InputError(f"k {k}: expected 1 or more")
    return k
