"""The front of accuracy against cost."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def front(values: Floats) -> NDArray[np.int64]:
    """The points that no other is better than: indices, int64, those of the highest first value
    first.

    values: [points, criteria], larger is better in each; NaN is not allowed. A point is left out if
    another is at least as good in every criterion and better in one; of equal points all stay.
    """
    at_least = (values[:, None] >= values).all(axis=2)
    better = (values[:, None] > values).any(axis=2)
    dominated = (at_least & better).any(axis=0)
    indices = np.flatnonzero(~dominated)
    return indices[np.argsort(-values[indices, 0], kind="stable")]
