"""NATS-Bench's archive of the size space: the validation accuracies after 90 epochs.

Source: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
TPAMI 2021. The archive `NATS-sss-v1_0-50262-simple` is a folder, or the tar file that it came in,
of one compressed pickle for each network (`000000.pickle.pbz2`, ...) and one of names (`meta`).
A network's pickle maps a number of epochs ("90") to `arch_str` and `all_results`: data set and
seed to a run, whose `eval_acc1es` holds percent under names as `x-valid@89`, the last epoch's.
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
from eznas.benchmarks.readers.pickles import Admitted, plain_pickle
from eznas.errors import InputError
from eznas.spaces import Space

EPOCHS = 90
ENDING = ".pickle.pbz2"
TRAINED = {  # ours -> theirs; their "cifar10" is trained on the validation images too
    "cifar10": "cifar10-valid",
    "cifar100": "cifar100",
    "ImageNet16-120": "ImageNet16-120",
}


def read(path: Path, space: Space) -> Table:
    """The table of an archive, or of as many of its networks as are there; a few minutes for all
    32,768. `InputError` names the file of the network where it is not as expected."""
    trials: dict[str, dict[str, tuple[float, ...]]] = {dataset: {} for dataset in TRAINED}
    for name, data in _members(path):
        where = f"{path}: {name}"
        row = plain_pickle(_unpacked(data, where), where, _ADMITTED)
        try:
            results = row[str(EPOCHS)]
            architecture = space.canonical(results["arch_str"])
            runs = {d: _runs(results["all_results"], theirs) for d, theirs in TRAINED.items()}
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        except (LookupError, TypeError, ValueError, AttributeError):
            raise InputError(f"{where}: expected results of {EPOCHS} epochs") from None
        if architecture in trials["cifar10"]:
            raise InputError(f"{where}: the network {architecture} once more")
        for dataset, accuracies in runs.items():
            trials[dataset][architecture] = accuracies
    if not trials["cifar10"]:
        raise InputError(f"{path}: expected files 000000{ENDING} and so on, found none")
    return Table(space.name, "validation", trials)


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and content of every network's file."""
    try:
        if path.is_dir():
            for file in sorted(path.glob(f"*{ENDING}")):
                if _numbered(file.name):
                    yield file.name, file.read_bytes()
            return
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name).name
                packed = archive.extractfile(member) if _numbered(name) else None
                if packed is not None:
                    yield name, packed.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, EOFError) as error:
        raise InputError(f"{path}: not a folder or tar file of NATS-Bench: {error}") from None


def _unpacked(data: bytes, where: str) -> io.BytesIO:
    try:
        return io.BytesIO(bz2.decompress(data))
    except (OSError, ValueError) as error:
        raise InputError(f"{where}: not readable as bzip2: {error}") from None


def _numbered(name: str) -> bool:
    return name.endswith(ENDING) and name.removesuffix(ENDING).isdecimal()


def _runs(results: Mapping[tuple[str, int], Mapping[str, Any]], dataset: str) -> tuple[float, ...]:
    """The accuracies of a data set, by ascending seed."""
    name = f"x-valid@{EPOCHS - 1}"
    seeds = sorted(seed for trained, seed in results if trained == dataset)
    if not seeds:
        raise ValueError(f"no run on {dataset}")
    return tuple(float(results[dataset, seed]["eval_acc1es"][name]) for seed in seeds)


class _Kind:
    """Stands for a kind of number: its name, as in f8, and nothing else of what it is given."""

    def __init__(self, name: str, *_: Any) -> None:
        self.name = name

    def __setstate__(self, _: Any) -> None:
        pass


def _number(kind: _Kind, data: bytes) -> float:
    """A number that was numpy's: sizes and seconds, of no use here, but they stand beside."""
    form = {"f8": "<d", "f4": "<f", "i8": "<q"}.get(kind.name)
    if form is None:
        raise ValueError(f"a number of kind {kind.name}")
    return float(struct.unpack(form, data)[0])


_ADMITTED: Admitted = {
    ("collections", "OrderedDict"): OrderedDict,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "scalar"): _number,
    ("numpy._core.multiarray", "scalar"): _number,  # since numpy 2
}
