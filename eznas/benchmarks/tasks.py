"""Tasks: the accuracies that formulas are to rank networks by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Task:
    """A data set to rank networks on: their `accuracies`, float64 [networks], larger is better, the
    index of the `context` in which their features are measured, and the `space` of the networks."""

    dataset: str
    context: int
    accuracies: NDArray[np.float64]
    space: str = ""
