"""`eznas doctor`: the table, remedies for what is at fault, exit codes."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eznas.benchmarks.store import FOLDER
from eznas.cli import doctor
from eznas.cli.checks import Check, check_cache_folder, check_imported_tables
from eznas.evaluation.ray_executor import ADDRESS
from eznas.system import machine
from tests.cli.calls import answer, call, listing

OK = Check("cores", "ok", "2 [of 2]")
NOTE = Check("imported tables", "note", "0 of 26", "`eznas data fetch SPACE`: " + "name, " * 40)
FAULT = Check("Ray", "fault", "no raylet", "run with --workers 1")


@pytest.mark.parametrize(
    ("checks", "code"), [([OK], 0), ([OK, NOTE], 0), ([FAULT, OK], 1), ([OK, NOTE, FAULT], 1)]
)
def test_only_a_fault_changes_the_exit_code(monkeypatch, checks, code):
    monkeypatch.setattr(doctor, "examine", lambda: checks)
    outcome = call("doctor")
    assert (outcome.code, outcome.err) == (code, "")
    assert "…" not in outcome.out
    lines = outcome.out.splitlines()
    for check in checks:
        [row] = [line for line in lines if f"│ {check.name} " in line]
        assert f" {check.state} " in row
        assert f" {check.found} " in row
        assert (f"  {check.name}: {check.remedy}" in lines) == bool(check.remedy)
    outcome = call("doctor", "--json")
    assert (outcome.code, outcome.err) == (code, "")
    assert outcome.out.count("\n") == 1
    rows = json.loads(outcome.out)["checks"]
    assert [Check(**row) for row in rows] == checks


def test_this_machine_without_a_cluster(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(ADDRESS, "127.0.0.1:1")
    outcome = call("doctor", "--json")
    assert (outcome.code, outcome.err) == (1, "")
    rows = json.loads(outcome.out)["checks"]
    assert len(rows) == 11
    assert all(list(row) == ["name", "state", "found", "remedy"] for row in rows)
    assert next(row for row in rows if row["name"] == "Ray")["state"] == "fault"
    assert listing(tmp_path) == {}


# In a mount namespace of its own, so that nobody else notices.
DAMAGE = """
set -e
mkdir temporary cache readonly
mount -t tmpfs -o size=1m shared /dev/shm
mount -t tmpfs -o size=1m temporary temporary
mount -t tmpfs -o size=1m cache cache
mount -t tmpfs -o ro readonly readonly
printf junk > cache/nasbench-macro.json.gz
cat /dev/zero > cache/zeros 2> /dev/null || true
cd readonly
exec "$@"
"""
UNSHARE = ("unshare", "--map-root-user", "--user", "--mount")


def can_mount():
    """Whether this user may mount folders of their own (containers often forbid it)."""
    return bool(shutil.which("unshare")) and not subprocess.call(
        [*UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"], stderr=subprocess.DEVNULL
    )


def test_a_damaged_machine(tmp_path):
    if not can_mount():
        pytest.skip("this user may mount nothing")
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(tmp_path / "temporary"),
        FOLDER: str(tmp_path / "cache"),
        ADDRESS: "127.0.0.1:1",
    }
    command = [sys.executable, "-m", "eznas", "doctor", "--json"]
    process = subprocess.run(
        [*UNSHARE, "sh", "-c", DAMAGE, "sh", *command],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert (process.returncode, process.stderr) == (1, "")
    checks = {row["name"]: Check(**row) for row in json.loads(process.stdout)["checks"]}
    states = {
        "shared memory": ("note", "/dev/shm: 1.0 MB, 1.0 MB free"),
        "temporary folder": ("note", f"{tmp_path}/temporary: 1.0 MB free, held in memory: "),
        "Ray": ("fault", "Ray cluster '127.0.0.1:1': cannot be reached: "),
        "imported tables": ("fault", f"{tmp_path}/cache/nasbench-macro.json.gz: damaged"),
        "runs folder": ("fault", "runs: Read-only file system"),
        "cache folder": ("fault", f"{tmp_path}/cache: No space left on device"),
    }
    for name, (state, found) in states.items():
        assert checks[name].state == state, checks[name]
        assert checks[name].found.startswith(found)
        assert checks[name].remedy


@pytest.fixture
def homeless(monkeypatch):
    """A user without an entry in the list of users, as containers have them."""

    def nobody(uid):
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    for name in (FOLDER, "HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_the_cache_folder_is_at_fault():
    check = check_cache_folder()
    assert (check.state, check.found) == ("fault", "the user has no home folder")
    assert FOLDER in check.remedy
    assert check_imported_tables().state == "note"
    outcome = call("data", "list")
    assert outcome.code == 2
    assert outcome.err == f"eznas: no home folder for data: set {FOLDER} to a folder\n"


def test_a_fault_of_our_own_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        call("doctor")


@pytest.mark.ray
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
def test_nothing_else_is_printed_where_ray_is_started():
    rows = {row["name"]: row for row in answer("doctor")["checks"]}
    assert rows["Ray"]["state"] == "ok"
    assert rows["Ray"]["found"].startswith("2 workers did tasks after ")
