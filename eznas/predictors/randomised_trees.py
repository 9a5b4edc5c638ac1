"""Randomised trees over all words (Geurts, Ernst & Wehenkel, 2006): no formula, but a yardstick
of what the words know together."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eznas.evaluation.feature_table import Measures
from eznas.evolution.fitness import Array, Task
from eznas.formulas.expression import Expression
from eznas.predictors.least_squares import columns, normal_scores

TREES = 500
SHARE = 0.3  # of the words that a split looks at


def forest_scores(
    candidates: Sequence[Expression], table: Measures, tasks: Sequence[Task], networks: int
) -> list[Array]:
    """Predictions of the accuracies' normal scores for every network of the table, one array for
    each task, by trees fitted to its first `networks`.

    A network that hardly any word scores gets -inf, as a formula would give it.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    found = []
    everything = columns(candidates, table, tasks, table.networks).numpy()
    for number, task in enumerate(tasks):
        x = everything[number * table.networks : (number + 1) * table.networks]
        alive = np.isfinite(x).mean(1) > 0.5
        usable = np.isfinite(x[alive]).all(0)
        scaled = _scaled(x[:, usable], alive)
        fit = alive.copy()
        fit[networks:] = False
        scores = np.full(len(x), -np.inf)
        if fit.any() and usable.any():
            trees = ExtraTreesRegressor(TREES, max_features=SHARE, random_state=0)
            trees.fit(scaled[fit], normal_scores(task, networks)[fit[:networks]])
            scores[alive] = trees.predict(scaled[alive])
        found.append(scores)
    return found


def _scaled(x: Array, alive: npt.NDArray[np.bool_]) -> Array:
    """Columns in a scale that float32 holds: some words reach 1e43."""
    top = np.abs(x[alive]).max(0, initial=0)
    return x / np.where(top > 0, top, 1)
