"""Rank correlation of scores with accuracies, and how far it can be trusted.

Kendall's tau-b and Spearman's rho for one score vector, for a generation of them, and for every
replicate of a bootstrap over clusters of networks. All share one weighted core that counts in whole
numbers: results are equal to the bit for any number of threads.

**Undefined is NaN, never 0**: when a score or an accuracy is NaN or +inf, and when all scores or
all accuracies are equal (so also for fewer than two networks): a constant has no order to compare.
-inf is a legal score, "lowest"; several are ties. Rows have None (JSON null) for NaN.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eznas.errors import InputError, unknown

Floats = NDArray[np.float64]
Ranks = NDArray[np.intp]

SIGNS = 1 << 18  # signs of pairs held at once (1 MB): more falls out of cache
WEIGHTS = 1 << 22  # weights held at once in float64 (32 MB)
EXACT = 1 << 24  # whole numbers up to this are exact in float32


def kendall(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Kendall's tau-b of scores [networks] against accuracies [networks]; NaN if undefined.

    Source: Kendall 1938; Kendall 1945 (ties). Raises `InputError` if the shapes do not match.
    """
    return float(kendall_many(_array(scores, 1)[None], accuracies)[0])


def kendall_many(scores: ArrayLike, accuracies: ArrayLike) -> Floats:
    """`kendall` of each row of scores [formulas, networks]: [formulas]."""
    matrix, target = _checked(scores, accuracies)
    return _taus(matrix, target, np.ones((1, target.size)))[:, 0]


def spearman(scores: ArrayLike, accuracies: ArrayLike) -> float:
    """Spearman's rho of scores [networks] against accuracies [networks]; NaN if undefined.

    Ties get average ranks. Source: Spearman 1904. Raises `InputError` if the shapes do not match.
    """
    matrix, target = _checked(_array(scores, 1)[None], accuracies)
    return float(_rhos(matrix, target, np.ones((1, target.size)))[0, 0])


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
    those of its replicates: NaN in a replicate that drew ties only.
    """

    networks: int
    tau: Floats
    rho: Floats
    taus: Floats
    rhos: Floats


def bootstrap(scores: ArrayLike, accuracies: ArrayLike, weights: ArrayLike) -> Bootstrap:
    """Tau-b and rho of scores [proxies, networks] under integer weights [replicates, networks].

    A network of weight k counts k times and its copies tie: exactly as if rows were repeated. A
    proxy with an undefined score is undefined in all replicates. Raises `InputError` if shapes do
    not match, for weights that are negative or no integers, and for 2**24 or more in a replicate.
    """
    matrix, target = _checked(scores, accuracies)
    counts = _checked_weights(weights, target.size)
    taus, rhos = np.empty((2, len(matrix), len(counts)))
    for part in _blocks(len(counts), WEIGHTS // max(target.size, 1)):
        some = counts[part].astype(np.float64)
        taus[:, part] = _taus(matrix, target, some)
        rhos[:, part] = _rhos(matrix, target, some)
    once = np.ones((1, target.size))
    tau, rho = _taus(matrix, target, once)[:, 0], _rhos(matrix, target, once)[:, 0]
    return Bootstrap(target.size, tau, rho, taus, rhos)


def interval(replicates: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Percentile interval (low, high) of replicates [replicates]; NaNs ignored, NaN if all are.

    Source: Efron 1979.
    """
    values = _array(replicates, 1)
    defined = values[~np.isnan(values)]
    if not defined.size:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def paired_difference(
    judged: Bootstrap, first: int, second: int, level: float = 0.95
) -> tuple[float, float, float]:
    """(tau of proxy `first` minus tau of proxy `second`, low, high), replicate by replicate."""
    difference = float(judged.tau[first] - judged.tau[second])
    return difference, *interval(judged.taus[first] - judged.taus[second], level)


def verdict(low: float | None, high: float | None) -> Literal["won", "lost", "even"]:
    """What the interval of a difference shows: "won" or "lost" only where it excludes zero.

    An undefined one (NaN, or None as in rows) shows nothing: "even".
    """
    if low is not None and low > 0:
        return "won"
    return "lost" if high is not None and high < 0 else "even"


