"""From scores to rows: what tables, JSON and exported proxies show."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict, cast

from numpy.typing import ArrayLike

from eznas.errors import InputError, unknown
from eznas.metrics.resampling import (
    Bootstrap,
    bootstrap,
    bootstrap_weights,
    interval,
    paired_difference,
)


class Row(TypedDict):
    """The metrics of one proxy on one dataset, with 95 % intervals; None where undefined.

    `partial_rho` is rho given the sizes of the networks; `top10` and `top50` are over the best 10
    and 50 % by accuracy, `precision10` is of the best 10 % by score; `regret5` is the accuracy, in
    its own unit, that is lost by training only the best 5 by score. On request: `within_tau` among
    networks that another proxy scores equally, `seconds` that the proxy alone takes per network,
    and the `Variation` over initialisations.
    """

    proxy: str
    dataset: str
    networks: int
    tau: float | None
    tau_low: float | None
    tau_high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None
    pearson: float | None
    weighted_tau: float | None
    partial_rho: float | None
    partial_rho_low: float | None
    partial_rho_high: float | None
    top10_tau: float | None
    top10_rho: float | None
    top10_rho_low: float | None
    top10_rho_high: float | None
    top50_tau: float | None
    top50_rho: float | None
    ndcg: float | None
    ndcg_low: float | None
    ndcg_high: float | None
    regret1: float | None
    regret1_low: float | None
    regret1_high: float | None
    regret5: float | None
    regret10: float | None
    precision10: float | None
    set: str
    accuracy: str
    seeds: list[int]
    within_tau: NotRequired[float | None]
    within_tau_low: NotRequired[float | None]
    within_tau_high: NotRequired[float | None]
    seconds: NotRequired[float]
    variation: NotRequired[dict[str, float | None]]


class Difference(TypedDict):
    """Tau and rho of one proxy minus those of the proxy `against`, None where undefined; with
    paired 95 % intervals, of which `low` and `high` are that of tau."""

    against: str
    dataset: str
    tau: float | None
    low: float | None
    high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None


# In the order of a `Row`, which has an interval for those with keys that end in _low and _high.
_METRICS = (
    *("tau", "rho", "pearson", "weighted_tau", "partial_rho", "top10_tau", "top10_rho"),
    *("top50_tau", "top50_rho", "ndcg", "regret1", "regret5", "regret10", "precision10"),
)


def bootstrap_all(
    scores: Mapping[str, ArrayLike],
    accuracies: Mapping[str, ArrayLike],
    components: ArrayLike,
    replicates: int = 1000,
    seed: int = 0,
    sizes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> dict[str, Bootstrap]:
    """The `Bootstrap` of each dataset, from which rows are made.

    `scores` maps datasets to [proxies, networks], `accuracies` to [networks]. The datasets share
    `components` [networks] (see `bootstrap_weights`), `sizes` [covariates, networks] (without them
    there is no partial rho) and `groups` [networks] (without them, no tau within groups), and
    replicate r draws the same networks for every proxy and dataset. Raises `InputError` for a
    dataset without accuracies and for shapes that do not match.
    """
    weights = bootstrap_weights(components, replicates, seed)
    for dataset in scores:
        if dataset not in accuracies:
            raise unknown("dataset", dataset, accuracies)
    return {d: bootstrap(scores[d], accuracies[d], weights, sizes, groups) for d in scores}


def correlation_rows(
    names: Sequence[str],
    results: Mapping[str, Bootstrap],
    *,
    set_name: str,
    accuracy: str,
    seeds: Sequence[int],
) -> list[Row]:
    """One `Row` per proxy and dataset, all datasets of the first proxy first.

    `names` [proxies] are in the order of the scores, `results` are by dataset. `set_name` says
    which networks these are ("all", "connected"), `accuracy` which accuracy ("validation",
    "given"), `seeds` the initialisations behind the scores. Raises `InputError` if there are not as
    many names as score vectors.
    """
    rows: list[Row] = []
    for index, dataset, result in _cells(names, results):
        row = {"proxy": names[index], "dataset": dataset, "networks": result.networks}
        for metric in _METRICS:
            row |= _numbers(result, metric, index)
        row |= {"set": set_name, "accuracy": accuracy, "seeds": list(seeds)}
        if result.metric("within_tau") is not None:
            row |= _numbers(result, "within_tau", index)
        rows.append(cast(Row, row))
    return rows


def difference_rows(
    names: Sequence[str], results: Mapping[str, Bootstrap], proxy: str
) -> list[Difference]:
    """One `Difference` of `proxy` against each other proxy and dataset, all datasets of the first
    other proxy first.

    `names` [proxies] are in the order of the scores, `results` are by dataset. Raises `InputError`
    if `proxy` is not among the names, and if there are not as many names as score vectors.
    """
    if proxy not in names:
        raise unknown("proxy", proxy, names)
    minuend = list(names).index(proxy)
    rows: list[Difference] = []
    for other, dataset, result in _cells(names, results):
        if other == minuend:
            continue
        tau, low, high = map(_null, paired_difference(result, minuend, other))
        rho, rho_low, rho_high = map(_null, paired_difference(result, minuend, other, of="rho"))
        row = Difference(
            against=names[other],
            dataset=dataset,
            tau=tau,
            low=low,
            high=high,
            rho=rho,
            rho_low=rho_low,
            rho_high=rho_high,
        )
        rows.append(row)
    return rows


def _cells(
    names: Sequence[str], results: Mapping[str, Bootstrap]
) -> Iterator[tuple[int, str, Bootstrap]]:
    """Each index of a proxy with each dataset and its result, the proxies outermost."""
    for dataset, result in results.items():
        if len(result.tau) != len(names):
            raise InputError(f"{dataset}: {len(result.tau)} score vectors for {len(names)} names")
    return ((index, *item) for index in range(len(names)) for item in results.items())


def _numbers(result: Bootstrap, metric: str, index: int) -> dict[str, float | None]:
    """A metric of the proxy with this index as a row has it: with its interval or without."""
    pair = result.metric(metric)
    value = None if pair is None else _null(pair[0][index])
    if f"{metric}_low" not in Row.__annotations__:
        return {metric: value}
    low, high = (None, None) if pair is None else map(_null, interval(pair[1][index]))
    return {metric: value, f"{metric}_low": low, f"{metric}_high": high}


def _null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
