"""The weights of a finished sum, refined on pairs of networks: its rank correlation counts pairs.

The loss of a pair is logistic in the difference of its scores (RankNet, Burges et al., 2005).
"""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from eznas.benchmarks import Task
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.constants import with_digits_that_matter
from eznas.evolution.sums import DIGITS, FLAT, weighted_sum
from eznas.formulas.expression import Expression
from eznas.formulas.terms import weighted_terms

STEEPNESS = 9.0  # of the logistic loss, for scores of unit deviation
PENALTY = 0.01  # on steps: the square of a term's share of the deviation of the scores
STEPS = 60  # of L-BFGS, at most
PAIRED = 2000  # networks of each task whose pairs count, at most: there are two million pairs


def refined(
    formula: Expression, table: FeatureTable, tasks: Sequence[Task], networks: int
) -> Expression:
    """The formula with weights of its terms that have a lower loss on the pairs among the first
    `networks` of each task, `PAIRED` at most; as it is where there are no two terms or none has
    scores that vary.

    Spaces weigh alike, and the tasks within one; in each the scores have a scale of their own. A
    network without all terms makes no pair. The features must have been filled.
    """
    weights, _ = weighted_terms(formula)
    terms = [term for term in weights if term.statistics()]
    start = torch.tensor([weights[term] for term in terms], dtype=torch.float64)
    paired = min(networks, PAIRED)
    pairs = [_pairs(terms, start, table, task, paired) for task in tasks]
    if len(terms) < 2 or any(p is None for p in pairs):
        return formula
    tasks_of = Counter(task.space for task in tasks)
    shares = [1 / tasks_of[task.space] / len(tasks_of) for task in tasks]
    by_task = list(zip(shares, [p for p in pairs if p is not None], strict=True))
    # Terms in units of what they add to the scores, so that one penalty fits all.
    units = torch.stack([values.std(1) for _, (values, _) in by_task]).mean(0)
    per_unit = torch.where(units > 0, 1 / units, 0.0)
    step = torch.zeros_like(start, requires_grad=True)
    optimiser = torch.optim.LBFGS([step], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        total = PENALTY * step.square().sum()
        for share, (values, (better, worse)) in by_task:
            scores = STEEPNESS * ((start + step * per_unit) @ values)
            total = total + share * softplus(scores[worse] - scores[better]).mean()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    found = (start + step.detach() * per_unit).tolist()
    rounded = [float(f"{weight:.{DIGITS}g}") for weight in found]
    return with_digits_that_matter(weighted_sum(terms, rounded), table, tasks, networks)


def _pairs(
    terms: Sequence[Expression],
    weights: Tensor,
    table: FeatureTable,
    task: Task,
    networks: int,
) -> tuple[Tensor, tuple[Tensor, Tensor]] | None:
    """The values of terms, [terms, networks that have all], by the deviation of the scores that the
    weights give; and of every pair of these networks that differ, which is better and which worse.
    None where scores do not vary."""
    rows = [torch.from_numpy(table.scores(t, task.context, networks).values) for t in terms]
    values = torch.stack(rows)
    usable = values.isfinite().all(0)
    values = values[:, usable]
    accuracies = torch.tensor(task.accuracies[:networks])[usable]
    scores = weights @ values
    better, worse = (accuracies[:, None] > accuracies).nonzero(as_tuple=True)
    if not len(better) or not FLAT * scores.abs().amax() < scores.std() < math.inf:
        return None
    return values / scores.std(), (better, worse)
