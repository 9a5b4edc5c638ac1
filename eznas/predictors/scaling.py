"""Columns of scores brought to one scale: proxies span 1e-3 to 1e29."""

import numpy as np
from numpy.typing import NDArray

from eznas.metrics.normal import normal_scores

Floats = NDArray[np.float64]
_BELOW = 1.0  # normal scores that the lowest score is below the least finite one


class ScoreScaler:
    """Columns of scores [networks, columns] as normal scores, by the quantiles of the networks
    that it is fitted to.

    Between the quantiles it is linear; beyond them it grows as asinh does, so that networks outside
    the fitted range keep their order and none is far away. The lowest score (-inf) lies 1 below the
    least; an undefined one (NaN) is put at the median, and a column that had any among the fitted
    networks gets a second one that is 1 there and 0 elsewhere. A column without two different
    finite scores becomes 0.
    """

    def fit(self, scores: Floats) -> "ScoreScaler":
        """Learn the quantiles of scores float64 [networks, columns]."""
        self._quantiles = [_quantiles(column) for column in scores.T]
        self._flagged = np.isnan(scores).any(0) & ~np.isnan(scores).all(0)
        return self

    def transform(self, scores: Floats) -> Floats:
        """Scores [networks, columns] as float64 [networks, columns + flags], all finite."""
        pairs = zip(scores.T, self._quantiles, strict=True)
        columns = [_scaled(column, *quantiles) for column, quantiles in pairs]
        flags = [*np.isnan(scores[:, self._flagged]).astype(float).T]
        return np.stack([*columns, *flags], 1) if columns else np.empty((len(scores), 0))


def _quantiles(column: Floats) -> tuple[Floats, Floats]:
    """The distinct finite scores of a column, ascending, and their normal scores."""
    finite = column[np.isfinite(column)]
    distinct, first = np.unique(finite, return_index=True)
    return distinct, normal_scores(finite)[first]


def _scaled(column: Floats, scores: Floats, normal: Floats) -> Floats:
    if len(scores) < 2:
        return np.zeros(len(column))
    finite = np.where(np.isfinite(column), column, scores[0])
    inside = np.clip(finite, scores[0], scores[-1])
    # In units of half the range, divided before any difference is taken: scores may be as large and
    # as close together as floats can be.
    half = max(scores[-1] / 2 - scores[0] / 2, np.finfo(np.float64).tiny)
    with np.errstate(over="ignore"):
        beyond = np.arcsinh(np.clip(finite / half - inside / half, -1e300, 1e300))
    right = np.clip(np.searchsorted(scores, inside), 1, len(scores) - 1)
    low, high = scores[right - 1] / half, scores[right] / half
    # Not by np.interp: its slopes overflow where two scores are closer than the least float.
    share = (inside / half - low) / np.maximum(high - low, np.finfo(np.float64).smallest_subnormal)
    scaled = (1 - share) * normal[right - 1] + share * normal[right] + beyond
    scaled = np.where(np.isnan(column), 0.0, scaled)
    scaled = np.where(column == -np.inf, normal[0] - _BELOW, scaled)
    return np.where(column == np.inf, normal[-1] + _BELOW, scaled)
