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
from eznas.metrics.ranks import Core, Floats, array, blocks, checked, rhos, taus, within_taus
from eznas.metrics.selection import ndcgs, precisions, regrets

WEIGHTS = 1 << 22  # weights held at once in float64 (32 MB)
CACHED = 1 << 17  # the same (1 MB) for what goes over them again and again
EXACT = 1 << 24  # whole numbers up to this are exact in float32

# What `Bootstrap.more` holds beside tau and rho, as in rows: with replicates, and without.
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
    """How often each network is drawn when components are resampled: [replicates, networks].

    `components` [networks] holds labels (numbers or texts). A replicate draws as many components as
    there are, with replacement, each with all its networks: those of one component are no
    independent evidence. Source: Efron 1979.
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
    """Correlations of some proxies with the accuracies of one dataset.

    `tau`, `rho` [proxies] are those of the sample itself, `taus`, `rhos` [proxies, replicates]
    those of its replicates: NaN in a replicate that drew ties only. `more` has the same pair for
    other metrics by the name they have in rows, with 0 replicates where there is no interval.
    """

    networks: int
    tau: Floats
    rho: Floats
    taus: Floats
    rhos: Floats
    more: Mapping[str, tuple[Floats, Floats]] = field(default_factory=dict)


def bootstrap(
    scores: ArrayLike,
    accuracies: ArrayLike,
    weights: ArrayLike,
    sizes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> Bootstrap:
    """All metrics of scores [proxies, networks] under integer weights [replicates, networks].

    A network of weight k counts k times and its copies tie: exactly as if rows were repeated. A
    proxy with an undefined score is undefined in all replicates. The partial rho is there if
    `sizes` [covariates, networks] are, the tau within groups if `groups` [networks] are. Raises
    `InputError` if shapes do not match, for weights that are negative or no integers, and for 2**24
    or more in a replicate.
    """
    matrix, target = checked(scores, accuracies)
    counts = _checked_weights(weights, target.size)
    resampled = dict(RESAMPLED)
    if sizes is not None:
        covariates, _ = checked(sizes, target, "sizes")
        resampled["partial_rho"] = partial(partial_rhos, covariates=covariates)
    if groups is not None:
        _, labels = np.unique(np.asarray(groups), return_inverse=True)
        resampled["within_tau"] = partial(within_taus, groups=labels)
    once = np.ones((1, target.size), counts.dtype)
    none = np.empty((len(matrix), 0))

    def sampled(core: Core, at_once: int) -> tuple[Floats, Floats]:
        value, replicates = (_replicates(core, matrix, target, w, at_once) for w in (once, counts))
        return value[:, 0], replicates

    tau, each_tau = sampled(taus, WEIGHTS)
    rho, each_rho = sampled(rhos, WEIGHTS)
    more = {name: sampled(core, CACHED) for name, core in resampled.items()}
    for name, core in ONCE.items():
        more[name] = _replicates(core, matrix, target, once, 1)[:, 0], none
    return Bootstrap(target.size, tau, rho, each_tau, each_rho, more)


def interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval (low, high) of replicates [replicates]; NaNs ignored, NaN if all are.

    Source: Efron 1979.
    """
    values = array(replicates, 1)
    defined = values[~np.isnan(values)]
    if not defined.size:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    judged: Bootstrap,
    first: int,
    second: int,
    level: float = 0.95,
    *,
    of: Literal["tau", "rho"] = "tau",
) -> tuple[float, float, float]:
    """(tau of proxy `first` minus tau of proxy `second`, low, high), replicate by replicate; or
    rho's."""
    values, replicates = {"tau": (judged.tau, judged.taus), "rho": (judged.rho, judged.rhos)}[of]
    difference = float(values[first] - values[second])
    return difference, *interval(replicates[first] - replicates[second], level)


def verdict(low: float | None, high: float | None) -> Literal["won", "lost", "even"]:
    """What the interval of a difference shows: "won" or "lost" only where it excludes zero.

    An undefined one (NaN, or None as in rows) shows nothing: "even".
    """
    if low is not None and low > 0:
        return "won"
    return "lost" if high is not None and high < 0 else "even"


def _replicates(
    core: Core, scores: Floats, accuracies: Floats, weights: NDArray[Any], at_once: int
) -> Floats:
    """A core over blocks of replicates: [proxies, replicates]."""
    result = np.empty((len(scores), len(weights)))
    for part in blocks(len(weights), at_once // max(accuracies.size, 1)):
        result[:, part] = core(scores, accuracies, weights[part].astype(np.float64))
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