class Row(TypedDict):
    """One proxy on one dataset, with 95 % intervals; None where undefined."""

    proxy: str
    dataset: str
    networks: int
    tau: float | None
    tau_low: float | None
    tau_high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None
    set: str
    accuracy: str
    seeds: list[int]


class Difference(TypedDict):
    """Tau of one proxy minus tau of `against`, with the paired 95 % interval."""

    against: str
    dataset: str
    tau: float | None
    low: float | None
    high: float | None


def judge(
    scores: Mapping[str, ArrayLike],
    accuracies: Mapping[str, ArrayLike],
    components: ArrayLike,
    replicates: int = 1000,
    seed: int = 0,
) -> dict[str, Bootstrap]:
    """The `Bootstrap` of each dataset, from which rows are made.

    `scores` maps datasets to [proxies, networks], `accuracies` to [networks]; `components`
    [networks] and the weights are common: replicate r draws the same networks for every proxy and
    dataset. Raises `InputError` for a dataset without accuracies or shapes that do not match.
    """
    weights = bootstrap_weights(components, replicates, seed)
    for dataset in scores:
        if dataset not in accuracies:
            raise unknown("dataset", dataset, accuracies)
    return {name: bootstrap(scores[name], accuracies[name], weights) for name in scores}


def correlation_rows(
    names: Sequence[str],
    judged: Mapping[str, Bootstrap],
    *,
    set_name: str,
    accuracy: str,
    seeds: Sequence[int],
) -> list[Row]:
    """One `Row` per proxy and dataset, proxies outermost; `names` in the order of the scores.

    `set_name` tells which networks are judged ("all", "connected"), `accuracy` by what
    ("validation", "given"), `seeds` the initialisations behind the scores.
    """
    rows: list[Row] = []
    for at, name, dataset, one in _cells(names, judged):
        tau, tau_low, tau_high = map(_null, (one.tau[at], *interval(one.taus[at])))
        rho, rho_low, rho_high = map(_null, (one.rho[at], *interval(one.rhos[at])))
        row = Row(
            proxy=name,
            dataset=dataset,
            networks=one.networks,
            tau=tau,
            tau_low=tau_low,
            tau_high=tau_high,
            rho=rho,
            rho_low=rho_low,
            rho_high=rho_high,
            set=set_name,
            accuracy=accuracy,
            seeds=list(seeds),
        )
        rows.append(row)
    return rows


def difference_rows(
    names: Sequence[str], judged: Mapping[str, Bootstrap], proxy: str
) -> list[Difference]:
    """One `Difference` of `proxy` against each other name and dataset, the names outermost."""
    if proxy not in names:
        raise unknown("proxy", proxy, names)
    own = list(names).index(proxy)
    rows: list[Difference] = []
    for at, name, dataset, one in _cells(names, judged):
        if at != own:
            tau, low, high = map(_null, paired_difference(one, own, at))
            rows.append(Difference(against=name, dataset=dataset, tau=tau, low=low, high=high))
    return rows


# The weighted core: weights [replicates, networks] are whole numbers in float64.


@dataclass(frozen=True, slots=True)
class _Order:
    """A vector as an order: its dense `ranks` (0, 1, ...), and where ties start in `order`."""

    ranks: Ranks
    order: Ranks
    starts: Ranks

    @classmethod
    def of(cls, values: Floats) -> "_Order":
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


