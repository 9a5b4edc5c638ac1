"""Tasks: what a formula is to rank, a data set as a space's networks met it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Task:
    """A data set to rank networks on: `accuracies`, float64 [networks], larger is better, and the
    `context`, by its number, in which features of these networks are measured."""

    dataset: str
    context: int
    accuracies: NDArray[np.float64]
