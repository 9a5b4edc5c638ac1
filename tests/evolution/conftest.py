import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def processes():
    """What two other processes, whose sets have other orders, draw from the same seeds."""
    command = [sys.executable, "-m", "tests.evolution.made_up"]
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": order, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
        )
        for order in ("1", "2")
    ]
    answers = [json.loads(p.communicate(timeout=120)[0]) for p in running]
    assert [p.returncode for p in running] == [0, 0]
    return answers
