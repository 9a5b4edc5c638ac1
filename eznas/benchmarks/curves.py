"""Learning curves: what networks reach after each epoch of their training, and at its end.

Published curves are imported by name (`CURVES`) into the cache folder, a gzipped JSON file each,
and read from there by `load_curves`. A user's own are read by
`eznas.benchmarks.readers.curve_csv.read_curves`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.store import Origin, folder, read_content, write_content
from eznas.errors import InputError, unknown

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

FORMAT = 1
CURVES: Mapping[str, str] = {  # name -> what is in them
    "naap440": "440 networks of space naap440 on CIFAR-10, test accuracy and training loss after "
    "each of 90 epochs, and the best of the 90 accuracies (Hakim, 2022)",
    "nasbench201-12-epochs": "all networks of nasbench201 on three data sets, validation accuracy "
    "at the end of a training of 12 epochs, and at that of another one of 200 (Dong & Yang, 2020)",
    "metaqnn-cifar10": "1,000 networks drawn by MetaQNN, accuracy on CIFAR-10 after each of 20 "
    "epochs; networks of no space here (Baker et al., 2017)",
    "deep-resnets-cifar10": "486 deep ResNets, accuracy on CIFAR-10 after each of 50 epochs; "
    "networks of no space here, named by their number of parameters (Baker et al., 2017)",
}


@dataclass(frozen=True, eq=False)
class Curves:
    """Learning curves of networks on one data set.

    `space`: "" where the networks are of no space here.
    `architectures`: canonical texts; the source's own names of networks of no space.
    `epochs`: int64 [points], ascending, counted from 1.
    `values`: what was measured after them, each float64 [networks, points]: "accuracy" in percent,
    "train_loss" (the mean over the batches of an epoch), or both.
    `accuracies`: float64 [networks], in percent, the accuracy that is to be predicted: that at the
    end of the whole training, unless its row of `CURVES` says otherwise; NaN: not known.
    `total_epochs`: of the whole training.

    The arrays are made read-only. Raises `InputError` where shapes, epochs or numbers are not so.
    """

    name: str
    space: str
    dataset: str
    architectures: tuple[str, ...]
    epochs: Integers
    values: Mapping[str, Floats]
    accuracies: Floats
    total_epochs: int

    def __post_init__(self) -> None:
        for problem in _problems(self):
            raise InputError(f"learning curves {self.name}: {problem}")
        for array in (self.epochs, self.accuracies, *self.values.values()):
            array.setflags(write=False)

    def of(self, architectures: Sequence[str]) -> "Curves":
        """The curves of these networks, in this order; raises `InputError` for a network without
        one."""
        row_of = {architecture: row for row, architecture in enumerate(self.architectures)}
        for architecture in architectures:
            if architecture not in row_of:
                raise InputError(f"learning curves {self.name}: none of network {architecture}")
        rows = np.array([row_of[architecture] for architecture in architectures], dtype=np.int64)
        return replace(
            self,
            architectures=tuple(architectures),
            values={key: values[rows] for key, values in self.values.items()},
            accuracies=self.accuracies[rows],
        )

    def until(self, epoch: int) -> "Curves":
        """The curves up to an epoch, that one included; raises `InputError` where nothing was
        measured so early."""
        points = int(np.searchsorted(self.epochs, epoch, side="right"))
        if not points:
            raise InputError(
                f"learning curves {self.name}: nothing up to epoch {epoch}, expected an epoch from "
                f"{self.epochs[0]} on"
            )
        values = {key: values[:, :points] for key, values in self.values.items()}
        return replace(self, epochs=self.epochs[:points], values=values)


def _problems(curves: Curves) -> Iterator[str]:
    epochs, shape = curves.epochs, (len(curves.architectures), len(curves.epochs))
    steps = np.diff(epochs, prepend=0, append=curves.total_epochs + 1)
    if not len(epochs) or epochs.dtype != np.int64 or (steps < 1).any():
        yield f"expected ascending epochs from 1 to {curves.total_epochs}"
    if not curves.values or not curves.values.keys() <= {"accuracy", "train_loss"}:
        yield "expected values accuracy, train_loss or both"
    if any(values.shape != shape for values in curves.values.values()):
        yield f"expected values [networks, points], {list(shape)}"
    if curves.accuracies.shape != shape[:1]:
        yield f"expected {shape[0]} accuracies, one for each network"
    arrays = (curves.accuracies[~np.isnan(curves.accuracies)], *curves.values.values())
    if not all(array.dtype == np.float64 and np.isfinite(array).all() for array in arrays):
        yield "expected finite numbers (float64)"
    percentages = [curves.accuracies, *(v for k, v in curves.values.items() if k == "accuracy")]
    if any(((array < 0) | (array > 100)).any() for array in percentages):
        yield "expected accuracies from 0 to 100 percent"


def curves_path(name: str) -> Path:
    """The file of stored learning curves, whether or not it exists."""
    return folder() / f"{name}.curves.json.gz"


def load_curves(name: str, dataset: str = "") -> Curves:
    """Published learning curves that were imported, on one of their data sets (the first).

    Raises `InputError` for an unknown name or data set, and for curves that were not imported,
    which says how to.
    """
    curves_by_dataset = {curves.dataset: curves for curves in stored_curves(name)[0]}
    if not dataset:
        return next(iter(curves_by_dataset.values()))
    if dataset not in curves_by_dataset:
        raise unknown(f"{name} dataset", dataset, curves_by_dataset)
    return curves_by_dataset[dataset]


def store_curves(curves: Sequence[Curves], origin: Origin) -> Path:
    """Store the learning curves of one name, one for each data set, in place of earlier ones;
    returns the path of their file. Raises `InputError` if it cannot be written."""
    path = curves_path(curves[0].name)
    content = {
        "format": FORMAT,
        "name": curves[0].name,
        "origin": {"file": origin.file, "sha256": origin.sha256},
        "curves": [plain(of_dataset) for of_dataset in curves],
    }
    write_content(path, content)
    return path


def stored_curves(name: str) -> tuple[tuple[Curves, ...], Origin]:
    """The stored learning curves of a name, one for each data set, and the file they come from.

    Raises `InputError` for an unknown name, and if there are none or their file is damaged.
    """
    if name not in CURVES:
        raise unknown("learning curves", name, CURVES)
    missing = (
        f"no learning curves {name} here: `eznas data list` says where to get them, "
        f"`eznas data import {name} FILE` imports them"
    )
    return read_content(curves_path(name), lambda content: _checked(content, name), missing)


def plain(curves: Curves) -> dict[str, Any]:
    """Learning curves as plain data, without their name."""
    return {
        "space": curves.space,
        "dataset": curves.dataset,
        "architectures": list(curves.architectures),
        "epochs": curves.epochs.tolist(),
        "values": {key: values.tolist() for key, values in curves.values.items()},
        "accuracies": curves.accuracies.tolist(),
        "total_epochs": curves.total_epochs,
    }


def _checked(content: Mapping[str, Any], name: str) -> tuple[tuple[Curves, ...], Origin]:
    if content["format"] != FORMAT or content["name"] != name or not content["curves"]:
        raise ValueError(f"expected format {FORMAT} of learning curves {name}")
    curves = tuple(_of_plain(name, of_dataset) for of_dataset in content["curves"])
    return curves, Origin(**content["origin"])


def _of_plain(name: str, content: Mapping[str, Any]) -> Curves:
    architectures = tuple(map(str, content["architectures"]))
    if len(set(architectures)) != len(architectures):
        raise ValueError("expected each network once")
    return Curves(
        name=name,
        space=str(content["space"]),
        dataset=str(content["dataset"]),
        architectures=architectures,
        epochs=np.array([*map(int, content["epochs"])], dtype=np.int64),
        values={key: _floats(values) for key, values in content["values"].items()},
        accuracies=_floats(content["accuracies"]),
        total_epochs=int(content["total_epochs"]),
    )


def _floats(content: Any) -> Floats:
    return np.array(content, dtype=np.float64)
