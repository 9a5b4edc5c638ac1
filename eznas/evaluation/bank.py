"""The bank: measurements of a few networks, with layers of one signature stacked.

A shard is the unit that is built, measured and evaluated on its own. Its rows (layers,
activations, ... of all its networks) are parted into groups; a statistic holds one stacked tensor
per group, or None for a group without that site.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eznas.primitives.types import AXES
from eznas.statistics.catalogue import CATALOGUE, Statistic
from eznas.statistics.measuring import MeasuredNetwork

Blocks = list[Tensor | None]  # one per group of the axis


@dataclass(frozen=True)
class Axis:
    """Rows of a shard in groups.

    `networks` and `places`: per group, the network of each row and its place in depth order,
    int64 [rows]; `extents`: per group, the units of the largest shape in its signature; `live`:
    bool [networks, places], False beyond a network's last row.
    """

    networks: list[Tensor]
    places: list[Tensor]
    extents: list[int]
    live: Tensor

    @staticmethod
    def of(rows: Sequence[Sequence[tuple[Hashable, bool]]]) -> "Axis":
        """The axis over (signature, live) of every row of every network."""
        groups: dict[Hashable, list[tuple[int, int]]] = {}
        live = torch.zeros(len(rows), max([1, *map(len, rows)]), dtype=torch.bool)
        for network, own in enumerate(rows):
            for place, (signature, alive) in enumerate(own):
                groups.setdefault(signature, []).append((network, place))
                live[network, place] = alive
        index = [torch.tensor(pairs).T for pairs in groups.values()]
        return Axis([i[0] for i in index], [i[1] for i in index], [*map(_extent, groups)], live)

    def to(self, device: str) -> "Axis":
        """The axis on another device."""
        networks, places = ([t.to(device) for t in group] for group in (self.networks, self.places))
        return Axis(networks, places, self.extents, self.live.to(device))

    def stack(self, tensors: Sequence[Sequence[Tensor | None]]) -> Blocks:
        """Stack each group's tensors `[network][place]`; None where the group has no such site."""
        return [
            _stacked([tensors[n][p] for n, p in zip(i.tolist(), j.tolist(), strict=True)])
            for i, j in zip(self.networks, self.places, strict=True)
        ]


@dataclass(frozen=True)
class Shard:
    """The measured statistics of a few networks: `blocks[statistic][group]`.

    Network-level statistics have one group, whose rows are the `present[statistic]` networks
    (bool [networks]); the others' rows are zero.
    """

    networks: int
    axes: dict[str, Axis]
    blocks: dict[str, Blocks]
    present: dict[str, Tensor]

    def joined(self, other: "Shard") -> "Shard":
        """With the statistics of another measurement of the same networks."""
        return replace(
            self, blocks=self.blocks | other.blocks, present=self.present | other.present
        )

    def nbytes(self, statistics: Collection[str] | None = None) -> int:
        """Bytes of the tensors of these statistics (None: of all)."""
        some = (b for n, b in self.blocks.items() if statistics is None or n in statistics)
        return sum(b.nbytes for blocks in some for b in blocks if b is not None)

    def only(self, statistics: Collection[str]) -> "Shard":
        """Without the tensors of all other statistics."""
        return replace(self, blocks={k: b for k, b in self.blocks.items() if k in statistics})


def stack(
    measurements: Sequence[MeasuredNetwork], device: str = "cpu", storage: str = "single"
) -> Shard:
    """A shard from the measurements of its networks, which have the same statistics.

    The tensors are taken out of the measurements: there is no room for both. `storage`: see
    `MeasurementConfig`.
    """
    structures = [m.structure for m in measurements]
    axes = {axis: Axis.of([s.along(axis) for s in structures]) for axis in AXES[:-1]}
    shard = Shard(len(measurements), {k: a.to(device) for k, a in axes.items()}, {}, {})
    for name in [*measurements[0].tensors]:
        row, own = CATALOGUE[name], [m.tensors.pop(name) for m in measurements]
        if storage == "half" and row.type.form == "maps":
            own = [[None if t is None else t.bfloat16() for t in tensors] for tensors in own]
        _admit(shard, row, [[None if t is None else t.to(device) for t in ts] for ts in own], axes)
    return shard


def _admit(
    shard: Shard, row: Statistic, tensors: list[list[Tensor | None]], axes: dict[str, Axis]
) -> None:
    if row.type.axis != "networks":
        shard.blocks[row.name] = axes[row.type.axis].stack(tensors)
        return
    flat = [own[0] for own in tensors]
    some = next((t for t in flat if t is not None), torch.zeros((1, 1)))
    filled = [torch.zeros_like(some) if t is None else t for t in flat]
    shard.blocks[row.name] = [torch.stack(filled)]
    present = torch.tensor([t is not None for t in flat], device=some.device)
    shard.present[row.name] = present


def _extent(signature: Hashable) -> int:
    """The largest product of numbers in a tuple of shapes."""
    shapes = [s for s in signature if isinstance(s, tuple)] if isinstance(signature, tuple) else []
    return max([1, *(math.prod(map(int, s)) for s in shapes)])


def _stacked(tensors: list[Tensor | None]) -> Tensor | None:
    found = [t for t in tensors if t is not None]
    return torch.stack(found) if len(found) == len(tensors) else None
