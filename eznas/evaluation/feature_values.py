"""Feature values: the result of evaluating features on networks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eznas.evaluation.status import STATUS_OF, Statuses

Array = npt.NDArray[np.float64]
Columns = Sequence[int] | slice | npt.NDArray[np.int64]
BITS = 33  # of a value's 52 that count, 1e-10 of it: ties of scores are ties of values
_DROPPED = 52 - BITS


class FeatureValues(NamedTuple):
    """Values and coverage (a share, 0 to 1), float64, and status, int8: each [features, networks].

    A value is NaN where there is none; the status then says why, or the coverage is below 1.
    """

    values: Array
    coverage: Array
    status: Statuses

    @staticmethod
    def missing(features: int, networks: int) -> "FeatureValues":
        """[features, networks] values to be filled in: NaN, with coverage 0 and status 0."""
        shape = features, networks
        return FeatureValues(np.full(shape, np.nan), np.zeros(shape), np.zeros(shape, np.int8))

    @staticmethod
    def failed(features: int, networks: int, reason: str) -> "FeatureValues":
        """[features, networks] values of features that cannot be evaluated, or of networks that
        cannot be measured; `reason` as in `status.REASONS`."""
        values = FeatureValues.missing(features, networks)
        values.status[:] = STATUS_OF[reason]
        return values

    def rounded(self) -> "FeatureValues":
        """[features, networks]: the values to `BITS` binary digits, in the same arrays where that
        changes nothing. What is rounded stays as it is when it is rounded again."""
        bits = self.values.view(np.int64)
        half, mask = 1 << (_DROPPED - 1), -1 << _DROPPED
        finite = np.isfinite(self.values)
        if not (bits[finite] & ~mask).any():
            return self
        nearest = ((bits + half) & mask).view(np.float64)
        return self._replace(values=np.where(finite, nearest, self.values))

    def rows(self, features: Sequence[int]) -> "FeatureValues":
        """[n, networks] values of n features, by their row indices."""
        rows = np.asarray(features, np.intp)
        return FeatureValues(self.values[rows], self.coverage[rows], self.status[rows])

    def columns(self, networks: Columns) -> "FeatureValues":
        """[features, n] values of n networks, by their column indices."""
        return FeatureValues(
            self.values[:, networks], self.coverage[:, networks], self.status[:, networks]
        )

    def put(self, features: Sequence[int], other: "FeatureValues") -> None:
        """Overwrite the rows `features` (n indices), in place, by `other` [n, networks]."""
        rows = np.asarray(features, np.intp)
        self.values[rows] = other.values
        self.coverage[rows] = other.coverage
        self.status[rows] = other.status

    @staticmethod
    def beside(parts: Sequence["FeatureValues"]) -> "FeatureValues":
        """Parts [features, n] with the same features, joined along the networks."""
        return FeatureValues(
            *(np.concatenate(arrays, axis=1) for arrays in zip(*parts, strict=True))
        )

    @staticmethod
    def below(parts: Sequence["FeatureValues"]) -> "FeatureValues":
        """Parts [n, networks] with the same networks, joined along the features."""
        return FeatureValues(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
