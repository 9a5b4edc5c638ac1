"""Scores of several proxies brought to scales on which they can be added up."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from eznas.predictors.scaling import ScoreScaler

Floats = NDArray[np.float64]


class NormalScale:
    """Scores as normal scores by the quantiles of the networks that it is fitted to: only their
    order counts, and all proxies weigh alike.

    An undefined score (NaN) counts as the lowest one, as in every search here.
    """

    def fit(self, scores: Floats) -> "NormalScale":
        """Learn the quantiles of scores [networks, proxies]."""
        self._scaler = ScoreScaler().fit(_defined(scores))
        return self

    def transform(self, scores: Floats) -> Floats:
        """Scores [networks, proxies] as float64 [networks, proxies], all finite."""
        return self._scaler.transform(_defined(scores))


class TermScale:
    """The terms of a formula multiplied by its constants, so that their sum is the formula.

    A term that is not finite makes the formula lowest or undefined: it is put one deviation below
    the least that its product was among the networks fitted to.
    """

    def __init__(self, constants: Sequence[float]) -> None:
        self._constants = np.asarray(constants, dtype=float)

    def fit(self, scores: Floats) -> "TermScale":
        """Learn the least products of terms [networks, terms] and constants."""
        products = _finite(scores * self._constants)
        self._lowest = np.zeros(len(self._constants))
        for i, column in enumerate(products.T):
            finite = column[np.isfinite(column)]
            if finite.size:
                self._lowest[i] = finite.min() - finite.std()
        return self

    def transform(self, scores: Floats) -> Floats:
        """The products of terms [networks, terms] and constants, float64 [networks, terms], all
        finite."""
        products = _finite(scores * self._constants)
        return np.where(np.isnan(products), self._lowest, products)


Scale = NormalScale | TermScale


def _defined(scores: Floats) -> Floats:
    return np.where(np.isnan(scores), -np.inf, scores)


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
