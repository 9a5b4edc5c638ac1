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

    Heads read the latent through the decoder, as the probability of every choice: from 1,000
    networks of NAS-Bench-201 they learn more that way than from its bare coordinates, and beyond
    the data they meet no input that they do not know.

    `proxies`: texts as `eznas.load` takes them; `weights` of their sum, one each (None: equal ones
    of sum 1), which may be set after `fit`. `autoencoder`: fitted, of the space of `measurements`
    (both None: of NAS-Bench-201; the autoencoder is then fitted too). Scores are brought to normal
    scores; with `constants`, one for each proxy, these are the terms of a formula instead, which
    the sum of terms times constants is, and the weights are 1 unless given.

    `joint`: train a copy of the autoencoder together with the heads, still decoding; otherwise it
    stays as it is. `held_out`: the share of the networks that are set aside to see how well the
    rest is predicted: components, so that none has a twin among those learned from. `warm_start`:
    a further `fit` goes on from the heads of the last with a third of the steps, on its scale and
    with the same networks aside.

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
        hidden: int = 64,
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
        if self.autoencoder_.space.name != self.measurements_.space.name:
            names = (self.autoencoder_.space.name, self.measurements_.space.name)
            raise InputError("autoencoder of {}, measurements of {}".format(*names))
        if scores is None:
            scores = self.measurements_.scores(self.proxies, architectures)
        values = np.asarray(scores, dtype=float)
        if values.shape != (len(architectures), len(self.proxies)):
            expected = f"[{len(architectures)}, {len(self.proxies)}]"
            raise InputError(f"scores {[*values.shape]}: expected [networks, proxies], {expected}")
        again = self.warm_start and hasattr(self, "heads_")
        if not again:
            self.scale_ = self._scale().fit(values)
            self.held_out_ = self._set_aside(architectures)
        is_aside = np.isin(architectures, self.held_out_)
        learned, aside = np.flatnonzero(~is_aside), np.flatnonzero(is_aside)
        columns = torch.from_numpy(self.scale_.transform(values))
        if not again:
            self._new_heads(columns.shape[1])
            self._held_out_columns = columns[torch.from_numpy(aside)].numpy()
        steps = self.steps // 3 if again else self.steps
        networks = [architectures[i] for i in learned.tolist()]
        self._train(networks, columns[torch.from_numpy(learned)], steps, progress)
        return self

    def predict(self, architectures: Sequence[str]) -> Floats:
        """What each proxy scores, on the scale of `scale_`: float64 [networks, proxies]."""
        check_is_fitted(self, "heads_")
        with torch.no_grad():
            latents = self.autoencoder_.encode(architectures)
            predicted: Floats = self.heads_(self.autoencoder_.soft_choices(latents)).numpy()
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
        columns = self.heads_(self.autoencoder_.soft_choices(latents))
        unified: Tensor = columns @ torch.from_numpy(self.weights_)
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

    def _set_aside(self, architectures: Sequence[str]) -> tuple[str, ...]:
        """A share of the networks, whole components."""
        if len(architectures) < 2:
            raise InputError(f"{len(architectures)} networks to learn from: expected at least 2")
        component = components(self.autoencoder_.space, [*architectures])
        order = sample(np.arange(component.max() + 1), int(component.max()) + 1, self.seed)
        is_aside = np.isin(component, order[: int(self.held_out * len(order))])
        return tuple(architectures[i] for i in np.flatnonzero(is_aside).tolist())

    def _new_heads(self, columns: int) -> None:
        options = sum(map(len, self.autoencoder_.space.positions))
        sizes = {"hidden": self.hidden, "members": self.members, "seed": self.seed}
        self.heads_ = Heads(options, columns, **sizes)

    def _train(
        self,
        architectures: Sequence[str],
        columns: Tensor,
        steps: int,
        progress: Progress | None,
    ) -> None:
        encoder = self.autoencoder_
        with torch.no_grad():
            inputs = encoder.soft_choices(encoder.encode(architectures))
        self.heads_.scale_to(inputs, columns)
        self.heads_.fit(inputs, columns, steps=steps, rate=RATE, progress=progress)
        if self.joint:
            self.autoencoder_ = encoder.tuned(
                training_sample(encoder.space, DECODED, self.seed),
                architectures,
                self._loss(columns),
                self.heads_.parameters,
                steps=steps,
                progress=progress,
            )

    def _loss(self, columns: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """The heads' loss at inputs of the networks with some numbers [rows]."""
        return lambda inputs, rows: self.heads_.loss(inputs, columns[rows])


def _fitted(measurements: Measurements, seed: int) -> Autoencoder:
    space = measurements.space
    return Autoencoder(space, seed=seed).fit(training_sample(space, seed=seed))
