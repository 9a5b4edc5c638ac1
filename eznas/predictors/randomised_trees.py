"""Randomised trees over features (Geurts, Ernst & Wehenkel, 2006): no formula, but a yardstick of
what the features know together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import Array
from eznas.formulas.expression import Expression
from eznas.metrics.normal import normal_scores
from eznas.predictors.least_squares import score_columns

TREES = 500
SHARE = 0.3  # of the features that a split looks at


def forest_scores(
    candidates: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task], networks: int
) -> list[Array]:
    """Predictions, by trees fitted to the first `networks`, of the accuracies' normal scores for
    every network of the table: [networks of the table] for each task.

    The features of the candidates must have been filled on all of them. A network that at most
    half of the candidates score gets -inf, the lowest score, as a formula would give it.
    """
    scores = score_columns(candidates, table, tasks, table.networks).numpy()
    scores_by_task = np.split(scores, len(tasks))
    return [
        _predictions(task_scores, normal_scores(task.accuracies[:networks]))
        for task, task_scores in zip(tasks, scores_by_task, strict=True)
    ]


def _predictions(scores: Array, targets: Array) -> Array:
    """Predictions [networks] from the candidates' scores [networks, candidates], by trees fitted to
    the first networks, as many as there are targets."""
    from sklearn.ensemble import ExtraTreesRegressor

    scored = np.isfinite(scores).mean(1) > 0.5
    usable = np.isfinite(scores[scored]).all(0)
    x = _scaled(scores[:, usable], scored)
    is_fitted_to = scored & (np.arange(len(scores)) < len(targets))
    predictions = np.full(len(scores), -np.inf)
    if is_fitted_to.any() and usable.any():
        trees = ExtraTreesRegressor(TREES, max_features=SHARE, random_state=0)
        trees.fit(x[is_fitted_to], targets[is_fitted_to[: len(targets)]])
        predictions[scored] = trees.predict(x[scored])
    return predictions


def _scaled(x: Array, rows: npt.NDArray[np.bool_]) -> Array:
    """Columns in a scale that float32 holds: some features reach 1e43."""
    largest = np.abs(x[rows]).max(0, initial=0)
    return x / np.where(largest > 0, largest, 1)
