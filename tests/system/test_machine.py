"""Limits of the machine, read from files of the kernel that are made up here."""

import os
import sys

import pytest

from eznas.system import machine

OTHERS = "9:name=systemd:/\n0::/\n"
FIRST = f"4:memory:/jobs/one\n2:cpu,cpuacct:/jobs/one\n{OTHERS}"  # version of control groups
SECOND = "0::/jobs/one\n"
ELSEWHERE = "4:memory:/docker/1234\n2:cpu,cpuacct:/docker/1234\n0::/docker/1234\n"


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """Writes made-up files of the kernel, which replace all real ones."""
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(machine, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "total_memory", lambda: 8000)

    def write(**files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


def test_without_files_of_the_kernel_there_is_no_limit(kernel, tmp_path):
    assert machine.cpu_quota() is None
    assert machine.memory_limit() is None
    assert machine.available_memory() is None
    assert not machine.in_memory(tmp_path)


def test_available_memory(kernel):
    kernel(
        **{"proc/meminfo": "MemTotal:       900 kB\nMemFree:     5 kB\nMemAvailable:    700 kB\n"}
    )
    assert machine.available_memory() == 700 * 1024


@pytest.mark.parametrize(
    ("groups", "files", "limit"),
    [
        (SECOND, {"jobs/one/memory.max": "max\n"}, None),
        (SECOND, {"jobs/one/memory.max": "3000\n"}, 3000),
        (SECOND, {"jobs/one/memory.max": "3000\n", "jobs/memory.max": "2000\n"}, 2000),
        (SECOND, {"jobs/one/memory.max": "9000\n"}, None),  # more than there is
        (SECOND, {"jobs/two/memory.max": "1000\n"}, None),
        (FIRST, {"memory/jobs/one/memory.limit_in_bytes": "3000\n"}, 3000),
        (FIRST, {"memory/jobs/one/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        (ELSEWHERE, {"memory/memory.limit_in_bytes": "3000\n"}, 3000),  # of a container
        (ELSEWHERE, {"memory.max": "3000\n"}, 3000),
    ],
)
def test_memory_limit(kernel, groups, files, limit):
    kernel(**{"proc/self/cgroup": groups}, **{f"cgroup/{f}": text for f, text in files.items()})
    assert machine.memory_limit() == limit


@pytest.mark.parametrize(
    ("groups", "files", "quota"),
    [
        (SECOND, {"jobs/one/cpu.max": "max 100000\n"}, None),
        (SECOND, {"jobs/one/cpu.max": "250000 100000\n", "jobs/cpu.max": "max 100000\n"}, 2.5),
        (
            FIRST,
            {
                "cpu,cpuacct/jobs/one/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/jobs/one/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/jobs/cpu.cfs_quota_us": "50000\n",
                "cpu,cpuacct/jobs/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
    ],
)
def test_cpu_quota(kernel, groups, files, quota):
    kernel(**{"proc/self/cgroup": groups}, **{f"cgroup/{f}": text for f, text in files.items()})
    assert machine.cpu_quota() == quota


@pytest.mark.parametrize(
    ("file_system", "in_memory"), [("tmpfs", True), ("ramfs", True), ("ext4", False)]
)
def test_in_memory(kernel, tmp_path, file_system, in_memory):
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    mounts = [
        "22 27 0:999999 / /proc rw - proc proc rw",
        f"25 24 {number} / /with\\040blank rw,relatime shared:1 - {file_system} {file_system} rw",
    ]
    kernel(**{"proc/self/mountinfo": "\n".join(mounts) + "\n"})
    assert machine.in_memory(tmp_path) is in_memory


@pytest.mark.skipif(sys.platform != "linux", reason="reads files of Linux")
def test_this_machine():
    available, total = machine.available_memory(), machine.total_memory()
    assert 0 < machine.resident() < available <= total
    assert machine.memory_limit() is None or 0 < machine.memory_limit() < total
    assert machine.cpu_quota() is None or machine.cpu_quota() > 0


def test_free_space_of_a_folder_or_of_where_it_would_be(tmp_path, monkeypatch):
    assert machine.free_space(tmp_path) > 0
    assert machine.free_space(tmp_path / "new" / "folder") > 0
    monkeypatch.chdir(tmp_path)
    assert machine.free_space(machine.Path("runs")) > 0
    assert not list(tmp_path.iterdir())


def test_free_space_of_a_path_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    for name in ("file", "file/folder", "nowhere"):
        with pytest.raises(OSError, match="directory"):
            machine.free_space(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_free_space_where_writing_is_forbidden(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        machine.free_space(tmp_path / "runs")
