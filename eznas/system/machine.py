"""The machine that a process runs on: cores, memory, free space, and how to return memory."""

import ctypes
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage
from typing import Any

import psutil
import torch

# Control groups, of Linux; where a file is missing, no limit is known.
OWN_GROUPS, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """The processor time that control groups grant this process, in cores; None for no limit."""
    pairs = [(*line.split(),) for line in _control_groups("cpu.max")]
    quotas, periods = _control_groups("cpu.cfs_quota_us"), _control_groups("cpu.cfs_period_us")
    pairs += zip(quotas, periods, strict=True)
    cores = (int(quota) / int(period) for quota, period in pairs if quota not in ("max", "-1"))
    return min(cores, default=None)


def total_memory() -> int:
    """Bytes of physical memory of the machine."""
    return int(psutil.virtual_memory().total)


def available_memory() -> int:
    """Bytes of memory that can be used without swapping."""
    return int(psutil.virtual_memory().available)


def memory_limit() -> int | None:
    """Bytes of memory that control groups grant this process, None for no limit below the memory
    of the machine."""
    limits = (*_control_groups("memory.max"), *_control_groups("memory.limit_in_bytes"))
    least = min((int(limit) for limit in limits if limit != "max"), default=total_memory())
    return least if least < total_memory() else None


def in_memory(folder: Path) -> bool:
    """Whether files in a folder are held in memory (tmpfs).

    Raises `OSError` if there is no such folder.
    """
    path = folder.resolve(strict=True)
    file_systems = {mount.mountpoint: mount.fstype for mount in psutil.disk_partitions(all=True)}
    mounted = (file_systems.get(str(parent)) for parent in (path, *path.parents))
    return next(filter(None, mounted), "") in ("tmpfs", "ramfs")


def free_space(folder: Path) -> int:
    """Free bytes on the disk of a folder, or of the nearest folder above it that exists.

    Raises `OSError` if nothing can be written there.
    """
    path = folder.absolute()
    existing = next(parent for parent in (path, *path.parents) if os.path.lexists(parent))
    with tempfile.TemporaryFile(dir=existing) as file:
        file.write(b"0")
        file.flush()
    return disk_usage(existing).free


def resident() -> int:
    """Bytes of physical memory that this process uses."""
    return int(psutil.Process().memory_info().rss)


def most_resident() -> int:
    """The most bytes of physical memory that this process has used at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def out_of_memory(error: Exception) -> bool:
    """Whether an error means that memory ran out: torch has several errors for it."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


def trim() -> None:
    """Return freed memory to the system: glibc would keep the pages of every network's tensors."""
    malloc_trim = _c_function("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def keep_pages() -> None:
    """Let glibc reuse freed memory. By default it asks the kernel for new pages for every tensor
    beyond a few hundred kilobytes, and these cost more time than the arithmetic on them."""
    mallopt = _c_function("mallopt")
    if mallopt is not None:
        mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def _c_function(name: str) -> Any:
    """A function of the C library; None if it has none of this name, and outside Linux."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def _control_groups(name: str) -> Iterator[str]:
    """The content of a file of each control group that this process is in, the innermost first."""
    for line in _read(OWN_GROUPS).splitlines():
        _, controllers, group = line.split(":", 2)  # version 2 leaves the controllers empty
        root = GROUPS / controllers
        innermost = root / group.strip("/")
        for folder in (innermost, *innermost.parents):
            if folder.is_relative_to(root) and (content := _read(folder / name).strip()):
                yield content


def _read(path: Path) -> str:
    """The content of a file, "" if there is none."""
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
