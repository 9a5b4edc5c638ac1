"""The simplest of formulas that are equally fit, as far as a sample of networks can tell."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eznas.evaluation.feature_values import Array
from eznas.metrics import undefined_scores
from eznas.metrics.ranks import taus
from eznas.metrics.resampling import by_defined

Counts = npt.NDArray[np.int32]
REPLICATES = 1000  # of the bootstrap behind a standard error
MOST_UNDEFINED = 0.2  # share of networks on which a formula may have no score


def fitness_replicates(
    scores: Sequence[Array], accuracies: Sequence[Array], weights: Sequence[Counts]
) -> tuple[Array, Array]:
    """The fitness of formulas, [formulas], and in each replicate of a bootstrap, [formulas,
    replicates]; NaN where a formula is undefined. See `taus_where_defined`.

    For each task: scores [formulas, networks], accuracies [networks], and how often each network is
    drawn, [replicates, networks]; the numbers of formulas and of replicates are those of all tasks.
    """
    by_task = np.stack(
        [
            taus_where_defined(values, target, np.vstack([np.ones(target.size), drawn]))
            for values, target, drawn in zip(scores, accuracies, weights, strict=True)
        ]
    )
    fitness = (by_task.mean(0) + by_task.min(0)) / 2
    return fitness[:, 0], fitness[:, 1:]


def taus_where_defined(scores: Array, accuracies: Array, weights: Array) -> Array:
    """Tau of each formula over the networks on which it is defined, [formulas, replicates]; NaN for
    one that is undefined on more than `MOST_UNDEFINED` of them.

    Scores [formulas, networks], accuracies [networks], weights [replicates, networks].
    """
    shares = undefined_scores(scores).mean(1)
    result = np.full((len(scores), len(weights)), np.nan)
    for formulas, networks in by_defined(scores):
        able = formulas[shares[formulas] <= MOST_UNDEFINED]
        result[able] = taus(scores[able][:, networks], accuracies[networks], weights[:, networks])
    return result


def simplest_within_error(
    fitness: Array, replicates: Array, sizes: Sequence[int]
) -> tuple[int, float]:
    """The index of the smallest formula whose fitness is within one standard error of the highest
    (of equally small ones the fittest), and that standard error: the rule of Breiman et al., 1984.

    `fitness` [formulas]; its `replicates` [formulas, replicates] in a bootstrap, whose standard
    deviation is the standard error. An undefined formula (NaN) is the least fit.
    """
    ranked = np.where(np.isnan(fitness), -np.inf, fitness)
    best = int(ranked.argmax())
    defined = replicates[best][~np.isnan(replicates[best])]
    error = float(defined.std()) if defined.size else 0.0
    able = np.flatnonzero(ranked >= ranked[best] - error).tolist()
    return min(able, key=lambda i: (sizes[i], -ranked[i])), error
