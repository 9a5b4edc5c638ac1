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
        _predictions(
            score_columns(candidates, table, [task], table.networks).numpy(),
            normal_scores(task.accuracies[:networks]),
        )
        for task in tasks
    ]


def cross_validated(scores: Array, accuracies: Array, folds: Integers, weights: Array) -> Array:
    """Predictions of the accuracies' normal scores [networks], from the candidates' scores
    [networks, candidates], each by trees fitted to the networks of other folds (numbers,
    [networks]), which count by their weights [networks].

    A network that at most half of the candidates score gets -inf.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    scored, x = _columns(scores)
    predictions = np.full(len(scores), -np.inf)
    targets = normal_scores(accuracies[scored])
    of_scored, fold, weight = np.zeros(len(x)), folds[scored], weights[scored]
    for number in np.unique(fold) if x.shape[1] else ():
        is_fitted_to = fold != number
        if is_fitted_to.any():
            trees = ExtraTreesRegressor(
                FEWER_TREES, max_features=SMALLER_SHARE, min_samples_leaf=LEAF, random_state=0
            )
            trees.fit(x[is_fitted_to], targets[is_fitted_to], weight[is_fitted_to])
            of_scored[~is_fitted_to] = trees.predict(x[~is_fitted_to])
    predictions[scored] = of_scored
    return predictions


def _predictions(scores: Array, targets: Array) -> Array:
    """Predictions [networks] from the candidates' scores [networks, candidates], by trees fitted to
    the first networks, as many as there are targets."""
    from sklearn.ensemble import ExtraTreesRegressor

    scored, x = _columns(scores)
    is_fitted_to = np.flatnonzero(scored) < len(targets)
    predictions = np.full(len(scores), -np.inf)
    if is_fitted_to.any() and x.shape[1]:
        trees = ExtraTreesRegressor(TREES, max_features=SHARE, random_state=0)
        trees.fit(x[is_fitted_to], targets[scored[: len(targets)]])
        predictions[scored] = trees.predict(x)
    return predictions


def _columns(scores: Array) -> tuple[npt.NDArray[np.bool_], Array]:
    """Which networks most of the candidates score, bool [networks], and the scores of these by the
    candidates that score all of them, [scored networks, candidates], in a scale that float32 holds:
    some features reach 1e43."""
    scored = np.isfinite(scores).mean(1) > 0.5
    x = scores[scored][:, np.isfinite(scores[scored]).all(0)]
    largest = np.abs(x).max(0, initial=0)
    return scored, x / np.where(largest > 0, largest, 1)
