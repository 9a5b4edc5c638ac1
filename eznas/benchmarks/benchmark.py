"""What every table of ground truth provides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Trials = tuple[tuple[float, ...], ...]


KINDS = ("validation", "test", "surrogate")  # of an accuracy; the last was never trained


class Dataset(NamedTuple):
    """How a data set was presented: images of `input_size` x `input_size`, `classes` outputs."""

    input_size: int
    classes: int


DATASETS: Mapping[str, Dataset] = {
    "cifar10": Dataset(32, 10),
    "cifar100": Dataset(32, 100),
    "ImageNet16-120": Dataset(16, 120),
    "imagenet": Dataset(224, 1000),
    # Taskonomy's classification tasks, as TransNAS-Bench-101 presents them (Duan et al., 2021).
    "class_object": Dataset(224, 75),
    "class_scene": Dataset(224, 47),
}


@dataclass(frozen=True)
class Table:
    """What a reader finds in a file: accuracies in percent, larger is better.

    `kind`: one of `KINDS`; `trials`: data set -> architecture (canonical) -> one or more runs.
    Every data set has the same architectures, in one order.
    """

    space: str
    kind: str
    trials: Mapping[str, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Accuracies of architectures of one space, on one or more data sets.

    space: name in `eznas.spaces.SPACES`; kind: one of `KINDS`.
    settings: data set -> how it was presented; trials: data set -> accuracies in percent, a tuple
    of runs for each architecture; components: int64 [networks], equal for networks that must not
    be on both sides of a split.
    """

    space: str
    architectures: tuple[str, ...]
    settings: Mapping[str, Dataset]
    trials: Mapping[str, Trials]
    components: NDArray[np.int64]
    kind: str = "validation"
    accuracy: Mapping[str, NDArray[np.float64]] = field(init=False)
    """Data set -> mean over trials in percent, float64 [networks], read-only."""

    def __post_init__(self) -> None:
        means = {dataset: np.array([*map(fmean, runs)]) for dataset, runs in self.trials.items()}
        for shared in (self.components, *means.values()):
            shared.setflags(write=False)
        object.__setattr__(self, "accuracy", means)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the data sets."""
        return tuple(self.settings)
