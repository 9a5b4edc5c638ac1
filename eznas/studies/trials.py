"""Trials: predictors fitted to some networks and tested on others, again and again."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.curves import Curves
from eznas.evaluation.executors import Phases
from eznas.metrics.predictions import PREDICTION_METRICS, prediction_metrics
from eznas.predictors.base import Predictor

TESTED = 200  # networks, in each trial

Floats = NDArray[np.float64]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Plan:
    """The networks of all trials.

    `trained` and `tested`: indices [networks] into the pool, of those that may be fitted to and of
    those to test on; equal where both are drawn from all by lot. `sizes`: how many to fit to.
    """

    pool: Benchmark
    dataset: str
    trained: NDArray[np.int64]
    tested: NDArray[np.int64]
    sizes: tuple[int, ...]
    trials: int
    seed: int

    @property
    def test_size(self) -> int:
        """How many networks predictors are tested on."""
        return min(TESTED, len(self.tested))

    def trial(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the networks of a trial: those to fit to [networks], of which a smaller size
        takes the first, and those to test on [networks]; no network is in both."""
        generator = np.random.default_rng([self.seed, number])
        if np.array_equal(self.trained, self.tested):  # by lot
            order = generator.permutation(self.trained)
            return order[TESTED:], order[:TESTED]
        return generator.permutation(self.trained), generator.permutation(self.tested)[:TESTED]


@dataclass(frozen=True, eq=False)
class Job:
    """A predictor, by the name that it was asked for, reading curves up to one epoch."""

    name: str
    predictor: Predictor


def run(
    jobs: Sequence[Job], plan: Plan, curves: Curves | None, workers: int, phases: Phases
) -> list[Row]:
    """A row for each job and number of training networks, means over the trials; see
    `eznas.studies.budgets.Budgets`. A mean is NaN where it is undefined in some trial (see
    `_metrics` for when that is).

    Raises `InputError` where a predictor cannot be fitted.
    """
    pairs = [(job, trial) for trial in range(plan.trials) for job in jobs]
    plural = "s" * (len(jobs) > 1)
    title = f"fitting {len(jobs)} predictor{plural}, {plan.trials} times"
    progress = phases.phase(title, len(pairs))
    parallel = Parallel(n_jobs=workers, return_as="generator", batch_size="auto")
    results: dict[int, list[list[Row]]] = {id(job): [] for job in jobs}
    answers = parallel(delayed(_trial)(job, plan, trial, curves) for job, trial in pairs)
    for done, ((job, _), rows) in enumerate(zip(pairs, answers, strict=True), 1):
        results[id(job)].append(rows)
        if progress is not None:
            progress(done, len(pairs))
    return [
        _mean([rows[i] for rows in results[id(job)]])
        for job in jobs
        for i in range(len(results[id(job)][0]))
    ]


def _trial(job: Job, plan: Plan, trial: int, curves: Curves | None) -> list[Row]:
    """A row for each number of training networks (a single one without labels) of one trial."""
    fitted, tested = plan.trial(trial)
    sizes = plan.sizes if job.predictor.requires.labels else (0,)
    return [_row(job, plan, fitted[:size], tested, curves) for size in sizes]


def _row(
    job: Job,
    plan: Plan,
    fitted: NDArray[np.int64],
    tested: NDArray[np.int64],
    curves: Curves | None,
) -> Row:
    """What a predictor that is fitted to some networks is worth on others."""
    accuracies, names = plan.pool.accuracies[plan.dataset], plan.pool.architectures
    predictor = job.predictor
    start = time.perf_counter()
    predictor.fit([names[i] for i in fitted], accuracies[fitted], curves)
    middle = time.perf_counter()
    predictions = predictor.predict([names[i] for i in tested])
    end = time.perf_counter()
    return {
        "predictor": job.name,
        "features": list(predictor.features),
        "training": len(fitted),
        "epochs": predictor.epochs or 0,
        **_metrics(predictions, accuracies[tested], predictor.in_percent),
        "fit_seconds": (middle - start) if predictor.requires.labels else 0.0,
        "predict_seconds": (end - middle) / len(tested),
    }


def _metrics(predictions: Floats, accuracies: Floats, in_percent: bool) -> dict[str, float]:
    """`prediction_metrics` of predictions [networks], with two conventions so that a single trial
    does not leave a mean undefined: a network without a prediction (NaN) ranks last, as in a
    search, and predictions that are all equal, or become so when rounded, have a tau of 0."""
    missing = np.isnan(predictions)
    if missing.all():
        return prediction_metrics(predictions, accuracies, in_percent)
    ranked = np.where(missing, -np.inf, predictions)
    metrics = prediction_metrics(ranked, accuracies, in_percent and not missing.any())
    ranks = [key for key in metrics if key in ("rho", "tau", "top10_tau")]
    ranks += [key for key in metrics if key.startswith("sparse_tau") and in_percent]
    if np.ptp(accuracies):
        metrics |= {key: 0.0 for key in ranks if np.isnan(metrics[key])}
    return metrics


def _mean(rows: Sequence[Row]) -> Row:
    """The mean of rows of one predictor over trials, and the standard error of tau (NaN for one
    trial)."""
    numbers = [*PREDICTION_METRICS, "fit_seconds", "predict_seconds"]
    taus = np.array([row["tau"] for row in rows])
    means = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    error = float(taus.std(ddof=1) / len(taus) ** 0.5) if len(taus) > 1 else float("nan")
    return {**rows[0], **means, "tau_error": error, "taus": taus.tolist()}
