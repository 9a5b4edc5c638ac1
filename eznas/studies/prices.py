"""What predictors cost: labels, seconds of training, proxies and queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eznas.benchmarks import Benchmark
from eznas.benchmarks.costs import training_seconds
from eznas.benchmarks.curves import Curves
from eznas.evaluation.executors import Phases
from eznas.predictors.base import Predictor
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import describe, load
from eznas.proxies.measured import ScoringSettings, seconds_each
from eznas.statistics.catalogue import CATALOGUE
from eznas.studies.trials import Job

TIMED = 4  # networks on which each proxy is timed

Row = dict[str, Any]


@dataclass(frozen=True)
class Price:
    """What training costs: seconds of an epoch of a mean network, None where they are not known,
    and the epochs of a whole training, None where these are not."""

    epoch_seconds: float | None
    total_epochs: int | None

    @staticmethod
    def of(space: str, dataset: str, curves: Curves | None) -> "Price":
        """The price of training networks of a space on a data set, also one at another size
        (DATASET@SIZE), whose training is that of the data set."""
        times = training_seconds(space, dataset.partition("@")[0])
        if times is None:
            return Price(None, None if curves is None else curves.total_epochs)
        return Price(float(times.seconds.mean() / times.epochs), times.epochs)

    @property
    def unit(self) -> str:
        """Of what queries cost."""
        return "epochs" if self.epoch_seconds is None else "seconds"

    @property
    def dearest(self) -> float:
        """What a whole training costs, in `unit`; 1 where that is not known."""
        return (self.total_epochs or 1) * (self.epoch_seconds or 1)


def proxy_seconds(
    proxies: Sequence[str], pool: Benchmark, settings: ScoringSettings, phases: Phases
) -> dict[str, float]:
    """Seconds a network that each proxy takes by itself, measured on the first networks of the
    pool, on one thread. Raises `InputError` where a network cannot be measured."""
    if not proxies:
        return {}
    progress = phases.phase(f"timing proxies, {len(proxies)} in all", len(proxies))
    seconds = {}
    for done, proxy in enumerate(proxies, 1):
        [seconds[proxy]] = seconds_each([load(proxy)], pool, settings, TIMED)
        if progress is not None:
            progress(done, len(proxies))
    return seconds


def add_costs(
    rows: Sequence[Row],
    jobs: Sequence[Job],
    seconds: Mapping[str, float],
    per_epoch: float | None,
    space: str,
) -> None:
    """Add to each row its regressor, what its proxies and a query cost, and the labels that its
    champions have seen.

    `seconds` of each proxy; those of a predictor are added up, as if nothing that two of them
    measure were shared. `per_epoch`: seconds of an epoch; where they are not known (None), queries
    cost epochs, and proxies nothing.
    """
    costs = {job.name: _costs(job.predictor, seconds, space) for job in jobs}
    for row in rows:
        row |= costs[row["predictor"]]
        row["query"] = float(row["epochs"])
        if per_epoch is not None:
            row["query"] *= per_epoch
            row["query"] += row["proxy_seconds"] + row["predict_seconds"]


def _costs(predictor: Predictor, seconds: Mapping[str, float], space: str) -> Row:
    proxies = predictor.requires.proxies
    return {
        "regressor": _regressor_name(predictor),
        "proxy_seconds": sum(seconds[proxy] for proxy in proxies),
        "champion_labels": _labels(proxies, space),
    }


def _labels(proxies: Sequence[str], space: str) -> int | None:
    """Networks of the space whose accuracies the proxies' searches have seen, at most: searches may
    have seen the same ones; None: not known."""
    # Published proxies and statistics have seen none, and describing them takes a while.
    others = [p for p in proxies if p not in CLASSICS and p not in CATALOGUE]
    seen = [describe(proxy).labels for proxy in others]
    if any(labels is None for labels in seen):
        return None
    return sum(labels.get(space, 0) for labels in seen if labels is not None)


def _regressor_name(predictor: Predictor) -> str:
    named = predictor.regressor
    return "" if named is None else named if isinstance(named, str) else type(named).__name__
