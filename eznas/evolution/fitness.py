"""Fitness: how well the scores of a formula order the networks, over all tasks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from eznas.evaluation.feature_table import Measures
from eznas.evaluation.scoring import Scores
from eznas.formulas.expression import Expression
from eznas.metrics import kendall_many

Array = npt.NDArray[np.float64]
WORST = -1.0  # Kendall's tau cannot be lower; what an undefined formula gets


@dataclass(frozen=True, eq=False)
class Task:
    """A data set to rank on: its accuracies [networks], measured under setting `setting`."""

    dataset: str
    setting: int
    accuracies: Array


@dataclass(frozen=True)
class FitnessResult:
    """A formula on a sample: tau per task, the fitness from them, and why it is undefined."""

    taus: tuple[float, ...]
    fitness: float
    reason: str
    coverage: float


def judge(
    formulas: Sequence[Expression], table: Measures, tasks: Sequence[Task], networks: int
) -> list[FitnessResult]:
    """Judge formulas, whose measures are filled, on the first `networks` of the sample.

    The fitness is the mean of the mean and the least tau over the tasks, so the weakest task
    counts most; tau is signed. An undefined formula gets `WORST` and a reason. Networks that could
    not be measured are left out.
    """
    settings = sorted({t.setting for t in tasks})
    scores = {s: [table.scores(f, s, networks) for f in formulas] for s in settings}
    taus = np.full((len(tasks), len(formulas)), np.nan)
    for i, task in enumerate(tasks):
        taus[i] = _taus(scores[task.setting], task.accuracies[:networks])
    return [_judgement(taus[:, k], [scores[s][k] for s in settings]) for k in range(len(formulas))]


def overall(taus: Array) -> float:
    """The fitness of taus, one per task."""
    return float((taus.mean() + taus.min()) / 2)


def _taus(scores: Sequence[Scores], accuracies: Array) -> Array:
    """Tau of each formula, NaN where it is undefined; those without the same networks together."""
    found = np.full(len(scores), np.nan)
    without: dict[bytes, list[int]] = {}
    for k, score in enumerate(scores):
        if not score.reason:
            out = score.left_out
            without.setdefault(b"" if out is None else out.tobytes(), []).append(k)
    for some in without.values():
        out = scores[some[0]].left_out
        there = slice(None) if out is None else ~out
        rows = np.stack([scores[k].values[there] for k in some])
        found[some] = kendall_many(rows, accuracies[there])
    return found


def _judgement(taus: Array, scores: list[Scores]) -> FitnessResult:
    reason = next((s.reason for s in scores if s.reason), "")
    undefined = bool(np.isnan(taus).any())
    if undefined and not reason:
        reason = "ties"  # every network has the same score
    fitness = WORST if undefined else overall(taus)
    return FitnessResult(tuple(taus.tolist()), fitness, reason, min(s.coverage for s in scores))
