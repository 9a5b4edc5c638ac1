"""From measures to scores: the arithmetic of a formula above the networks' numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.evaluation.status import left_out, refused
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES

Array = npt.NDArray[np.float64]
Lookup = Callable[[str], tuple[Array, Array]]  # canonical measure -> value, coverage [networks]

LEAST_COVERAGE = 0.8  # below this share of a network's live layers there is no score


@dataclass(frozen=True)
class Scores:
    """The scores of one formula: float64 [networks].

    A score is finite, -inf ("lowest") or NaN (undefined); `reason` says why one is undefined
    ("" where none is); `coverage` is the least over networks and measures. Networks `left_out`
    could not be measured: they are NaN, and no reason to call the formula undefined.
    """

    values: Array
    reason: str
    coverage: float
    left_out: npt.NDArray[np.bool_] | None = None


def combine(formula: Expression, lookup: Lookup) -> Scores:
    """The scores of a formula whose measures are looked up.

    A network without anything to aggregate gets -inf whatever the arithmetic above says.
    """
    measured = {m.text: lookup(m.text) for m in formula.features()}
    if not measured:
        return Scores(np.array([]), "constant", 1.0)
    coverage = np.stack([c for _, c in measured.values()])
    out = np.logical_or.reduce(left_out(coverage))
    if out.any():
        return _without(formula, measured, out)
    if why := refused(coverage):
        return Scores(np.full(coverage.shape[1], np.nan), why, 0.0)
    numbers = {text: torch.from_numpy(values) for text, (values, _) in measured.items()}
    values = _arithmetic(formula.canonical, numbers).expand(coverage.shape[1]).numpy().copy()
    infinite = values == np.inf
    values[infinite] = np.nan
    thin = np.any(coverage < LEAST_COVERAGE, axis=0)
    values[thin] = np.nan
    nothing = np.isnan(coverage).any(0)
    values[nothing] = -np.inf
    return Scores(values, _reason(values, infinite, thin), _least(coverage))


def _without(
    formula: Expression, measured: dict[str, tuple[Array, Array]], out: npt.NDArray[np.bool_]
) -> Scores:
    """The scores of a formula some of whose networks could not be measured."""
    found = combine(formula, lambda text: (measured[text][0][~out], measured[text][1][~out]))
    values = np.full(len(out), np.nan)
    values[~out] = found.values
    reason = found.reason or ("networks" if out.mean() > 1 - LEAST_COVERAGE else "")
    return Scores(values, reason, found.coverage, out)


def _reason(values: Array, infinite: npt.NDArray[np.bool_], thin: npt.NDArray[np.bool_]) -> str:
    undefined = np.isnan(values)
    if not undefined.any():
        return ""
    if (thin & undefined).any():
        return "coverage"
    return "infinite" if (infinite & undefined).any() else "undefined"


def _least(coverage: Array) -> float:
    seen = coverage[~np.isnan(coverage)]
    return float(seen.min()) if seen.size else 1.0


def _arithmetic(node: Expression, numbers: dict[str, Tensor]) -> Tensor:
    if node.text in numbers:
        return numbers[node.text]
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    return PRIMITIVES[node.name].function(*(_arithmetic(a, numbers) for a in node.arguments))
