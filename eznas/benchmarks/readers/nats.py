"""NATS-Bench's archive of the size space: the validation accuracies after 90 epochs.

Source: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
TPAMI 2021. The archive `NATS-sss-v1_0-50262-simple` is a folder, or the tar file that it comes in,
with one compressed pickle for each network (`000000.pickle.pbz2`, ...) and one of names (`meta`).
A network's pickle maps a number of epochs ("90") to `arch_str` and `all_results`, which maps data
set and seed to a run. The `eval_acc1es` of a run are in percent, by names such as `x-valid@89`,
where 89 is the last epoch.
"""

import bz2
import io
import struct
import tarfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.readers.entries import Runs, collect_trials
from eznas.benchmarks.readers.pickles import Admitted, plain_pickle
from eznas.errors import InputError
from eznas.spaces import Space

EPOCHS = 90
ENDING = ".pickle.pbz2"
# Data set -> its name in the archive, whose "cifar10" was trained on the validation images too.
ARCHIVE_NAMES = {
    "cifar10": "cifar10-valid",
    "cifar100": "cifar100",
    "ImageNet16-120": "ImageNet16-120",
}


def read(path: Path, space: Space) -> Table:
    """The table of an archive, or of as many of its networks as are in the folder.

    Validation accuracies in percent, runs by ascending seed. All 32,768 networks take a few
    minutes. `InputError` names the network's file that is not as expected, or holds a network that
    an earlier one holds.
    """

    def read_entry(_: str, content: Mapping[str, Any]) -> tuple[str, dict[str, Runs]]:
        results = content[str(EPOCHS)]
        architecture = space.canonical(results["arch_str"])
        runs = results["all_results"]
        return architecture, {d: _accuracies(runs, name) for d, name in ARCHIVE_NAMES.items()}

    trials = collect_trials(path, _networks(path), read_entry, f"results of {EPOCHS} epochs")
    if not trials:
        raise InputError(f"{path}: expected files 000000{ENDING} and so on, found none")
    return Table(space.name, "validation", trials)


def _networks(path: Path) -> Iterator[tuple[str, Any]]:
    """File name and content of every network's pickle."""
    for name, packed in _members(path):
        where = f"{path}: {name}"
        try:
            data = bz2.decompress(packed)
        except (OSError, ValueError) as error:
            raise InputError(f"{where}: not readable as bzip2: {error}") from None
        yield name, plain_pickle(io.BytesIO(data), where, ADMITTED)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every network's file, in the order of names or of the tar file."""
    try:
        if path.is_dir():
            for file in sorted(path.glob(f"*{ENDING}")):
                if _is_network(file.name):
                    yield file.name, file.read_bytes()
            return
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                packed = archive.extractfile(member) if _is_network(name) else None
                if packed is not None:
                    yield name, packed.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{path}: not a folder or tar file of NATS-Bench: {error}") from None


def _is_network(name: str) -> bool:
    return name.endswith(ENDING) and name.removesuffix(ENDING).isdecimal()


def _accuracies(runs: Mapping[tuple[str, int], Mapping[str, Any]], dataset: str) -> Runs:
    """Accuracies on a data set, named as in the archive, by ascending seed."""
    seeds = sorted(seed for trained_on, seed in runs if trained_on == dataset)
    if not seeds:
        raise ValueError(f"no run on {dataset}")
    metric = f"x-valid@{EPOCHS - 1}"
    return tuple(float(runs[dataset, seed]["eval_acc1es"][metric]) for seed in seeds)


class _DType:
    """Stands for numpy.dtype in a pickle: keeps its name, such as f8, and ignores the rest."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name = name

    def __setstate__(self, _: Any) -> None:
        pass


def _scalar(dtype: _DType, data: bytes) -> float:
    """Stands for numpy's scalars: sizes and seconds, which the table does not need but which are
    in the same pickle."""
    form = {"f8": "<d", "f4": "<f", "i8": "<q"}.get(dtype.name)
    if form is None:
        raise ValueError(f"a number of type {dtype.name}")
    return float(struct.unpack(form, data)[0])


ADMITTED: Admitted = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,  # since numpy 2
}
