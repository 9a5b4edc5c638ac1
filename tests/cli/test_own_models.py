"""A CSV file of models and accuracies on the command line."""

import sys

import pytest

from tests.cli.calls import answer, call, complaint

MODULE = """
from torch import nn

def net(width=8, depth=1, kind="relu"):
    activation = {"relu": nn.ReLU, "none": nn.Identity}[kind]
    layers = []
    for channels in [1, *[width] * (depth - 1)]:
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), activation()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))

def loud():
    print("making a model")
    return net(32)

def broken():
    raise ValueError("no weights here")
"""
TABLE = """model,accuracy,accuracy_other,note
mine:net,80,70,first
mine:net(16),83,75,
mine:loud,84,74,
"mine:net(16, 2)",86,76,"with, a comma"
"mine:net(8, depth=2, kind='none')",60,50,linear
"""
COMMON = ("--input", "1,8,8", "--batch", "4", "--workers", "1")


@pytest.fixture(autouse=True)
def module(folder):
    (folder / "mine.py").write_text(MODULE)
    (folder / "mine.csv").write_text(TABLE)
    yield
    sys.modules.pop("mine", None)


def test_correlate_with_models():
    command = ("correlate", "naswot", "params", "--models", "mine.csv", *COMMON)
    rows = answer(*command)["rows"]
    assert [(r["proxy"], r["dataset"]) for r in rows] == [
        (p, d) for p in ("naswot", "params") for d in ("accuracy", "other")
    ]
    for row in rows[:2]:
        assert (row["networks"], row["set"], row["accuracy"]) == (5, "all", "given")
        assert row["undefined"]["networks"] == 1
        assert row["tau"] is not None
    outcome = call(*command)
    text = " ".join(outcome.out.split())
    assert "naswot: undefined on 1 of 5 networks, figures are over the others: no act" in text
    assert "(mine:net(8, depth=2, kind='none'))" in text


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("model,acc\nmine:net,1", "mine.csv:1: expected the header model,accuracy"),
        ("model,accuracy", "mine.csv: no rows"),
        ("model,accuracy\nmine:net,1\nmine:net(9),2", "expected at least 3, got 2"),
        ("model,accuracy\nmine:net,1\nmine:net,2", "mine.csv:3: model 'mine:net' stands in line 2"),
        ("model,accuracy\nmine:net,1\nmine:net(),2\nmine:net(9),3", "'mine:net': 2 times"),
        ("model,accuracy\nmine:net,1\nmine:net(9),much", "mine.csv:3: expected a finite number as"),
        ("model,accuracy\nmine:net,1\nmine:net(9,2),3", "mine.csv:3: 3 cells, expected 2"),
        (
            "model,accuracy\nmine:net,1\nmine:net(9),2\nmine:broken,3",
            "model 'mine:broken': broken() failed: ValueError: no weights here",
        ),
        (
            "model,accuracy\nmine:net,1\nmine:net(9),2\nmine:net(print(1)),3",
            "expected literals as arguments (numbers, texts, lists, ...)",
        ),
        ("model,accuracy\nmine:net,1\nmine:net(9),2\nmine:nut,3", "did you mean 'net'?"),
    ],
)
def test_a_bad_file_of_models(folder, rows, problem):
    (folder / "mine.csv").write_text(rows)
    assert problem in complaint("correlate", "params", "--models", "mine.csv", *COMMON)


def test_a_model_that_cannot_be_run_is_named():
    outcome = call("correlate", "params", "--models", "mine.csv", "--workers", "1")
    assert outcome.code == 2
    assert "eznas: model mine:net: model Sequential: forward failed" in outcome.err
