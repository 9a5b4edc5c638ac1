"""How far a correlation can be trusted: the bootstrap over clusters of networks."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.metrics.table import METRICS
from eznas.metrics.weighted import Core, Floats, blocks, checked, checked_groups, float_array

WEIGHTS = 1 << 22  # weights held at once in float64 (32 MB)
CACHED_WEIGHTS = 1 << 17  # the same (1 MB) for metrics that go over the weights many times
EXACT = 1 << 24  # whole numbers up to this are exact in float32


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

    `values`: by the name of each metric that was computed, that of the sample itself, [proxies];
    `replicates`: those of its replicates, [proxies, replicates], 0 of them where the metric has no
    interval. NaN in a replicate that drew ties only.
    """

    networks: int
    values: Mapping[str, Floats]
    replicates: Mapping[str, Floats]

    def interval(self, metric: str, index: int) -> tuple[float, float]:
        """The 95 % percentile interval (low, high) of a metric of the proxy with this index."""
        return interval(self.replicates[metric][index])


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
    extras: dict[str, Any] = {}
    if sizes is not None:
        extras["covariates"], _ = checked(sizes, target, "sizes")
    if groups is not None:
        extras["groups"] = checked_groups(groups, target.size)
    ones = np.ones((1, target.size), counts.dtype)
    values, replicates = {}, {}
    for metric in METRICS.values():
        if metric.needs and metric.needs not in extras:
            continue
        core = metric.core
        if metric.needs:
            core = partial(core, **{metric.needs: extras[metric.needs]})
        at_once = WEIGHTS if metric.name in ("tau", "rho") else CACHED_WEIGHTS
        values[metric.name] = _replicates(core, matrix, target, ones, at_once)[:, 0]
        rows = counts if metric.interval else counts[:0]
        replicates[metric.name] = _replicates(core, matrix, target, rows, at_once)
    return Bootstrap(target.size, values, replicates)


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
    of: str = "tau",
) -> tuple[float, float, float]:
    """Tau (or the metric `of`) of the proxy with index `first` minus that of `second`, with its
    percentile interval: (difference, low, high).

    Both proxies are compared in the same replicates, so that even a small difference between
    similar proxies can be significant. NaN if one of the two is undefined.
    """
    values, replicates = result.values[of], result.replicates[of]
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
