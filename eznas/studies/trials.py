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

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Plan:
    """The networks of all trials: `trained` and `tested` are indices into the pool."""

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
        """Indices of the networks to fit to [networks], in order, and to test on, of a trial."""
        generator = np.random.default_rng([self.seed, number])
        if self.trained is self.tested:  # by lot
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
    """A row for each job and number of training networks, means over the trials."""
    pairs = [(job, trial) for trial in range(plan.trials) for job in jobs]
    progress = phases.phase(f"fitting {len(jobs)} predictors {plan.trials} times", len(pairs))
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
    accuracies = plan.pool.accuracies[plan.dataset]
    names = plan.pool.architectures
    test_names, test_accuracies = [names[i] for i in tested], accuracies[tested]
    needs_labels = job.predictor.requires.labels
    rows = []
    for size in plan.sizes if needs_labels else (0,):
        chosen = fitted[:size]
        start = time.perf_counter()
        job.predictor.fit([names[i] for i in chosen], accuracies[chosen], curves)
        middle = time.perf_counter()
        predictions = job.predictor.predict(test_names)
        end = time.perf_counter()
        metrics = prediction_metrics(predictions, test_accuracies, job.predictor.in_percent)
        rows.append(
            {
                "predictor": job.name,
                "features": list(job.predictor.features),
                "training": size,
                "epochs": job.predictor.epochs or 0,
                **metrics,
                "fit_seconds": (middle - start) if needs_labels else 0.0,
                "predict_seconds": (end - middle) / len(tested),
            }
        )
    return rows


def _mean(rows: Sequence[Row]) -> Row:
    """The mean of rows of one predictor over trials, with the spread of tau."""
    numbers = [*PREDICTION_METRICS, "fit_seconds", "predict_seconds"]
    taus = np.array([row["tau"] for row in rows])
    means = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    error = float(taus.std(ddof=1) / len(taus) ** 0.5) if len(taus) > 1 else float("nan")
    return {**rows[0], **means, "tau_error": error, "taus": taus.tolist()}
