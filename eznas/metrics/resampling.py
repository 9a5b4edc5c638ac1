"""How far a correlation can be trusted: the bootstrap over clusters of networks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.metrics.correlations import (
    partial_rhos,
    pearsons,
    top_rhos,
    top_taus,
    weighted_taus,
)
from eznas.metrics.ranks import rhos, taus, within_taus
from eznas.metrics.selection import ndcgs, precisions, regrets
from eznas.metrics.weighted import Core, Floats, blocks, checked, checked_groups, float_array

WEIGHTS = 1 << 22  # weights held at once in float64 (32 MB)
CACHED_WEIGHTS = 1 << 17  # the same (1 MB) for metrics that go over the weights many times
EXACT = 1 << 24  # whole numbers up to this are exact in float32

# The metrics beside tau and rho by their names in rows: with bootstrap replicates, and without.
RESAMPLED: dict[str, Core] = {
    "top10_rho": partial(top_rhos, share=0.1),
    "ndcg": ndcgs,
    "regret1": partial(regrets, k=1),
}
ONCE: dict[str, Core] = {
    "pearson": pearsons,
    "weighted_tau": weighted_taus,
    "top10_tau": partial(top_taus, share=0.1),
    "top50_tau": partial(top_taus, share=0.5),
    "top50_rho": partial(top_rhos, share=0.5),
    "regret5": partial(regrets, k=5),
    "regret10": partial(regrets, k=10),
    "precision10": partial(precisions, share=0.1),
}


def bootstrap_weights(
    components: ArrayLike, replicates: int = 1000, seed: int = 0
) -> NDArray[np.int32]:
    """How often each network is drawn when components are resampled: int32 [replicates, networks].

    `components` [networks] holds labels (numbers or texts). A replicate draws as many components as
    there are, with replacement, each with all its networks: networks of one component are no
    independent evidence. Equal seeds give equal weights. Source: Efron 1979.
    """
    labels, members = np.unique(np.asarray(components), return_inverse=True)
    random = np.random.default_rng(seed)
    weights = np.empty((replicates, members.size), np.int32)
    for row in weights:
        drawn = random.integers(labels.size, size=labels.size)
        row[:] = np.bincount(drawn, minlength=labels.size)[members]
    return weights


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """The metrics of some proxies on one dataset, and their bootstrap replicates.

    `tau`, `rho` [proxies] are those of the sample itself, `taus`, `rhos` [proxies, replicates]
    those of its replicates: NaN in a replicate that drew ties only. `more` has such a pair for
    other metrics by their names in rows, with 0 replicates where there is no interval.
    """

    networks: int
    tau: Floats
    rho: Floats
    taus: Floats
    rhos: Floats
    more: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)

    def metric(self, name: str) -> tuple[Floats, Floats] | None:
        """The values [proxies] and the replicates [proxies, replicates] of a metric by its name in
        rows; None where it was not computed."""
        pairs = {"tau": (self.tau, self.taus), "rho": (self.rho, self.rhos), **self.more}
        return pairs.get(name)


def bootstrap(
    scores: ArrayLike,
    accuracies: ArrayLike,
    weights: ArrayLike,
    sizes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Bootstrap:
    """All metrics of scores [proxies, networks] against accuracies [networks], for the sample
    itself and under integer weights [replicates, networks].

    A network of weight k counts k times and its copies tie: exactly as if rows were repeated. A
    proxy with an undefined score is undefined in all replicates. With `sizes` [covariates,
    networks] there is a partial rho, with `groups` [networks] a tau within groups. Raises
    `InputError` if shapes do not match, for weights that are negative or no integers, and for 2**24
    or more networks in a replicate.
    """
    matrix, target = checked(scores, accuracies)
    counts = _checked_weights(weights, target.size)
    resampled = dict(RESAMPLED)
    if sizes is not None:
        covariates, _ = checked(sizes, target, "sizes")
        resampled["partial_rho"] = partial(partial_rhos, covariates=covariates)
    if groups is not None:
        labels = checked_groups(groups, target.size)
        resampled["within_tau"] = partial(within_taus, groups=labels)
    ones = np.ones((1, target.size), counts.dtype)
    no_replicates = np.empty((len(matrix), 0))

    def resample(core: Core, weights_at_once: int) -> tuple[Floats, Floats]:
        value, replicates = (
            _replicates(core, matrix, target, rows, weights_at_once) for rows in (ones, counts)
        )
        return value[:, 0], replicates

    tau, replicate_taus = resample(taus, WEIGHTS)
    rho, replicate_rhos = resample(rhos, WEIGHTS)
    more = {name: resample(core, CACHED_WEIGHTS) for name, core in resampled.items()}
    for name, core in ONCE.items():
        more[name] = _replicates(core, matrix, target, ones, 1)[:, 0], no_replicates
    return Bootstrap(target.size, tau, rho, replicate_taus, replicate_rhos, more)


def interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval (low, high) of replicates [replicates]; NaNs are ignored, and it is NaN
    if all are.

    Source: Efron 1979. Raises `InputError` for an array of more than one axis.
    """
    values = float_array(replicates, 1)
    defined = values[~np.isnan(values)]
    if not defined.size:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    result: Bootstrap,
    first: int,
    second: int,
    level: float = 0.95,
    *,
    of: Literal["tau", "rho"] = "tau",
) -> tuple[float, float, float]:
    """Tau (or rho) of the proxy with index `first` minus that of `second`, with its percentile
    interval: (difference, low, high).

    Both proxies are compared in the same replicates, so that even a small difference between
    similar proxies can be significant. NaN if one of the two is undefined.
    """
    values, replicates = (result.tau, result.taus) if of == "tau" else (result.rho, result.rhos)
    difference = float(values[first] - values[second])
    return difference, *interval(replicates[first] - replicates[second], level)


def verdict(low: float | None, high: float | None) -> Literal["won", "lost", "even"]:
    """What the interval of a difference shows: "won" or "lost" only where it excludes zero.

    An undefined interval (NaN, or None as in rows) shows nothing: "even".
    """
    if low is not None and low > 0:
        return "won"
    return "lost" if high is not None and high < 0 else "even"


def _replicates(
    core: Core, scores: Floats, accuracies: Floats, weights: NDArray[Any], weights_at_once: int
) -> Floats:
    """A core over blocks of replicates: [proxies, replicates]."""
    result = np.empty((len(scores), len(weights)))
    for block in blocks(len(weights), weights_at_once // max(accuracies.size, 1)):
        result[:, block] = core(scores, accuracies, weights[block].astype(np.float64))
    return result


def _checked_weights(weights: ArrayLike, networks: int) -> NDArray[Any]:
    counts = np.asarray(weights)
    if counts.ndim != 2 or counts.shape[1] != networks:
        raise InputError(f"weights: expected [replicates, {networks}], got shape {counts.shape}")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError("weights: expected an integer array without negative numbers")
    if (counts.sum(axis=1) >= EXACT).any():
        raise InputError(f"weights: expected fewer than {EXACT} networks in a replicate")
    return counts
