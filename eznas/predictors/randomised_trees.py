"""Randomised trees over features (Geurts, Ernst & Wehenkel, 2006): no formula, but a yardstick of
what the features know together."""

from collections.abc import Sequence

import numpy as np

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import Array
from eznas.formulas.expression import Expression
from eznas.metrics.normal import normal_scores
from eznas.predictors.feature_models import predictions
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
        predictions(randomised_trees, task_scores, normal_scores(task.accuracies[:networks]))
        for task, task_scores in zip(tasks, scores_by_task, strict=True)
    ]


def randomised_trees(x: Array, y: Array, networks: Array, trees: int | None = None) -> Array:
    """Predictions [networks] of so many trees (None: `TREES`) for features [networks, features],
    fitted to x [fitted, features], the features of some of these networks, and y [fitted]."""
    from sklearn.ensemble import ExtraTreesRegressor

    largest = np.abs(networks).max(0, initial=0)  # scaled: float32 is to hold what reaches 1e43
    scale = np.where(largest > 0, largest, 1)
    count = TREES if trees is None else trees
    model = ExtraTreesRegressor(count, max_features=SHARE, random_state=0).fit(x / scale, y)
    result: Array = model.predict(networks / scale)
    return result
