"""Completion by the shell: of commands, and of the names of proxies and runs."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("eznas sco", {"score"}),
        ("eznas score default", {"default", "default_nasbench201"}),
        ("eznas correlate naswot default_", {"default_nasbench201"}),
        ("eznas watch fi", {"first"}),
        ("eznas explain fi", {"first", "fisher"}),
    ],
)
def test_a_word_is_completed(typed, expected, tmp_path):
    run = tmp_path / "runs/first"
    run.mkdir(parents=True)
    (run / "config.json").write_text("{}")
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(len(typed.split()) - 1)}
    completed = subprocess.run(
        [sys.executable, "-m", "eznas"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            **words,
            "_EZNAS_COMPLETE": "complete_bash",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    assert set(completed.stdout.split()) == expected
