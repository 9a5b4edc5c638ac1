"""Greedy least squares whose kind, length and penalty are chosen by folds: a stricter yardstick of
a search, which takes half a minute longer than the one that every run has."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.benchmarks import Task
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.formulas.expression import Expression
from eznas.metrics import component_folds, kendall
from eznas.predictors.least_squares import (
    YARDSTICK_TERMS,
    RegressionData,
    fitted_formula,
    forward_selection,
    of_every_kind,
    regression_data_of,
    ridge,
    score_columns,
    used_rows,
)

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

FOLDS = 5
PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1)


def greedy_by_folds(
    candidates: Sequence[Expression],
    table: FeatureTable,
    tasks: Sequence[Task],
    components: Integers,
    networks: int,
) -> Expression | None:
    """The weighted sum of candidates that `greedy_formulas` finds on the first `networks`, of the
    kind of interactions (or none), the number of terms and the penalty whose predictions rank
    folds of whole components best; None where no candidate is usable.

    `components` [networks or more]: those of the networks of every task. What ranks is judged by
    Kendall's tau, its mean over tasks and folds; which features interactions are formed of, and
    what features are standardised by, is not by folds but from all `networks`. A sum that is too
    long for a formula has fewer terms. The features of the candidates must have been filled.
    """
    scores = score_columns(candidates, table, tasks, networks)
    data = regression_data_of(scores, candidates, tasks, networks)
    if data is None:
        return None
    folds = np.tile(component_folds(components[:networks], FOLDS), len(tasks))[used_rows(scores)]
    best, chosen = -np.inf, None
    for of_kind in of_every_kind(data):
        taus = _taus_by_folds(of_kind, folds)
        if taus.size and taus.max() > best:
            terms, penalty = np.unravel_index(int(taus.argmax()), taus.shape)
            best, chosen = taus.max(), (of_kind, int(terms) + 1, PENALTIES[penalty])
    return None if chosen is None else _longest(*chosen)


def _taus_by_folds(data: RegressionData, folds: Integers) -> Array:
    """Kendall's tau of predictions on the rows of each fold by sums fitted to the others, its mean
    over tasks and folds: [terms, penalties], of as many terms as every fold can fit."""
    by_fold = [_taus(data, torch.from_numpy(folds == fold)) for fold in range(FOLDS)]
    most = min(map(len, by_fold))
    return np.asarray(np.mean([taus[:most] for taus in by_fold], axis=0))


def _taus(data: RegressionData, tested: Tensor) -> Array:
    """The same of one fold, whose rows are `tested`: a mean over tasks."""
    x, y = data.x[~tested], data.y[~tested]
    columns = forward_selection(x, y, YARDSTICK_TERMS)
    x, unseen, target = x[:, columns], data.x[tested][:, columns], data.y[tested]
    of_tasks = [data.task[tested] == task for task in set(data.task.tolist())]

    def tau(terms: int, penalty: float) -> float:
        predicted = unseen[:, :terms] @ ridge(x[:, :terms], y, penalty)
        taus = [kendall(predicted[rows], target[rows]) for rows in of_tasks]
        return float(np.mean(np.nan_to_num(taus)))  # equal predictions say nothing

    return np.array([[tau(n, p) for p in PENALTIES] for n in range(1, len(columns) + 1)])


def _longest(data: RegressionData, terms: int, penalty: float) -> Expression:
    """The sum of the first so many columns, or of as many as a formula can have."""
    columns = forward_selection(data.x, data.y, terms)
    while True:
        try:
            return fitted_formula(data, columns, penalty)
        except InputError:  # too long; of one term it is not
            if len(columns) == 1:
                raise
            columns.pop()
