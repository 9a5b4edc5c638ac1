"""Runs that are killed at random moments, again and again, come to the end of one left alone.

pytest -m slow tests/discovery/test_crash.py -s
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.discovery.tiny_run import TINY, comparable

pytestmark = pytest.mark.slow
KILLS = 50
SETTINGS = TINY | {"generations": 12, "statistics": ("layer_params", "params")}
PROGRAM = "from eznas.cli import main; main()"
TREE = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("crash")


def started(home, run, workers=1):
    """A process that begins a run or goes on with it, in a session of its own."""
    arguments = ["resume", run]
    if not (home / "runs" / run / "config.json").exists():
        settings = [f"{key}={json.dumps(value)}" for key, value in SETTINGS.items()]
        arguments = ["evolve", "--name", run, *(x for text in settings for x in ("--set", text))]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, "--workers", str(workers)],
        cwd=home,
        env=os.environ | {"EZNAS_DATA": str(home / "data"), "PYTHONPATH": TREE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def reference(home):
    """What a run that is left alone leaves behind, and its seconds."""
    begun = time.monotonic()
    process = started(home, "undisturbed")
    _, messages = process.communicate()
    assert process.returncode == 0, messages
    return comparable(home, "undisturbed"), time.monotonic() - begun


def progress(home, run):
    """The generation of the checkpoint, and the lines of the journal."""
    folder = home / "runs" / run
    latest, journal = folder / "checkpoint.json", folder / "journal.jsonl"
    lines = len(journal.read_bytes().splitlines()) if journal.exists() else 0
    if not latest.exists():
        return -1, lines
    return json.loads(latest.read_bytes().splitlines()[1])["search"]["generation"], lines


def run_interrupted(home, run, seconds, draw, workers=1, number=signal.SIGKILL):
    """Run to the end, ended by a signal at random moments; returns how often."""
    signals, reached = 0, -1
    while True:
        process = started(home, run, workers)
        try:
            _, messages = process.communicate(timeout=draw.uniform(0.3, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            _, messages = process.communicate()
            signals += 1
        generation, lines = progress(home, run)
        assert generation >= reached, "a generation that was saved is lost"
        assert generation + 1 <= lines <= generation + 2, "more than the one in flight is lost"
        reached = generation
        if process.returncode == 0 or b"finished after generation" in messages:
            return signals  # the latter where it was killed as it left
        # Before the first generation is saved, a request to end is as Ctrl-C; and where Ray hears
        # SIGTERM as it starts, it may abort the process in its own code when this leaves.
        codes = (-number, 128 + number, 130, *([-signal.SIGABRT] if workers > 1 else []))
        assert process.returncode in codes, messages.decode()


def test_a_run_that_is_killed_over_and_over(home, reference):
    expected, seconds = reference
    draw, kills, runs = random.Random(0), 0, 0
    while kills < KILLS:
        runs += 1
        kills += run_interrupted(home, f"killed-{runs}", seconds, draw)
        assert comparable(home, f"killed-{runs}") == expected
    print(f"\n{kills} kills in {runs} runs, all with the result of the run left alone")


def test_a_run_that_is_asked_to_end_over_and_over(home, reference):
    """SIGTERM: the run ends cleanly, and can go on."""
    expected, seconds = reference
    draw, requests = random.Random(1), 0
    for number in range(3):
        run = f"terminated-{number}"
        requests += run_interrupted(home, run, seconds, draw, number=signal.SIGTERM)
        assert comparable(home, run) == expected
    print(f"\n{requests} requests to end in 3 runs")


@pytest.fixture
def small_disk(home):
    """A small disk in memory where runs go to, and a function that makes it larger."""
    disk = home / "disk"
    disk.mkdir()

    def mount(*options):
        return subprocess.run(["mount", *options, str(disk)], capture_output=True).returncode

    if mount("-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        pytest.skip("needs the right to mount")
    yield disk, lambda: mount("-o", "remount,size=16m")
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_is_full_and_made_larger(small_disk, reference):
    disk, enlarge = small_disk
    process = started(disk, "full")
    _, messages = process.communicate()
    assert process.returncode == 2
    assert b"cannot write: No space left on device" in messages
    assert b"Traceback" not in messages
    generation, _ = progress(disk, "full")
    assert enlarge() == 0
    process = started(disk, "full")
    _, messages = process.communicate()
    assert process.returncode == 0, messages
    assert comparable(disk, "full") == reference[0]
    print(f"\nthe disk was full after generation {generation}")


@pytest.mark.ray
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_on_two_workers_that_is_ended_over_and_over(home, reference, number):
    expected, seconds = reference
    draw, ends, runs = random.Random(2), 0, 0
    while ends < 5:
        runs += 1
        run = f"on-ray-{number.name}-{runs}"
        ends += run_interrupted(home, run, 2.5 * seconds, draw, workers=2, number=number)
        assert comparable(home, run) == expected
    print(f"\n{ends} x {number.name} in {runs} runs on two workers")
