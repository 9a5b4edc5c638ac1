"""NATS-Bench's archive of the size space, in the form of the three networks that its repository
holds for its tests (D-X-Y/NATS-Bench, fake_torch_dir)."""

import bz2
import io
import pickle
import tarfile
from collections import OrderedDict

import numpy as np
import pytest

from eznas.benchmarks.readers import nats
from eznas.benchmarks.readers.pickles import plain_pickle
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.benchmarks.readers.intruder import Intruder

SPACE = SPACES["nats-size"]
LAST_EPOCH = {"cifar10-valid": 80.0, "cifar10": 91.0, "cifar100": 60.5, "ImageNet16-120": 30.25}


def run(dataset, seed, bonus):
    """A run whose accuracy in the last epoch is that of `LAST_EPOCH` plus a bonus."""
    accuracies = {f"x-valid@{epoch}": 1.0 for epoch in range(89)}
    accuracies |= {"x-valid@89": LAST_EPOCH[dataset] + bonus, "ori-test@89": 2.0}
    if dataset == "cifar10":
        accuracies = {"ori-test@89": LAST_EPOCH[dataset]}
    return {
        "name": dataset,
        "seed": f"{seed:04d}",
        "epochs": 90,
        "params": np.float64(0.5),
        "latency": [np.float64(0.01)],
        "train_times": OrderedDict({0: 2.5}),
        "eval_acc1es": accuracies,
    }


def network(architecture, bonus=0.0, seeds=(777,)):
    results = {(d, s): run(d, s, bonus + (s - 777)) for d in LAST_EPOCH for s in seeds}
    row = {"arch_index": 0, "arch_str": architecture, "all_results": results}
    return OrderedDict({"01": {}, "90": row | {"dataset_seed": {d: [*seeds] for d in LAST_EPOCH}}})


def compressed(content):
    """A compressed pickle as numpy 1 wrote it."""
    data = pickle.dumps(content, protocol=3)
    return bz2.compress(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))


def write_archive(folder, networks):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "meta.pickle.pbz2").write_bytes(compressed({"meta_archs": [], "total_archs": 32768}))
    for number, content in enumerate(networks):
        data = content if isinstance(content, bytes) else compressed(content)
        (folder / f"{number:06d}.pickle.pbz2").write_bytes(data)
    return folder


NETWORKS = (network("8:8:8:16:32"), network("64:8:8:8:8", 1.5, (888, 777)))
EXPECTED = {
    "cifar10": {"8:8:8:16:32": (80.0,), "64:8:8:8:8": (81.5, 192.5)},
    "cifar100": {"8:8:8:16:32": (60.5,), "64:8:8:8:8": (62.0, 173.0)},
    "ImageNet16-120": {"8:8:8:16:32": (30.25,), "64:8:8:8:8": (31.75, 142.75)},
}


def test_validation_accuracies_of_the_last_of_90_epochs(tmp_path):
    table = nats.read(write_archive(tmp_path / "simple", NETWORKS), SPACE)
    assert (table.space, table.kind) == ("nats-size", "validation")
    assert table.trials == EXPECTED


def test_the_tar_file_is_read(tmp_path):
    folder = write_archive(tmp_path / "NATS-simple", NETWORKS)
    with tarfile.open(tmp_path / "NATS-simple.tar", "w") as tar:
        tar.add(folder, folder.name)
    assert nats.read(tmp_path / "NATS-simple.tar", SPACE).trials == EXPECTED


def test_numbers_of_numpy_become_plain_numbers():
    content = [np.float64(0.5), np.float32(0.25), np.int64(-3)]
    assert unpickled(pickle.dumps(content)) == [0.5, 0.25, -3]
    with pytest.raises(InputError, match="a number of type c16"):
        unpickled(pickle.dumps(np.complex128(1)))


def unpickled(data):
    return plain_pickle(io.BytesIO(data), "network.pickle", nats.ADMITTED)


def test_code_is_refused_and_never_runs(tmp_path):
    folder = write_archive(
        tmp_path / "simple", [network("8:8:8:8:8"), {"90": Intruder(tmp_path / "x")}]
    )
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
        (compressed(network("8:8:8:8:8"))[:-20], "not readable as bzip2"),
        (bz2.compress(b"junk"), "not a readable pickle"),
        ({"12": {}}, "expected results of 90 epochs"),
        ([1, 2], "expected results of 90 epochs"),
        ({"90": {"arch_str": "8:8:8:8:8", "all_results": {1: 2}}}, "expected results"),
        (without("cifar100"), "expected results of 90 epochs"),
        (network("8:8:8:8"), "NATS-Bench size '8:8:8:8'"),
        (network("8:8:8:16:32"), "network 8:8:8:16:32 was already read from 000000"),
    ],
)
def test_errors_name_the_file_of_the_network(tmp_path, content, message):
    folder = write_archive(tmp_path / "simple", [NETWORKS[0], content])
    with pytest.raises(InputError, match=rf"simple: 000001\.pickle\.pbz2: .*{message}"):
        nats.read(folder, SPACE)


def test_something_else_than_an_archive_is_refused(tmp_path):
    with pytest.raises(InputError, match="none: cannot be read: No such file"):
        nats.read(tmp_path / "none", SPACE)
    with pytest.raises(InputError, match=r"expected files 000000\.pickle\.pbz2 and so on"):
        nats.read(write_archive(tmp_path / "empty", []), SPACE)
    (tmp_path / "text.tar").write_text("text")
    with pytest.raises(InputError, match=r"text\.tar: not a folder or tar file"):
        nats.read(tmp_path / "text.tar", SPACE)
