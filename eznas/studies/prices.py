"""What predictors cost: labels, seconds of training, proxies and queries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eznas.benchmarks import Benchmark
from eznas.benchmarks.costs import training_seconds
from eznas.benchmarks.curves import Curves
from eznas.predictors.base import Predictor
from eznas.proxies.loading import describe, load
from eznas.proxies.measured import ScoringSettings, seconds_each
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
        """The price of training networks of a space on a data set."""
        times = training_seconds(space, dataset)
        if times is None:
            return Price(None, None if curves is None else curves.total_epochs)
        return Price(float(times.seconds.mean() / times.epochs), times.epochs)

    @property
    def unit(self) -> str:
        """Of what queries cost."""
        return "epochs" if self.epoch_seconds is None else "seconds"

    def described(self) -> dict[str, Any]:
        """Its fields and the unit, by name."""
        return {**asdict(self), "unit": self.unit}

    @property
    def dearest(self) -> float:
        """What a whole training costs, in `unit`; 1 where that is not known."""
        return (self.total_epochs or 1) * (self.epoch_seconds or 1)


def proxy_seconds(
    proxies: Sequence[str], pool: Benchmark, settings: ScoringSettings
) -> dict[str, float]:
    """Seconds a network that each proxy takes by itself."""
    loaded = [load(proxy) for proxy in proxies]
    times = seconds_each(loaded, pool, settings, TIMED) if loaded else []
    return dict(zip(proxies, times, strict=True))


def add_costs(
    rows: Sequence[Row],
    jobs: Sequence[Job],
    seconds: dict[str, float],
    per_epoch: float | None,
    space: str,
) -> None:
    """Add to each row what its proxies and a query cost, and the labels of its champions."""
    for row in rows:
        job = next(j for j in jobs if j.name == row["predictor"])
        proxies = job.predictor.requires.proxies
        row["regressor"] = _regressor_name(job.predictor)
        row["proxy_seconds"] = sum(seconds[proxy] for proxy in proxies)
        row["champion_labels"] = _labels(proxies, space)
        if per_epoch is None:
            row["query"] = float(row["epochs"])
        else:
            row["query"] = row["epochs"] * per_epoch + row["proxy_seconds"] + row["predict_seconds"]


def _labels(proxies: Sequence[str], space: str) -> int | None:
    """Networks of the space whose accuracies the proxies' searches have seen; None: not known."""
    seen = [describe(proxy).labels for proxy in proxies]
    if any(labels is None for labels in seen):
        return None
    return max((labels.get(space, 0) for labels in seen if labels is not None), default=0)


def _regressor_name(predictor: Predictor) -> str:
    named = predictor.regressor
    return "" if named is None else named if isinstance(named, str) else type(named).__name__
