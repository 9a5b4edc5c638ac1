"""`eznas final`: what it shows and asks for."""

from pathlib import Path

import pytest

from tests.benchmarks.made_up import store_macro
from tests.cli.calls import BATCH, answer, call, complaint

LOOK = ("--space", "nasbench-macro", "--workers", "1", "--networks", "12", *BATCH)


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch):
    """A folder of runs, and made-up accuracies."""
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    store_macro(60)


def test_a_look_is_shown_with_intervals_and_counted():
    outcome = call("final", "params", "depth", "--against", "params", "--reason", "why", *LOOK)
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("12 networks (held-out part), test accuracy, initialisation")
    for heading in ("tau [95 %]", "partial rho [95 %]", "nDCG [95 %]", "regret @1 [%] [95 %]"):
        assert heading in outcome.out
    assert "tau of params minus tau of another, paired" in outcome.out
    assert "look 1 at the networks for final figures of nasbench-macro (none" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    look = answer("final", "params", "--reason", "again", *LOOK)
    assert (look["before"], look["reason"], look["networks"]) == (1, "again", 12)
    assert len(Path("runs/LOOKS.jsonl").read_text().splitlines()) == 2


def test_a_reason_is_needed():
    assert "Missing option '--reason'" in complaint("final", "params", *LOOK)
    assert "expected who looks and what for" in complaint("final", "params", "--reason", "", *LOOK)
    assert not Path("runs/LOOKS.jsonl").exists()
