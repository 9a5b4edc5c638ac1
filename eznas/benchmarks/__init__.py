"""Benchmarks: which architecture reached which accuracy.

A new published format is one reader and one line in `eznas.benchmarks.readers.READERS`.
"""

from eznas.benchmarks.benchmark import DATASETS, KINDS, Benchmark, Dataset, Table
from eznas.benchmarks.tasks import Task

__all__ = ["DATASETS", "KINDS", "Benchmark", "Dataset", "Table", "Task"]
