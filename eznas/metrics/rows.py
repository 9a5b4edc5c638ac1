"""From scores to rows: what tables, JSON and exported proxies show."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NotRequired, TypedDict

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
    """One proxy on one dataset, with 95 % intervals; None where undefined.

    `partial_rho` is given the sizes of the networks; `top10` and `top50` are among the best 10 and
    50 % by accuracy, `precision10` is of the best 10 % by score; `regret5` is what training the
    best 5 by score loses, in units of accuracy. Where they were asked for: `within_tau` among
    networks that another proxy scores equally, `seconds` per network
    of the proxy by itself, and the `Variation` over initialisations.
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
    """Tau and rho of one proxy minus those of `against`, with paired 95 % intervals; `low` and
    `high` are tau's."""

    against: str
    dataset: str
    tau: float | None
    low: float | None
    high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None


def judge(
    scores: Mapping[str, ArrayLike],
    accuracies: Mapping[str, ArrayLike],
    components: ArrayLike,
    replicates: int = 1000,
    seed: int = 0,
    sizes: ArrayLike | None = None,
    groups: ArrayLike | None = None,
) -> dict[str, Bootstrap]:
    """The `Bootstrap` of each dataset, from which rows are made.

    `scores` maps datasets to [proxies, networks], `accuracies` to [networks]; `components`
    [networks], the weights, `sizes` [covariates, networks] (without them there is no partial rho)
    and `groups` [networks] (no tau within) are common: replicate r draws the same networks for
    every proxy and dataset. Raises `InputError` for a dataset without accuracies or shapes that do
    not match.
    """
    weights = bootstrap_weights(components, replicates, seed)
    for dataset in scores:
        if dataset not in accuracies:
            raise unknown("dataset", dataset, accuracies)
    return {d: bootstrap(scores[d], accuracies[d], weights, sizes, groups) for d in scores}


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
        partial, top10, ndcg, regret1 = (
            _with_interval(one, at, metric)
            for metric in ("partial_rho", "top10_rho", "ndcg", "regret1")
        )
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
            pearson=_value(one, at, "pearson"),
            weighted_tau=_value(one, at, "weighted_tau"),
            partial_rho=partial[0],
            partial_rho_low=partial[1],
            partial_rho_high=partial[2],
            top10_tau=_value(one, at, "top10_tau"),
            top10_rho=top10[0],
            top10_rho_low=top10[1],
            top10_rho_high=top10[2],
            top50_tau=_value(one, at, "top50_tau"),
            top50_rho=_value(one, at, "top50_rho"),
            ndcg=ndcg[0],
            ndcg_low=ndcg[1],
            ndcg_high=ndcg[2],
            regret1=regret1[0],
            regret1_low=regret1[1],
            regret1_high=regret1[2],
            regret5=_value(one, at, "regret5"),
            regret10=_value(one, at, "regret10"),
            precision10=_value(one, at, "precision10"),
            set=set_name,
            accuracy=accuracy,
            seeds=list(seeds),
        )
        if "within_tau" in one.more:
            value, low, high = _with_interval(one, at, "within_tau")
            row |= {"within_tau": value, "within_tau_low": low, "within_tau_high": high}
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
            rho, rho_low, rho_high = map(_null, paired_difference(one, own, at, of="rho"))
            rows.append(
                Difference(
                    against=name,
                    dataset=dataset,
                    tau=tau,
                    low=low,
                    high=high,
                    rho=rho,
                    rho_low=rho_low,
                    rho_high=rho_high,
                )
            )
    return rows


def _cells(
    names: Sequence[str], judged: Mapping[str, Bootstrap]
) -> Iterator[tuple[int, str, str, Bootstrap]]:
    for dataset, one in judged.items():
        if len(one.tau) != len(names):
            raise InputError(f"{dataset}: {len(one.tau)} score vectors for {len(names)} names")
    return ((at, name, *item) for at, name in enumerate(names) for item in judged.items())


Triple = tuple[float | None, float | None, float | None]


def _with_interval(one: Bootstrap, at: int, metric: str) -> Triple:
    """A metric of a proxy and its interval; None where it was not asked for."""
    if metric not in one.more:
        return None, None, None
    value, replicates = one.more[metric]
    low, high = interval(replicates[at])
    return _null(value[at]), _null(low), _null(high)


def _value(one: Bootstrap, at: int, metric: str) -> float | None:
    return _with_interval(one, at, metric)[0]


def _null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
