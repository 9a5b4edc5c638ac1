"""Further correlations: linear, weighted by rank, given sizes, among the best networks.

The conventions are those of the package: larger scores are better; NaN, +inf or a constant make a
value undefined, which is NaN; -inf is a legal score, "lowest".
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import weightedtau

from eznas.errors import InputError
from eznas.metrics.ranks import (
    Core,
    Floats,
    Order,
    centred_ranks,
    checked,
    checked_share,
    comparable,
    kendall_many,
    ratio,
    rhos,
    single,
    taus,
    top_weights,
    undefined,
    within_taus,
)

# A vector of ranks is explained by others if no more than this share of its length is left: far
# above rounding (1e-15), and far below what two swapped networks of 15,625 leave (2e-6).
NIL = 1e-9


def pearson(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Pearson's r of scores [networks] with accuracies [networks]; NaN if undefined.

    It measures distances, so -inf on either side makes it NaN too. Source: Pearson 1895. Raises
    `InputError` if the shapes do not match.
    """
    return single(pearsons, scores, accuracies)


def weighted_kendall(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Tau of scores [networks] in which the most accurate networks count most; NaN if undefined.

    A pair weighs 1/p + 1/q, where p and q are the places of its networks by accuracy (the best is
    1); of equally accurate ones the higher score comes first. Tied pairs count as in tau-b. Source:
    Vigna 2015 (additive, hyperbolic). Raises `InputError` if the shapes do not match.
    """
    return single(weighted_taus, scores, accuracies)


def partial_spearman(scores: ArrayLike, accuracies: ArrayLike, covariates: ArrayLike) -> float:
    """Spearman's rho of scores [networks] given covariates [covariates, networks], say sizes.

    Everything becomes average ranks; what is left of the ranks of scores and of accuracies after
    least squares on those of the covariates (and an intercept) is correlated. Covariates may be
    constant or repeat each other, and -inf is their lowest rank. NaN if undefined, if a covariate
    is NaN or +inf, and if the covariates explain the scores or the accuracies entirely (which as
    many covariates as networks less one do). Source: Yule 1907, on the ranks of Spearman 1904.
    Raises `InputError` if the shapes do not match.
    """
    sizes, _ = checked(covariates, accuracies, "covariates")
    return single(partial(partial_rhos, covariates=sizes), scores, accuracies)


def top_kendall(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """`kendall` within the top share of networks by accuracy; NaN if undefined there.

    The best ceil(share * networks), and all that are as accurate as the last of them. A score
    that is NaN or +inf makes it NaN wherever it stands. Source: Abdelfattah et al. 2021 (with rho).
    Raises `InputError` if the shapes do not match, and for a share outside (0, 1].
    """
    return single(partial(top_taus, share=checked_share(share)), scores, accuracies)


def top_spearman(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """`spearman` within the top share of networks by accuracy: see `top_kendall`."""
    return single(partial(top_rhos, share=checked_share(share)), scores, accuracies)


class Variation(NamedTuple):
    """Tau over initialisations: mean, standard deviation, and mean tau between two of them."""

    mean: float
    deviation: float
    agreement: float


def variation(scores: ArrayLike, accuracies: ArrayLike) -> Variation:
    """How tau depends on the initialisation: scores [seeds, networks], accuracies [networks].

    The deviation has ddof=1, the agreement is over pairs of seeds. Each is NaN where one of the
    taus in it is (so if one seed's scores are undefined), and with too few seeds to have it.
    Source: Ehrenberg 1952 (agreement). Raises `InputError` if the shapes do not match.
    """
    matrix, target = checked(scores, accuracies)
    each = kendall_many(matrix, target)
    pairs = [kendall_many(matrix[at + 1 :], row) for at, row in enumerate(matrix)]
    among = np.concatenate([*pairs, np.empty(0)])
    return Variation(
        float(each.mean()) if each.size else np.nan,
        float(each.std(ddof=1)) if each.size > 1 else np.nan,
        float(among.mean()) if among.size else np.nan,
    )


def kendall_within(scores: ArrayLike, accuracies: ArrayLike, groups: ArrayLike) -> float:
    """Kendall's tau-b over the pairs of networks that have one label in `groups` [networks]: does
    a score still order networks of one size? NaN where no pair is left."""
    _, labels = np.unique(np.asarray(groups), return_inverse=True)
    if labels.size != np.asarray(accuracies).size:
        raise InputError(f"groups of {labels.size} networks, expected one label for each")
    return single(partial(within_taus, groups=labels), scores, accuracies)


def pearsons(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted r, a core: [proxies, replicates]."""
    result = undefined(scores, weights)
    if np.isfinite(accuracies).all():
        theirs = _deviations(accuracies, weights)
        for at in np.flatnonzero(np.isfinite(scores).all(axis=1)):
            result[at] = _cosine(_deviations(scores[at], weights), theirs)
    return result


def weighted_taus(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted `weighted_kendall`, a core: [proxies, replicates]; copies are made one by one."""
    theirs, copies = Order.of(accuracies).ranks, weights.astype(np.intp)
    result = undefined(scores, weights)
    for at in np.flatnonzero(comparable(scores, accuracies)):
        ours = Order.of(scores[at]).ranks  # scipy compares whole numbers: -inf is one of them
        for replicate, times in enumerate(copies):
            x, y = np.repeat(theirs, times), np.repeat(ours, times)
            if len(set(x.tolist())) > 1 and len(set(y.tolist())) > 1:
                result[at, replicate] = weightedtau(x, y, rank=None).statistic
    return np.asarray(np.clip(result, -1, 1))


def partial_rhos(scores: Floats, accuracies: Floats, weights: Floats, covariates: Floats) -> Floats:
    """Weighted `partial_spearman`, a core given covariates [covariates, networks]."""
    result = undefined(scores, weights)
    if not (covariates < np.inf).all():
        return result
    basis: list[Floats] = []
    for row in covariates:
        basis.append(_unit(_left(_ranks(row, weights), basis)))
    theirs = _left(_ranks(accuracies, weights), basis)
    for at in np.flatnonzero(comparable(scores, accuracies)):
        result[at] = _cosine(_left(_ranks(scores[at], weights), basis), theirs)
    return result


def top_taus(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """Weighted `top_kendall`, a core."""
    return _among_top(taus, scores, accuracies, weights, share)


def top_rhos(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """Weighted `top_spearman`, a core."""
    return _among_top(rhos, scores, accuracies, weights, share)


def _among_top(
    core: Core, scores: Floats, accuracies: Floats, weights: Floats, share: float
) -> Floats:
    kept = top_weights(accuracies, weights, share)
    used = kept.any(axis=0)
    result = core(scores[:, used], accuracies[used], kept[:, used])
    result[~comparable(scores, accuracies)] = np.nan
    return result


# Vectors [replicates, networks] that have been centred and multiplied by the roots of the weights:
# their plain products are the weighted ones.


def _deviations(values: Floats, weights: Floats) -> Floats:
    """Finite values [networks] less their mean; exactly 0 for a constant."""
    scaled = values / (np.abs(values).max(initial=0) or 1)  # their squares do not overflow
    lowest = np.where(weights > 0, scaled, np.inf).min(axis=1, initial=np.inf)
    above = np.where(weights > 0, scaled - lowest[:, None], 0)
    total = np.maximum(weights.sum(axis=1), 1)
    mean = np.einsum("rn,rn->r", weights, above) / total
    return np.asarray(np.sqrt(weights) * (above - mean[:, None]))


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Average ranks of values [networks] less their mean."""
    return np.asarray(np.sqrt(weights) * centred_ranks(Order.of(values), weights)[0])


def _left(vectors: Floats, basis: list[Floats]) -> Floats:
    """What orthonormal vectors leave of others; exactly 0 where it is nil."""
    left = vectors
    for base in basis:  # from what is left so far: stable also for covariates that nearly agree
        left = left - np.einsum("rn,rn->r", left, base)[:, None] * base
    nil = np.einsum("rn,rn->r", left, left) <= NIL**2 * np.einsum("rn,rn->r", vectors, vectors)
    return np.asarray(np.where(nil[:, None], 0.0, left))


def _unit(vectors: Floats) -> Floats:
    """Vectors of length 1; those of length 0 stay."""
    lengths = np.sqrt(np.einsum("rn,rn->r", vectors, vectors))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1)[:, None])


def _cosine(first: Floats, second: Floats) -> Floats:
    squares = np.einsum("rn,rn->r", first, first) * np.einsum("rn,rn->r", second, second)
    return ratio(np.einsum("rn,rn->r", first, second), squares)
