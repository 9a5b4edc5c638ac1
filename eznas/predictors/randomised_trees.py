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
from eznas.predictors.feature_models import predictions, usable_scores
from eznas.predictors.least_squares import score_columns

Integers = npt.NDArray[np.int64]
TREES = 500
SHARE = 0.3  # of the features that a split looks at
# Of forests that are cross-validated, which are many: these reach nearly as much in less time.
FEWER_TREES, SMALLER_SHARE, LEAF = 100, 0.1, 3


def forest_scores(
    candidates: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task], networks: int
) -> list[Array]:
    """Predictions, by trees fitted to the first `networks`, of the accuracies' normal scores for
    every network of the table: [networks of the table] for each task.

    The features of the candidates must have been filled on all of them. A network that at most
    half of the candidates score gets -inf, the lowest score, as a formula would give it.
    """
    return [
        predictions(
            randomised_trees,
            score_columns(candidates, table, [task], table.networks).numpy(),
            normal_scores(task.accuracies[:networks]),
        )
        for task in tasks
    ]


def randomised_trees(x: Array, y: Array, networks: Array, trees: int | None = None) -> Array:
    """Predictions [networks] of so many trees (None: `TREES`) for features [networks, features],
    fitted to x [fitted, features], the features of some of these networks, and y [fitted]."""
    from sklearn.ensemble import ExtraTreesRegressor

    scale = _scale(networks)
    count = TREES if trees is None else trees
    model = ExtraTreesRegressor(count, max_features=SHARE, random_state=0).fit(x / scale, y)
    result: Array = model.predict(networks / scale)
    return result


def cross_validated(scores: Array, accuracies: Array, folds: Integers, weights: Array) -> Array:
    """Predictions of the accuracies' normal scores [networks], from the candidates' scores
    [networks, candidates], each by trees fitted to the networks of other folds (numbers,
    [networks]), which count by their weights [networks].

    A network that at most half of the candidates score gets -inf.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    scored, usable = usable_scores(scores)
    x = scores[scored][:, usable]
    x = x / _scale(x)
    result = np.full(len(scores), -np.inf)
    targets = normal_scores(accuracies[scored])
    of_scored, fold, weight = np.zeros(len(x)), folds[scored], weights[scored]
    for number in np.unique(fold) if usable.any() else ():
        is_fitted_to = fold != number
        if is_fitted_to.any():
            trees = ExtraTreesRegressor(
                FEWER_TREES, max_features=SMALLER_SHARE, min_samples_leaf=LEAF, random_state=0
            )
            trees.fit(x[is_fitted_to], targets[is_fitted_to], weight[is_fitted_to])
            of_scored[~is_fitted_to] = trees.predict(x[~is_fitted_to])
    result[scored] = of_scored
    return result


def _scale(x: Array) -> Array:
    """What features [networks, features] are divided by so that float32 holds them, [features]:
    some reach 1e43."""
    largest = np.abs(x).max(0, initial=0)
    return np.where(largest > 0, largest, 1)
