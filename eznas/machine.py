"""The machine that a process runs on: its cores, its memory, and how memory is given back."""

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Any


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resident() -> int:
    """Bytes of physical memory that this process takes; at its highest where only that is known."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return most_resident()


def most_resident() -> int:
    """Bytes of physical memory that this process took at its highest."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


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
