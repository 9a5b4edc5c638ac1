"""The books of a run: whatever ends a process at whatever moment, the run goes on to the same end.

Searches here are on made-up measures; `test_crash.py` kills real ones.
"""

import json
import os
import random
import subprocess
import sys
from dataclasses import asdict

import pytest
from eznas.discovery.folder import RunFolder

from eznas.discovery.checkpoint import LOGS, PREVIOUS, STATE, Checkpoints
from eznas.discovery.config import Config
from eznas.errors import InputError
from eznas.system import files
from tests.evolution import made_up

SEARCH = {"generations": 2, "population": 8, "offspring": 8, "start": 8, "networks": 16}
BOOKS = (*LOGS, "archive.json", STATE, PREVIOUS)


class Crash(BaseException):
    """What nothing catches."""


def begun(root):
    """A new run folder."""
    folder = RunFolder.create("mine", "stem", root)
    folder.write("config.json", Config().model_dump())
    return folder


def go_on(folder, previous=False):
    """Search from where the books say, to the end."""
    with Checkpoints(folder) as books:
        saved = books.restore(previous)
        engine = made_up.engine(1, **SEARCH)
        if saved is not None:
            engine.resume(saved.search)
        for report in engine.run():
            lines = {LOGS[0]: asdict(report), LOGS[1]: {"generation": report.generation}}
            archive = [e.as_dict() for e in engine.archive.ranked()]
            bounds = {"last": SEARCH["generations"], "held": True}
            books.keep(lines, archive, engine.state(), seconds=report.generation, **bounds)


def content(folder):
    """The books byte by byte."""
    return {name: (folder.path / name).read_bytes() for name in BOOKS}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = begun(tmp_path_factory.mktemp("whole") / "runs")
    go_on(folder)
    return folder


@pytest.fixture
def copy(whole, tmp_path):
    """Another of the same."""
    folder = begun(tmp_path / "runs")
    for name, data in content(whole).items():
        (folder.path / name).write_bytes(data)
    return folder


class Fails:
    """In place of a function: does as it should until the call at which it fails."""

    def __init__(self, real, at, error):
        self.real, self.left, self.error = real, at, error

    def __call__(self, *arguments):
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.real(*arguments)


def calls(function, tmp_path):
    """How often a whole search calls a function of `os`."""
    counted, folder = Fails(getattr(os, function), -1, Crash()), begun(tmp_path / "counted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, function, counted)
        go_on(folder)
    return -1 - counted.left


@pytest.mark.parametrize(
    ("function", "error"),
    [
        ("fsync", Crash()),
        ("replace", Crash()),
        ("fsync", OSError(28, "No space left on device")),
    ],
)
def test_whatever_write_fails_the_run_goes_on_to_the_same_end(
    whole, tmp_path, monkeypatch, function, error
):
    for at in range(1, calls(function, tmp_path) + 1):
        folder = begun(tmp_path / f"runs-{at}")
        with monkeypatch.context() as patch:
            patch.setattr(files.os, function, Fails(getattr(os, function), at, error))
            expected = Crash if isinstance(error, Crash) else InputError
            with pytest.raises(expected) as caught:
                go_on(folder)
            if expected is InputError:
                assert str(folder.path) in str(caught.value)
                assert "cannot write: No space left" in str(caught.value)
        state = folder.path / STATE
        kept = json.loads(state.read_bytes().splitlines()[1]) if state.exists() else None
        done = -1 if kept is None else kept["search"]["generation"]
        journal = folder.path / LOGS[0]
        lines = len(journal.read_bytes().splitlines()) if journal.exists() else 0
        assert done + 1 <= lines <= done + 2  # the generation in flight, at most
        go_on(folder)
        assert content(folder) == content(whole)


def test_half_a_line_is_cut_off(whole, copy):
    whole_books = content(whole)
    with (copy.path / LOGS[0]).open("ab") as file:
        file.write(b'{"generation": 3, "netw')
    for name in (STATE, PREVIOUS):
        (copy.path / name).write_bytes(whole_books[PREVIOUS])
    go_on(copy)
    assert content(copy) == whole_books


def test_the_previous_state_leads_to_the_same_end(whole, copy):
    go_on(copy, previous=True)
    assert content(copy) == content(whole)


@pytest.mark.parametrize("name", [STATE, *LOGS, "config.json"])
def test_a_bit_that_flips_is_noticed(copy, name):
    path, draw = copy.path / name, random.Random(0)
    good = path.read_bytes()
    for _ in range(100):
        data = bytearray(good)
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        with pytest.raises(InputError) as caught, Checkpoints(copy) as books:
            books.restore()
        assert str(path) in str(caught.value)
        assert str(caught.value).isprintable()
    path.write_bytes(good)
    with Checkpoints(copy) as books:
        assert books.restore().search.generation == SEARCH["generations"]


@pytest.mark.parametrize("name", [STATE, *LOGS])
def test_a_file_that_was_cut_short_is_noticed(copy, name):
    path = copy.path / name
    good = path.read_bytes()
    for keep in (0, 1, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:keep])
        with pytest.raises(InputError, match="damaged") as caught, Checkpoints(copy) as books:
            books.restore()
        assert str(path) in str(caught.value)


