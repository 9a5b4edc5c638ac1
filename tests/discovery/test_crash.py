"""Runs that are killed at random moments, again and again, come to the end of one left alone.

pytest -m slow tests/test_crash.py -s
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

from tests.discovery.test_run import TINY, books

pytestmark = pytest.mark.slow
KILLS = 50
CONFIG = TINY | {"generations": 12, "statistics": ("layer_params", "params"), "start": 8}
PROGRAM = "from eznas.cli import main; main()"
TREE = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("crash")


def started(home, name, workers=1):
    """A process that begins a run or goes on with it, in a session of its own."""
    there = (home / "runs" / name / "config.json").exists()
    given = ["resume", name] if there else ["evolve", "--name", name]
    if not there:
        given += [x for k, v in CONFIG.items() for x in ("--set", f"{k}={json.dumps(v)}")]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *given, "--workers", str(workers)],
        cwd=home,
        env=os.environ | {"EZNAS_DATA": str(home / "data"), "PYTHONPATH": TREE},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def reference(home):
    begun = time.monotonic()
    process = started(home, "whole")
    _, said = process.communicate()
    assert process.returncode == 0, said
    return books("whole", home), time.monotonic() - begun


def kept(home, name):
    """The generation of the state, and the lines of the journal."""
    folder = home / "runs" / name
    state, journal = folder / "state.json", folder / "journal.jsonl"
    content = json.loads(state.read_bytes().splitlines()[1]) if state.exists() else None
    lines = len(journal.read_bytes().splitlines()) if journal.exists() else 0
    return (-1 if content is None else content["search"]["generation"]), lines


def killed_until_done(home, name, seconds, draw, workers=1, how=signal.SIGKILL):
    """Run to the end, killed at random moments; how often, and where."""
    kills, reached = 0, -1
    while True:
        process = started(home, name, workers)
        try:
            _, said = process.communicate(timeout=draw.uniform(0.3, 1.1) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(how)
            _, said = process.communicate()
            kills += 1
        generation, lines = kept(home, name)
        assert generation >= reached, "a generation that was kept is lost"
        assert generation + 1 <= lines <= generation + 2, "more than the one in flight is lost"
        reached = generation
        if process.returncode == 0 or b"finished after generation" in said:  # killed as it left
            return kills
        # Before the first generation is kept, a request to end is as Ctrl-C; and where Ray hears
        # SIGTERM as it starts, it may abort the process in its own code when this leaves.
        ends = (-how, 128 + how, 130, *([-signal.SIGABRT] if workers > 1 else []))
        assert process.returncode in ends, said.decode()


def test_a_run_that_is_killed_over_and_over(home, reference):
    expected, seconds = reference
    draw, kills, runs = random.Random(0), 0, 0
    while kills < KILLS:
        runs += 1
        kills += killed_until_done(home, f"killed-{runs}", seconds, draw)
        assert books(f"killed-{runs}", home) == expected
    print(f"\n{kills} kills in {runs} runs, all with the result of the run left alone")


def test_a_run_that_is_asked_to_end_over_and_over(home, reference):
    """SIGTERM: the books are closed cleanly, and the run goes on."""
    expected, seconds = reference
    draw, asked = random.Random(1), 0
    for number in range(3):
        asked += killed_until_done(home, f"asked-{number}", seconds, draw, how=signal.SIGTERM)
        assert books(f"asked-{number}", home) == expected
    print(f"\n{asked} requests to end in 3 runs")


@pytest.fixture
def small_disk(home):
    """Mounts a small disk in memory where runs go to, and makes it larger."""
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
    _, said = process.communicate()
    assert process.returncode == 2
    assert b"cannot write: No space left on device" in said
    assert b"Traceback" not in said
    generation, _ = kept(disk, "full")
    assert enlarge() == 0
    process = started(disk, "full")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert books("full", disk) == reference[0]
    print(f"\nthe disk was full after generation {generation}")


@pytest.mark.ray
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_run_on_two_workers_that_is_ended_over_and_over(home, reference, how):
    expected, seconds = reference
    draw, ends, runs = random.Random(2), 0, 0
    while ends < 5:
        runs += 1
        name = f"on-ray-{how.name}-{runs}"
        ends += killed_until_done(home, name, 2.5 * seconds, draw, workers=2, how=how)
        assert books(name, home) == expected
    print(f"\n{ends} x {how.name} in {runs} runs on two workers")
