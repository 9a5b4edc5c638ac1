"""Targets: accuracies as quantiles of a normal distribution, and back.

Predictors are fitted to normal scores, because the long low tail of accuracies (networks at chance
level) would carry most of a squared error.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.metrics.normal import normal_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class NormalScores:
    """A strictly increasing map between accuracies and their normal scores.

    It is linear between the `accuracies` float64 [distinct], ascending, that it was fitted to and
    their `scores` float64 [distinct]; beyond an end it goes on with the mean slope of the tenth of
    them at that end, so that no two predictions become equal.
    """

    accuracies: Floats
    scores: Floats

    @staticmethod
    def fit(accuracies: Floats) -> "NormalScores":
        """The map for accuracies float64 [networks], one or more, finite."""
        quantiles = normal_scores(accuracies)
        distinct, first = np.unique(accuracies, return_index=True)
        return NormalScores(distinct, quantiles[first])

    def transform(self, accuracies: Floats) -> Floats:
        """The normal scores of accuracies, float64 [networks] as they are."""
        return _interpolated(accuracies, self.accuracies, self.scores)

    def inverse(self, scores: Floats) -> Floats:
        """The accuracies of normal scores, float64 [networks] as they are."""
        return _interpolated(scores, self.scores, self.accuracies)


def _interpolated(values: Floats, x: Floats, y: Floats) -> Floats:
    inside = np.clip(values, x[0], x[-1])
    outer = max(len(x) // 10, 1)
    below, above = _slope(x[: outer + 1], y[: outer + 1]), _slope(x[-outer - 1 :], y[-outer - 1 :])
    slope = np.where(values < inside, below, above)
    result: Floats = np.interp(inside, x, y) + slope * (values - inside)
    return result


def _slope(x: Floats, y: Floats) -> float:
    """The slope from the first point to the last, 0 for a single point."""
    return float((y[-1] - y[0]) / (x[-1] - x[0])) if len(x) > 1 else 0.0
