"""The unified score of architectures: the weighted sum of what several proxies really score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.predictors.measurements import Measurements
from eznas.search.latent.samples import training_sample
from eznas.search.latent.scales import Scale
from eznas.search.latent.weights import Weights
from eznas.spaces import Space

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class UnifiedScore:
    """What a latent search maximises. `scale`: fitted to scores [networks, proxies]."""

    proxies: tuple[str, ...]
    scale: Scale
    weights: Weights
    measurements: Measurements

    def __call__(self, architectures: Sequence[str]) -> Floats:
        """The unified scores, float64 [networks]; larger is better. Raises `InputError` as
        `Measurements.scores`."""
        return self.columns(architectures) @ self.weights.values

    def columns(self, architectures: Sequence[str]) -> Floats:
        """The scores of each proxy on its scale, float64 [networks, proxies]."""
        return self.scale.transform(self.measurements.scores(self.proxies, architectures))


def random_networks(space: Space, count: int, seed: int = 0) -> tuple[str, ...]:
    """`count` architectures of a space, or all where there are no more, in random order, of which
    no two are one network: each without operations that lie on no path, because these change
    nothing and would only be measured again.

    With the same seed, a smaller sample is the beginning of a larger one. Raises `InputError` as
    `training_sample`.
    """
    draws = count
    while True:
        drawn = training_sample(space, draws, seed)
        networks = dict.fromkeys(map(space.live_cell, drawn))
        if len(networks) >= count or len(drawn) < draws:
            return tuple(networks)[:count]
        draws *= 2
