"""Greedy least squares over the words of a language: the yardstick that evolution must beat.

Orthogonal matching pursuit (Pati, Rezaiifar & Krishnaprasad, 1993) on short measures finds in
seconds what a cold population needs long for, so its formulas may also seed one.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from scipy.stats import norm, rankdata

from eznas.evolution.fitness import Array, Task
from eznas.formulas.expression import Expression, call, constant
from eznas.formulas.parser import parse, parse_any
from eznas.formulas.table import MeasureTable
from eznas.statistics.catalogue import CATALOGUE
from primitives import WORDS

TERMS = 12
_SPECTRUM = (
    "entropy(eigenvalues({}))",
    "participation(eigenvalues({}))",
    "top_share(eigenvalues({}))",
)
_REDUCTIONS = {
    "features": ("mean_abs({})", "std({})", "norm({})"),
    "weights": ("mean_abs({})", "std({})", "norm({})", "sum({})"),
    "samples": ("norm({})", "logdet({})", *_SPECTRUM, "mean(correlation({}))"),
    "matrix": ("norm({})", "trace({})", "logdet({})", *_SPECTRUM),
    "vector": ("mean({})", "std({})", "entropy({})", "participation({})"),
    "scalar": ("{}",),
}


def short_measures(statistics: Sequence[str]) -> list[Expression]:
    """Every statistic by every reduction of its form, plain and in logs, by every aggregation
    over live layers. Data, not search: what can be said in a few words."""
    return list(dict.fromkeys(_measures(statistics)))


def _measures(statistics: Sequence[str]) -> Iterator[Expression]:
    aggregations = [w.name for w in WORDS.values() if w.aggregation and w.live and w.arity == 1]
    for name in statistics:
        kind = CATALOGUE[name].kind
        for text in _texts(name, kind.form, kind.axis):
            if kind.axis == "networks":
                yield parse(text)
                yield parse(f"log({text})")
                continue
            for scalar in (text, f"log({text})"):
                yield from (parse(f"{a}({scalar})").canonical for a in aggregations)


def _texts(name: str, form: str, axis: str) -> list[str]:
    if axis == "networks" and form == "matrix":  # not square: [images, pixels]
        name = f"correlation({name})"
    return [template.format(name) for template in _REDUCTIONS[form]]


def pursue(
    candidates: Sequence[Expression],
    table: MeasureTable,
    tasks: Sequence[Task],
    networks: int,
    terms: int = TERMS,
) -> list[Expression]:
    """Formulas of 1, 2, ... `terms` terms, each the last with one more, all constants refitted.

    Fitted to the normal scores of the accuracies of the first `networks`, every task with an
    intercept of its own, by least squares on those that every candidate scores.
    """
    columns, names = _columns(candidates, table, tasks, networks)
    if not names:
        return []
    rows = columns.isfinite().all(1)
    if not rows.any():
        return []
    target = torch.from_numpy(np.concatenate([_normal_scores(t, networks) for t in tasks]))
    tasks_of = torch.arange(len(tasks)).repeat_interleave(networks)[rows]
    x = _centred(columns[rows], tasks_of)
    spread = x.square().mean(0).sqrt()
    y = _centred(target[rows, None], tasks_of)[:, 0]
    usable = spread > 1e-9
    x = torch.where(usable, x / torch.where(usable, spread, 1.0), 0.0)
    found, chosen = [], list[int]()
    residual = y
    for _ in range(min(terms, int(usable.sum()))):
        fit = (x.T @ residual).abs()
        fit[chosen] = -1.0
        chosen.append(int(fit.argmax()))
        weights = _ridge(x[:, chosen], y)
        residual = y - x[:, chosen] @ weights
        slopes = (weights / spread[chosen]).tolist()
        found.append(_linear([names[i] for i in chosen], slopes))
    return found


def _columns(
    candidates: Sequence[Expression], table: MeasureTable, tasks: Sequence[Task], networks: int
) -> tuple[torch.Tensor, list[Expression]]:
    """[tasks x networks, candidates] of those that score every network; -inf stays in, unless
    it is the rule: every network that is lowest for some candidate is lost to the fit."""
    settings = sorted({t.setting for t in tasks})
    names, columns = [], []
    for candidate in candidates:
        scores = {s: table.scores(candidate, s, networks) for s in settings}
        column = np.concatenate([scores[t.setting].values for t in tasks])
        if not any(s.reason for s in scores.values()) and np.isfinite(column).mean() > 0.5:
            names.append(candidate)
            columns.append(column)
    return torch.from_numpy(np.array(columns).T.copy()), names


def _normal_scores(task: Task, networks: int) -> Array:
    """Accuracies as quantiles of a normal distribution: only their order counts for tau."""
    ranks = rankdata(task.accuracies[:networks])
    scores: Array = norm.ppf((ranks - 0.5) / networks)
    return scores


def _centred(x: torch.Tensor, tasks: torch.Tensor) -> torch.Tensor:
    out = x.clone()
    for task in range(int(tasks.max()) + 1):
        out[tasks == task] -= x[tasks == task].mean(0)
    return out


def _ridge(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Least squares with a penalty small enough to matter only between near-equal columns."""
    gram = x.T @ x + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=x.dtype)
    solution: torch.Tensor = torch.linalg.solve(gram, x.T @ y)
    return solution


def _linear(measures: Sequence[Expression], slopes: Sequence[float]) -> Expression:
    terms = [
        call("mul", constant(float(f"{slope:.6g}")), measure)
        for measure, slope in zip(measures, slopes, strict=True)
    ]
    total = terms[0]
    for term in terms[1:]:
        total = call("add", total, term)
    return parse_any(total.text)
