"""Commands called in this process, what they print, and what a complaint must be."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from eznas import cli
from eznas.metrics import Difference
from eznas.spaces import SPACES
from tests.metrics.made_up import ROW  # noqa: F401

ARCHITECTURES = SPACES["nasbench201"].architectures()
NOTHING, POOLS, CONVOLUTIONS = (
    ARCHITECTURES[int(digits, 5)] for digits in ("000000", "444444", "323132")
)
BATCH = ("--batch", "4")
FEW = ("--networks", "8", *BATCH, "--workers", "1")
DIFFERENCE = list(Difference.__annotations__)
SMALL = "ImageNet16-120"  # the smallest images
DATASETS = ["cifar10", "cifar100", SMALL]
HEADER = "architecture,accuracy"


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


def call(*arguments: str) -> Outcome:
    """One command in this process: starting another costs seconds."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["eznas", *arguments]),
    ):
        try:
            cli.main()
        except SystemExit as done:
            code = done.code
    return Outcome(code, out.getvalue(), err.getvalue())


def answer(*arguments: str) -> dict:
    """The JSON object of a command, which must be all that it prints on standard output."""
    outcome = call(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith("}\n")
    assert outcome.out.count("\n") == 1
    return json.loads(outcome.out, parse_constant=pytest.fail)  # no NaN, no Infinity


def listing(folder: Path) -> dict[str, int]:
    """Every file below a folder with the time it was last written."""
    files = (p for p in folder.rglob("*") if "__pycache__" not in p.parts)
    return {str(p): p.stat().st_mtime_ns for p in files}


def complaint(*arguments: str) -> str:
    """The one line of a command that is given bad input and leaves nothing behind."""
    before = listing(Path())
    outcome = call(*arguments)
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert outcome.err.startswith("eznas: ")
    assert outcome.err.endswith("\n")
    assert outcome.err[:-1].isprintable(), outcome.err
    assert listing(Path()) == before
    return outcome.err.removeprefix("eznas: ").strip()
