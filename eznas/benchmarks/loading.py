"""From names of spaces and data sets, or an accuracy file, to benchmarks."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eznas.benchmarks.benchmark import DATASETS, Benchmark, Dataset, select_datasets
from eznas.benchmarks.readers.nasbench201 import load as load_nasbench201
from eznas.benchmarks.readers.plain_csv import read_accuracies
from eznas.benchmarks.splits import parts
from eznas.benchmarks.store import names_of, path_of, source_parts, stored
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES

# Spaces whose accuracies come with a package that is installed; all others are imported.
PACKAGED = {"nasbench201": load_nasbench201}


def tables_here(source: str) -> list[str]:
    """The tables that are here of a space, its usual one first; of SPACE:NAME that one alone."""
    space, name = source_parts(source)
    if space not in SPACES:
        return []
    if name:
        return [source] if path_of(space, name).exists() else []
    is_here = space in PACKAGED or path_of(space).exists()
    return [space] * is_here + [f"{space}:{other}" for other in names_of(space)]


def load(source: str, datasets: Sequence[str] = ()) -> Benchmark:
    """All networks of a space (SPACE, or SPACE:NAME for another table of it than the usual one)
    with their accuracies on some data sets (none are named: on all); each name is DATASET, or
    DATASET@SIZE for its images at another size.

    Raises `InputError` for an unknown space, table or data set, and for a space whose accuracies
    neither come with a package nor were imported.
    """
    space, table = source_parts(source)
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    is_packaged = space in PACKAGED and not table
    benchmark = PACKAGED[space]() if is_packaged else stored(space, table).benchmark()
    selected = select_datasets(space, benchmark.datasets, datasets)
    accuracies = {name: benchmark.accuracies[name.partition("@")[0]] for name in selected}
    return replace(benchmark, datasets=selected, accuracies=accuracies)


def load_tasks(
    tasks: Sequence[str], unseen: Sequence[str] = ()
) -> tuple[list[Benchmark], list[Benchmark]]:
    """The benchmark of each space among the tasks, and of each space that no search sees: texts
    SPACE, SPACE/DATASET or SPACE/DATASET@SIZE; for SPACE also SPACE:NAME, another table of it.

    With more than one space or table in all, data sets are named SPACE/DATASET. Raises `InputError`
    for a space that is among both, under whatever table, and as `load`.
    """
    searched_spaces, unseen_spaces = datasets_by_space(tasks), datasets_by_space(unseen)
    names = ({source_parts(source)[0] for source in by} for by in (searched_spaces, unseen_spaces))
    if in_both := set.intersection(*names):
        raise InputError(f"space {min(in_both)}: among the tasks, it cannot be held out")
    is_single = len(searched_spaces) + len(unseen_spaces) == 1

    def loaded(by_space: dict[str, list[str]]) -> list[Benchmark]:
        benchmarks = [load(source, datasets) for source, datasets in by_space.items()]
        return benchmarks if is_single else [benchmark.labelled() for benchmark in benchmarks]

    return loaded(searched_spaces), loaded(unseen_spaces)


def datasets_by_space(tasks: Sequence[str]) -> dict[str, list[str]]:
    """Space (or SPACE:NAME) -> the names of its data sets (an empty list: all of them), from texts
    as `load_tasks` takes them."""
    by_space: dict[str, list[str]] = {}
    for space, _, dataset in (task.partition("/") for task in tasks):
        by_space.setdefault(space, []).append(dataset)
    return {space: [] if "" in names else names for space, names in by_space.items()}


def from_accuracy_file(space: str, file: str, datasets: Sequence[str] = ()) -> Benchmark:
    """The networks and accuracies of a CSV file, in place of a benchmark's.

    Each data set (none are named: all of the space's) gets the same accuracies. Raises `InputError`
    for an unknown space or data set, and for a file that cannot be read or has fewer than two
    networks.
    """
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    architectures, accuracies = read_accuracies(file, SPACES[space])
    if len(architectures) < 2:
        raise InputError(f"{file}: expected at least 2 rows, got {len(architectures)}")
    selected = select_datasets(space, _published_datasets(space), datasets)
    components, is_held_out = parts(SPACES[space], architectures)
    return Benchmark(
        *(space, architectures, selected, dict.fromkeys(selected, accuracies), components),
        *("given", "given"),
        is_held_out=is_held_out,
    )


def without_accuracies(
    space: str, architectures: Sequence[str], datasets: Sequence[str] = ()
) -> Benchmark:
    """Networks of a space on some data sets (none are named: on all of the space's); their
    accuracies are NaN, and each network is a component by itself. Raises `InputError` for an
    unknown space or data set."""
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    selected = select_datasets(space, _published_datasets(space), datasets)
    accuracies = {name: np.full(len(architectures), np.nan) for name in selected}
    components = np.arange(len(architectures))
    return Benchmark(space, tuple(architectures), selected, accuracies, components)


def _published_datasets(space: str) -> dict[str, Dataset]:
    return {name: DATASETS[name] for name in SPACES[space].datasets}
