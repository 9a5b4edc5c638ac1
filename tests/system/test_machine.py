"""Memory and disks of this machine, and limits read from control groups that are made up here."""

import mmap
import os
import sys
import tempfile
from pathlib import Path

import pytest

from eznas.system import machine

OTHERS = "9:name=systemd:/\n0::/\n"
FIRST = f"4:memory:/jobs/one\n2:cpu,cpuacct:/jobs/one\n{OTHERS}"  # version of control groups
SECOND = "0::/jobs/one\n"
ELSEWHERE = "4:memory:/docker/1234\n2:cpu,cpuacct:/docker/1234\n0::/docker/1234\n"


@pytest.fixture
def control_groups(tmp_path, monkeypatch):
    """Writes made-up files of control groups, which replace all real ones."""
    monkeypatch.setattr(machine, "OWN_GROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "total_memory", lambda: 8000)

    def write(**files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    return write


def test_without_control_groups_there_is_no_limit(control_groups):
    assert machine.cpu_quota() is None
    assert machine.memory_limit() is None


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
def test_memory_limit(control_groups, groups, files, limit):
    control_groups(**{"own": groups}, **{f"groups/{f}": text for f, text in files.items()})
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
def test_cpu_quota(control_groups, groups, files, quota):
    control_groups(**{"own": groups}, **{f"groups/{f}": text for f, text in files.items()})
    assert machine.cpu_quota() == quota


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/shm is a tmpfs of Linux")
def test_in_memory(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert machine.in_memory(Path(folder))
        (tmp_path / "link").symlink_to(folder)
        assert machine.in_memory(tmp_path / "link")
    assert not machine.in_memory(Path("/proc"))
    with pytest.raises(FileNotFoundError):
        machine.in_memory(tmp_path / "none")


def test_this_machine():
    available, total = machine.available_memory(), machine.total_memory()
    assert 0 < machine.resident() < available <= total
    assert machine.memory_limit() is None or 0 < machine.memory_limit() < total
    assert machine.cpu_quota() is None or machine.cpu_quota() > 0


def test_resident_memory_grows_with_what_is_held():
    earlier, size = machine.resident(), 64 << 20
    with mmap.mmap(-1, size) as held:
        held.write(b"1" * size)
        assert 0.9 * size < machine.resident() - earlier < 2.5 * size


def test_free_space_of_a_folder_or_of_where_it_would_be(tmp_path, monkeypatch):
    assert machine.free_space(tmp_path) > 0
    assert machine.free_space(tmp_path / "new" / "folder") > 0
    monkeypatch.chdir(tmp_path)
    assert machine.free_space(Path("runs")) > 0
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
