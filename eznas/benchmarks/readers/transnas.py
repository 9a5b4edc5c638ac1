"""TransNAS-Bench-101's official file: validation accuracies of its two classification tasks.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021. `transnas-bench_v10141024.pth` holds nested
dicts: `data`, the space ("micro" or "macro"), the architecture, the task, `metrics`, and of each
metric a list of values, epoch by epoch. The accuracy is that of the best epoch, `valid_top1` in
percent, which is also the default of the authors' API.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from eznas.benchmarks.benchmark import Table
from eznas.benchmarks.readers.entries import Runs, collect_trials
from eznas.errors import InputError
from eznas.spaces import Space

TASKS = ("class_object", "class_scene")
METRIC = "valid_top1"
ENTRY = f"{METRIC}, a list of numbers, in the metrics of {' and '.join(TASKS)}"


def read(path: Path, space: Space) -> Table:
    """The table of `transnas-micro` or `transnas-macro`, whichever the space is.

    Validation accuracies in percent, one run of each network. `InputError` names the file and the
    architecture whose entry is not as expected, or that occurs twice.
    """
    part = space.name.removeprefix("transnas-")
    content = _load(path)
    try:
        networks = dict(content["data"][part])
    except (LookupError, TypeError, ValueError):
        networks = {}
    if not networks:
        raise InputError(f"{path}: expected architectures under data, {part}")

    def read_entry(name: str, tasks: Mapping[str, Any]) -> tuple[str, dict[str, Runs]]:
        architecture = space.canonical(name)
        return architecture, {
            task: (max(map(float, tasks[task]["metrics"][METRIC])),) for task in TASKS
        }

    trials = collect_trials(path, networks.items(), read_entry, ENTRY)
    return Table(space.name, "validation", trials)


def _load(path: Path) -> Any:
    """The content of the file; torch refuses whatever is more than tensors and plain data."""
    try:
        return torch.load(path, weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not readable as plain data by torch, export it as CSV instead: {reason}"
        ) from None
