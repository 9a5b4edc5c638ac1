"""How much each row of a fit counts: networks by their components, and tasks by their spaces."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

POWER = 0.5  # a network weighs its component's size to the power of minus this


def network_weights(components: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How much each network counts [networks], 1 on average, by their components [networks]."""
    _, places, counts = np.unique(components, return_inverse=True, return_counts=True)
    weights = counts[places].astype(float) ** -POWER
    return np.asarray(weights / weights.mean() if len(weights) else weights)


def alike_in_spaces(
    weights: Sequence[npt.NDArray[np.float64]], spaces: Sequence[str]
) -> list[npt.NDArray[np.float64]]:
    """The weights of the rows of each task, scaled to the same sum for each space, in which those
    of its tasks are equal; 1 on average still."""
    rows, tasks_of = sum(map(len, weights)), Counter(spaces)
    sums = [rows / len(tasks_of) / tasks_of[space] for space in spaces]
    return [w * (total / w.sum()) if w.size else w for w, total in zip(weights, sums, strict=True)]
