"""Groups of columns averaged: each is trusted as far as it predicts by itself."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import ExtraTreesRegressor

Floats = NDArray[np.float64]

SHARPNESS = 4  # a group with twice the squared error gets 1/2^4 of the weight; chosen on NAAP-440


class Averaged(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The weighted mean of one regressor fitted to each group of columns and to all together.

    A group's weight falls with its squared error on networks that trees were not fitted to (out of
    the bag). So a group that says little, or nothing yet with few labels, does less harm than among
    the columns of a single regressor. `groups`: numbers of columns, in order.
    """

    def __init__(self, regressor: Any = None, groups: Sequence[int] = (), seed: int = 0) -> None:
        self.regressor = regressor
        self.groups = groups
        self.seed = seed

    def fit(self, x: Floats, y: Floats) -> "Averaged":
        """Fit to columns [n, columns] and targets [n]."""
        ends = np.cumsum([0, *self.groups])
        self.parts_ = [*itertools.starmap(slice, itertools.pairwise(ends)), slice(None)]
        errors = np.array([self._error(x[:, part], y) for part in self.parts_])
        weights = (errors / errors.min()) ** -SHARPNESS
        self.weights_ = weights / weights.sum()
        self.fitted_ = [clone(self.regressor).fit(x[:, part], y) for part in self.parts_]
        return self

    def predict(self, x: Floats) -> Floats:
        """The weighted mean of the parts' predictions [n] for columns [n, columns]."""
        parts = zip(self.fitted_, self.parts_, strict=True)
        predictions = np.stack([fitted.predict(x[:, part]) for fitted, part in parts])
        mean: Floats = self.weights_ @ predictions
        return mean

    def _error(self, x: Floats, y: Floats) -> float:
        """The mean squared error of trees on networks that they were not fitted to."""
        trees = ExtraTreesRegressor(
            60, max_features=0.3, bootstrap=True, oob_score=True, random_state=self.seed
        )
        predictions: Floats = trees.fit(x, y).oob_prediction_
        return max(float(((y - predictions) ** 2).mean()), 1e-12)
