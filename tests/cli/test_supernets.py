"""`eznas supernet`: training, ranking and comparing, with supernets of three steps."""

import json
from pathlib import Path

import pytest

import eznas
from eznas.studies.saving import page_of
from tests.cli.calls import answer, call, complaint
from tests.supernets.trained import image_file

SMALL = ("--width", "2", "--size", "8", "--batch", "16", "--epochs", "3", "--workers", "1")


@pytest.fixture
def images(folder):
    return image_file(Path())


def test_a_supernet_is_trained_and_ranks(images):
    trained = answer("supernet", "train", "--images", images, *SMALL, "--save", "one")
    assert (trained["epochs"], trained["steps"], trained["leaves"]) == (3, 9, 0)
    content = answer("supernet", "rank", "one", "--networks", "20", "--workers", "1")
    [row] = content["supernets"]
    assert (row["supernets"], row["networks"], row["epochs"]) == ("one", 20, 3)
    plan = eznas.Supernets("nasbench201", images, width=2, size=8, batch=16, epochs=3)
    eznas.train_supernets("two", plan)  # in Python the same
    [other] = eznas.rank_supernets(["two"], networks=20)["supernets"]
    assert other == row | {"supernets": "two"}
    shown = call("supernet", "rank", "one", "--networks", "20", "--workers", "1").out
    assert "20 networks, nasbench201, cifar10" in shown


def test_leaves_of_a_tree_and_the_comparison(images):
    cut = ("split", "params", "--leaves", "2", "--width", "2", "--cells", "1", "--batch", "2")
    answer(*cut, "--workers", "1", "--save", "tree.json")
    few = (*SMALL, "--leaf-epochs", "1", "--split", "tree.json", "--images", images)
    assert answer("supernet", "train", *few, "--save", "few")["leaves"] == 2
    compared = ("supernet", "compare", "s", *few, "--proxy", "params", "--networks", "12")
    content = answer(*compared, "--seeds", "1", "--save", "kept")
    assert json.loads(Path("kept/few-shot.json").read_text())["few_shot"] == content["few_shot"]
    assert Path("kept/README.md").read_text() == page_of(Path("kept"))


def test_bad_input(images):
    train = ("supernet", "train", "--images", images, *SMALL)
    assert "no such file" in complaint(*train[:2], "--images", "no.npz", "--save", "x")
    assert "unknown space" in complaint(*train, "--space", "nasbench", "--save", "x")
    assert "expected a batch (128)" in complaint(*train, "--batch", "128", "--save", "x")
    assert "supernet.json" in complaint("supernet", "rank", "nowhere")
    cut = ("split", "params", "--leaves", "2", "--width", "2", "--cells", "1", "--batch", "2")
    answer(*cut, "--space", "nasbench-macro", "--workers", "1", "--save", "macro.json")
    few = ("--split", "macro.json", "--leaf-epochs", "1", "--save", "x")
    assert "a tree of nasbench-macro, expected one of nasbench201" in complaint(*train, *few)
    assert "expected a supernet that is trained" in complaint(
        *train, "--save", "x", "--parent", "y"
    )
