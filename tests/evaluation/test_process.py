"""Used from Python, eznas leaves the process alone: no allocator option, no signal handler."""

import subprocess
import sys

import pytest

from tests.evaluation.networks import ARCHITECTURES

PROGRAM = """
import ctypes
import signal

looked_up = []  # functions of C libraries
find_function = ctypes.CDLL.__getattr__


def find_and_note(library, name):
    looked_up.append(name)
    return find_function(library, name)


ctypes.CDLL.__getattr__ = find_and_note
handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}

import eznas

USE
print("mallopt" in looked_up)
print([n for n, handler in handlers.items() if signal.getsignal(n) != handler])
"""
SCORE = f"""
eznas.score("synflow", ["{ARCHITECTURES[0]}"], input_size=(3, 8, 8), batch=4)
"""
EVALUATE = """
from eznas.evaluation.workers import start
from tests.evaluation.networks import MACRO_SHARDS, make_evaluator

workers = start(make_evaluator, 1)
workers.evaluate(MACRO_SHARDS, ["params"])
workers.close()
"""
EVOLVE = """
from eznas.discovery import config

settings = {
    "generations": 1, "population": 8, "offspring": 8, "first_networks": 8, "champion_networks": 8,
    "evolution.networks": 8, "evidence.networks": 8, "replicates": 10, "raw_batch": 2,
    "sketch_batch": 4, "statistics": ("layer_params", "params"), "seed_formulas": ("live_params",),
    "tasks": ("nasbench201/ImageNet16-120",),
}
eznas.evolve(config.read(settings=settings), save=False)
"""
RAY_WORKER = """
from eznas.evaluation.ray_executor import Worker

Worker(list)
"""
COMMAND_LINE = """
import sys
from eznas.cli.main import main

sys.argv = ["eznas", "--version"]
try:
    main()
except SystemExit:
    pass
"""


def observed(use):
    """Whether an allocator option was set, and the signals whose handlers changed."""
    program = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("USE", use)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    option_set, signals = program.stdout.splitlines()[-2:]
    return option_set == "True", signals


@pytest.mark.parametrize(
    "use", ["", SCORE, EVALUATE, EVOLVE], ids=["import", "score", "evaluate", "evolve"]
)
def test_python_use_leaves_the_process_alone(use):
    assert observed(use) == (False, "[]")


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize("use", [RAY_WORKER, COMMAND_LINE], ids=["Ray worker", "command line"])
def test_our_own_processes_keep_their_pages(use):
    """Which also shows that the tests above would see it."""
    assert observed(use) == (True, "[]")
