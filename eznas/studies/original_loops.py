"""The original way to score formulas: every formula alone, network by network, layer by layer.

This is what EZNAS (Akhauri et al., 2022) does, written with our primitives: `eznas speed` compares
the engine with it, and tests use it as an independent reading of what a formula means.
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
    """One network's tensors, row by row (a row is mostly a layer).

    `tensors`: statistic -> a tensor for each row of its axis, None where the row has none; `live`:
    axis -> whether each row is live.
    """

    tensors: dict[str, list[Tensor | None]]
    live: dict[str, list[bool]]

    @staticmethod
    def of(measured: MeasuredNetwork) -> "NetworkTensors":
        """The tensors of a measured network."""
        live = {
            axis: [is_live for _, is_live in measured.structure.along(axis)] for axis in AXES[:-1]
        }
        return NetworkTensors(measured.tensors, live)


def score(formula: Expression, network: NetworkTensors) -> float:
    """The value of a formula on a network; NaN where it does not apply."""
    value = _of_network(formula, network)
    return float("nan") if value is None else float(value)


@contextmanager
def on_disk(networks: Sequence[NetworkTensors]) -> Iterator[list[Path]]:
    """Files of the networks, which exist inside the context; each is read once before, so that the
    system has it in its cache."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.pt") for i in range(len(networks))]
        for path, network in zip(paths, networks, strict=True):
            torch.save({"tensors": network.tensors, "live": network.live}, path)
            loaded(path)
        yield paths


def loaded(path: Path) -> NetworkTensors:
    """The tensors of a network from its file."""
    return NetworkTensors(**torch.load(path, weights_only=True))


def _of_network(node: Expression, network: NetworkTensors) -> Tensor | None:
    """The value at network level, [1, ...] in float64; None where the formula does not apply."""
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    if not node.arguments:
        [tensor] = network.tensors[node.name]
        return None if tensor is None else tensor[None]
    primitive = PRIMITIVES[node.name]
    if not primitive.aggregation:
        return applied(PRIMITIVES[node.name], [_of_network(a, network) for a in node.arguments])
    of_arguments: list[list[Tensor]] = [[] for _ in node.arguments]  # each over the rows
    for row, is_live in enumerate(network.live[node.arguments[0].type.axis]):
        if primitive.live and not is_live:
            continue
        values = [_of_row(a, network, row) for a in node.arguments]
        present = [v for v in values if v is not None]
        if len(present) == len(values):
            for of_argument, value in zip(of_arguments, present, strict=True):
                of_argument.append(value[0].double())
    first = of_arguments[0]
    if not first:
        return None
    mask = torch.ones((1, len(first)), dtype=torch.bool, device=first[0].device)
    return primitive(*(torch.stack(values)[None] for values in of_arguments), mask)


def _of_row(node: Expression, network: NetworkTensors, row: int) -> Tensor | None:
    """The value on one row, [1, ...]; None where the formula does not apply."""
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    if not node.arguments:
        tensor = network.tensors[node.name][row]
        return None if tensor is None else tensor[None]
    if node.type == CONSTANT:
        return _of_network(node, network)
    values = [_of_row(a, network, row) for a in node.arguments]
    has_no_zero = PRIMITIVES[node.name].absent_at_zero
    if has_no_zero and _is_zero(values[0]) and _is_silent(node, network, row):
        return None  # nothing comes of the layer
    return applied(PRIMITIVES[node.name], values)


def _is_silent(node: Expression, network: NetworkTensors, row: int) -> bool:
    """Whether a measured tensor in the expression is zero throughout on the row."""
    if node.arguments:
        return any(_is_silent(a, network, row) for a in node.arguments if a.type != CONSTANT)
    return node.value is None and _is_zero(network.tensors[node.name][row])


def _is_zero(tensor: Tensor | None) -> bool:
    return tensor is not None and not tensor.any()
