"""Checkpoints: whatever ends a process at whatever moment, the run goes on to the same end.

Searches here are on made-up features; `test_crash.py` kills real ones.
"""

import json
import os
import random
import subprocess
import sys
from dataclasses import asdict

import pytest

from eznas.discovery.checkpoint import LATEST, LOGS, PREVIOUS, Checkpoints
from eznas.discovery.config import Config
from eznas.errors import InputError
from eznas.system import files
from eznas.system.folder import RunFolder
from tests.evolution import made_up

SEARCH = {"generations": 2, "population": 8, "offspring": 8, "first_networks": 8, "networks": 16}
FILES = (*LOGS, "archive.json", LATEST, PREVIOUS)


class Crash(BaseException):
    """What nothing catches."""


def new_folder(root):
    """The folder of a run that has no generation yet."""
    folder = RunFolder.create("mine", "stem", root)
    folder.write("config.json", Config().model_dump())
    return folder


def search_on(folder, previous=False):
    """Search from the checkpoint, or from the start, to the end."""
    with Checkpoints(folder) as checkpoints:
        checkpoint = checkpoints.restore(previous)
        engine = made_up.engine(1, **SEARCH)
        if checkpoint is not None:
            engine.resume(checkpoint.search)
        for report in engine.run():
            lines = {LOGS[0]: asdict(report), LOGS[1]: {"generation": report.generation}}
            archive = [entry.as_dict() for entry in engine.archive.ranked()]
            checkpoints.save(
                lines,
                archive,
                engine.state(),
                seconds=report.generation,
                last=SEARCH["generations"],
                configured=True,
            )


def restored(folder, previous=False):
    """The checkpoint that a process would resume from."""
    with Checkpoints(folder) as checkpoints:
        return checkpoints.restore(previous)


def content(folder):
    """What a search has written, file by file, byte by byte."""
    return {name: (folder.path / name).read_bytes() for name in FILES}


def sealed_content(path):
    """What a checkpoint says, without its seal."""
    return json.loads(path.read_bytes().splitlines()[1])


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = new_folder(tmp_path_factory.mktemp("undisturbed") / "runs")
    search_on(folder)
    return folder


@pytest.fixture
def copy(undisturbed, tmp_path):
    """Another folder with the same content."""
    folder = new_folder(tmp_path / "runs")
    for name, data in content(undisturbed).items():
        (folder.path / name).write_bytes(data)
    return folder


class FailsOnce:
    """In place of a function: does as it should until the call at which it fails."""

    def __init__(self, function, failing_call, error):
        self.function, self.calls_left, self.error = function, failing_call, error

    def __call__(self, *arguments):
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.error
        return self.function(*arguments)


