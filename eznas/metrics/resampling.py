"""How far a correlation can be trusted: the bootstrap over clusters of networks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError
from eznas.metrics.table import METRICS, Metric
from eznas.metrics.weighted import Core, Floats, blocks, checked, checked_groups, float_array

WEIGHTS = 1 << 22  # weights held at once in float64 (32 MB)
CACHED_WEIGHTS = 1 << 17  # the same (1 MB) for metrics that go over the weights many times
EXACT = 1 << 24  # whole numbers up to this are exact in float32
LEAST = 2  # networks with a score: of fewer there is no order


def undefined_scores(scores: ArrayLike) -> NDArray[np.bool_]:
    """Where scores [...] are undefined (NaN or +inf): bool [...]. -inf is a score, the lowest."""
    return ~(np.asarray(scores, np.float64) < np.inf)


def component_folds(components: ArrayLike, folds: int, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each network, 0 to `folds` - 1, int64 [networks]: components [networks] whole, as
    many in one fold as in another, drawn from a seed."""
    distinct, places = np.unique(np.asarray(components), return_inverse=True)
    lot = np.random.default_rng(seed).permutation(len(distinct))
    return np.asarray(lot[places] % folds, np.int64)


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
    """The metrics of some proxies on one dataset, each over the networks on which the proxy is
    defined, and their bootstrap replicates.

    `scores` [proxies, networks], `accuracies` [networks] and `weights` [replicates, networks] are
    what they were computed from. `values`: by the name of each metric that was computed, that of
    the sample itself, [proxies]; `replicates`: those of its replicates, [proxies, replicates], 0 of
    them where the metric has no interval. NaN in a replicate that drew ties only.
    """

    scores: Floats
    accuracies: Floats
    weights: NDArray[Any]
    values: Mapping[str, Floats]
    replicates: Mapping[str, Floats]

    @property
    def networks(self) -> int:
        """How many networks there are, those without a score included."""
        return self.accuracies.size

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
    proxy that is undefined on some networks has the metrics of the others, from the same
    replicates; one that is defined on fewer than `LEAST` is undefined. With `sizes` [covariates,
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
    metrics = [m for m in METRICS.values() if not m.needs or m.needs in extras]
    values = {m.name: np.empty(len(matrix)) for m in metrics}
    replicates = {m.name: np.empty((len(matrix), len(counts) * m.interval)) for m in metrics}
    for proxies, networks in by_defined(matrix):
        arrays = matrix[proxies][:, networks], target[networks], counts[:, networks]
        for metric in metrics:
            extra = {metric.needs: extras[metric.needs][..., networks]} if metric.needs else {}
            of_sample, of_replicates = _computed(metric, *arrays, extra)
            values[metric.name][proxies] = of_sample
            replicates[metric.name][proxies] = of_replicates
    return Bootstrap(matrix, target, counts, values, replicates)


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
    results: Sequence[Bootstrap],
    first: int,
    second: int,
    level: float = 0.95,
    *,
    of: str = "tau",
) -> tuple[float, float, float]:
    """Tau (or the metric `of`) of the proxy with index `first` minus that of `second`, the mean
    over data sets whose replicates draw the same networks, with its percentile interval:
    (difference, low, high).

    Both proxies are compared on the networks on which both are defined and in the same replicates,
    so that even a small difference between similar proxies can be significant. NaN if there are
    fewer than `LEAST` such networks. `of` is a metric that needs no sizes or groups.
    """
    differences = [_paired(result, first, second, of) for result in results]
    value = float(np.mean([value for value, _ in differences]))
    if math.isnan(value):
        return math.nan, math.nan, math.nan
    return value, *interval(np.mean([replicates for _, replicates in differences], axis=0), level)


def _paired(result: Bootstrap, first: int, second: int, of: str) -> tuple[float, Floats]:
    """A difference, and its replicates; NaN and none where too few networks have both scores."""
    pair = result.scores[[first, second]]
    defined = ~undefined_scores(pair)
    if (defined[0] == defined[1]).all():
        values = result.values[of][[first, second]]
        replicates = result.replicates[of][[first, second]]
    else:
        both = defined.all(0)
        if both.sum() < LEAST:
            return math.nan, np.array([])
        arrays = pair[:, both], result.accuracies[both], result.weights[:, both]
        values, replicates = _computed(METRICS[of], *arrays, {})
    return float(values[0] - values[1]), replicates[0] - replicates[1]


def verdict(low: float | None, high: float | None) -> Literal["won", "lost", "even"]:
    """What the interval of a difference shows: "won" or "lost" only where it excludes zero.

    An undefined interval (NaN, or None as in rows) shows nothing: "even".
    """
    if low is not None and low > 0:
        return "won"
    return "lost" if high is not None and high < 0 else "even"


def by_defined(scores: Floats) -> Iterator[tuple[NDArray[np.intp], NDArray[np.bool_]]]:
    """The proxies (indices) that are defined on the same networks, with these, bool [networks]: of
    scores [proxies, networks]. All networks for proxies that are defined on too few."""
    defined = ~undefined_scores(scores)
    defined[defined.sum(1) < LEAST] = True
    for networks in np.unique(defined, axis=0):
        yield np.flatnonzero((defined == networks).all(1)), networks


def _computed(
    metric: Metric,
    scores: Floats,
    accuracies: Floats,
    weights: NDArray[Any],
    extra: Mapping[str, Any],
) -> tuple[Floats, Floats]:
    """A metric of the sample, [proxies], and of its replicates, [proxies, replicates]: none for a
    metric without an interval."""
    core: Core = partial(metric.core, **extra)
    at_once = WEIGHTS if metric.name in ("tau", "rho") else CACHED_WEIGHTS
    ones = np.ones((1, accuracies.size), weights.dtype)
    rows = weights if metric.interval else weights[:0]
    values = _replicates(core, scores, accuracies, ones, at_once)[:, 0]
    return values, _replicates(core, scores, accuracies, rows, at_once)


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
