"""Benchmarks: networks of a search space and the accuracies that they reached."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.splits import Booleans, Split, split
from eznas.benchmarks.tasks import Task
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES, Space
from eznas.system.files import digest

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Trials = tuple[tuple[float, ...], ...]

KINDS = ("validation", "test", "surrogate")  # of an accuracy; the last was never trained


class Dataset(NamedTuple):
    """How a data set was presented: images of `input_size` x `input_size`, `classes` outputs."""

    input_size: int
    classes: int


DATASETS: Mapping[str, Dataset] = {
    "cifar10": Dataset(32, 10),
    "cifar100": Dataset(32, 100),
    "ImageNet16-120": Dataset(16, 120),
    "imagenet": Dataset(224, 1000),
    # Taskonomy's classification tasks, as TransNAS-Bench-101 presents them (Duan et al., 2021).
    "class_object": Dataset(224, 75),
    "class_scene": Dataset(224, 47),
}


@dataclass(frozen=True)
class Table:
    """What a reader returns: accuracies in percent, larger is better.

    `kind`: one of `KINDS`; `trials`: data set -> architecture (canonical) -> the accuracy of one or
    more training runs. Every data set has the same architectures, in the same order.
    """

    space: str
    kind: str
    trials: Mapping[str, Mapping[str, tuple[float, ...]]]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Networks of one space with their accuracies on one or more data sets, or a subset of them.

    `datasets`: data set -> how it was presented; `accuracies`: data set -> float64 [networks], the
    mean over training runs, larger is better (NaN: not known); `components`: int64 [networks],
    equal for networks that must not be on both sides of a split; `kind` of the accuracies: one of
    `KINDS`, or "given" by a user; `name` of the subset; `own_space`: the space of a user's own
    models, which no registry has; `is_held_out`: bool [networks], which are on that side of the
    split (None: the components alone decide); `table`: the name of the space's table that the
    accuracies are from, "" for its usual one. The arrays are made read-only.
    """

    space: str
    architectures: tuple[str, ...]
    datasets: Mapping[str, Dataset]
    accuracies: Mapping[str, Floats]
    components: Integers
    kind: str = "validation"
    name: str = "all"
    own_space: Space | None = None
    is_held_out: Booleans | None = None
    table: str = ""

    def __post_init__(self) -> None:
        sides = () if self.is_held_out is None else (self.is_held_out,)
        for array in (self.components, *sides, *self.accuracies.values()):
            array.setflags(write=False)

    @property
    def search_space(self) -> Space:
        """The space that builds the networks."""
        return SPACES[self.space] if self.own_space is None else self.own_space

    @property
    def source(self) -> str:
        """The space and, but for its usual table, the table: SPACE or SPACE:NAME."""
        return f"{self.space}:{self.table}" if self.table else self.space

    @property
    def split(self) -> Split:
        """Which networks a search may use, and which are held out from it."""
        if self.is_held_out is None:
            return split(self.components)
        return Split(np.flatnonzero(~self.is_held_out), np.flatnonzero(self.is_held_out))

    @staticmethod
    def of_trials(
        space: str,
        architectures: tuple[str, ...],
        datasets: Mapping[str, Dataset],
        trials: Mapping[str, Trials],
        parts: tuple[Integers, Booleans],
        kind: str = "validation",
        table: str = "",
    ) -> "Benchmark":
        """A benchmark from the accuracies of every training run: data set -> for each architecture
        one or more numbers in percent. `parts`: as of the function of this name in `splits`."""
        means = {dataset: np.array([*map(fmean, runs)]) for dataset, runs in trials.items()}
        components, is_held_out = parts
        return Benchmark(
            *(space, architectures, datasets, means, components, kind),
            is_held_out=is_held_out,
            table=table,
        )

    def subset(self, indices: Integers, name: str) -> "Benchmark":
        """The networks with these indices, int64 [networks of the subset], in this order."""
        return replace(
            self,
            architectures=tuple(self.architectures[i] for i in indices),
            accuracies={d: a[indices] for d, a in self.accuracies.items()},
            components=self.components[indices],
            is_held_out=None if self.is_held_out is None else self.is_held_out[indices],
            name=name,
        )

    def labelled(self) -> "Benchmark":
        """The same benchmark with its data sets named SPACE/DATASET, or SPACE:NAME/DATASET."""
        return replace(
            self,
            datasets={f"{self.source}/{d}": dataset for d, dataset in self.datasets.items()},
            accuracies={f"{self.source}/{d}": a for d, a in self.accuracies.items()},
        )

    def followed_by(self, other: "Benchmark") -> "Benchmark":
        """The networks of two subsets of one benchmark, those of this one first."""
        return replace(
            self,
            architectures=self.architectures + other.architectures,
            accuracies={
                d: np.concatenate([a, other.accuracies[d]]) for d, a in self.accuracies.items()
            },
            components=np.concatenate([self.components, other.components]),
            is_held_out=None
            if self.is_held_out is None or other.is_held_out is None
            else np.concatenate([self.is_held_out, other.is_held_out]),
            name=f"{self.name}; {other.name}",
        )

    def input_formats(self) -> list[Dataset]:
        """The first data set of each input size, in the order of the data sets."""
        return list(_first_of_size(self.datasets.values()).values())

    def tasks(self, first_context: int = 0) -> list[Task]:
        """One ranking task for each data set; its context is the index of its input size in
        `input_formats`, plus `first_context`."""
        sizes = [dataset.input_size for dataset in self.input_formats()]
        return [
            Task(
                name,
                first_context + sizes.index(dataset.input_size),
                self.accuracies[name],
                self.space,
            )
            for name, dataset in self.datasets.items()
        ]

    def digest(self) -> str:
        """SHA-256 of the networks and their accuracies, as hexadecimal digits."""
        numbers = {d: a.tolist() for d, a in self.accuracies.items()}
        return digest(repr((self.space, self.architectures, numbers)).encode())


def select_datasets(
    space: str, available: Mapping[str, Dataset], names: Sequence[str]
) -> dict[str, Dataset]:
    """Some of a space's available data sets (no names: all of them) and how they are presented;
    each name is DATASET, or DATASET@SIZE for its images at another size.

    Data sets of one input size share the classes of the first of that size, since only the last
    linear layer would differ. Raises `InputError` for an unknown data set, or a size outside 8 to
    512 pixels or that a data set of the space has anyway.
    """
    of_size = _first_of_size(available.values())
    distinct = dict.fromkeys(names or available)
    selected = {name: _dataset(space, name, available) for name in distinct}
    return {name: of_size.setdefault(d.input_size, d) for name, d in selected.items()}


def _first_of_size(datasets: Iterable[Dataset]) -> dict[int, Dataset]:
    """Input size -> the first data set that has it."""
    of_size: dict[int, Dataset] = {}
    for dataset in datasets:
        of_size.setdefault(dataset.input_size, dataset)
    return of_size


def _dataset(space: str, text: str, available: Mapping[str, Dataset]) -> Dataset:
    """The data set that DATASET or DATASET@SIZE names."""
    name, mark, size = text.partition("@")
    if name not in available:
        raise unknown(f"{space} dataset", name, available)
    if not mark:
        return available[name]
    native = [str(dataset.input_size) for dataset in available.values()]
    if not size.isdecimal() or not 8 <= int(size) <= 512 or size[0] == "0" or size in native:
        raise InputError(
            f"data set {text!r}: expected DATASET@SIZE, size 8 to 512 pixels and none of "
            f"{', '.join(dict.fromkeys(native))}, which its data sets have"
        )
    return Dataset(int(size), next(iter(available.values())).classes)
