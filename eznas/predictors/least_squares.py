"""Greedy least squares over the words of a language: the yardstick that evolution must beat.

Orthogonal least squares (Chen, Billings & Luo, 1989) on short measures finds in seconds what a
cold population needs long for, so its formulas may also seed one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from scipy.stats import norm, rankdata
from torch import Tensor

from eznas.evaluation.feature_table import Measures
from eznas.evolution.fitness import Array, Task
from eznas.formulas.expression import Expression, call, constant
from eznas.formulas.parser import parse_any

TERMS = 12
FACTORS = 120  # words of which products are formed
_SAME = 1 - 1e-9  # correlation at which two words say the same
_EQUAL = 1e-9  # shares of a gain that are rounding


@dataclass(frozen=True)
class Fit:
    """Words as columns, and what they are fitted to.

    `x` [tasks x networks, words], float64 and finite, centred and of unit deviation within tasks;
    `raw`: the same less `means`, over `spreads`; `y` [tasks x networks]: the normal scores of the
    accuracies; `task`: of each row; `names`: of each column.
    """

    x: Tensor
    raw: Tensor
    y: Tensor
    task: Tensor
    names: list[Expression]
    means: Tensor
    spreads: Tensor


def pursue(
    candidates: Sequence[Expression],
    table: Measures,
    tasks: Sequence[Task],
    networks: int,
    terms: int = TERMS,
    factors: int = 0,
) -> list[Expression]:
    """Formulas of 1, 2, ... `terms` terms, each the last with one more, all constants refitted.

    Fitted to the normal scores of the accuracies of the first `networks`, every task with an
    intercept of its own. With `factors`, products of two of so many words (those first chosen
    and those that correlate best) are candidates too. None if no candidate can be used.
    """
    fit = fitted(candidates, table, tasks, networks)
    if fit is None:
        return []
    if factors:
        fit = _with_products(fit, factors)
    order = chosen(fit.x, fit.y, terms)
    found = []
    for length in range(1, len(order) + 1):
        found.append(linear(fit, order[:length]))
    return found


def fitted(
    candidates: Sequence[Expression], table: Measures, tasks: Sequence[Task], networks: int
) -> Fit | None:
    """The candidates that score every network that most of them score, as columns; None where
    none of them says anything."""
    return fit_of(columns(candidates, table, tasks, networks), candidates, tasks, networks)


def fit_of(
    found: Tensor, candidates: Sequence[Expression], tasks: Sequence[Task], networks: int
) -> Fit | None:
    """`fitted` on `columns` that are at hand."""
    rows = found.isfinite().double().mean(1) > 0.5  # the others have nothing to measure
    usable = found[rows].isfinite().all(0)
    if not rows.any() or not usable.any():
        return None
    names = [c for c, fine in zip(candidates, usable.tolist(), strict=True) if fine]
    target = torch.from_numpy(np.concatenate([normal_scores(t, networks) for t in tasks]))
    task = torch.arange(len(tasks)).repeat_interleave(networks)[rows]
    x, y = found[rows][:, usable], _centred(target[rows, None], task)[:, 0]
    fit = _scaled(x, y, task, names)
    return fit if fit.names else None


def columns(
    candidates: Sequence[Expression], table: Measures, tasks: Sequence[Task], networks: int
) -> Tensor:
    """Scores [tasks x networks, candidates], float64, where undefined NaN."""
    settings = sorted({t.setting for t in tasks})
    found = np.empty((len(candidates), len(tasks) * networks))
    for row, candidate in zip(found, candidates, strict=True):
        scores = {s: table.scores(candidate, s, networks).values for s in settings}
        row[:] = np.concatenate([scores[t.setting] for t in tasks])
    return torch.from_numpy(found.T.copy())


def normal_scores(task: Task, networks: int) -> Array:
    """Accuracies as quantiles of a normal distribution: only their order counts for tau."""
    ranks = rankdata(task.accuracies[:networks])
    scores: Array = norm.ppf((ranks - 0.5) / networks)
    return scores


def _scaled(x: Tensor, y: Tensor, task: Tensor, names: list[Expression]) -> Fit:
    """Columns centred within tasks and scaled; those that hardly vary are left out."""
    means = x.mean(0)
    # Before squaring: some words reach 1e43.
    largest = (x - means).abs().amax(0)
    steady = torch.where(largest > 0, largest, 1.0)
    centred = _centred((x - means) / steady, task)
    spread = centred.square().mean(0).sqrt()
    varies = (largest > 1e-9 * means.abs()) & (spread > 1e-6)
    keep = varies.nonzero()[:, 0].tolist()
    return Fit(
        (centred / spread)[:, varies],
        ((x - means) / (spread * steady))[:, varies],
        y,
        task,
        [names[i] for i in keep],
        means[varies],
        (spread * steady)[varies],
    )


def chosen(x: Tensor, y: Tensor, terms: int) -> list[int]:
    """Columns, each the one that lessens the squared error most beside those before it."""
    x, residual, chosen = x.clone(), y.clone(), list[int]()
    start = x.square().sum(0)
    for _ in range(terms):
        left = x.square().sum(0)
        gain = torch.where(left > 1e-6 * start, (x.T @ residual).square() / left, -1.0)
        most = gain.max()
        if most <= 0:
            break
        # The first of those that say the same, whatever their last bits are.
        best = int((gain > most * (1 - _EQUAL)).nonzero()[0, 0])
        chosen.append(best)
        unit = x[:, best] / left[best].sqrt()
        residual -= unit * (unit @ residual)
        x -= unit[:, None] * (unit @ x)
    return chosen


def _with_products(fit: Fit, factors: int) -> Fit:
    """The words, and the products of two of the factors, each less its mean."""
    first = chosen(fit.x, fit.y, factors // 2)
    ranked = (fit.x.T @ fit.y).abs().argsort(descending=True, stable=True).tolist()
    picked = list(first)
    for i in ranked:
        if len(picked) >= min(factors, len(ranked)):
            break
        same = (fit.x[:, picked].T @ fit.x[:, i]).abs().max() / len(fit.x) if picked else 0.0
        if i not in picked and same < _SAME:
            picked.append(i)
    raw = fit.raw[:, picked]
    pairs = torch.triu_indices(len(picked), len(picked))
    products = raw[:, pairs[0]] * raw[:, pairs[1]]
    centred = [_less_mean(fit, i) for i in picked]
    names = [
        call("mul", centred[i], centred[j]) for i, j in zip(*map(list, pairs.tolist()), strict=True)
    ]
    scale = fit.spreads[picked]
    more = _scaled(products, fit.y, fit.task, names)
    kept = {n: k for k, n in enumerate(names)}
    size = (scale[pairs[0]] * scale[pairs[1]])[[kept[n] for n in more.names]]
    return Fit(
        torch.cat([fit.x, more.x], 1),
        torch.cat([fit.raw, more.raw], 1),
        fit.y,
        fit.task,
        fit.names + more.names,
        torch.cat([fit.means, more.means]),
        torch.cat([fit.spreads, more.spreads * size]),
    )


def _less_mean(fit: Fit, i: int) -> Expression:
    """A word less its mean, the mean to a millionth of the deviation: it may be much larger."""
    mean, spread = float(fit.means[i]), float(fit.spreads[i])
    digits = 6 + math.ceil(math.log10(max(abs(mean) / spread, 1)))
    return call("sub", fit.names[i], constant(float(f"{mean:.{digits}g}")))


def _centred(x: Tensor, task: Tensor) -> Tensor:
    out = x.clone()
    for each in range(int(task.max()) + 1):
        out[task == each] -= x[task == each].mean(0)
    return out


def _ridge(x: Tensor, y: Tensor) -> Tensor:
    """Least squares with a penalty small enough to matter only between near-equal columns."""
    gram = x.T @ x + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    solution: Tensor = torch.linalg.solve(gram, x.T @ y)
    return solution


def linear(fit: Fit, some: Sequence[int]) -> Expression:
    """The sum of some of the columns' words, with the constants that fit best."""
    slopes = (_ridge(fit.x[:, some], fit.y) / fit.spreads[some]).tolist()
    terms = [
        call("mul", constant(float(f"{slope:.6g}")), fit.names[i])
        for i, slope in zip(some, slopes, strict=True)
    ]
    return parse_any(reduce(lambda total, term: call("add", total, term), terms).text)
