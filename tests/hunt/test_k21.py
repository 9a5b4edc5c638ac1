"""K21, K22: small things of the command line, and slips at the Python door."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

import eznas
from tests.cli.calls import call
from tests.hunt.small import Small, refusal, score

CELL = "|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"


def test_the_version() -> None:
    outcome = call("--version")
    assert (outcome.code, outcome.out) == (0, f"eznas {version('eznas')}\n")


def test_the_module_is_a_way_in() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "eznas", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("eznas ")


@pytest.mark.parametrize("columns", [20, 40, 60])
def test_names_and_scores_are_read_in_narrow_windows(columns: int) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "eznas", "score", "params", CELL],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"COLUMNS": str(columns)},
    )
    rows = [line.split("│") for line in shown.stdout.splitlines() if line.startswith("│")]
    assert "".join(row[2].strip() for row in rows) == CELL
    assert rows[0][3].strip() == "316346"


MODEL, LOADED = Small(), eznas.load("params")
SLIPS: dict[str, tuple[Callable[[], object], str]] = {
    "class": (
        lambda: score("params", Small),
        "expected a model (a torch.nn.Module), got the class",
    ),
    "state": (lambda: score("params", MODEL.state_dict()), "expected a model"),
    "function": (lambda: score("params", torch.relu), "expected a model"),
    "nothing": (lambda: score("params", None), "expected a model"),
    "tensor": (lambda: score("naswot", MODEL, images=torch.rand(64, 3, 16, 16)), "got Tensor"),
    "array": (lambda: score("naswot", MODEL, images=np.zeros((64, 8, 8, 3))), "got ndarray"),
    "side": (lambda: score("params", MODEL, input_size=32), "input size: expected (channels"),
    "text size": (lambda: score("params", MODEL, input_size="3x8x8"), "expected channels,height"),
    "half an example": (
        lambda: score("params", MODEL, input_size=(torch.rand(2, 3, 8, 8), torch.rand(3, 4))),
        "one batch size",
    ),
    "array as example": (lambda: score("params", MODEL, input_size=np.zeros((2, 3))), "ndarray"),
    "half a pixel": (lambda: score("params", MODEL, input_size=(3, 8.5, 8.5)), "whole number"),
    "batch": (lambda: score("params", MODEL, batch="8"), "batch str '8': expected a whole"),
    "yes": (lambda: score("params", MODEL, batch=True), "batch"),
    "seed": (lambda: score("params", MODEL, seed=-1), "seed -1: expected a whole number"),
    "large seed": (lambda: score("params", MODEL, seed=2**40), "at most"),
    "device": (lambda: score("params", MODEL, device=3), "device: expected a text, got int 3"),
    "output": (lambda: score("params", MODEL, output=1.5), "output: expected a text"),
    "module": (lambda: eznas.score("params", [MODEL]), "eznas.load(PROXY).score(MODEL)"),
    "module alone": (lambda: eznas.score("params", MODEL), "eznas.load(PROXY).score(MODEL)"),
    "number": (lambda: eznas.score("params", [3]), "models: expected a text, got int 3"),
    "proxy": (lambda: eznas.load(LOADED), "proxy: expected a text, got Proxy"),
    "proxies": (lambda: eznas.correlate(3), "proxies: expected a list of texts, got int 3"),
    "objects": (lambda: eznas.correlate([LOADED]), "proxies: expected a text, got Proxy"),
    "networks": (lambda: eznas.correlate(["params"], networks="8"), "networks: expected a whole"),
    "no workers": (
        lambda: eznas.evolve(workers=0),
        "workers 0: expected a whole",
    ),
    "fewer workers": (
        lambda: eznas.correlate(["params"], workers=-1),
        "workers -1: expected a whole",
    ),
    "workers": (lambda: eznas.correlate(["params"], workers="two"), "workers: expected a whole"),
    "space": (lambda: eznas.correlate("params", space=None), "space: expected a text, got None"),
    "two": (lambda: eznas.combine(["params"], "flops"), "first: expected a text, got list"),
    "file": (lambda: eznas.agreement(3), "file: expected a text, got int 3"),
    "method": (lambda: eznas.search_architectures(3), "method: expected a text"),
    "configuration": (lambda: eznas.evolve("nasbench201"), "config: expected Config"),
    "estimate": (lambda: eznas.estimate("nasbench201"), "config: expected Config"),
    "run": (lambda: eznas.resume(3), "run: expected a text"),
    "results": (lambda: eznas.compare_searches(1, 2), "first: expected SearchResult"),
    "export": (lambda: eznas.export("params", 3), "file: expected a text"),
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_gets_a_line_of_its_own(name: str) -> None:
    action, expected = SLIPS[name]
    line = refusal(action)
    assert expected in line


def test_one_name_stands_for_a_list() -> None:
    [row] = eznas.score("params", CELL)
    assert row["score"] == 316346
    assert "architecture 'x'" in refusal(lambda: eznas.score("params", "nasbench201/x"))
    assert "'nope'" in refusal(lambda: eznas.correlate("nope", networks=8))


def test_what_is_usual_in_python_is_taken(tmp_path: Path) -> None:
    expected = score("naswot", MODEL)
    assert score("naswot", MODEL, input_size=[3, 16, 16], device=torch.device("cpu")) == expected
    assert score("naswot", MODEL, batch=np.int64(8), seed=np.int64(0)) == expected
    assert eznas.export("params", tmp_path / "params.json")["name"] == "params"
