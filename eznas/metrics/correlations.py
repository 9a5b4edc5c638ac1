"""Further correlations: linear, weighted by rank, given sizes, among the best networks.

The conventions are those of the package: larger scores are better; NaN, +inf or a constant make a
value undefined, which is NaN; -inf is a legal score, "lowest".
"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from eznas.metrics.ranks import centred_ranks, kendall_many, rhos, taus, within_taus
from eznas.metrics.weighted import (
    Core,
    Floats,
    Order,
    checked,
    checked_groups,
    checked_share,
    comparable,
    float_array,
    ratio,
    top_weights,
    undefined,
    unweighted,
)

# The covariates explain a vector of ranks entirely if no more than this share of its length is
# left: far above rounding (1e-15), and far below what two swapped networks of 15,625 leave (2e-6).
NEGLIGIBLE = 1e-9


def pearson(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Pearson's r of scores [networks] with accuracies [networks]; NaN if undefined.

    It compares distances, so -inf on either side makes it NaN too. Source: Pearson 1895. Raises
    `InputError` if the shapes do not match.
    """
    return unweighted(pearsons, scores, accuracies)


def weighted_kendall(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Tau of scores [networks] in which the most accurate networks count most; NaN if undefined.

    A pair weighs 1/p + 1/q, where p and q are the ranks of its networks by accuracy [networks] (the
    best has rank 1); among equally accurate networks the higher score comes first. Tied pairs count
    as in tau-b. Source: Vigna 2015 (additive, hyperbolic). Raises `InputError` if the shapes do not
    match.
    """
    return unweighted(weighted_taus, scores, accuracies)


def partial_spearman(scores: ArrayLike, accuracies: ArrayLike, covariates: ArrayLike) -> float:
    """Spearman's rho of scores [networks] with accuracies [networks] given covariates [covariates,
    networks], say the sizes of the networks.

    Everything is replaced by average ranks. The ranks of the covariates (and an intercept) are
    fitted to those of scores and of accuracies by least squares, and the residuals are correlated.
    Covariates may be constant or repeat each other, and -inf is their lowest rank. NaN if
    undefined, if a covariate is NaN or +inf, and if the covariates explain the scores or the
    accuracies entirely (as n - 1 covariates do for n networks). Source: Yule 1907, on the ranks of
    Spearman 1904. Raises `InputError` if the shapes do not match.
    """
    covariate_rows, _ = checked(covariates, accuracies, "covariates")
    return unweighted(partial(partial_rhos, covariates=covariate_rows), scores, accuracies)


def top_kendall(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """`kendall` of scores [networks] within the top share by accuracies [networks]; NaN if it is
    undefined there.

    The top are the best ceil(share * networks), and all that are as accurate as the last of them.
    The result is NaN if any score is NaN or +inf, even outside the top. Source: Abdelfattah et al.
    2021 (with rho). Raises `InputError` if the shapes do not match, and for a share outside (0, 1].
    """
    return unweighted(partial(top_taus, share=checked_share(share)), scores, accuracies)


def top_spearman(scores: ArrayLike, accuracies: ArrayLike, share: float = 0.1) -> float:
    """`spearman` of scores [networks] within the top share by accuracies [networks], the top being
    that of `top_kendall`.

    Raises `InputError` if the shapes do not match, and for a share outside (0, 1].
    """
    return unweighted(partial(top_rhos, share=checked_share(share)), scores, accuracies)


def kendall_within(scores: ArrayLike, accuracies: ArrayLike, groups: ArrayLike) -> float:
    """Kendall's tau-b of scores [networks] with accuracies [networks], over the pairs of networks
    that have the same label in `groups` [networks].

    With the sizes of the networks as labels: does a score order networks of equal size? NaN if
    undefined, and where no pair is left. Raises `InputError` if the shapes do not match.
    """
    labels = checked_groups(groups, float_array(accuracies, 1).size)
    return unweighted(partial(within_taus, groups=labels), scores, accuracies)


class Variation(NamedTuple):
    """Tau over initialisations: its mean and standard deviation, and the mean tau between the
    scores of two initialisations."""

    mean: float
    deviation: float
    agreement: float


def variation(scores: ArrayLike, accuracies: ArrayLike) -> Variation:
    """How tau depends on the initialisation: scores [seeds, networks], accuracies [networks].

    The deviation has ddof=1, the agreement is the mean over pairs of seeds. Each is NaN if a tau
    that enters it is (say because one seed's scores are undefined), and where there are too few
    seeds for it. Source: Ehrenberg 1952 (agreement). Raises `InputError` if the shapes do not
    match.
    """
    matrix, target = checked(scores, accuracies)
    seed_taus = kendall_many(matrix, target)
    later_seeds = [kendall_many(matrix[seed + 1 :], row) for seed, row in enumerate(matrix)]
    pair_taus = np.concatenate([*later_seeds, np.empty(0)])
    return Variation(
        float(seed_taus.mean()) if seed_taus.size else np.nan,
        float(seed_taus.std(ddof=1)) if seed_taus.size > 1 else np.nan,
        float(pair_taus.mean()) if pair_taus.size else np.nan,
    )


def pearsons(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """The core of `pearson`: [proxies, replicates]."""
    result = undefined(scores, weights)
    if np.isfinite(accuracies).all():
        accuracy_deviations = _deviations(accuracies, weights)
        for proxy in np.flatnonzero(np.isfinite(scores).all(axis=1)):
            result[proxy] = _cosine(_deviations(scores[proxy], weights), accuracy_deviations)
    return result


def weighted_taus(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """The core of `weighted_kendall`: [proxies, replicates]; it repeats networks one by one."""
    from scipy.stats import weightedtau  # slow to import

    accuracy_ranks, copies = Order.of(accuracies).ranks, weights.astype(np.intp)
    result = undefined(scores, weights)
    for proxy in np.flatnonzero(comparable(scores, accuracies)):
        score_ranks = Order.of(scores[proxy]).ranks  # scipy compares whole numbers, -inf included
        for replicate, counts in enumerate(copies):
            x, y = np.repeat(accuracy_ranks, counts), np.repeat(score_ranks, counts)
            if len(set(x.tolist())) > 1 and len(set(y.tolist())) > 1:
                result[proxy, replicate] = weightedtau(x, y, rank=None).statistic
    return np.asarray(np.clip(result, -1, 1))


def partial_rhos(scores: Floats, accuracies: Floats, weights: Floats, covariates: Floats) -> Floats:
    """The core of `partial_spearman`, given covariates [covariates, networks]: [proxies,
    replicates]."""
    result = undefined(scores, weights)
    if not (covariates < np.inf).all():
        return result
    basis: list[Floats] = []
    for covariate in covariates:
        basis.append(_unit(_residual(_ranks(covariate, weights), basis)))
    accuracy_residual = _residual(_ranks(accuracies, weights), basis)
    for proxy in np.flatnonzero(comparable(scores, accuracies)):
        score_residual = _residual(_ranks(scores[proxy], weights), basis)
        result[proxy] = _cosine(score_residual, accuracy_residual)
    return result


def top_taus(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """The core of `top_kendall`: [proxies, replicates]."""
    return _among_top(taus, scores, accuracies, weights, share)


def top_rhos(scores: Floats, accuracies: Floats, weights: Floats, share: float) -> Floats:
    """The core of `top_spearman`: [proxies, replicates]."""
    return _among_top(rhos, scores, accuracies, weights, share)


def _among_top(
    core: Core, scores: Floats, accuracies: Floats, weights: Floats, share: float
) -> Floats:
    """A core over the top share of networks; a score outside it may still make a row NaN."""
    top = top_weights(accuracies, weights, share)
    in_any_top = top.any(axis=0)
    result = core(scores[:, in_any_top], accuracies[in_any_top], top[:, in_any_top])
    result[~comparable(scores, accuracies)] = np.nan
    return result


# Vectors [replicates, networks] that have been centred and multiplied by the roots of the weights:
# their plain products are the weighted ones.


def _deviations(values: Floats, weights: Floats) -> Floats:
    """Finite values [networks] minus their mean; exactly 0 for a constant."""
    scaled = values / (np.abs(values).max(initial=0) or 1)  # their squares do not overflow
    lowest = np.where(weights > 0, scaled, np.inf).min(axis=1, initial=np.inf)
    above_lowest = np.where(weights > 0, scaled - lowest[:, None], 0)
    total = np.maximum(weights.sum(axis=1), 1)
    mean = np.einsum("rn,rn->r", weights, above_lowest) / total
    return np.asarray(np.sqrt(weights) * (above_lowest - mean[:, None]))


def _ranks(values: Floats, weights: Floats) -> Floats:
    """Average ranks of values [networks] minus their mean."""
    return np.asarray(np.sqrt(weights) * centred_ranks(Order.of(values), weights)[0])


def _residual(vectors: Floats, basis: list[Floats]) -> Floats:
    """Vectors without their part in an orthonormal basis; exactly 0 where that is negligible."""
    residual = vectors
    for base in basis:  # from the residual so far: stable also for covariates that nearly agree
        residual = residual - np.einsum("rn,rn->r", residual, base)[:, None] * base
    squares = np.einsum("rn,rn->r", vectors, vectors)
    negligible = np.einsum("rn,rn->r", residual, residual) <= NEGLIGIBLE**2 * squares
    return np.asarray(np.where(negligible[:, None], 0.0, residual))


def _unit(vectors: Floats) -> Floats:
    """Vectors scaled to length 1; those of length 0 stay."""
    lengths = np.sqrt(np.einsum("rn,rn->r", vectors, vectors))
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1)[:, None])


def _cosine(first: Floats, second: Floats) -> Floats:
    """The cosine of the angle between vectors: [replicates]; NaN where one has length 0."""
    squares = np.einsum("rn,rn->r", first, first) * np.einsum("rn,rn->r", second, second)
    return ratio(np.einsum("rn,rn->r", first, second), squares)
