"""The bank: the measured tensors of a shard's networks, with layers of one signature stacked.

The rows (layers, activations, ... of all networks of the shard) are divided into groups of one
signature; a statistic holds one stacked tensor per group, or None for a group without that site.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eznas.primitives.types import AXES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.measuring import MeasuredNetwork
from eznas.statistics.statistic import Statistic

Blocks = list[Tensor | None]  # one per group of the axis


@dataclass(frozen=True)
class Axis:
    """The rows of a bank along one axis, in groups.

    `networks` and `positions`: per group, the network of each row and its position in depth order,
    int64 [rows]; `extents`: per group, the units of the largest shape in its signature; `live`:
    bool [networks, positions], False beyond a network's last row.
    """

    networks: list[Tensor]
    positions: list[Tensor]
    extents: list[int]
    live: Tensor

    @staticmethod
    def of(rows: Sequence[Sequence[tuple[Hashable, bool]]]) -> "Axis":
        """The axis over the rows of each network: (signature, live), in depth order."""
        groups: dict[Hashable, list[tuple[int, int]]] = {}
        live = torch.zeros(len(rows), max([1, *map(len, rows)]), dtype=torch.bool)
        for network, network_rows in enumerate(rows):
            for position, (signature, is_live) in enumerate(network_rows):
                groups.setdefault(signature, []).append((network, position))
                live[network, position] = is_live
        indices = [torch.tensor(pairs).T for pairs in groups.values()]
        networks, positions = [i[0] for i in indices], [i[1] for i in indices]
        return Axis(networks, positions, [*map(_extent, groups)], live)

    def to(self, device: str) -> "Axis":
        """The axis on another device."""
        networks, positions = ([i.to(device) for i in g] for g in (self.networks, self.positions))
        return Axis(networks, positions, self.extents, self.live.to(device))

    def stack(self, tensors: Sequence[Sequence[Tensor | None]]) -> Blocks:
        """The tensors `[network][position]`, all of one shape in a group, as one tensor for each
        group, [rows, ...]; None where the group has no such site."""
        return [
            _stacked([tensors[n][p] for n, p in zip(i.tolist(), j.tolist(), strict=True)])
            for i, j in zip(self.networks, self.positions, strict=True)
        ]


@dataclass(frozen=True)
class Bank:
    """The measured statistics of a few networks: `blocks[statistic][group]`, [rows, ...] each.

    Network-level statistics have one group, [networks, ...], with zeros for a network that lacks
    the statistic; `present[statistic]`, bool [networks], says which have it. `reached` and
    `blind`, bool [networks]: see `Structure`.
    """

    networks: int
    axes: dict[str, Axis]
    blocks: dict[str, Blocks]
    present: dict[str, Tensor]
    reached: Tensor
    blind: Tensor

    def with_statistics_of(self, other: "Bank") -> "Bank":
        """The bank with the statistics of another measurement of the same networks added."""
        return replace(
            self, blocks=self.blocks | other.blocks, present=self.present | other.present
        )

    def nbytes(self, statistics: Collection[str] | None = None) -> int:
        """Bytes of the tensors of these statistics (None: of all)."""
        names = [n for n in self.blocks if statistics is None or n in statistics]
        return sum(b.nbytes for name in names for b in self.blocks[name] if b is not None)

    def restricted_to(self, statistics: Collection[str]) -> "Bank":
        """The bank without the tensors of all other statistics."""
        return replace(self, blocks={n: b for n, b in self.blocks.items() if n in statistics})


def stack(networks: Sequence[MeasuredNetwork], device: str = "cpu") -> Bank:
    """The bank of one or more networks that were measured for the same statistics.

    The tensors are taken out of `networks`: there is no room for both.
    """
    structures = [network.structure for network in networks]
    axes = {axis: Axis.of([s.along(axis) for s in structures]) for axis in AXES[:-1]}
    on_device = {name: axis.to(device) for name, axis in axes.items()}
    reached, blind = (
        torch.tensor([getattr(structure, name) for structure in structures], device=device)
        for name in ("reached", "blind")
    )
    bank = Bank(len(networks), on_device, {}, {}, reached, blind)
    for name in [*networks[0].tensors]:
        tensors = [
            [None if t is None else t.to(device) for t in network.tensors.pop(name)]
            for network in networks
        ]
        _add(bank, CATALOGUE[name], tensors, axes)
    return bank


def _add(
    bank: Bank, statistic: Statistic, tensors: list[list[Tensor | None]], axes: dict[str, Axis]
) -> None:
    if statistic.type.axis != "networks":
        bank.blocks[statistic.name] = axes[statistic.type.axis].stack(tensors)
        return
    by_network = [rows[0] for rows in tensors]
    like = next((t for t in by_network if t is not None), torch.zeros((1, 1)))
    filled = [torch.zeros_like(like) if t is None else t for t in by_network]
    bank.blocks[statistic.name] = [torch.stack(filled)]
    present = torch.tensor([t is not None for t in by_network], device=like.device)
    bank.present[statistic.name] = present


def _extent(signature: Hashable) -> int:
    """The largest product of numbers in a tuple of shapes."""
    shapes = [s for s in signature if isinstance(s, tuple)] if isinstance(signature, tuple) else []
    return max([1, *(math.prod(map(int, s)) for s in shapes)])


def _stacked(tensors: list[Tensor | None]) -> Tensor | None:
    present = [t for t in tensors if t is not None]
    return torch.stack(present) if len(present) == len(tensors) else None
