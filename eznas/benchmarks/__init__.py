"""Ground truth: which architecture reached which accuracy.

A new table is one reader and one line in `READERS`.
"""

from collections.abc import Callable

from eznas.benchmarks.benchmark import DATASETS, KINDS, Benchmark, Dataset, Table
from eznas.benchmarks.readers import READERS, nasbench201
from eznas.benchmarks.readers.plain_csv import read_accuracies
from eznas.benchmarks.store import stored

PACKAGED: dict[str, Callable[[], Benchmark]] = {"nasbench201": nasbench201.load}


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
