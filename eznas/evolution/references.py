"""What randomised trees reach on each task: the figures that those of formulas are shares of.

The trees read the same features, and are cross-validated on the same folds as fitted sums.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import Array
from eznas.evolution.fitness import Reference
from eznas.evolution.row_weights import network_weights
from eznas.evolution.sums import FOLDS
from eznas.formulas.expression import Expression
from eznas.metrics import component_folds, kendall
from eznas.metrics.normal import normal_scores
from eznas.predictors.least_squares import score_columns
from eznas.predictors.randomised_trees import cross_validated

# Where trees find nothing, a formula by chance would have a large share of it.
LEAST_REFERENCE = 0.1


def tree_reference(
    candidates: Sequence[Expression],
    table: FeatureTable,
    tasks: Sequence[Task],
    components: Sequence[npt.NDArray[np.int64]],
    networks: int,
    *,
    by_tau: bool,
) -> Reference:
    """What trees over candidates, whose features must have been filled, reach in cross-validation
    on the first `networks` of each task, at least `LEAST_REFERENCE`.

    `components`: for each task those of its networks, int64 [networks of the sample]. `by_tau`:
    Kendall's tau of the predictions; otherwise their correlation with normal scores of the
    accuracies, each network by its weight, as `Sums` has it.
    """
    figures = []
    for task, all_components in zip(tasks, components, strict=True):
        accuracies, of_networks = task.accuracies[:networks], all_components[:networks]
        scores = score_columns(candidates, table, [task], networks).numpy()
        weights, folds = network_weights(of_networks), component_folds(of_networks, FOLDS)
        predicted = cross_validated(scores, accuracies, folds, weights)
        if by_tau:
            figures.append(kendall(predicted, accuracies))
        else:
            figures.append(_correlation(predicted, accuracies, of_networks))
    figures = [figure if figure > LEAST_REFERENCE else LEAST_REFERENCE for figure in figures]
    return Reference(np.array(figures), tuple(task.space for task in tasks))  # (NaN: only ties)


def _correlation(predicted: Array, accuracies: Array, components: npt.NDArray[np.int64]) -> float:
    """The weighted correlation of predictions with normal scores of accuracies, both [networks],
    over the networks that have a prediction."""
    is_predicted = np.isfinite(predicted)
    x, y = predicted[is_predicted], normal_scores(accuracies[is_predicted])
    weights = network_weights(components[is_predicted])
    if not weights.sum():
        return 0.0
    covariance = np.cov(x, y, aweights=weights, bias=True)
    deviations = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / deviations) if deviations > 0 else 0.0
