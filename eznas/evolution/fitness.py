"""Fitness: how well the scores of a formula rank the networks, over all tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import Array
from eznas.evaluation.scoring import Scores
from eznas.formulas.expression import Expression
from eznas.metrics import kendall_many

WORST = -1.0  # the fitness of an undefined formula: Kendall's tau cannot be lower


@dataclass(frozen=True, eq=False)
class Reference:
    """What the figures of formulas are rated by: `figures`, float64 [tasks] and positive, that
    something else reaches on each task, and the space of each task."""

    figures: Array
    spaces: tuple[str, ...]

    def shares(self, figures: Array) -> Array:
        """The shares of the reference that figures [tasks] are, on average over the tasks of each
        space: [spaces]. Each is at least `WORST`, as what is undefined."""
        shares = np.maximum(figures / self.figures, WORST)
        spaces = np.array(self.spaces)
        return np.array([shares[spaces == space].mean() for space in dict.fromkeys(self.spaces)])


@dataclass(frozen=True)
class FitnessResult:
    """A formula on a sample: Kendall's tau for each task (NaN where it is undefined), the fitness
    that combines them, why it is undefined ("" where it is not), and the least coverage."""

    taus: tuple[float, ...]
    fitness: float
    reason: str
    coverage: float


def evaluate_fitness(
    formulas: Sequence[Expression],
    table: FeatureTable,
    tasks: Sequence[Task],
    networks: int,
    reference: Reference | None = None,
) -> list[FitnessResult]:
    """The fitness of formulas on the first `networks` of each sample, one result per formula.

    Their features must have been filled. Tau is signed. The fitness is the mean of the mean tau and
    the lowest tau over the tasks, so the weakest task counts most; with a reference, of taus, the
    same of shares of it over spaces. An undefined formula gets `WORST` and a reason.
    Networks that could not be measured are left out of the ranking.
    """
    contexts = sorted({task.context for task in tasks})
    scores = {c: [table.scores(formula, c, networks) for formula in formulas] for c in contexts}
    taus = np.full((len(tasks), len(formulas)), np.nan)
    for row, task in zip(taus, tasks, strict=True):
        row[:] = _taus(scores[task.context], task.accuracies[:networks])
    return [
        _result(taus[:, i], [scores[c][i] for c in contexts], reference)
        for i in range(len(formulas))
    ]


def fitness_of(figures: Array, reference: Reference | None = None) -> float:
    """The fitness that taus, or other figures, [tasks] make together: the mean of their mean and
    the lowest; with a reference, of the shares of it in each space."""
    rated = figures if reference is None else reference.shares(figures)
    return float((rated.mean() + rated.min()) / 2)


def _taus(scores: Sequence[Scores], accuracies: Array) -> Array:
    """Tau of each formula [formulas], NaN where it is undefined.

    Formulas that lack the same networks are ranked in one call.
    """
    taus = np.full(len(scores), np.nan)
    formulas_lacking: dict[bytes, list[int]] = {}  # mask of unmeasurable networks -> formulas
    for i, score in enumerate(scores):
        if not score.reason:
            mask = score.unmeasurable
            formulas_lacking.setdefault(b"" if mask is None else mask.tobytes(), []).append(i)
    for formulas in formulas_lacking.values():
        mask = scores[formulas[0]].unmeasurable
        measured = slice(None) if mask is None else ~mask
        rows = np.stack([scores[i].values[measured] for i in formulas])
        taus[formulas] = kendall_many(rows, accuracies[measured])
    return taus


def _result(taus: Array, scores: list[Scores], reference: Reference | None) -> FitnessResult:
    reason = next((s.reason for s in scores if s.reason), "")
    undefined = bool(np.isnan(taus).any())
    if undefined and not reason:
        reason = "ties"  # every network has the same score
    fitness = WORST if undefined else fitness_of(taus, reference)
    return FitnessResult(tuple(taus.tolist()), fitness, reason, min(s.coverage for s in scores))
