"""Ground truth: which architecture reached which accuracy.

A new table is one reader and one line in `BENCHMARKS`.
"""

from collections.abc import Callable

from eznas.benchmarks import nasbench201
from eznas.benchmarks.accuracies import read_accuracies
from eznas.benchmarks.base import Benchmark, Setting

BENCHMARKS: dict[str, Callable[[], Benchmark]] = {"nasbench201": nasbench201.load}

__all__ = ["BENCHMARKS", "Benchmark", "Setting", "read_accuracies"]
