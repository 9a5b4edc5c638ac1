"""Formulas as weighted sums of terms: least squares for the weights, and for the next term.

Evolution finds terms, least squares weighs them (multiple regression genetic programming, Arnaldo,
Krawiec & O'Reilly, 2014). The next term is the best of a few candidates drawn at random, so that
formulas differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eznas.benchmarks import Task
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import randomness
from eznas.formulas.expression import Expression, ValueTypeError
from eznas.formulas.terms import terms
from eznas.predictors.least_squares import (
    fitted_formula,
    forward_selection,
    regression_data_of,
    score_columns,
)

OFFERED = 0.1  # share of the candidates that a step chooses from
DROPPED = 0.5  # how often a step begins by dropping a term


@dataclass(frozen=True, eq=False)
class StepwiseCandidates:
    """Candidates for the next term of a formula, with their `scores` [networks of all tasks,
    candidates] on the first `networks` of each sample."""

    candidates: Sequence[Expression]
    table: FeatureTable
    tasks: Sequence[Task]
    networks: int
    scores: Tensor

    @staticmethod
    def of(
        candidates: Sequence[Expression],
        table: FeatureTable,
        tasks: Sequence[Task],
        networks: int,
    ) -> "StepwiseCandidates":
        """Look up the scores of candidates whose features have been filled."""
        scores = score_columns(candidates, table, tasks, networks)
        return StepwiseCandidates(candidates, table, tasks, networks, scores)

    def step(self, formula: Expression) -> Expression:
        """The formula, sometimes less one of its terms, with one more term and all weights fitted.

        Its features must have been filled. It comes back unchanged where nothing can be fitted.
        """
        present = terms(formula)
        if len(present) > 1 and randomness.happens(DROPPED):
            present.remove(randomness.choice(present))
        offered = [i for i in range(len(self.candidates)) if randomness.happens(OFFERED)]
        present_scores = score_columns(present, self.table, self.tasks, self.networks)
        data = regression_data_of(
            torch.cat([present_scores, self.scores[:, offered]], 1),
            [*present, *(self.candidates[i] for i in offered)],
            self.tasks,
            self.networks,
        )
        if data is None:
            return formula
        column_of = {feature.text: i for i, feature in enumerate(data.features)}
        present_columns = [column_of[t.text] for t in present if t.text in column_of]
        columns = _with_next(data.x, data.y, present_columns)
        try:
            return fitted_formula(data, columns) if columns else formula
        except (ValueTypeError, InputError):  # a weight is not finite; the sum is too deep
            return formula


def _with_next(x: Tensor, y: Tensor, columns: list[int]) -> list[int]:
    """Columns of x, and the one that reduces the squared error most beside them."""
    basis, _ = torch.linalg.qr(x[:, columns])
    rest, residual = x - basis @ (basis.T @ x), y - basis @ (basis.T @ y)
    rest[:, rest.square().sum(0) < 1e-6 * len(x)] = 0  # explained by the columns already
    return [*columns, *(i for i in forward_selection(rest, residual, 1) if i not in columns)]
