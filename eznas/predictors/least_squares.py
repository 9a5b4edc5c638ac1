"""Greedy least squares over features: the yardstick that evolution must beat.

Orthogonal least squares (Chen, Billings & Luo, 1989) on short features finds in seconds what a
random population needs long for, so its formulas may also seed one.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from eznas.benchmarks import Task
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.formulas.expression import Expression, call, constant
from eznas.formulas.interactions import Spread
from eznas.formulas.parser import parse_any
from eznas.metrics.normal import normal_scores
from eznas.predictors.interactions import INTERACTIONS, Built, Columns

MAX_TERMS = 12
YARDSTICK_TERMS = 30  # what a champion is compared with may have as many
FACTORS = 120  # features that interactions are formed of
PENALTY = 1e-4  # of the weights: it matters only between near-equal columns
_SAME = 1 - 1e-9  # correlation at which two features are the same to a linear model
_EQUAL = 1e-9  # relative difference between gains that is rounding


@dataclass(frozen=True)
class RegressionData:
    """Features as columns, and the target that they are fitted to.

    - `x` [rows, features]: float64 and finite, centred and of unit deviation within tasks; a row is
      a network in a task;
    - `raw` [rows, features]: the values minus `means`, over `deviations` (both [features]);
    - `y` [rows]: normal scores of the accuracies, centred within tasks;
    - `task` [rows]: the number of each row's task;
    - `features`: those of the columns.
    """

    x: Tensor
    raw: Tensor
    y: Tensor
    task: Tensor
    features: Sequence[Expression]
    means: Tensor
    deviations: Tensor


def greedy_formulas(
    candidates: Sequence[Expression],
    table: FeatureTable,
    tasks: Sequence[Task],
    networks: int,
    max_terms: int = MAX_TERMS,
    factors: int = 0,
    interactions: str = "products",
) -> list[Expression]:
    """Weighted sums of 1, 2, ... `max_terms` candidates, each the last with one more term and all
    weights fitted again; none if no candidate can be used.

    They are fitted to the normal scores of the accuracies of the first `networks`, with an
    intercept for each task. The features of the candidates must have been filled. With `factors`,
    interactions (one of `INTERACTIONS`) of so many candidates are candidates too. It ends where a
    sum is too long or too deep for a formula.
    """
    data = regression_data(candidates, table, tasks, networks)
    if data is None:
        return []
    return _formulas(with_interactions(data, interactions, factors) if factors else data, max_terms)


def greedy_yardsticks(
    candidates: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task], networks: int
) -> list[Expression]:
    """`greedy_formulas` of up to `YARDSTICK_TERMS` terms, without interactions and with each
    kind."""
    data = regression_data(candidates, table, tasks, networks)
    if data is None:
        return []
    return [f for of_kind in of_every_kind(data) for f in _formulas(of_kind, YARDSTICK_TERMS)]


def of_every_kind(data: RegressionData) -> Iterator[RegressionData]:
    """The data without interactions, then with each kind."""
    yield data
    factors = _factors(data, FACTORS)
    for kind in INTERACTIONS:
        yield _joined(data, kind, factors)


def _formulas(data: RegressionData, max_terms: int) -> list[Expression]:
    columns = forward_selection(data.x, data.y, max_terms)
    formulas = []
    with suppress(InputError):  # the sum is too long for a formula
        for terms in range(1, len(columns) + 1):
            formulas.append(fitted_formula(data, columns[:terms]))
    return formulas


def regression_data(
    candidates: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task], networks: int
) -> RegressionData | None:
    """The candidates as columns, on the first `networks` of each task; None where none is usable.

    A row is used where most candidates score its network, and a candidate where it scores all of
    these rows and varies within tasks.
    """
    scores = score_columns(candidates, table, tasks, networks)
    return regression_data_of(scores, candidates, tasks, networks)


def regression_data_of(
    scores: Tensor, candidates: Sequence[Expression], tasks: Sequence[Task], networks: int
) -> RegressionData | None:
    """`regression_data` from the `score_columns` [networks of all tasks, candidates]."""
    rows = used_rows(scores)
    usable = scores[rows].isfinite().all(0)
    if not rows.any() or not usable.any():
        return None
    features = [c for c, is_usable in zip(candidates, usable.tolist(), strict=True) if is_usable]
    target = torch.from_numpy(
        np.concatenate([normal_scores(t.accuracies[:networks]) for t in tasks])
    )
    sizes = torch.tensor([len(t.accuracies[:networks]) for t in tasks])
    task = torch.arange(len(tasks)).repeat_interleave(sizes)[rows]
    values, y = scores[rows][:, usable], _centred(target[rows, None], task)[:, 0]
    units = torch.ones(len(features), dtype=values.dtype)
    data = _standardised(Columns(values, features, units, 0 * units), y, task)
    return data if data.features else None


def score_columns(
    candidates: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task], networks: int
) -> Tensor:
    """Scores of candidates on the first `networks` of each task, one task after the other:
    [networks of all tasks, candidates], float64, NaN where undefined."""
    contexts = sorted({t.context for t in tasks})
    columns = np.empty((len(candidates), sum(len(t.accuracies[:networks]) for t in tasks)))
    for column, candidate in zip(columns, candidates, strict=True):
        scores = {c: table.scores(candidate, c, networks).values for c in contexts}
        column[:] = np.concatenate([scores[t.context] for t in tasks])
    return torch.from_numpy(columns.T.copy())


def used_rows(scores: Tensor) -> Tensor:
    """The rows of `score_columns` [rows, candidates] that `regression_data` uses, bool [rows]: most
    candidates have no score for the others."""
    return scores.isfinite().double().mean(1) > 0.5


def _standardised(columns: Columns, y: Tensor, task: Tensor) -> RegressionData:
    """Columns centred within tasks and scaled, without those that hardly vary."""
    means = columns.values.mean(0)
    shifted = columns.values - means
    # Divided by the largest before squaring: some features reach 1e43.
    largest = shifted.abs().amax(0)
    scale = torch.where(largest > 0, largest, 1.0)
    centred = _centred(shifted / scale, task)
    deviation = centred.square().mean(0).sqrt()
    varies = (largest > 1e-9 * means.abs()) & (deviation > 1e-6)
    kept, expressions = varies.nonzero()[:, 0].tolist(), columns.expressions
    return RegressionData(
        x=_columns(centred.div_(deviation), varies),
        raw=_columns(shifted.div_(deviation * scale), varies),
        y=y,
        task=task,
        features=Built(len(kept), lambda i: expressions[kept[i]]),
        means=(columns.offsets + columns.units * means)[varies],
        deviations=(columns.units * (deviation * scale))[varies],
    )


def _columns(values: Tensor, kept: Tensor) -> Tensor:
    """The columns of values [rows, columns] that are kept, bool [columns]."""
    return values if kept.all() else values[:, kept]


def forward_selection(x: Tensor, y: Tensor, max_terms: int) -> list[int]:
    """At most `max_terms` columns of x [rows, columns], each the one that reduces the squared error
    in y [rows] most beside those before it; it ends where none reduces it."""
    # x and y stay as they are: what is left of them beside the selected columns is known from
    # their products with orthonormal directions.
    total = x.square().sum(0)
    unexplained, covariances = total.clone(), x.T @ y
    directions, selected = x.new_zeros(len(x), 0), list[int]()
    for _ in range(max_terms):
        gains = torch.where(
            unexplained > 1e-6 * total, covariances.square() / unexplained, -torch.ones_like(total)
        )
        largest = gains.max()
        if largest <= 0:
            break
        # The first of equal gains, whatever their last bits are.
        best = int((gains > largest * (1 - _EQUAL)).nonzero()[0, 0])
        selected.append(best)
        direction = x[:, best]
        for _ in range(2):  # once leaves rounding behind where little is unexplained
            direction = direction - directions @ (directions.T @ direction)
        direction = direction / direction.norm()
        directions = torch.cat([directions, direction[:, None]], 1)
        along = x.T @ direction
        unexplained -= along.square()
        covariances -= along * (direction @ y)
    return selected


def with_interactions(data: RegressionData, interactions: str, factors: int) -> RegressionData:
    """The data with further columns: interactions (one of `INTERACTIONS`) of so many factors, the
    features that are selected first and those that correlate best."""
    return _joined(data, interactions, _factors(data, factors))


def _joined(data: RegressionData, interactions: str, factors: Sequence[int]) -> RegressionData:
    """The data with the interactions of some of its columns."""
    spreads = [
        Spread(data.features[i], float(data.means[i]), float(data.deviations[i])) for i in factors
    ]
    further = INTERACTIONS[interactions](data.raw[:, list(factors)], spreads)
    added = _standardised(further, data.y, data.task)
    count, own, others = len(data.features), data.features, added.features
    return RegressionData(
        x=torch.cat([data.x, added.x], 1),
        raw=torch.cat([data.raw, added.raw], 1),
        y=data.y,
        task=data.task,
        features=Built(count + len(others), lambda i: own[i] if i < count else others[i - count]),
        means=torch.cat([data.means, added.means]),
        deviations=torch.cat([data.deviations, added.deviations]),
    )


def _factors(data: RegressionData, count: int) -> list[int]:
    """`count` columns: half of them selected, the others the best correlated that say something
    else."""
    columns = forward_selection(data.x, data.y, count // 2)
    by_correlation = (data.x.T @ data.y).abs().argsort(descending=True, stable=True).tolist()
    for i in by_correlation:
        if len(columns) >= min(count, len(by_correlation)):
            break
        correlations = data.x[:, columns].T @ data.x[:, i]
        closest = correlations.abs().max() / len(data.x) if columns else 0.0
        if i not in columns and closest < _SAME:
            columns.append(i)
    return columns


def _centred(values: Tensor, task: Tensor) -> Tensor:
    """Values [rows, columns] minus their mean over the rows of the same task."""
    centred = values.clone()
    for number in range(int(task.max()) + 1):
        centred[task == number] -= values[task == number].mean(0)
    return centred


def ridge(x: Tensor, y: Tensor, penalty: float) -> Tensor:
    """Weights of the columns of x [rows, columns] by least squares, with a penalty on them."""
    gram = x.T @ x + penalty * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    solution: Tensor = torch.linalg.solve(gram, x.T @ y)
    return solution


def fitted_formula(
    data: RegressionData, columns: Sequence[int], penalty: float = PENALTY
) -> Expression:
    """The weighted sum of some columns' features that fits best.

    Raises `ValueTypeError` where a weight is not finite, `InputError` where the sum is too deep.
    """
    weights = (ridge(data.x[:, columns], data.y, penalty) / data.deviations[columns]).tolist()
    terms = [
        call("mul", constant(float(f"{weight:.6g}")), data.features[i])
        for i, weight in zip(columns, weights, strict=True)
    ]
    return parse_any(reduce(lambda total, term: call("add", total, term), terms).text)
