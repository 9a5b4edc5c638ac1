"""Learning curves of networks, epoch by epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Curves:
    name: str
    space: str
    dataset: str
    architectures: tuple[str, ...]
    epochs: NDArray[np.int64]
    values: Mapping[str, NDArray[np.float64]]
    accuracies: NDArray[np.float64]
    total_epochs: int

    def of(self, architectures: Sequence[str]) -> "Curves":
        row = {a: i for i, a in enumerate(self.architectures)}
        rows = [row[a] for a in architectures]
        return replace(
            self,
            architectures=tuple(architectures),
            values={k: v[rows] for k, v in self.values.items()},
            accuracies=self.accuracies[rows],
        )

    def until(self, epoch: int) -> "Curves":
        keep = self.epochs <= epoch
        return replace(
            self, epochs=self.epochs[keep], values={k: v[:, keep] for k, v in self.values.items()}
        )