def test_a_state_that_is_damaged_or_gone_offers_the_one_before(copy):
    for harm in (lambda p: p.write_bytes(b"?"), lambda p: p.unlink()):
        harm(copy.path / STATE)
        with (
            pytest.raises(
                InputError, match=r"`eznas resume mine --previous` goes on from generation 1$"
            ),
            Checkpoints(copy) as books,
        ):
            books.restore()
    (copy.path / PREVIOUS).write_bytes(b"?")
    with (
        pytest.raises(InputError, match="no older state to go on from"),
        Checkpoints(copy) as books,
    ):
        books.restore()


def test_a_state_of_another_form_is_refused(copy):
    saved = json.loads((copy.path / STATE).read_bytes().splitlines()[1])
    for change, where in (
        ({"format": 2}, "format"),
        ({"seconds": -1}, "seconds"),
        ({"extra": 1}, "extra"),
        ({"logs": {}}, "logs"),
        ({"logs": {"other": {"bytes": 0, "sha256": ""}} | saved["logs"]}, "logs.other"),
        ({"begun": {}}, "begun"),
        ({"search": saved["search"] | {"archive": []}}, "search.archive"),
        ({"search": saved["search"] | {"refused": {"params": "x"}}}, "search.refused.params"),
        ({"search": saved["search"] | {"random": [3, [1] * 624, None]}}, "search.random"),
        ({"search": saved["search"] | {"random": [3, [-1] * 625, None]}}, "search.random"),
    ):
        files.write_sealed(copy.path / STATE, json.dumps(saved | change).encode())
        with pytest.raises(InputError, match=rf"state\.json: {where}"), Checkpoints(copy) as books:
            books.restore()


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(copy):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from eznas.discovery.checkpoint import Checkpoints\n"
        "from eznas.discovery.folder import RunFolder\n"
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


def test_a_state_says_what_the_search_held(whole):
    """What is read is what was written, and what is written again is the same."""
    with Checkpoints(whole) as books:
        saved = books.restore()
    engine = made_up.engine(1, **SEARCH)
    engine.resume(saved.search)
    assert engine.state() == saved.search


def test_a_run_without_its_state_is_not_begun_anew(copy):
    for name in (STATE, PREVIOUS):
        (copy.path / name).unlink()
    with pytest.raises(InputError, match=r"state\.json: not there"), Checkpoints(copy) as books:
        books.restore()
    (copy.path / LOGS[0]).write_bytes(b"{}\n")
    with Checkpoints(copy) as books:
        assert books.restore() is None
    copy.write("result.json", {})
    with pytest.raises(InputError, match=r"state\.json: not there"), Checkpoints(copy) as books:
        books.restore()


def test_what_a_killed_process_left_half_written_is_removed(copy):
    (copy.path / ".state.json.17.partial").write_bytes(b"{")
    with Checkpoints(copy):
        assert not list(copy.path.glob(".*"))


def test_a_state_that_could_not_be_written_is_none(tmp_path, monkeypatch):
    """A request to end while the first state is written: there is nothing yet to go on from."""
    folder = begun(tmp_path / "runs")
    seen = []

    def interrupted(path, content):
        raise KeyboardInterrupt

    monkeypatch.setattr("eznas.discovery.checkpoint.write_sealed", interrupted)
    keep = Checkpoints.keep

    def spied(self, *arguments, **more):
        try:
            keep(self, *arguments, **more)
        finally:
            seen.append(self.kept)

    monkeypatch.setattr(Checkpoints, "keep", spied)
    with pytest.raises(KeyboardInterrupt):
        go_on(folder)
    assert seen == [False]
