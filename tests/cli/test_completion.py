"""Completion by the shell: of commands, and of the names of proxies and runs."""

import os
import subprocess
import sys

import pytest

from tests.cli.calls import call


def typed(text: str) -> dict[str, str]:
    """What the shell says of a line whose last word is to be completed."""
    position = str(len(text.split()) - 1)
    return {"_EZNAS_COMPLETE": "complete_bash", "COMP_WORDS": text, "COMP_CWORD": position}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eznas score default", {"default", "default_nasbench201"}),
        ("eznas correlate naswot default_", {"default_nasbench201"}),
        ("eznas watch fi", {"first"}),
        ("eznas explain fi", {"first", "fisher"}),
    ],
)
def test_a_word_is_completed(text, expected, tmp_path, monkeypatch):
    run = tmp_path / "runs/first"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for name, value in typed(text).items():
        monkeypatch.setenv(name, value)
    assert set(call().out.split()) == expected


def test_a_command_is_completed_in_a_process_of_its_own():
    completed = subprocess.run(
        [sys.executable, "-m", "eznas"],
        capture_output=True,
        text=True,
        env=os.environ | typed("eznas sco"),
    )
    assert completed.stdout.split() == ["score"]
