"""Regressors: from columns to normal scores of accuracies, one row of the table for each family.

All are scikit-learn regressors; `deviations` says how sure one is, where it knows.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.ensemble import (
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import BayesianRidge
from sklearn.svm import NuSVR

from eznas.errors import InputError, unknown

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Regressor:
    """A family: `make(seed)` gives a regressor with its defaults; `source` of the method and of the
    defaults; `slow`: a fit on some hundred networks takes seconds; `extra`: the extra of this
    package that brings its library, "" where it is always there."""

    name: str
    make: Callable[[int], Any]
    source: str
    slow: bool = False
    extra: str = ""


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A Gaussian process with a squared-exponential kernel and noise; its length scale starts at
    the square root of the number of columns."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, x: Floats, y: Floats) -> "GaussianProcess":
        """Fit to columns [n, columns] and targets [n]."""
        length = max(x.shape[1], 1) ** 0.5
        kernel = ConstantKernel() * RBF(length, (length / 30, length * 30)) + WhiteKernel(0.1)
        self.process_ = GaussianProcessRegressor(kernel, normalize_y=True, random_state=self.seed)
        with warnings.catch_warnings():
            # A parameter at its bound is no fault: few networks say little about it.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.process_.fit(x, y)
        return self

    def predict(self, x: Floats, return_std: bool = False) -> Any:
        """The mean [n], and with `return_std` the standard deviation [n]."""
        return self.process_.predict(x, return_std=return_std)


class Residual(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A straight line through the first column, and a regressor for what it leaves.

    The first column is a proxy that ranks well by itself: with few labels the line does all the
    work, with many the regressor corrects it.
    """

    def __init__(self, regressor: Any = None) -> None:
        self.regressor = regressor

    def fit(self, x: Floats, y: Floats) -> "Residual":
        """Fit to columns [n, columns] and targets [n]. A falling line becomes a flat one: larger
        scores are better, whatever few labels say."""
        first = x[:, 0] - x[:, 0].mean()
        size = (first**2).sum()
        self.slope_ = max(float(first @ y) / size, 0.0) if size > 0 else 0.0
        self.intercept_ = float(y.mean() - self.slope_ * x[:, 0].mean())
        self.rest_ = clone(self.regressor).fit(x, y - self._line(x))
        return self

    def predict(self, x: Floats) -> Floats:
        """The line plus the regressor's prediction [n]."""
        predictions: Floats = self._line(x) + self.rest_.predict(x)
        return predictions

    def _line(self, x: Floats) -> Floats:
        return self.intercept_ + self.slope_ * x[:, 0]


def deviations(regressor: Any, x: Floats) -> Floats:
    """The standard deviation of a fitted regressor's predictions for columns [n, columns]: [n].

    Raises `InputError` for a family that gives none.
    """
    if isinstance(regressor, Residual):
        return deviations(regressor.rest_, x)
    if hasattr(regressor, "pred_dist"):
        return _floats(regressor.pred_dist(x).scale)
    if hasattr(regressor, "member_predictions"):
        return _floats(regressor.member_predictions(x).std(0))
    if isinstance(regressor, (RandomForestRegressor, ExtraTreesRegressor)):
        return _floats(np.std([tree.predict(x) for tree in regressor.estimators_], 0))
    if isinstance(regressor, (GaussianProcess, BayesianRidge)):
        return _floats(regressor.predict(x, return_std=True)[1])
    raise InputError(
        f"{type(regressor).__name__} gives no standard deviation; expected one of {STD}"
    )


def _floats(values: Any) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _random_forest(seed: int) -> Any:
    return RandomForestRegressor(
        116, max_features=0.17, min_samples_leaf=2, bootstrap=False, random_state=seed
    )


def _xgboost(seed: int) -> Any:
    import xgboost

    return xgboost.XGBRegressor(
        n_estimators=500, max_depth=6, learning_rate=0.3, n_jobs=1, random_state=seed
    )


def _lightgbm(seed: int) -> Any:
    import lightgbm

    return lightgbm.LGBMRegressor(
        n_estimators=500,
        num_leaves=31,
        learning_rate=0.05,
        min_child_samples=5,
        n_jobs=1,
        random_state=seed,
        verbose=-1,
    )


def _ngboost(seed: int) -> Any:
    import ngboost
    from sklearn.tree import DecisionTreeRegressor

    base = DecisionTreeRegressor(max_depth=6, max_features=0.79, random_state=seed)
    return ngboost.NGBRegressor(
        Base=base,
        n_estimators=505,
        learning_rate=0.0813,
        minibatch_frac=0.51,
        verbose=False,
        random_state=seed,
    )


def _mlp_ensemble(seed: int) -> Any:
    from eznas.predictors.neural import MLPEnsemble

    return MLPEnsemble(seed=seed)


def _gin(seed: int) -> Any:
    from eznas.predictors.neural import GIN

    return GIN(seed=seed)


_WHITE = "White et al., 2021 (defaults of NASLib's predictors)"
_ROWS = (
    Regressor("linear", lambda seed: BayesianRidge(), "MacKay, 1992 (Bayesian ridge)"),
    Regressor("gp", GaussianProcess, "Rasmussen & Williams, 2006 (Gaussian process)"),
    Regressor("nusvr", lambda seed: NuSVR(C=1.0, nu=0.5), "Schölkopf et al., 2000 (nu-SVR)"),
    Regressor("random_forest", _random_forest, f"Breiman, 2001; {_WHITE}"),
    Regressor(
        "extra_trees",
        lambda seed: ExtraTreesRegressor(300, max_features=0.3, random_state=seed),
        "Geurts et al., 2006 (randomised trees)",
    ),
    Regressor(
        "hist_boosting",
        lambda seed: HistGradientBoostingRegressor(min_samples_leaf=5, random_state=seed),
        "Friedman, 2001; scikit-learn's histogram boosting",
    ),
    Regressor("xgboost", _xgboost, f"Chen & Guestrin, 2016; {_WHITE}", extra="predictors"),
    Regressor("lightgbm", _lightgbm, f"Ke et al., 2017; {_WHITE}", extra="predictors"),
    Regressor("ngboost", _ngboost, f"Duan et al., 2020; {_WHITE}", True, "predictors"),
    Regressor("mlp_ensemble", _mlp_ensemble, "White et al., 2021 (BANANAS)", True),
    Regressor("gin", _gin, "Xu et al., 2019 (graph isomorphism network), dense", True),
)
REGRESSORS: dict[str, Regressor] = {row.name: row for row in _ROWS}
STD = "linear, gp, random_forest, extra_trees, ngboost, mlp_ensemble, gin"


def regressor(name: str, seed: int = 0) -> Any:
    """A new regressor of a family, not fitted yet. Raises `InputError` for an unknown name, and
    where the library is missing (it says how to get it)."""
    if name not in REGRESSORS:
        raise unknown("regressor", name, REGRESSORS)
    row = REGRESSORS[name]
    try:
        return row.make(seed)
    except ImportError as error:
        advice = f"pip install 'eznas[{row.extra}]'"
        raise InputError(f"regressor {name!r} needs {error.name}: `{advice}`") from None