def count_calls(function, tmp_path):
    """How often a search from start to end calls a function of `os`."""
    counter, folder = (
        FailsOnce(getattr(os, function), -1, Crash()),
        new_folder(tmp_path / "counted"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, function, counter)
        search_on(folder)
    return -1 - counter.calls_left


@pytest.mark.parametrize("step", [3, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fsync", Crash()),
        ("replace", Crash()),
        ("fsync", OSError(28, "No space left on device")),
    ],
)
def test_whatever_write_fails_the_run_goes_on_to_the_same_end(
    undisturbed, tmp_path, monkeypatch, function, error, step
):
    """Every third by default: a generation calls fsync 8 times, so each of the 8 fails once."""
    expected_error = Crash if isinstance(error, Crash) else InputError
    for failing_call in range(1, count_calls(function, tmp_path) + 1, step):
        folder = new_folder(tmp_path / f"runs-{failing_call}")
        with monkeypatch.context() as patch:
            failing = FailsOnce(getattr(os, function), failing_call, error)
            patch.setattr(files.os, function, failing)
            with pytest.raises(expected_error) as caught:
                search_on(folder)
            if expected_error is InputError:
                assert str(folder.path) in str(caught.value)
                assert "cannot write: No space left" in str(caught.value)
        latest, journal = folder.path / LATEST, folder.path / LOGS[0]
        generation = sealed_content(latest)["search"]["generation"] if latest.exists() else -1
        lines = len(journal.read_bytes().splitlines()) if journal.exists() else 0
        assert generation + 1 <= lines <= generation + 2  # the generation in flight, at most
        search_on(folder)
        assert content(folder) == content(undisturbed)


def test_half_a_line_is_cut_off(undisturbed, copy):
    expected = content(undisturbed)
    with (copy.path / LOGS[0]).open("ab") as journal:
        journal.write(b'{"generation": 3, "netw')
    for name in (LATEST, PREVIOUS):
        (copy.path / name).write_bytes(expected[PREVIOUS])
    search_on(copy)
    assert content(copy) == expected


def test_the_previous_checkpoint_leads_to_the_same_end(undisturbed, copy):
    search_on(copy, previous=True)
    assert content(copy) == content(undisturbed)


@pytest.mark.parametrize("name", [LATEST, *LOGS, "config.json"])
def test_a_bit_that_flips_is_noticed(copy, name):
    path, draw = copy.path / name, random.Random(0)
    intact = path.read_bytes()
    for _ in range(100):
        damaged = bytearray(intact)
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(InputError) as caught:
            restored(copy)
        assert str(path) in str(caught.value)
        assert str(caught.value).isprintable()
    path.write_bytes(intact)
    assert restored(copy).search.generation == SEARCH["generations"]


@pytest.mark.parametrize("name", [LATEST, *LOGS])
def test_a_file_that_was_cut_short_is_noticed(copy, name):
    path = copy.path / name
    intact = path.read_bytes()
    for length in (0, 1, len(intact) // 2, len(intact) - 1):
        path.write_bytes(intact[:length])
        with pytest.raises(InputError, match="damaged") as caught:
            restored(copy)
        assert str(path) in str(caught.value)


def test_an_error_about_the_latest_checkpoint_offers_the_previous_one(copy):
    way_out = r"`eznas resume mine --previous` goes on from generation 1$"
    for harm in (lambda path: path.write_bytes(b"?"), lambda path: path.unlink()):
        harm(copy.path / LATEST)
        with pytest.raises(InputError, match=way_out):
            restored(copy)
    (copy.path / PREVIOUS).write_bytes(b"?")
    with pytest.raises(InputError, match="no older checkpoint to resume from"):
        restored(copy)


def test_a_checkpoint_of_another_form_is_refused(copy):
    checkpoint = sealed_content(copy.path / LATEST)
    search = checkpoint["search"]
    for change, key in (
        ({"format": 1}, "format"),
        ({"seconds": -1}, "seconds"),
        ({"extra": 1}, "extra"),
        ({"logs": {}}, "logs"),
        ({"logs": {"other": {"bytes": 0, "sha256": ""}} | checkpoint["logs"]}, "logs.other"),
        ({"fixed": {}}, "fixed"),
        ({"search": search | {"archive": []}}, "search.archive"),
        ({"search": search | {"unusable": {"params": "x"}}}, "search.unusable.params"),
        ({"search": search | {"random": [3, [1] * 624, None]}}, "search.random"),
        ({"search": search | {"random": [3, [-1] * 625, None]}}, "search.random"),
    ):
        files.write_sealed(copy.path / LATEST, json.dumps(checkpoint | change).encode())
        with pytest.raises(InputError, match=rf"checkpoint\.json: {key}"):
            restored(copy)


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(copy):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from eznas.discovery.checkpoint import Checkpoints\n"
        "from eznas.system.folder import RunFolder\n"
        "with Checkpoints(RunFolder(Path(sys.argv[1]))):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", program, str(copy.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"locked\n"
        with (
            pytest.raises(InputError, match="another process is at work on this run"),
            Checkpoints(copy),
        ):
            pass
        other.kill()
    with Checkpoints(copy):
        pass


def test_an_engine_that_resumes_has_the_state_of_the_checkpoint(undisturbed):
    """What is read is what was written, and what is written again is the same."""
    checkpoint = restored(undisturbed)
    engine = made_up.engine(1, **SEARCH)
    engine.resume(checkpoint.search)
    assert engine.state() == checkpoint.search


def test_a_run_without_its_checkpoint_does_not_start_again(copy):
    for name in (LATEST, PREVIOUS):
        (copy.path / name).unlink()
    with pytest.raises(InputError, match=r"checkpoint\.json: missing"):
        restored(copy)
    (copy.path / LOGS[0]).write_bytes(b"{}\n")
    assert restored(copy) is None
    copy.write("result.json", {})
    with pytest.raises(InputError, match=r"checkpoint\.json: missing"):
        restored(copy)


def test_what_a_killed_process_left_half_written_is_removed(copy):
    (copy.path / ".checkpoint.json.17.partial").write_bytes(b"{")
    with Checkpoints(copy):
        assert not list(copy.path.glob(".*"))


def test_a_checkpoint_that_could_not_be_written_does_not_exist(tmp_path, monkeypatch):
    """A request to end while the first one is written: there is nothing yet to resume from."""
    folder = new_folder(tmp_path / "runs")
    existed = []

    def interrupted(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("eznas.discovery.checkpoint.write_sealed", interrupted)
    save = Checkpoints.save

    def observed_save(self, *arguments, **options):
        try:
            save(self, *arguments, **options)
        finally:
            existed.append(self.exist)

    monkeypatch.setattr(Checkpoints, "save", observed_save)
    with pytest.raises(KeyboardInterrupt):
        search_on(folder)
    assert existed == [False]
