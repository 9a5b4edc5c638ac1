"""`eznas split` and `split-quality`: JSON, drawings, files, and bad input."""

import json
from pathlib import Path

import pytest

from eznas.studies.saving import page_of
from tests.cli.calls import SMALL, answer, call, complaint

TINY = ("--width", "2", "--cells", "1", "--batch", "2", "--dataset", SMALL)


def test_split_answers():
    content = answer("split", "params", "--leaves", "3", "--positions", "5,4", *TINY)
    assert [leaf["size"] for leaf in content["leaves"]] == [10_000, 2_500, 3_125]
    assert content["leaves"][0]["allowed"] == [[0, 1, 2, 3, 4]] * 4 + [[0, 1, 2, 4]] * 2
    assert content["chosen"] == 3
    assert (content["same"], content["seeds"]) == (1, 1)
    assert [leaf["leaf"] for leaf in content["leaves"]] == [1, 2, 3]


def test_split_draws_and_writes_what_a_search_takes():
    files = ("--save", "made.json", "--plot", "made.png")
    outcome = call("split", "params", "--leaves", "2", "--seeds", "2", *files, *TINY)
    assert "└─ 0: nor_conv_3x3  #2 3,125 networks" in outcome.out
    assert "the same parts with 2 of 2 initialisations" in outcome.out
    assert Path("made.png").read_bytes().startswith(b"\x89PNG")
    assert not Path("README.md").exists()
    searched = answer("search", "random", "--queries", "3", "--within", "made.json#2")
    assert searched["within"] == "made.json#2"
    assert all("|nor_conv_3x3~0|+" in a for a in searched["networks"]["architecture"])
    title = call("search", "random", "--queries", "3", "--within", "made.json#2").out
    assert "nasbench201/cifar10 within made.json#2" in title


def test_quality_is_saved_with_a_page():
    options = ("--leaves", "2", "--networks", "8", "--initialisations", "1", "--random-trees", "2")
    command = ("split-quality", "params", *options, *TINY, "--workers", "1")
    outcome = call(*command, "--save", "parts")
    assert "nasbench201, 15,625 networks: the leaf that a tree's own scores pick" in outcome.out
    content = json.loads(Path("parts/splits.json").read_text())
    assert {row["proxy"] for row in content["splits"]} == {"params", "random", "true accuracy"}
    page = Path("parts/README.md").read_text()
    assert page == page_of(Path("parts"))
    assert "trees of 3 makers" in page


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["param"], ["did you mean 'params'?"]),
        (["params", "--edges", "wide"], ["edges 'wide'", "'widest'"]),
        (["params", "--positions", "a"], ["positions 'a'", "as in 0,5,2"]),
        (["params", "--positions", "6"], ["position 6", "expected 0 to 5"]),
        (["params", "--space", "nds-darts"], ["nds-darts has no mixed supernet", "--by members"]),
        (["params", "--save", "tree.txt"], ["tree.txt", "ends in .json"]),
        (["params", "--save", "nowhere/tree.json"], ["no folder nowhere"]),
        (["params", "--plot", "tree.pdf"], ["tree.pdf", ".png"]),
        (["params", "--groups", "equal"], ["groups 'equal'"]),
    ],
)
def test_bad_input(arguments, words):
    problem = complaint("split", *arguments)
    assert all(word in problem for word in words), problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tree.json", ["FILE.json#K"]),
        ("missing.json#1", ["missing.json"]),
        ("good.json#1", ["good.json", "tree"]),
    ],
)
def test_a_leaf_that_is_none(text, words):
    problem = complaint("search", "random", "--queries", "2", "--within", text)
    assert all(word in problem for word in words), problem
