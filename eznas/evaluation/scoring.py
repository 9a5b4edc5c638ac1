"""From features to scores: the arithmetic of a formula on one number per feature and network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eznas.evaluation.arithmetic import LEAST_COVERAGE, FeatureRows, scores
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status, feature_failure, unmeasurable
from eznas.formulas.expression import Expression

Array = npt.NDArray[np.float64]
Lookup = Callable[[str], FeatureValues]  # canonical text of a feature -> its values, [1, networks]


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
    empty = rows.status == Status.EMPTY
    tensors = FeatureRows(*map(torch.from_numpy, (rows.values, rows.coverage, empty)))
    values, reason = scores(formula, list(features), tensors)
    return Scores(values.numpy(), reason, float(rows.coverage.min(initial=1.0)))


def _without_unmeasurable(
    formula: Expression, features: dict[str, FeatureValues], not_measured: npt.NDArray[np.bool_]
) -> Scores:
    """The scores of a formula where some networks could not be measured."""
    measured = np.flatnonzero(~not_measured)
    others = _combined(formula, {text: row.columns(measured) for text, row in features.items()})
    values = np.full(len(not_measured), np.nan)
    values[measured] = others.values
    reason = others.reason or ("networks" if not_measured.mean() > 1 - LEAST_COVERAGE else "")
    return Scores(values, reason, others.coverage, not_measured)
