"""The predictor: features of architectures, and a regressor behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyRegressor
from sklearn.utils.validation import check_is_fitted

from eznas.benchmarks.curves import Curves
from eznas.errors import InputError, unknown
from eznas.predictors.curves import SUMMARIES
from eznas.predictors.features import Scores, feature, proxies_of
from eznas.predictors.measurements import Measurements
from eznas.predictors.regressors import deviations, regressor
from eznas.predictors.targets import NormalScores

Floats = NDArray[np.float64]
TARGETS = ("normal_scores", "accuracies")


@dataclass(frozen=True)
class Requirement:
    """What a predictor needs: `labels`, accuracies to fit to; the `proxies` that it measures on
    every network; `curve`: what it reads of learning curves ("" nothing, "accuracy", "train_loss",
    "all"), up to `curve_epochs` (None: as far as they go)."""

    labels: bool
    proxies: tuple[str, ...]
    curve: str = ""
    curve_epochs: int | None = 0


class Predictor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Guesses the accuracy of architectures of one space; parameters as scikit-learn has them.

    `features`: texts as `eznas.predictors.features` has them. `regressor`: a name of `REGRESSORS`
    or any scikit-learn regressor; None, with a single feature of one column, for the feature
    itself, which needs no accuracies to be fitted to. `measurements`: of the space, with what is
    known of proxies' scores (None: NAS-Bench-201, nothing known). `epochs`: learning curves are
    read up to this one (None: as far as they go). `target`: one of `TARGETS`, what the regressor is
    fitted to. `seed` of a regressor that is given by name.

    Encodings and tables are those of one space: to predict in another space than it was fitted in,
    give it features that mean the same everywhere (proxies, formulas).
    """

    def __init__(
        self,
        features: Sequence[str] = ("encoding",),
        regressor: Any = "extra_trees",
        *,
        measurements: Measurements | None = None,
        epochs: int | None = None,
        target: str = "normal_scores",
        seed: int = 0,
    ) -> None:
        self.features = features
        self.regressor = regressor
        self.measurements = measurements
        self.epochs = epochs
        self.target = target
        self.seed = seed

    @property
    def requires(self) -> Requirement:
        """What the predictor needs, see `Requirement`."""
        reads = {SUMMARIES[text].reads for text in self.features if text in SUMMARIES}
        reads |= {"all" for text in self.features if text == "curve"}
        return Requirement(
            labels=self.regressor is not None,
            proxies=tuple(dict.fromkeys(p for text in self.features for p in proxies_of(text))),
            curve="all" if len(reads) > 1 else "".join(reads),
            curve_epochs=self.epochs if reads else 0,
        )

    @property
    def in_percent(self) -> bool:
        """Whether predictions are accuracies, not scores without a scale."""
        return self.regressor is not None or self.features[0] in ("last_value", "extrapolated")

    def fit(
        self,
        architectures: Sequence[str],
        accuracies: ArrayLike | None = None,
        curves: Curves | None = None,
    ) -> "Predictor":
        """Fit to architectures and their accuracies [networks], larger is better.

        `curves`: the learning curves of these and of all networks that will be predicted. Raises
        `InputError` for no or unequal numbers of networks and accuracies, accuracies that are not
        finite, an architecture that is not of the space, and features that cannot be had.
        """
        self.measurements_ = self.measurements or Measurements()
        self.curves_ = curves
        self.features_ = [feature(text, self.measurements_, self.epochs) for text in self.features]
        if self.regressor is None:
            self.single_ = self._single()
            return self
        if self.target not in TARGETS:
            raise unknown("target", self.target, TARGETS)
        targets = _checked(architectures, accuracies)
        # In one order, whatever the caller's: some regressors depend on it.
        order = sorted(range(len(targets)), key=lambda i: (architectures[i], targets[i]))
        architectures, targets = [architectures[i] for i in order], targets[order]
        for column in self.features_:
            column.fit(architectures, curves)
        x = self._columns(architectures, curves)
        self.targets_ = NormalScores.fit(targets)
        y = targets if self.target == "accuracies" else self.targets_.transform(targets)
        fresh = self._fresh() if np.ptp(targets) else DummyRegressor()
        self.regressor_ = fresh.fit(x, y)
        return self

    def predict(
        self,
        architectures: Sequence[str],
        return_std: bool = False,
        curves: Curves | None = None,
    ) -> Any:
        """Predictions float64 [networks], larger is better, in the unit of the accuracies that it
        was fitted to (of a feature by itself: in its own unit, -inf or NaN where it has none).

        `return_std`: also the standard deviations [networks], where the family gives them.
        `curves` in place of those it was fitted with. Raises `InputError` as `fit` does, and for
        `return_std` where there is none.
        """
        check_is_fitted(self, "features_")
        curves = curves or self.curves_
        if self.regressor is None:
            if return_std:
                raise InputError("a feature by itself gives no standard deviation")
            return self.single_.raw(architectures, curves)[:, 0]
        if not len(architectures):
            return (np.empty(0), np.empty(0)) if return_std else np.empty(0)
        x = self._columns(architectures, curves)
        means = np.asarray(self.regressor_.predict(x), dtype=float)
        if not return_std:
            return self._accuracies(means)
        std = deviations(self.regressor_, x)
        spread = self._accuracies(means + std) - self._accuracies(means - std)
        return self._accuracies(means), spread / 2

    def _fresh(self) -> Any:
        """A new regressor, not fitted yet."""
        named = isinstance(self.regressor, str)
        return regressor(self.regressor, self.seed) if named else clone(self.regressor)

    def _columns(self, architectures: Sequence[str], curves: Curves | None) -> Floats:
        columns = [column.transform(architectures, curves) for column in self.features_]
        return np.concatenate(columns, 1)

    def _accuracies(self, predictions: Floats) -> Floats:
        if self.target == "accuracies":
            return predictions
        return self.targets_.inverse(predictions)

    def _single(self) -> Scores:
        """The only feature, a score; `InputError` where it is something else."""
        [*features] = self.features_
        is_score = len(features) == 1 and isinstance(features[0], Scores)
        if not is_score or self.features[0] == "curve" or len(self.requires.proxies) > 1:
            raise InputError(
                f"features {', '.join(self.features)}: expected a single score without a regressor"
            )
        return cast(Scores, features[0])


def _checked(architectures: Sequence[str], accuracies: ArrayLike | None) -> Floats:
    """The accuracies float64 [networks]; `InputError` where they do not fit the architectures."""
    if accuracies is None:
        raise InputError("this predictor is fitted to accuracies: expected them, got none")
    targets = np.asarray(accuracies, dtype=float)
    if targets.shape != (len(architectures),):
        raise InputError(
            f"expected one accuracy for each of {len(architectures)} architectures, "
            f"got the shape {list(targets.shape)}"
        )
    if not len(targets) or not np.isfinite(targets).all():
        raise InputError("expected at least one architecture, and finite accuracies")
    return targets
