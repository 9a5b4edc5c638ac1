"""From what a user names to a benchmark: a space, its data sets, an accuracy file."""

from collections.abc import Sequence

import numpy as np

from eznas.benchmarks.benchmark import DATASETS, Benchmark, Dataset, presented
from eznas.benchmarks.readers.nasbench201 import load as load_nasbench201
from eznas.benchmarks.readers.plain_csv import read_accuracies
from eznas.benchmarks.splits import components
from eznas.benchmarks.store import stored
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES

PACKAGED = {"nasbench201": load_nasbench201}  # spaces whose accuracies come with a package


def load(space: str, datasets: Sequence[str] = ()) -> Benchmark:
    """All networks of a space with their accuracies on some data sets (none: on all), DATASET or
    DATASET@SIZE: from a package, or as they were imported.

    `InputError` for an unknown space or data set, and where no accuracies are here.
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    benchmark = PACKAGED[space]() if space in PACKAGED else stored(space).benchmark()
    chosen = presented(space, benchmark.datasets, list(datasets))
    accuracies = {name: benchmark.accuracies[name.partition("@")[0]] for name in chosen}
    return Benchmark(
        space,
        benchmark.architectures,
        chosen,
        accuracies,
        benchmark.components,
        benchmark.kind,
    )


def load_tasks(
    tasks: Sequence[str], others: Sequence[str] = ()
) -> tuple[list[Benchmark], list[Benchmark]]:
    """The benchmark of each space among the tasks, and among others: texts SPACE, SPACE/DATASET or
    SPACE/DATASET@SIZE.

    With more than one space in all, data sets are named SPACE/DATASET. `InputError` for a space
    that is in both.
    """
    wanted, also = datasets_by_space(tasks), datasets_by_space(others)
    if both := wanted.keys() & also.keys():
        raise InputError(f"space {min(both)}: among the tasks, it cannot be held out")
    single = len(wanted.keys() | also.keys()) == 1

    def loaded(by_space: dict[str, list[str]]) -> list[Benchmark]:
        benchmarks = [load(space, datasets) for space, datasets in by_space.items()]
        return benchmarks if single else [benchmark.labelled() for benchmark in benchmarks]

    return loaded(wanted), loaded(also)


def datasets_by_space(tasks: Sequence[str]) -> dict[str, list[str]]:
    """Space -> its data sets, none for all of them: of texts as `load_tasks` takes them."""
    by_space: dict[str, list[str]] = {}
    for space, _, dataset in (task.partition("/") for task in tasks):
        by_space.setdefault(space, []).append(dataset)
    return {space: [] if "" in names else names for space, names in by_space.items()}


def from_accuracy_file(space: str, file: str, datasets: Sequence[str] = ()) -> Benchmark:
    """The networks of a CSV file of architectures and accuracies, in place of a benchmark's.

    Each data set (none: all of the space's) gets the same accuracies. `InputError` for a file that
    cannot be used or has fewer than two networks.
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    architectures, accuracies = read_accuracies(file, SPACES[space])
    if len(architectures) < 2:
        raise InputError(f"{file}: expected at least 2 rows, got {len(architectures)}")
    if space in PACKAGED:  # whose networks may be linked by others that are not in the file
        everything = load(space, datasets)
        numbers = {a: i for i, a in enumerate(everything.architectures)}
        chosen = everything.datasets
        linked = everything.components[[numbers[a] for a in architectures]]
    else:
        chosen = presented(space, _published(space), list(datasets))
        linked = components(SPACES[space], architectures)
    same = dict.fromkeys(chosen, accuracies)
    return Benchmark(space, architectures, chosen, same, linked, "given", "given")


def without_accuracies(
    space: str, architectures: Sequence[str], datasets: Sequence[str] = ()
) -> Benchmark:
    """Networks as their data sets (none: all of the space's) present them; their accuracies are
    NaN, and each is a component by itself."""
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    chosen = presented(space, _published(space), list(datasets))
    accuracies = {name: np.full(len(architectures), np.nan) for name in chosen}
    alone = np.arange(len(architectures))
    return Benchmark(space, tuple(architectures), chosen, accuracies, alone)


def _published(space: str) -> dict[str, Dataset]:
    return {name: DATASETS[name] for name in SPACES[space].datasets}
