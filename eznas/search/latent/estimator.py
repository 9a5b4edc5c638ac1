"""Scores of several proxies, and their weighted sum, predicted from the latent of an architecture.

Source: Huang et al., "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR Workshops 2024.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from eznas.benchmarks.splits import components, sample
from eznas.errors import InputError
from eznas.evaluation.executors import Progress
from eznas.metrics import kendall
from eznas.predictors.measurements import Measurements
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.heads import Heads
from eznas.search.latent.samples import training_sample
from eznas.search.latent.scales import NormalScale, Scale, TermScale

Floats = NDArray[np.float64]

STEPS, RATE = 1500, 1e-2
DECODED = 5000  # architectures that joint training goes on decoding


class MultiProxy(BaseEstimator):  # type: ignore[misc]
    """Predicts what proxies score, each by a head on the latent of an architecture, and adds the
    predictions up; parameters as scikit-learn has them.

    `proxies`: texts as `eznas.load` takes them; `weights` of their sum, one each (None: equal ones
    of sum 1), which may be set after `fit`. `autoencoder`: fitted, of the space of `measurements`
    (both None: of NAS-Bench-201; the autoencoder is then fitted too). Scores are brought to normal
    scores; with `constants`, one for each proxy, these are the terms of a formula instead, which
    the sum of terms times constants is, and the weights are 1 unless given.

    `joint`: train a copy of the autoencoder together with the heads, still decoding; otherwise it
    stays as it is. `held_out`: the share of the networks that are set aside to see how well the
    rest is predicted: components, so that none has a twin among those learned from. `warm_start`:
    a further `fit` goes on from the heads of the last.

    After `fit`: `autoencoder_`, `heads_`, `scale_`, `held_out_` (the architectures set aside).
    """

    def __init__(
        self,
        proxies: Sequence[str] = ("live_params", "logsynflow", "naswot"),
        weights: Sequence[float] | None = None,
        *,
        autoencoder: Autoencoder | None = None,
        measurements: Measurements | None = None,
        constants: Sequence[float] | None = None,
        joint: bool = False,
        hidden: int = 128,
        members: int = 4,
        steps: int = STEPS,
        held_out: float = 0.1,
        warm_start: bool = False,
        seed: int = 0,
    ) -> None:
        self.proxies = proxies
        self.weights = weights
        self.autoencoder = autoencoder
        self.measurements = measurements
        self.constants = constants
        self.joint = joint
        self.hidden = hidden
        self.members = members
        self.steps = steps
        self.held_out = held_out
        self.warm_start = warm_start
        self.seed = seed

    def fit(
        self,
        architectures: Sequence[str],
        scores: ArrayLike | None = None,
        progress: Progress | None = None,
    ) -> "MultiProxy":
        """Learn the scores [networks, proxies] of architectures, which are measured unless given;
        -inf is the lowest, and NaN, undefined, counts as that.

        Raises `InputError` for scores of another shape, fewer than 2 networks to learn from, an
        autoencoder of another space, and as `Measurements.scores`.
        """
        self._check()
        self.measurements_ = self.measurements or Measurements()
        self.autoencoder_ = self.autoencoder or _fitted(self.measurements_, self.seed)
        if self.autoencoder_.space is not self.measurements_.space:
            spaces = (
                f"{self.autoencoder_.space.name}, measurements of {self.measurements_.space.name}"
            )
            raise InputError(f"autoencoder of {spaces}: expected one space")
        if scores is None:
            scores = self.measurements_.scores(self.proxies, architectures)
        values = np.asarray(scores, dtype=float)
        if values.shape != (len(architectures), len(self.proxies)):
            expected = f"[{len(architectures)}, {len(self.proxies)}]"
            raise InputError(f"scores {[*values.shape]}: expected [networks, proxies], {expected}")
        self.scale_ = self._scale().fit(values)
        learned, aside = self._divided(architectures)
        columns = torch.from_numpy(self.scale_.transform(values))
        self._train(
            [architectures[i] for i in learned], columns[torch.from_numpy(learned)], progress
        )
        self.held_out_ = tuple(architectures[i] for i in aside)
        self._held_out_columns = columns[torch.from_numpy(aside)].numpy()
        return self

    def predict(self, architectures: Sequence[str]) -> Floats:
        """What each proxy scores, on the scale of `scale_`: float64 [networks, proxies]."""
        check_is_fitted(self, "heads_")
        with torch.no_grad():
            predicted: Floats = self.heads_(self.autoencoder_.encode(architectures)).numpy()
        return predicted

    def unified(self, architectures: Sequence[str]) -> Floats:
        """The weighted sum of the predictions, float64 [networks]; larger is better."""
        unified: Floats = self.predict(architectures) @ self.weights_
        return unified

    def measured(self, architectures: Sequence[str]) -> Floats:
        """The weighted sum of what the proxies really score, float64 [networks]. Raises
        `InputError` as `Measurements.scores`."""
        check_is_fitted(self, "heads_")
        scores = self.measurements_.scores(self.proxies, architectures)
        unified: Floats = self.scale_.transform(scores) @ self.weights_
        return unified

    def objective(self, latents: Tensor) -> Tensor:
        """The weighted sum of the predictions at latents [n, latent], float64 [n], with a gradient
        where the latents have one."""
        check_is_fitted(self, "heads_")
        unified: Tensor = self.heads_(latents) @ torch.from_numpy(self.weights_)
        return unified

    @property
    def weights_(self) -> Floats:
        """The weights in use, float64 [proxies]; `InputError` unless there is a finite one for each
        proxy."""
        count = len(self.proxies)
        if self.weights is None:
            return np.full(count, 1.0 if self.constants is not None else 1 / max(count, 1))
        weights = np.asarray(self.weights, dtype=float)
        if weights.shape != (count,) or not np.isfinite(weights).all():
            raise InputError(
                f"weights {weights.tolist()}: expected a number for each of {count} proxies"
            )
        return weights

    def held_out_taus(self) -> tuple[Floats, float]:
        """Kendall's tau between what is predicted and measured on the networks set aside: of each
        proxy, float64 [proxies], and of the weighted sum; NaN where there are too few."""
        predicted, measured = self.predict(self.held_out_), self._held_out_columns
        of_heads = [kendall(p, m) for p, m in zip(predicted.T, measured.T, strict=True)]
        return np.array(of_heads), kendall(predicted @ self.weights_, measured @ self.weights_)

    def _check(self) -> None:
        if not len(self.proxies):
            raise InputError("no proxies: expected one or more")
        if not 0 <= self.held_out < 1:
            raise InputError(f"held_out {self.held_out}: expected a share of 0 to below 1")
        if self.constants is not None and len(self.constants) != len(self.proxies):
            counts = f"{len(self.constants)} constants for {len(self.proxies)} proxies"
            raise InputError(f"{counts}: expected one for each")
        _ = self.weights_

    def _scale(self) -> Scale:
        return NormalScale() if self.constants is None else TermScale(self.constants)

    def _divided(self, architectures: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The numbers of the networks to learn from, and of those set aside."""
        if len(architectures) < 2:
            raise InputError(f"{len(architectures)} networks to learn from: expected at least 2")
        component = components(self.autoencoder_.space, [*architectures])
        order = sample(np.arange(component.max() + 1), int(component.max()) + 1, self.seed)
        is_aside = np.isin(component, order[: int(self.held_out * len(order))])
        return np.flatnonzero(~is_aside), np.flatnonzero(is_aside)

    def _train(
        self, architectures: Sequence[str], columns: Tensor, progress: Progress | None
    ) -> None:
        encoder = self.autoencoder_
        latents = encoder.encode(architectures)
        if not (self.warm_start and hasattr(self, "heads_")):
            sizes = {"hidden": self.hidden, "members": self.members, "seed": self.seed}
            self.heads_ = Heads(encoder.latent, columns.shape[1], **sizes)
        self.heads_.scale_to(latents, columns)
        self.heads_.fit(latents, columns, steps=self.steps, rate=RATE, progress=progress)
        if self.joint:
            self.autoencoder_ = encoder.tuned(
                training_sample(encoder.space, DECODED, self.seed),
                architectures,
                self._loss(columns),
                self.heads_.parameters,
                steps=self.steps,
                progress=progress,
            )

    def _loss(self, columns: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The heads' loss at latents of the networks with some numbers [rows]."""
        return lambda latents, rows: self.heads_.loss(latents, columns[rows])


def _fitted(measurements: Measurements, seed: int) -> Autoencoder:
    space = measurements.space
    return Autoencoder(space, seed=seed).fit(training_sample(space, seed=seed))
