"""The machine that a process runs on: its cores, its memory, its folders, and how memory is given
back."""

import ctypes
import os
import re
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage
from typing import Any

import torch

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")  # of Linux; what is missing tells nothing


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """The cores' worth of time that control groups grant this process, None for no limit."""
    pairs = [(*told.split(),) for told in _control("cpu.max")]
    pairs += zip(_control("cpu.cfs_quota_us"), _control("cpu.cfs_period_us"), strict=True)
    granted = (int(quota) / int(period) for quota, period in pairs if quota not in ("max", "-1"))
    return min(granted, default=None)


def total_memory() -> int:
    """Bytes of physical memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def available_memory() -> int | None:
    """Bytes of memory to be had without swapping, None where the kernel does not tell."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(PROC / "meminfo"), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def memory_limit() -> int | None:
    """Bytes of memory that control groups grant this process, None where the machine has less."""
    told = (*_control("memory.max"), *_control("memory.limit_in_bytes"))
    least = min((int(limit) for limit in told if limit != "max"), default=total_memory())
    return least if least < total_memory() else None


def in_memory(folder: Path) -> bool:
    """Whether what is written into a folder stays in memory; False where the kernel does not
    tell."""
    device = folder.stat().st_dev
    for mount in map(str.split, _text(PROC / "self/mountinfo").splitlines()):
        if mount[2] == f"{os.major(device)}:{os.minor(device)}":
            return mount[mount.index("-") + 1] in ("tmpfs", "ramfs")
    return False


def room(folder: Path) -> int:
    """Bytes free on the disk of a folder, which may be yet to be made; `OSError` where nothing
    can be written there."""
    whole = folder.absolute()
    there = next(path for path in (whole, *whole.parents) if os.path.lexists(path))
    with tempfile.TemporaryFile(dir=there) as file:
        file.write(b"0")
        file.flush()
    return disk_usage(there).free


def resident() -> int:
    """Bytes of physical memory that this process takes; at its highest where only that is known."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return most_resident()


def most_resident() -> int:
    """Bytes of physical memory that this process took at its highest."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def out_of_memory(error: Exception) -> bool:
    """Whether an error says that memory could not be had: torch has several ways to."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


def trim() -> None:
    """Give freed memory back: glibc would keep the pages of every network's tensors."""
    function = _of_allocator("malloc_trim")
    if function is not None:
        function(0)


def keep_pages() -> None:
    """Let glibc use freed memory again: by default it asks the kernel anew for every tensor beyond
    a few hundred kilobytes, whose pages then cost more than the arithmetic on them."""
    option = _of_allocator("mallopt")
    if option is not None:
        option(-3, 1 << 30)  # M_MMAP_THRESHOLD
        option(-1, 1 << 30)  # M_TRIM_THRESHOLD


def _of_allocator(name: str) -> Any:
    """A function of the C library, None where there is no such one."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def _control(name: str) -> Iterator[str]:
    """What a file says of every control group that this process is in, its own first."""
    for line in _text(PROC / "self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)  # the second version has no controllers here
        root = CGROUPS / controllers
        own = root / group.strip("/")
        for folder in (own, *own.parents):
            if folder.is_relative_to(root) and (said := _text(folder / name).strip()):
                yield said


def _text(path: Path) -> str:
    """The content of a file, "" where there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
