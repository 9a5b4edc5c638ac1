"""What a search has found out so far."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


class History:
    """The architectures that a search has queried, in order, with their accuracies."""

    def __init__(self) -> None:
        self.architectures: list[str] = []
        self._accuracies: list[float] = []
        self._known: set[str] = set()

    def add(self, architecture: str, accuracy: float) -> None:
        """An architecture was queried."""
        self.architectures.append(architecture)
        self._accuracies.append(accuracy)
        self._known.add(architecture)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """The accuracies, float64 [queries], in the order of the queries."""
        return np.array(self._accuracies)

    def best(self, count: int, last: int | None = None) -> list[str]:
        """The `count` architectures of the highest accuracy, the highest first, among all or the
        `last` queries; of equal ones the earlier comes first."""
        begin = max(0, len(self) - last) if last is not None else 0
        order = np.argsort(-self.accuracies[begin:], kind="stable")
        return [self.architectures[begin + i] for i in order[:count]]

    def __len__(self) -> int:
        return len(self.architectures)

    def __contains__(self, architecture: object) -> bool:
        return architecture in self._known

    def __iter__(self) -> Iterator[str]:
        return iter(self.architectures)
