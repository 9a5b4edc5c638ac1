"""NATS-Bench's archive of the size space, in the form of the three networks that its repository
holds for its tests (D-X-Y/NATS-Bench, fake_torch_dir)."""

import bz2
import io
import os
import pickle
import tarfile
from collections import OrderedDict

import numpy as np
import pytest

from eznas.benchmarks.readers import nats
from eznas.errors import InputError
from eznas.spaces import SPACES

SPACE = SPACES["nats-size"]
LAST = {"cifar10-valid": 80.0, "cifar10": 91.0, "cifar100": 60.5, "ImageNet16-120": 30.25}


def run(dataset, seed, more):
    accuracies = {f"x-valid@{epoch}": 1.0 for epoch in range(89)}
    accuracies |= {"x-valid@89": LAST[dataset] + more, "ori-test@89": 2.0}
    if dataset == "cifar10":
        accuracies = {"ori-test@89": LAST[dataset]}
    return {
        "name": dataset,
        "seed": f"{seed:04d}",
        "epochs": 90,
        "params": np.float64(0.5),
        "latency": [np.float64(0.01)],
        "train_times": OrderedDict({0: 2.5}),
        "eval_acc1es": accuracies,
    }


def network(architecture, more=0.0, seeds=(777,)):
    results = {(d, s): run(d, s, more + (s - 777)) for d in LAST for s in seeds}
    row = {"arch_index": 0, "arch_str": architecture, "all_results": results}
    return OrderedDict({"01": {}, "90": row | {"dataset_seed": {d: [*seeds] for d in LAST}}})


def packed(content):
    """As numpy 1 wrote its numbers."""
    plain = pickle.dumps(content, protocol=3)
    return bz2.compress(plain.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


def archive(folder, networks):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.pickle.pbz2").write_bytes(packed({"meta_archs": [], "total_archs": 32768}))
    for number, content in enumerate(networks):
        data = content if isinstance(content, bytes) else packed(content)
        (folder / f"{number:06d}.pickle.pbz2").write_bytes(data)
    return folder


NETWORKS = (network("8:8:8:16:32"), network("64:8:8:8:8", 1.5, (888, 777)))
EXPECTED = {
    "cifar10": {"8:8:8:16:32": (80.0,), "64:8:8:8:8": (81.5, 192.5)},
    "cifar100": {"8:8:8:16:32": (60.5,), "64:8:8:8:8": (62.0, 173.0)},
    "ImageNet16-120": {"8:8:8:16:32": (30.25,), "64:8:8:8:8": (31.75, 142.75)},
}


def test_validation_accuracies_of_the_last_of_90_epochs(tmp_path):
    table = nats.read(archive(tmp_path / "simple", NETWORKS), SPACE)
    assert (table.space, table.kind) == ("nats-size", "validation")
    assert table.trials == EXPECTED


def test_the_tar_file_is_read_as_it_came(tmp_path):
    folder = archive(tmp_path / "NATS-simple", NETWORKS)
    with tarfile.open(tmp_path / "NATS-simple.tar", "w") as packing:
        packing.add(folder, folder.name)
    assert nats.read(tmp_path / "NATS-simple.tar", SPACE).trials == EXPECTED


def test_numbers_of_numpy_are_no_more_than_numbers():
    content = [np.float64(0.5), np.float32(0.25), np.int64(-3)]
    assert read_back(pickle.dumps(content)) == [0.5, 0.25, -3]
    with pytest.raises(InputError, match="a number of kind c16"):
        read_back(pickle.dumps(np.complex128(1)))


def read_back(data):
    return nats.plain_pickle(io.BytesIO(data), "some", nats._ADMITTED)


class Intruder:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_never_runs(tmp_path):
    folder = archive(tmp_path / "simple", [network("8:8:8:8:8"), {"90": Intruder(tmp_path / "x")}])
    with pytest.raises(InputError, match=r"simple: 000001\S+: refused (posix|nt)\.mkdir"):
        nats.read(folder, SPACE)
    assert not (tmp_path / "x").exists()


def without(dataset):
    content = network("8:8:8:8:8")
    del content["90"]["all_results"][dataset, 777]
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", "not readable as bzip2"),
        (packed(network("8:8:8:8:8"))[:-20], "not readable as bzip2"),
        (bz2.compress(b"junk"), "not a readable pickle"),
        ({"12": {}}, "expected results of 90 epochs"),
        ([1, 2], "expected results of 90 epochs"),
        ({"90": {"arch_str": "8:8:8:8:8", "all_results": {1: 2}}}, "expected results"),
        (without("cifar100"), "expected results of 90 epochs"),
        (network("8:8:8:8"), "NATS-Bench size '8:8:8:8'"),
        (network("8:8:8:16:32"), "the network 8:8:8:16:32 once more"),
    ],
)
def test_errors_name_the_file_of_the_network(tmp_path, content, message):
    folder = archive(tmp_path / "simple", [NETWORKS[0], content])
    with pytest.raises(InputError, match=rf"simple: 000001\.pickle\.pbz2: .*{message}"):
        nats.read(folder, SPACE)


def test_what_is_no_archive(tmp_path):
    with pytest.raises(InputError, match="none: cannot be read: No such file"):
        nats.read(tmp_path / "none", SPACE)
    with pytest.raises(InputError, match=r"expected files 000000\.pickle\.pbz2 and so on"):
        nats.read(archive(tmp_path / "empty", []), SPACE)
    (tmp_path / "text.tar").write_text("text")
    with pytest.raises(InputError, match=r"text\.tar: not a folder or tar file"):
        nats.read(tmp_path / "text.tar", SPACE)
