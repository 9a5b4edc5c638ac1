"""From scores to rows: what tables, JSON and exported proxies show."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from eznas.errors import InputError, unknown
from eznas.metrics.resampling import (
    Bootstrap,
    bootstrap,
    bootstrap_weights,
    paired_difference,
    undefined_scores,
)
from eznas.metrics.table import METRICS, Metric

# The metrics of one proxy on one dataset by their names in `METRICS`, with NAME_low and NAME_high
# where they have a 95 % interval; None where undefined. Beside them proxy, dataset, networks (their
# number), set, accuracy and seeds; on request seconds (that the proxy alone takes per network) and
# the `Variation` over initialisations; where the proxy is undefined on some networks, undefined:
# their number and reason -> their names.
Row = dict[str, Any]
# Proxy, dataset and networks (indices) on which it is undefined there -> reason -> their names.
Why = Callable[[str, str, tuple[int, ...]], dict[str, list[str]]]

MEAN = "mean"


class Difference(TypedDict):
    """Tau and rho of one proxy minus those of the proxy `against`, over the networks on which both
    are defined, None where undefined; with paired 95 % intervals, of which `low` and `high` are
    that of tau."""

    against: str
    dataset: str
    tau: float | None
    low: float | None
    high: float | None
    rho: float | None
    rho_low: float | None
    rho_high: float | None


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
    for index, dataset, result in _proxy_dataset_pairs(names, results):
        row: Row = {"proxy": names[index], "dataset": dataset, "networks": result.networks}
        for metric in METRICS.values():
            if metric.name != "within_tau":
                row |= _numbers(result, metric, index)
        row |= {"set": set_name, "accuracy": accuracy, "seeds": list(seeds)}
        if "within_tau" in result.values:
            row |= _numbers(result, METRICS["within_tau"], index)
        rows.append(row)
    return rows


def add_undefined(
    rows: Sequence[Row], names: Sequence[str], scores: Mapping[str, ArrayLike], why: Why
) -> None:
    """Add to each row of a proxy that is undefined on some networks on how many, and `why`.

    `names` [proxies] are in the order of `scores`: dataset -> [proxies, networks].
    """
    for row in rows:
        of_proxy = np.asarray(scores[row["dataset"]])[list(names).index(row["proxy"])]
        networks = tuple(np.flatnonzero(undefined_scores(of_proxy)).tolist())
        if networks:
            reasons = why(row["proxy"], row["dataset"], networks)
            row["undefined"] = {"networks": len(networks), "reasons": reasons}


def difference_rows(
    names: Sequence[str], results: Mapping[str, Bootstrap], proxy: str
) -> list[Difference]:
    """One `Difference` of `proxy` against each other proxy and dataset, all datasets of the first
    other proxy first; of several data sets also that of their means, see `mean_of`.

    `names` [proxies] are in the order of the scores, `results` are by dataset. Raises `InputError`
    if `proxy` is not among the names, and if there are not as many names as score vectors.
    """
    if proxy not in names:
        raise unknown("proxy", proxy, names)
    minuend = list(names).index(proxy)
    _check_counts(names, results)
    samples = {dataset: [result] for dataset, result in results.items()}
    if len(results) > 1:
        samples[mean_of(results)] = [*results.values()]
    others = [index for index in range(len(names)) if index != minuend]
    return [
        _difference(names[other], dataset, sample, minuend, other)
        for other in others
        for dataset, sample in samples.items()
    ]


def mean_of(datasets: Iterable[str]) -> str:
    """The name of the mean over data sets: `MEAN`, or SPACE/`MEAN` where they have their space."""
    spaces = {dataset.rpartition("/")[0] for dataset in datasets}
    return f"{spaces.pop()}/{MEAN}".lstrip("/") if len(spaces) == 1 else MEAN


def is_mean(dataset: str) -> bool:
    """Whether it is the name of a mean over data sets."""
    return dataset.rpartition("/")[2] == MEAN


def _difference(
    against: str, dataset: str, results: Sequence[Bootstrap], minuend: int, other: int
) -> Difference:
    tau, low, high = map(_null, paired_difference(results, minuend, other))
    rho, rho_low, rho_high = map(_null, paired_difference(results, minuend, other, of="rho"))
    return Difference(
        against=against,
        dataset=dataset,
        tau=tau,
        low=low,
        high=high,
        rho=rho,
        rho_low=rho_low,
        rho_high=rho_high,
    )


def _proxy_dataset_pairs(
    names: Sequence[str], results: Mapping[str, Bootstrap]
) -> Iterator[tuple[int, str, Bootstrap]]:
    """Each index of a proxy with each dataset and its result, the proxies outermost."""
    _check_counts(names, results)
    return ((index, *item) for index in range(len(names)) for item in results.items())


def _check_counts(names: Sequence[str], results: Mapping[str, Bootstrap]) -> None:
    for dataset, result in results.items():
        count = len(result.values["tau"])
        if count != len(names):
            raise InputError(f"{dataset}: {count} score vectors for {len(names)} names")


def _numbers(result: Bootstrap, metric: Metric, index: int) -> dict[str, float | None]:
    """A metric of the proxy with this index as a row has it: with its interval or without."""
    name, known = metric.name, metric.name in result.values
    numbers = {name: _null(result.values[name][index]) if known else None}
    if metric.interval:
        low, high = map(_null, result.interval(name, index)) if known else (None, None)
        numbers |= {f"{name}_low": low, f"{name}_high": high}
    return numbers


def _null(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
