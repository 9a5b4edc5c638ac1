"""TransNAS-Bench-101's official file: validation accuracies of its two classification tasks.

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021. `transnas-bench_v10141024.pth` holds, under
`data`, the space (micro or macro), the architecture, the task and `metrics`: a metric's values,
epoch by epoch. The accuracy is the best epoch's `valid_top1`, in percent, which the authors' API
answers with unless told otherwise.
"""

from pathlib import Path
from typing import Any

import torch

from eznas.benchmarks.benchmark import Table
from eznas.errors import InputError
from eznas.spaces import Space

TASKS = ("class_object", "class_scene")
METRIC = "valid_top1"


def read(path: Path, space: Space) -> Table:
    """The table of `transnas-micro` or `transnas-macro`, whichever the space is. `InputError`
    names the file and the architecture where it is not as expected."""
    half = space.name.removeprefix("transnas-")
    content = _loaded(path)
    try:
        rows = dict(content["data"][half])
    except (LookupError, TypeError, ValueError):
        rows = {}
    if not rows:
        raise InputError(f"{path}: expected architectures under data, {half}")
    trials: dict[str, dict[str, tuple[float, ...]]] = {task: {} for task in TASKS}
    for name, row in rows.items():
        for task in TASKS:
            try:
                architecture = space.canonical(name)
                best = max(map(float, row[task]["metrics"][METRIC]))
            except InputError as error:
                raise InputError(f"{path}: {error}") from None
            except (LookupError, TypeError, ValueError, AttributeError):
                raise InputError(
                    f"{path}: {name}: expected {task}, metrics, {METRIC}: a list of numbers"
                ) from None
            if architecture in trials[task]:
                raise InputError(f"{path}: {name}: the network {architecture} once more")
            trials[task][architecture] = (best,)
    return Table(space.name, "validation", trials)


def _loaded(path: Path) -> Any:
    """What torch reads without calling anything that is not its own."""
    try:
        return torch.load(path, weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    except Exception as error:  # a damaged file may raise anything
        why = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: not readable as plain data by torch, export it as CSV instead: {why}"
        ) from None
