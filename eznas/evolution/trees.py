"""Randomised trees over all words (Geurts, Ernst & Wehenkel, 2006): no formula, but a yardstick
of what the words know together."""

from collections.abc import Sequence

import numpy as np

from eznas.evolution.fitness import Array, Task
from eznas.evolution.greedy import columns, normal_scores
from eznas.formulas.expression import Expression
from eznas.formulas.table import MeasureTable

TREES = 500
SHARE = 0.3  # of the words that a split looks at


def forest_scores(
    candidates: Sequence[Expression], table: MeasureTable, tasks: Sequence[Task], networks: int
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
        ranked = _ranks(x[:, usable], alive)
        fit = alive.copy()
        fit[networks:] = False
        trees = ExtraTreesRegressor(TREES, max_features=SHARE, random_state=0)
        trees.fit(ranked[fit], normal_scores(task, networks)[fit[:networks]])
        scores = np.full(len(x), -np.inf)
        scores[alive] = trees.predict(ranked[alive])
        found.append(scores)
    return found


def _ranks(x: Array, alive: np.ndarray) -> Array:
    """Columns as they are, but in a scale that float32 holds: some words reach 1e43."""
    top = np.abs(x[alive]).max(0)
    return x / np.where(top > 0, top, 1)
