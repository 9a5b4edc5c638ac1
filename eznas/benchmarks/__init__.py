"""Ground truth: which architecture reached which accuracy.

A new table is one reader and one line in `READERS`.
"""

from collections.abc import Callable
from pathlib import Path

from eznas.benchmarks.benchmark import DATASETS, KINDS, Benchmark, Dataset, Table
from eznas.benchmarks.readers import macro, nasbench101, nasbench201, nats, nds, transnas
from eznas.benchmarks.readers.plain_csv import read_accuracies
from eznas.benchmarks.store import stored
from eznas.spaces import Space

PACKAGED: dict[str, Callable[[], Benchmark]] = {"nasbench201": nasbench201.load}
READERS: dict[str, Callable[[Path, Space], Table]] = {
    "nasbench101": nasbench101.read,
    "nasbench-macro": macro.read,
    "nats-size": nats.read,
    "transnas-micro": transnas.read,
    "transnas-macro": transnas.read,
    **dict.fromkeys(nds.FILES, nds.read),
}


def load(space: str) -> Benchmark:
    """The ground truth of a space: from a package, or as it was imported; `InputError` where
    there is none."""
    if space in PACKAGED:
        return PACKAGED[space]()
    return stored(space).benchmark()


__all__ = [
    "DATASETS",
    "KINDS",
    "PACKAGED",
    "READERS",
    "Benchmark",
    "Dataset",
    "Table",
    "load",
    "read_accuracies",
]
