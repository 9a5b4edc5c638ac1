"""Learning curves: parts of them, what they must be like, and how they are stored."""

import gzip
import json
from dataclasses import replace

import numpy as np
import pytest

from eznas.benchmarks.curves import (
    CURVES,
    Curves,
    curves_path,
    load_curves,
    store_curves,
    stored_curves,
)
from eznas.benchmarks.readers import CURVE_READERS
from eznas.benchmarks.sources import source_of
from eznas.benchmarks.store import Origin
from eznas.errors import InputError

ORIGIN = Origin("made.csv", "00")
NAME = "metaqnn-cifar10"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))


def made_up(dataset="cifar10") -> Curves:
    """Three networks, measured after epochs 1, 2 and 5 of 9."""
    return Curves(
        name=NAME,
        space="",
        dataset=dataset,
        architectures=("a", "b", "c"),
        epochs=np.array([1, 2, 5]),
        values={
            "accuracy": np.array([[10.0, 20, 30], [11, 21, 31], [12, 22, 32]]),
            "train_loss": np.array([[3.0, 2, 1], [3.1, 2.1, 1.1], [3.2, 2.2, 1.2]]),
        },
        accuracies=np.array([40.0, 41, 42]),
        total_epochs=9,
    )


def test_networks_of_curves():
    curves = made_up().of(["c", "a"])
    assert curves.architectures == ("c", "a")
    assert curves.values["accuracy"].tolist() == [[12, 22, 32], [10, 20, 30]]
    assert curves.values["train_loss"][:, 0].tolist() == [3.2, 3.0]
    assert curves.accuracies.tolist() == [42, 40]
    assert made_up().of([]).values["accuracy"].shape == (0, 3)
    with pytest.raises(InputError, match=f"learning curves {NAME}: none of network d"):
        curves.of(["a", "d"])


def test_beginnings_of_curves():
    for epoch, points in ((1, 1), (2, 2), (4, 2), (5, 3), (99, 3)):
        curves = made_up().until(epoch)
        assert curves.epochs.tolist() == [1, 2, 5][:points]
        assert {values.shape for values in curves.values.values()} == {(3, points)}
        assert curves.accuracies.tolist() == [40, 41, 42]
        assert curves.total_epochs == 9
    with pytest.raises(InputError, match="nothing up to epoch 0, expected an epoch from 1 on"):
        made_up().until(0)


def test_arrays_are_read_only():
    curves = made_up().until(2).of(["a"])
    for array in (curves.epochs, curves.accuracies, *curves.values.values()):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


ACCURACY = np.array([[10.0, 20, 30]] * 3)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"epochs": np.array([1, 5, 2])}, "ascending epochs from 1 to 9"),
        ({"epochs": np.array([0, 2, 5])}, "ascending epochs from 1 to 9"),
        ({"epochs": np.array([1, 2, 2])}, "ascending epochs"),
        ({"epochs": np.array([1.0, 2, 5])}, "ascending epochs"),
        ({"epochs": np.array([], dtype=int), "values": {}}, "ascending epochs"),
        ({"total_epochs": 4}, "ascending epochs from 1 to 4"),
        ({"values": {}}, "expected values accuracy, train_loss or both"),
        ({"values": {"loss": ACCURACY}}, "expected values accuracy, train_loss or both"),
        ({"values": {"accuracy": ACCURACY[:2]}}, r"expected values \[networks, points\], \[3, 3\]"),
        ({"values": {"accuracy": ACCURACY * np.nan}}, "expected finite numbers"),
        ({"values": {"accuracy": ACCURACY * 4}}, "accuracies from 0 to 100 percent"),
        ({"values": {"train_loss": ACCURACY.astype(int)}}, "float64"),
        ({"accuracies": np.array([1.0, 2])}, "expected 3 accuracies"),
        ({"accuracies": np.array([1.0, 2, np.inf])}, "expected finite numbers"),
        ({"accuracies": np.array([1.0, 2, -1])}, "accuracies from 0 to 100 percent"),
    ],
)
def test_what_is_refused(changed, problem):
    with pytest.raises(InputError, match=rf"^learning curves {NAME}: .*{problem}"):
        replace(made_up(), **changed)


def test_a_loss_may_be_any_number():
    losses = {"train_loss": np.array([[-3.0, 200, 0]] * 3)}
    assert replace(made_up(), values=losses).values["train_loss"].max() == 200


def test_what_is_stored_is_loaded():
    store_curves([made_up(), made_up("cifar100")], ORIGIN)
    curves = load_curves(NAME)
    assert (curves.dataset, curves.space, curves.total_epochs) == ("cifar10", "", 9)
    assert curves.architectures == ("a", "b", "c")
    for key, values in made_up().values.items():
        np.testing.assert_array_equal(curves.values[key], values)
    assert curves.accuracies.tolist() == [40, 41, 42]
    assert curves.epochs.dtype == np.int64
    assert load_curves(NAME, "cifar100").dataset == "cifar100"
    assert stored_curves(NAME)[1] == ORIGIN
    with pytest.raises(InputError, match="unknown metaqnn-cifar10 dataset 'cifar'"):
        load_curves(NAME, "cifar")


def test_curves_that_are_not_there():
    with pytest.raises(InputError, match=f"`eznas data import {NAME} FILE` imports them"):
        load_curves(NAME)
    with pytest.raises(InputError, match="unknown learning curves 'naap'; did you mean"):
        load_curves("naap")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda c: c.update(format=2), "expected format 1"),
        (lambda c: c.update(name="naap440"), "expected format 1 of learning curves metaqnn"),
        (lambda c: c.update(curves=[]), "expected format 1"),
        (lambda c: c["curves"][0].update(architectures=["a", "a", "c"]), "each network once"),
        (lambda c: c["curves"][0].update(epochs=[1, 2, 1e400]), "infinity"),
        (lambda c: c["curves"][0].update(accuracies=[1, 2, "x"]), "could not convert"),
        (lambda c: c["curves"][0]["values"].update(accuracy=[[1], [2, 3]]), ""),
        (lambda c: c["curves"][0].pop("values"), "values"),
    ],
)
def test_a_damaged_file_is_one_clear_error(change, problem):
    path = store_curves([made_up()], ORIGIN)
    content = json.loads(gzip.decompress(path.read_bytes()))
    change(content)
    path.write_bytes(gzip.compress(json.dumps(content).encode()))
    with pytest.raises(InputError, match=rf"damaged, import it again: .*{problem}") as raised:
        load_curves(NAME)
    assert str(raised.value).startswith(str(curves_path(NAME)))
    path.write_bytes(b"junk")
    with pytest.raises(InputError, match="damaged, import it again"):
        load_curves(NAME)


def test_every_name_has_a_reader_and_a_source():
    assert CURVE_READERS.keys() == CURVES.keys()
    assert all(source_of(name) for name in CURVES)
