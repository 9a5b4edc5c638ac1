"""Formulas as weighted sums of terms: the weights by ridge regression, the fitness by folds.

Evolution finds terms and least squares weighs them (multiple regression genetic programming,
Arnaldo, Krawiec & O'Reilly, 2014). The error of a fold is that of weights fitted to the others, in
closed form, and no component of networks is on both sides.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from eznas.benchmarks import Task
from eznas.evaluation.arithmetic import LEAST_COVERAGE, arithmetic
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.status import Status, unmeasurable
from eznas.evolution.products import Products
from eznas.evolution.ridge import ridge_weights
from eznas.evolution.row_weights import alike_in_spaces, network_weights
from eznas.formulas.expression import Expression, ValueTypeError, call, constant
from eznas.metrics import component_folds
from eznas.metrics.normal import normal_scores

FOLDS = 5
RIDGE = 1e-3  # of the number of rows
ROWS_KEPT = 6000  # terms whose rows stay in memory
DIGITS = 4  # of a weight
_TINY = 1e-12  # in place of 0, of a task without rows
FLAT = 1e-9  # a deviation that is rounding, compared with the largest value


@dataclass(frozen=True)
class Fit:
    """A weighted sum of terms: the `weights`, and for each task the correlation of its
    scores with the accuracies (as normal scores), each network's by the weights of the other folds,
    0 for none."""

    weights: Tensor
    correlations: Tensor


class Sums:
    """Fits weighted sums of terms to the first `networks` of each task's sample.

    `components`: for each task those of its networks, int64 [networks of the sample]. A row is a
    network in a task, in the order of folds; networks on which most of `candidates`, whose features
    must have been filled, are undefined make none. `y` [rows]: normal scores of the accuracies,
    centred within tasks and of unit deviation. `alike`: the weights of rows add up to as much in
    each space, of which its tasks have equal parts, and each space has a scale of its own; without,
    they add up to the number of rows of each task, and the scale is one for all. `spaces`: of each
    space (one where they are not alike), the rows of each of its tasks.
    """

    def __init__(
        self,
        table: FeatureTable,
        tasks: Sequence[Task],
        components: Sequence[npt.NDArray[np.int64]],
        networks: int,
        candidates: Sequence[Expression],
        alike: bool = False,
    ) -> None:
        self._table, self.networks = table, networks
        self._contexts = sorted({task.context for task in tasks})
        self._known: dict[str, Tensor] = {}  # feature -> values [contexts, networks]
        self._coverage: dict[str, float] = {}
        self._rows: dict[str, tuple[Tensor, float] | None] = {}  # term -> its row, its deviation
        values = [self._feature(f.text) for c in candidates for f in c.features()]
        stacked = torch.stack(values)  # [features, contexts, networks]
        size_of = {task.context: len(task.accuracies[:networks]) for task in tasks}
        sizes = torch.tensor([size_of[context] for context in self._contexts])
        self._measured = ~stacked.isnan().all(0)
        defined = stacked.isfinite().double().mean(0) > 0.5
        rows, targets, folds, numbers, shares = [], [], [], [], []
        for number, task in enumerate(tasks):
            context = self._contexts.index(task.context)
            usable = defined[context, : sizes[context]].numpy()
            rows.append(context * networks + np.flatnonzero(usable))
            shares.append(network_weights(components[number][:networks][usable]))
            scores = normal_scores(task.accuracies[:networks][usable])
            targets.append(_standardised(scores, shares[-1]))
            folds.append(component_folds(components[number][:networks], FOLDS)[usable])
            numbers.append(np.full(len(rows[-1]), number))
        spaces = list(dict.fromkeys(task.space for task in tasks)) if alike else [""]
        space_of = np.array([spaces.index(task.space) if alike else 0 for task in tasks])
        part = np.concatenate(folds) * len(tasks) + np.concatenate(numbers)
        order = np.argsort(part, kind="stable")
        self._index = torch.from_numpy(np.concatenate(rows)[order])
        self._task = torch.from_numpy(np.concatenate(numbers)[order])
        of_tasks = [(self._task == number).nonzero()[:, 0] for number in range(len(tasks))]
        of_spaces = [np.flatnonzero(space_of == space) for space in range(len(spaces))]
        self.spaces = [[of_tasks[number] for number in numbers] for numbers in of_spaces]
        if alike:
            shares = alike_in_spaces(shares, [task.space for task in tasks])
        share = torch.from_numpy(np.concatenate(shares)[order])
        self._root = share.sqrt()
        self.y = self._root * torch.from_numpy(np.concatenate(targets)[order])
        bounds = np.searchsorted(part[order], np.arange(FOLDS * len(tasks) + 1)).tolist()
        self._products = Products(bounds, FOLDS, torch.stack([self.y, self._root]))
        self._space = torch.from_numpy(space_of)
        self._joined = nn.functional.one_hot(self._space, len(spaces)).double()  # [tasks, spaces]
        self._of_task = nn.functional.one_hot(self._task, len(tasks)).double().T  # [tasks, rows]
        self._totals = self._of_task @ share
        self._averaging = share[:, None] * self._of_task.T / self._totals.clamp(min=_TINY)
        measured = float((self._measured.sum(1) / sizes).min())  # below, no formula has scores
        self._enough = measured >= LEAST_COVERAGE and bool(self._totals.all())

    def row(self, term: Expression) -> Tensor | None:
        """The values of a term on all rows, float64 [rows], centred within tasks and of unit
        deviation; None where it is undefined, hardly varies, or by too much for a number. Its
        features must have been filled."""
        computed = self._computed(term)
        return None if computed is None else computed[0]

    def rows(self, values: Tensor, empty: Tensor) -> tuple[Tensor, Tensor]:
        """`row` of some terms at once, from their `values` [terms, contexts, networks] and where a
        network has nothing to aggregate for them, bool of the same shape: the rows [terms, rows],
        and the deviations that they were divided by [terms], NaN for a term that has no row."""
        defined = (values.isfinite() | empty | ~self._measured).flatten(1).all(1)
        x = self.at_rows(values)
        usable = defined & x.isfinite().all(1)
        x = torch.where(usable[:, None], x, 0.0)
        means = self._means(x)
        weighted = torch.addmm(x, means, self._of_task, alpha=-1).mul_(self._root)
        squares = weighted.square()
        # What is left in a task where all networks have the same value is rounding.
        flat = (squares @ self._of_task.T / self._totals).sqrt() <= FLAT * means.abs()
        if flat.any():
            varies = (~flat).double() @ self._of_task
            weighted, squares = weighted * varies, squares * varies
        deviations = squares.mean(1).sqrt()
        # Of values that are too large the deviation is infinite, or NaN.
        usable &= (FLAT * x.abs().amax(1) < deviations) & (deviations < math.inf)
        return weighted / deviations[:, None], torch.where(usable, deviations, torch.nan)

    def at_rows(self, values: Tensor) -> Tensor:
        """Values [terms, contexts, networks] of terms on the rows as they are: [terms, rows]."""
        return values.flatten(1)[:, self._index]

    def fit(self, rows: Sequence[Tensor]) -> Fit:
        """Weights of the rows of some terms, by ridge regression, and what they are worth."""
        grams, (products, levels) = self._products.of(torch.stack(list(rows)))
        of_spaces = torch.einsum("ftij,ts->fsij", grams, self._joined)
        targets = torch.einsum("fti,ts->fsi", products, self._joined)
        # Without each fold, and then with all of them.
        of_rest = torch.cat([of_spaces.sum(0) - of_spaces, of_spaces.sum(0, keepdim=True)])
        rest = torch.cat([targets.sum(0) - targets, targets.sum(0, keepdim=True)])
        weights, _ = ridge_weights(of_rest, rest, RIDGE * len(self.y))
        by_fold = weights[:FOLDS]
        covariance = torch.einsum("fi,fti->t", by_fold, products) / self._totals
        mean = torch.einsum("fi,fti->t", by_fold, levels) / self._totals
        square = torch.einsum("fi,ftij,fj->t", by_fold, grams, by_fold) / self._totals
        deviation = (square - mean.square()).clamp(min=0).sqrt()
        correlations = torch.where(deviation > 0, covariance / deviation, 0.0)
        return Fit(weights[FOLDS], correlations)

    def losses(self, rows: Sequence[Tensor]) -> Tensor:
        """How much the share of explained variance falls without each of the rows: [terms]. As in
        `gains`, scales are those of the present terms."""
        x = self._scales(rows) * torch.stack(list(rows))
        gram = x @ x.T + RIDGE * len(self.y) * torch.eye(len(x), dtype=x.dtype)
        inverse = torch.linalg.inv(gram)
        weights = inverse @ (x @ self.y)
        losses: Tensor = weights.square() / inverse.diagonal() / len(self.y)
        return losses

    def gains(self, rows: Sequence[Tensor], offered: Tensor) -> Tensor:
        """How much the share of explained variance rises with each of the offered rows [offered,
        rows], beside the rows of the terms so far: [offered]."""
        scales, residual = self._scales(rows), self.y
        x = scales * offered
        if rows:
            basis, _ = torch.linalg.qr((scales * torch.stack(list(rows))).T)
            residual = residual - basis @ (basis.T @ residual)
            x = x - (x @ basis) @ basis.T
        unexplained = x.square().sum(1)
        gains = (x @ residual).square() / unexplained / len(self.y)
        return torch.where(unexplained > 1e-4 * len(self.y), gains, 0.0)

    def _scales(self, rows: Sequence[Tensor]) -> Tensor:
        """The scale that the space of each row has beside some terms: [rows]."""
        if not rows or len(self.spaces) == 1:
            return torch.ones_like(self.y)
        grams, (products, _) = self._products.of(torch.stack(list(rows)))
        of_spaces = torch.einsum("ftij,ts->sij", grams, self._joined)
        targets = torch.einsum("fti,ts->si", products, self._joined)
        _, scales = ridge_weights(of_spaces, targets, RIDGE * len(self.y))
        return scales[self._space[self._task]]

    def fitted(self, terms: Sequence[Expression]) -> Expression | None:
        """The sum of those terms that are defined, with weights fitted; None where none is, or
        where a weight is not finite."""
        rows = {term: row for term in terms if (row := self.row(term)) is not None}
        if not rows:
            return None
        try:
            return self.formula(list(rows), self.fit([*rows.values()]).weights)
        except ValueTypeError:
            return None

    def formula(self, terms: Sequence[Expression], weights: Tensor) -> Expression:
        """The sum of terms times their weights, which are of `row`s: divided by the deviations.
        The terms must have rows.

        Raises `ValueTypeError` where a weight is not finite.
        """
        deviations = [computed[1] for term in terms if (computed := self._computed(term))]
        scaled = [w / d for w, d in zip(weights.tolist(), deviations, strict=True)]
        return weighted_sum(terms, [float(f"{value:.{DIGITS}g}") for value in scaled])

    def coverage(self, formula: Expression) -> float:
        """The least coverage of the features of a formula, a share."""
        return min(self._coverage[f.text] for f in formula.features())

    def spread(self, feature: Expression) -> tuple[float, float]:
        """The mean of a feature that has a row, over the rows, and its deviation within tasks."""
        computed = self._computed(feature)
        assert computed is not None
        return float(self.values(feature).flatten()[self._index].mean()), computed[1]

    def values(self, term: Expression) -> Tensor:
        """The values of a term, float64 [contexts, networks]: NaN where it is undefined or was not
        measured, -inf where there is nothing to aggregate. Its features must have been filled."""
        numbers = {f.text: self._feature(f.text) for f in term.features()}
        values = arithmetic(term.canonical, numbers)
        empty = torch.stack([n == -torch.inf for n in numbers.values()]).any(0)
        return torch.where(empty, -torch.inf, torch.where(values.isinf(), torch.nan, values))

    def _feature(self, text: str) -> Tensor:
        if text not in self._known:
            rows = [self._table.row(text, context) for context in self._contexts]
            values = self._stacked([r.values for r in rows], np.nan)
            coverage = self._stacked([r.coverage for r in rows], 1.0)
            status = self._stacked([r.status for r in rows], Status.MEASURED)
            empty = status == Status.EMPTY
            counts = ~empty & ~unmeasurable(status)
            self._coverage[text] = float(coverage[counts].min(initial=1.0))
            values = np.where(empty | (coverage >= LEAST_COVERAGE), values, np.nan)
            self._known[text] = torch.from_numpy(np.where(empty, -np.inf, values))
        return self._known[text]

    def _stacked(self, rows: Sequence[npt.NDArray[Any]], filling: float) -> npt.NDArray[Any]:
        """The first networks of rows [1, networks of a sample], the shorter ones with a filling:
        [contexts, networks]."""
        stacked = np.full((len(rows), self.networks), filling, rows[0].dtype)
        for line, row in zip(stacked, rows, strict=True):
            first = row[0, : self.networks]
            line[: len(first)] = first
        return stacked

    def _computed(self, term: Expression) -> tuple[Tensor, float] | None:
        """The row of a term, and the deviation that it was divided by; None: see `row`."""
        text = term.canonical.text
        if text not in self._rows:
            if len(self._rows) >= ROWS_KEPT:
                self._rows.clear()
            self._rows[text] = self._row_and_deviation(term)
        return self._rows[text]

    def _row_and_deviation(self, term: Expression) -> tuple[Tensor, float] | None:
        if not term.features() or not self._enough:
            return None
        values = self.values(term)
        [row], [deviation] = self.rows(values[None], values[None] == -torch.inf)
        return None if deviation.isnan() else (row, float(deviation))

    def _means(self, values: Tensor) -> Tensor:
        """The means of values [..., rows] over the rows of each task: [..., tasks]."""
        return values @ self._averaging


def weighted_sum(terms: Sequence[Expression], weights: Sequence[float]) -> Expression:
    """The sum of terms, of which there is at least one, times their weights.

    Raises `ValueTypeError` where a weight is not finite.
    """
    parts = [call("mul", constant(w), term) for term, w in zip(terms, weights, strict=True)]
    return reduce(lambda total, part: call("add", total, part), parts)


def _standardised(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    if not len(values):
        return values
    centred = values - np.average(values, weights=weights)
    return np.asarray(centred / (np.sqrt(np.average(centred**2, weights=weights)) or 1.0))