def _taus(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted tau-b: [proxies, replicates]."""
    orders, target = [_Order.of(row) for row in scores], _Order.of(accuracies)
    result = _concordance([one.ranks for one in orders], target.ranks, weights)
    theirs = _untied(target.ties(weights))
    comparable = _comparable(scores, accuracies)
    for row, one, fine in zip(result, orders, comparable, strict=True):
        row[:] = _ratio(row, _untied(one.ties(weights)) * theirs) if fine else np.nan
    return result


def _concordance(scores: Sequence[Ranks], accuracies: Ranks, weights: Floats) -> Floats:
    """Concordant minus discordant pairs, each weighing w_i * w_j: [proxies, replicates].

    The product is exact in float32: its terms are whole numbers that add up, in any order, to less
    than the sum of the weights, below 2**24. Pairs come in blocks: the signs of all pairs of
    15,625 networks would be 1 GB.
    """
    ours, theirs = [row.astype(np.float32) for row in scores], accuracies.astype(np.float32)
    factors = weights.astype(np.float32)
    total = np.zeros((len(ours), len(weights)))
    for block in _blocks(theirs.size, max(64, SIGNS // max(theirs.size, 1))):
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


def _rhos(scores: Floats, accuracies: Floats, weights: Floats) -> Floats:
    """Weighted rho, Pearson's correlation of average ranks: [proxies, replicates]."""
    theirs, their_spread = _centred_ranks(_Order.of(accuracies), weights)
    theirs *= weights
    result = np.full((len(scores), len(weights)), np.nan)
    for at in np.flatnonzero(_comparable(scores, accuracies)):
        ours, spread = _centred_ranks(_Order.of(scores[at]), weights)
        result[at] = _ratio(12 * np.einsum("rn,rn->r", ours, theirs), spread * their_spread)
    return result


def _centred_ranks(order: _Order, weights: Floats) -> tuple[Floats, Floats]:
    """Average ranks less their mean [replicates, networks], and 12 times their sum of squares.

    Times 12 it is the whole number total**3 - sum(ties**3): exactly 0 for a constant.
    """
    ties = order.ties(weights)
    total = ties.sum(axis=1)
    ranks = np.cumsum(ties, axis=1) - (ties + total[:, None]) / 2
    spread = np.asarray(total**3 - np.einsum("rt,rt->r", ties * ties, ties))
    return np.take(ranks, order.ranks, axis=1), spread


def _ratio(numerator: Floats, square: Floats) -> Floats:
    """numerator / sqrt(square) in [-1, 1]; NaN where square is 0."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, np.sqrt(square), out=result, where=square > 0)
    return np.asarray(np.clip(result, -1, 1))


def _comparable(scores: Floats, accuracies: Floats) -> NDArray[np.bool_]:
    """Which rows of scores, and the accuracies, are free of NaN and +inf: [proxies]."""
    return np.asarray((scores < np.inf).all(axis=1) & (accuracies < np.inf).all())


def _blocks(size: int, step: int) -> Iterator[slice]:
    step = max(step, 1)
    return (slice(start, min(start + step, size)) for start in range(0, size, step))


def _cells(
    names: Sequence[str], judged: Mapping[str, Bootstrap]
) -> Iterator[tuple[int, str, str, Bootstrap]]:
    for dataset, one in judged.items():
        if len(one.tau) != len(names):
            raise InputError(f"{dataset}: {len(one.tau)} score vectors for {len(names)} names")
    return ((at, name, *item) for at, name in enumerate(names) for item in judged.items())


def _array(values: ArrayLike, axes: int) -> Floats:
    array = np.asarray(values, np.float64)
    if array.ndim != axes:
        raise InputError(f"expected an array of {axes} axes, got shape {array.shape}")
    return array


def _checked(scores: ArrayLike, accuracies: ArrayLike) -> tuple[Floats, Floats]:
    matrix, target = _array(scores, 2), _array(accuracies, 1)
    if matrix.shape[1] != target.size:
        raise InputError(f"scores of {matrix.shape[1]} networks, accuracies of {target.size}")
    return matrix, target


def _checked_weights(weights: ArrayLike, networks: int) -> NDArray[Any]:
    counts = np.asarray(weights)
    if counts.ndim != 2 or counts.shape[1] != networks:
        raise InputError(f"weights: expected [replicates, {networks}], got shape {counts.shape}")
    if counts.dtype.kind not in "iu" or (counts < 0).any():
        raise InputError("weights: expected an integer array without negative numbers")
    if (counts.sum(axis=1) >= EXACT).any():
        raise InputError(f"weights: expected fewer than {EXACT} networks in a replicate")
    return counts


def _null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
