"""From features to scores: the arithmetic of a formula on one number per feature and network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status, feature_failure, unmeasurable
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES

Array = npt.NDArray[np.float64]
Lookup = Callable[[str], FeatureValues]  # canonical text of a feature -> its values, [1, networks]

LEAST_COVERAGE = 0.8  # below this share of a network's live layers there is no score


@dataclass(frozen=True)
class Scores:
    """The scores of one formula: `values`, float64 [networks].

    A score is finite, -inf ("lowest") or NaN (undefined); `reason` says why some are undefined
    ("" where none is); `coverage` is the least over networks and features. `unmeasurable`, bool
    [networks] (None: there are none), marks networks that could not be measured: their scores are
    NaN, but give no `reason`, unless they are more than a fifth of all ("networks").
    """

    values: Array
    reason: str
    coverage: float
    unmeasurable: npt.NDArray[np.bool_] | None = None


def combine(formula: Expression, lookup: Lookup) -> Scores:
    """The scores of a formula, from the values of its features, which `lookup` gives once each.

    A network without anything to aggregate in one of the features gets -inf, whatever the
    arithmetic gives. A formula that names no statistic has no scores: `values` is empty and the
    reason "constant".
    """
    features = {f.text: lookup(f.text) for f in formula.features()}
    if not features:
        return Scores(np.array([]), "constant", 1.0)
    return _combined(formula, features)


def _combined(formula: Expression, features: dict[str, FeatureValues]) -> Scores:
    rows = FeatureValues.below(list(features.values()))
    networks = rows.values.shape[1]
    not_measured = np.asarray(unmeasurable(rows.status).any(axis=0))
    if not_measured.any():
        return _without_unmeasurable(formula, features, not_measured)
    if reason := feature_failure(rows.status):
        return Scores(np.full(networks, np.nan), reason, 0.0)
    numbers = {text: torch.from_numpy(row.values[0]) for text, row in features.items()}
    values = _arithmetic(formula.canonical, numbers).expand(networks).numpy().copy()
    infinite = values == np.inf
    values[infinite] = np.nan
    thin = np.any(rows.coverage < LEAST_COVERAGE, axis=0)
    values[thin] = np.nan
    values[(rows.status == Status.EMPTY).any(0)] = -np.inf
    return Scores(values, _reason(values, infinite, thin), float(rows.coverage.min(initial=1.0)))


def _without_unmeasurable(
    formula: Expression, features: dict[str, FeatureValues], not_measured: npt.NDArray[np.bool_]
) -> Scores:
    """The scores of a formula where some networks could not be measured."""
    measured = np.flatnonzero(~not_measured)
    scores = _combined(formula, {text: row.columns(measured) for text, row in features.items()})
    values = np.full(len(not_measured), np.nan)
    values[measured] = scores.values
    reason = scores.reason or ("networks" if not_measured.mean() > 1 - LEAST_COVERAGE else "")
    return Scores(values, reason, scores.coverage, not_measured)


def _reason(values: Array, infinite: npt.NDArray[np.bool_], thin: npt.NDArray[np.bool_]) -> str:
    undefined = np.isnan(values)
    if not undefined.any():
        return ""
    if (thin & undefined).any():
        return "coverage"
    return "infinite" if (infinite & undefined).any() else "undefined"


def _arithmetic(node: Expression, numbers: dict[str, Tensor]) -> Tensor:
    if node.text in numbers:
        return numbers[node.text]
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    return PRIMITIVES[node.name].function(*(_arithmetic(a, numbers) for a in node.arguments))
