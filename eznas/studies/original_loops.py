"""The original way to score formulas: every formula alone, network by network, layer by layer.

What EZNAS (Akhauri et al., 2022) did, on our words: the yardstick of `eznas benchmark`, and an
independent reading of what a formula means.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from eznas.evaluation.values import applied
from eznas.formulas.expression import Expression
from eznas.primitives import CONSTANT, PRIMITIVES
from eznas.primitives.types import AXES
from eznas.statistics.measuring import MeasuredNetwork


@dataclass(frozen=True)
class NetworkTensors:
    """One network's tensors, row by row: `tensors[statistic]` in the order of its axis, None where
    absent; `live[axis]`: whether each row is."""

    tensors: dict[str, list[Tensor | None]]
    live: dict[str, list[bool]]

    @staticmethod
    def of(measured: MeasuredNetwork) -> "NetworkTensors":
        """What was measured."""
        rows = {axis: measured.structure.along(axis) for axis in AXES[:-1]}
        return NetworkTensors(
            measured.tensors, {a: [alive for _, alive in own] for a, own in rows.items()}
        )


def score(formula: Expression, network: NetworkTensors) -> float:
    """The value of a formula on a network; NaN where it does not apply."""
    found = _of_network(formula, network)
    return float("nan") if found is None else float(found)


@contextmanager
def on_disk(networks: Sequence[NetworkTensors]) -> Iterator[list[Path]]:
    """A file for each network while the context lasts, read once so that the page cache is warm."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.pt") for i in range(len(networks))]
        for path, network in zip(paths, networks, strict=True):
            torch.save({"tensors": network.tensors, "live": network.live}, path)
            loaded(path)
        yield paths


def loaded(path: Path) -> NetworkTensors:
    """A network's tensors from its file."""
    return NetworkTensors(**torch.load(path, weights_only=True))


def _of_network(node: Expression, network: NetworkTensors) -> Tensor | None:
    """[1, ...] in float64, None where it does not apply."""
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    if not node.arguments:
        [found] = network.tensors[node.name]
        return None if found is None else found[None]
    word = PRIMITIVES[node.name]
    if not word.aggregation:
        return applied(node.name, [_of_network(a, network) for a in node.arguments])
    live = network.live[node.arguments[0].type.axis]
    columns: list[list[Tensor]] = [[] for _ in node.arguments]
    for row, alive in enumerate(live):
        if word.live and not alive:
            continue
        values = [_of_row(a, network, row) for a in node.arguments]
        present = [v for v in values if v is not None]
        if len(present) == len(values):
            for column, value in zip(columns, present, strict=True):
                column.append(value[0].double())
    if not columns[0]:
        return None
    mask = torch.ones((1, len(columns[0])), dtype=torch.bool, device=columns[0][0].device)
    return word.function(*(torch.stack(c)[None] for c in columns), mask)


def _of_row(node: Expression, network: NetworkTensors, row: int) -> Tensor | None:
    """[1, ...], None where it does not apply."""
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    if not node.arguments:
        found = network.tensors[node.name][row]
        return None if found is None else found[None]
    if node.type == CONSTANT:
        return _of_network(node, network)
    return applied(node.name, [_of_row(a, network, row) for a in node.arguments])
