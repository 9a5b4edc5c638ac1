"""Models and formulas compared by folds of a search part: the features of its networks, and tau on
folds that were not fitted to."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.discovery.callbacks import Callback
from eznas.discovery.config import Config
from eznas.discovery.records import listed_features, records_folder, stores_for
from eznas.discovery.setup import contexts_for
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.network_scores import table_of
from eznas.evaluation.stored_workers import Measuring, started
from eznas.formulas.expression import Expression
from eznas.metrics import bootstrap_weights, interval, undefined_scores
from eznas.metrics.ranks import taus
from eznas.metrics.resampling import by_defined
from eznas.system.files import plain

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

REPLICATES = 1000  # of the bootstrap behind an interval


def search_part_table(
    sample: Benchmark,
    config: Config,
    candidates: Sequence[Expression],
    records: str | None,
    workers: int,
    callback: Callback,
) -> FeatureTable:
    """The values of candidates on all networks of a sample, measured where they are not stored."""
    contexts, count = contexts_for(sample, config), len(sample.architectures)
    team = started(
        partial(Evaluator, contexts, keep=False, lenient=True),
        workers,
        contexts,
        stores_for(contexts, records_folder(records)),
        Measuring(f"measuring up to {count} networks of {sample.source}", count, callback),
        lenient=True,
        listed=listed_features(config.evolution.statistics, candidates),
    )
    try:
        table = table_of(sample, team)
        table.fill(candidates, count)
    finally:
        team.close()
    return table


def fold_figures(
    scores: Sequence[Array], sample: Benchmark, places: Integers, paired: bool = False
) -> list[dict[str, Any]]:
    """Tau of scores [tasks, networks], those of each fold by a model of the others.

    `places`: the fold of each network [networks]. For each of `scores`: tau (data set -> [tau, low,
    high], a mean over folds, with a 95 % interval from a bootstrap of components), mean (the same
    over data sets) and, where networks have no score, undefined (data set -> number). With `paired`
    also by_fold (the mean over data sets, of each fold), and minus and minus_by_fold (mean and
    those of each fold, less those of the first of `scores` in the same draws, with intervals).
    """
    draws = bootstrap_weights(sample.components, REPLICATES)
    weights = np.vstack([np.ones((1, len(places))), draws])
    by_dataset = {
        task.dataset: _fold_taus(
            np.stack([of_model[number] for of_model in scores]), task.accuracies, weights, places
        )
        for number, task in enumerate(sample.tasks())
    }
    by_fold = np.mean([*by_dataset.values()], 0)
    means = by_fold.mean(0)
    rows = []
    for number, of_model in enumerate(scores):
        missing = undefined_scores(of_model).sum(1).tolist()
        counts = {d: count for d, count in zip(by_dataset, missing, strict=True) if count}
        row: dict[str, Any] = {
            "tau": {d: _with_interval(v.mean(0)[number]) for d, v in by_dataset.items()},
            "mean": _with_interval(means[number]),
        }
        if paired:
            row["by_fold"] = by_fold[:, number, 0].tolist()
            row["minus"] = _with_interval(means[number] - means[0])
            row["minus_by_fold"] = [
                _with_interval(of_fold[number] - of_fold[0]) for of_fold in by_fold
            ]
        rows.append(plain(row) | ({"undefined": counts} if counts else {}))
    return rows


def _fold_taus(scores: Array, accuracies: Array, weights: Array, places: Integers) -> Array:
    """Tau of scores [models, networks] under weights [replicates, networks], by fold: [folds,
    models, replicates]."""
    by_fold = []
    for fold in range(int(places.max()) + 1):
        ranked = places == fold
        of_fold = np.empty((len(scores), len(weights)))
        for models, defined in by_defined(scores[:, ranked]):
            networks = np.flatnonzero(ranked)[defined]
            of_fold[models] = taus(
                scores[models][:, networks], accuracies[networks], weights[:, networks]
            )
        by_fold.append(of_fold)
    return np.array(by_fold)


def _with_interval(values: Array) -> list[float]:
    """The first of some values [1 + replicates], with the interval of the others."""
    return [float(values[0]), *interval(values[1:])]
