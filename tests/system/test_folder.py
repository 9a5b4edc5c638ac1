"""Run folders: never overwritten, readable at every moment, and after a kill too."""

import json
import math
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.proxies.loading import load
from eznas.system import files
from eznas.system.folder import RunFolder, is_run, run_names


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def run(root):
    return RunFolder.create("mine", "stem", root)


def test_a_folder_is_made_under_the_name(root, run):
    assert run.path == root / "mine"
    assert run.path.is_dir()


def test_without_a_name_the_first_free_number(root):
    names = [RunFolder.create(None, "space-seed1", root).name for _ in range(3)]
    assert names == ["space-seed1-1", "space-seed1-2", "space-seed1-3"]
    assert RunFolder.create(None, "space-seed2", root).name == "space-seed2-1"


def test_nothing_is_overwritten(root, run):
    run.write("config.json", {"seed": 1})
    with pytest.raises(InputError, match=r"run 'mine' exists already in .*choose another name"):
        RunFolder.create("mine", "stem", root)
    assert run.read("config.json") == {"seed": 1}


def test_a_run_that_was_killed_as_it_began_leaves_its_name(root, run):
    run.write("environment.json", {})
    (run.path / ".config.json.17.partial").write_text("{")
    assert RunFolder.create("mine", "stem", root).path == run.path
    (run.path / "mine.txt").write_text("")
    with pytest.raises(InputError, match="exists already"):
        RunFolder.create("mine", "stem", root)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "-a", ".a", "a b", "a#1", "a\n"])
def test_what_is_no_name_for_a_folder_is_refused(root, name):
    with pytest.raises(InputError, match="expected up to 100 letters"):
        RunFolder.create(name, "stem", root)
    assert not root.exists()


def test_a_name_has_at_most_100_characters(root):
    RunFolder.create("a" * 100, "stem", root)
    with pytest.raises(InputError):
        RunFolder.create("a" * 101, "stem", root)


def test_a_root_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", tmp_path / "nowhere" / "runs"):
        for name in ("mine", None):
            with pytest.raises(InputError, match=r"runs folder .*(file|nowhere)"):
                RunFolder.create(name, "stem", root)


def test_runs_are_found_by_name_and_by_path(root, run):
    run.write("config.json", {})
    assert RunFolder.find("mine", root).path == run.path
    assert RunFolder.find(str(run.path)).path == run.path


def test_an_unknown_run_names_the_nearest(root, run):
    run.write("config.json", {})
    with pytest.raises(InputError, match="unknown run 'mime'; did you mean 'mine'"):
        RunFolder.find("mime", root)


def test_the_names_of_all_runs(root, run):
    assert run_names(root) == []
    for name in ("second", "first"):
        RunFolder.create(name, "stem", root).write("config.json", {})
    assert run_names(root) == ["first", "second"]
    assert [is_run(name, root) for name in ("first", "mine", "a" * 5000)] == [True, False, False]


@pytest.mark.parametrize("name", ["naswot", "mine.json"])
def test_a_name_that_a_proxy_or_a_file_could_have_is_refused(root, name):
    with pytest.raises(InputError, match=f"run name '{name}': expected no name of a proxy"):
        RunFolder.create(name, "stem", root, reserved=("naswot",))
    assert not root.exists()


def test_a_folder_without_a_configuration_is_no_run(root, run):
    with pytest.raises(InputError, match="unknown run 'mine'"):
        RunFolder.find("mine", root)


def test_files_come_back_as_written(run):
    content = {"name": "ü", "values": [1, 2.5, None, True], "inner": {"a": []}}
    run.write("checkpoint.json", content)
    assert run.read("checkpoint.json") == content
    run.write("checkpoint.json", [1])
    assert run.read("checkpoint.json") == [1]
    assert [p.name for p in run.path.iterdir()] == ["checkpoint.json"]


def test_a_write_that_fails_leaves_what_was_there(run, monkeypatch):
    run.write("checkpoint.json", {"old": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match=r"checkpoint\.json: cannot write: No space left"):
        run.write("checkpoint.json", {"new": 2})
    monkeypatch.undo()
    assert run.read("checkpoint.json") == {"old": 1}
    assert [p.name for p in run.path.iterdir()] == ["checkpoint.json"]


def test_content_that_json_cannot_hold_leaves_what_was_there(run):
    run.write("checkpoint.json", {"old": 1})
    with pytest.raises(TypeError):
        run.write("checkpoint.json", {"new": object()})
    assert run.read("checkpoint.json") == {"old": 1}
    assert [p.name for p in run.path.iterdir()] == ["checkpoint.json"]


def test_numbers_that_are_not_finite_become_null(run):
    content = {"a": -math.inf, "b": (math.nan, [math.inf, 1.5]), 3: np.float64("nan")}
    run.write("archive.json", content)
    assert run.read("archive.json") == {"a": None, "b": [None, [None, 1.5]], "3": None}


@pytest.mark.parametrize("content", [b'{"half": ', b"", b"\xff\xfe"])
def test_a_damaged_file_is_named(run, content):
    (run.path / "archive.json").write_bytes(content)
    with pytest.raises(InputError, match=r"mine.archive\.json: damaged: "):
        run.read("archive.json")


def test_a_missing_file_is_named(run):
    with pytest.raises(InputError, match=r"mine.archive\.json: No such file"):
        run.read("archive.json")


PROGRAM = """
from eznas.discovery.config import read
from eznas.discovery.run import evolve
evolve(read(settings={
    "tasks": ("nasbench201/ImageNet16-120",),
    "statistics": ("layer_params", "params"), "seed_formulas": ("live_params",),
    "generations": 10_000, "population": 16, "offspring": 16,
    "first_networks": 8, "networks": 8, "champion_networks": 0, "evidence.networks": 8,
    "raw_batch": 2, "sketch_batch": 4,
}), name="killed", records="none")
"""


def test_a_killed_run_stays_readable(tmp_path, monkeypatch):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], cwd=tmp_path)
    folder = tmp_path / "runs" / "killed"
    deadline = time.monotonic() + 120
    try:
        while _lines(folder) < 2 and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    monkeypatch.chdir(tmp_path)
    run = RunFolder.find("killed")
    assert run.read("config.json")["evolution"]["population"] == 16
    text = (folder / "journal.jsonl").read_text()
    journal = [json.loads(line) for line in text.splitlines()]
    assert [line["generation"] for line in journal] == list(range(len(journal)))
    fittest = run.read("archive.json")["formulas"][0]  # its constants are rounded there
    # The archive is written after the line: at most one generation is missing from it.
    assert fittest["fitness"] in [line["best"]["fitness"] for line in journal[-2:]]
    assert load("killed").formula == parse(fittest["formula"])
    assert load("killed#1").formula == load("killed").formula
    assert not run.has("result.json")
    assert not run.has("champion.json")


def _lines(folder):
    """How many lines the journal in a run's folder has."""
    path = folder / "journal.jsonl"
    return path.read_text().count("\n") if path.exists() else 0
