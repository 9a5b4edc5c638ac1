"""NAS-Bench-101: a cell of up to 7 vertices and 9 edges, stacked nine times.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
An architecture is `BITS:OPERATIONS`: the upper triangle of the adjacency matrix row by row, and
a letter for each vertex between input and output: 3 (3x3 convolution), 1 (1x1 convolution),
m (3x3 max pooling). Vertices on no path from input to output are left out, as the authors do.
NASLib's spelling is read as well: `(...)`, the whole matrix and the number of each operation.
Functions that take an architecture raise `InputError` if it is not one.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space, shortened
from eznas.spaces.blocks import conv_norm, pooling

VERTICES, EDGES = 7, 9  # at most
OPERATIONS = ("3", "1", "m")
NASLIB = {"2": "m", "3": "1", "4": "3"}  # its numbers; 0 is the input and 1 the output
STEM, STACKS, MODULES = 128, 3, 3

Edges = frozenset[tuple[int, int]]  # (from, to), from < to


@dataclass(frozen=True)
class Cell:
    """Vertices 0 (input) to `len(operations) + 1` (output), and the edges between them."""

    edges: Edges
    operations: tuple[str, ...]

    @property
    def output(self) -> int:
        """The last vertex."""
        return len(self.operations) + 1

    def into(self, vertex: int) -> list[int]:
        """The vertices with an edge to this one, ascending."""
        return sorted(a for a, b in self.edges if b == vertex)

    def out_of(self, vertex: int) -> list[int]:
        """The vertices that this one has an edge to, ascending."""
        return sorted(b for a, b in self.edges if a == vertex)


def cell(architecture: str) -> Cell:
    """The pruned cell of an architecture."""
    if architecture.lstrip().startswith("("):
        return _from_naslib(architecture)
    bits, colon, letters = architecture.strip().partition(":")
    count = len(letters) + 2
    pairs = list(itertools.combinations(range(count), 2))
    lengths_fit = colon and count <= VERTICES and len(bits) == len(pairs)
    if not lengths_fit or not set(bits) <= {"0", "1"} or not set(letters) <= set(OPERATIONS):
        raise _complaint(architecture, "expected BITS:OPERATIONS, as in 110101:3m")
    edges = frozenset(pair for pair, bit in zip(pairs, bits, strict=True) if bit == "1")
    return pruned(edges, letters, architecture)


def _from_naslib(architecture: str) -> Cell:
    """The pruned cell of 49 bits, the matrix row by row, and 7 numbers of operations."""
    numbers = [number.strip() for number in architecture.strip().strip("()").split(",")]
    bits, operations = numbers[: VERTICES**2], numbers[VERTICES**2 :]
    edges = [divmod(index, VERTICES) for index, bit in enumerate(bits) if bit != "0"]
    inner = operations[1:-1]
    is_valid = (
        len(operations) == VERTICES
        and set(bits) <= {"0", "1"}
        and (operations[0], operations[-1]) == ("0", "1")
        and set(inner) <= NASLIB.keys()
        and all(a < b for a, b in edges)
    )
    if not is_valid:
        raise _complaint(
            architecture,
            f"expected {VERTICES**2} bits of edges that ascend, and {VERTICES} numbers of "
            "operations: 0 first, 1 last, and each of the others 2, 3 or 4",
        )
    return pruned(edges, [NASLIB[number] for number in inner], architecture)


def pruned(edges: Iterable[tuple[int, int]], operations: Sequence[str], architecture: str) -> Cell:
    """The cell without the vertices on no path from input to output.

    Raises `InputError`, which quotes `architecture`, if there is no such path or more than 9 edges
    remain.
    """
    edges, output = set(edges), len(operations) + 1
    reached, reaching = {0}, {output}
    for a, b in sorted(edges):  # by source: all edges to a vertex come before those from it
        if a in reached:
            reached.add(b)
    for a, b in sorted(edges, reverse=True):
        if b in reaching:
            reaching.add(a)
    if output not in reached:
        raise _complaint(architecture, "no path from input to output")
    live = sorted(reached & reaching)
    index = {vertex: i for i, vertex in enumerate(live)}
    live_edges = frozenset((index[a], index[b]) for a, b in edges if a in index and b in index)
    if len(live_edges) > EDGES:
        raise _complaint(architecture, f"{len(live_edges)} edges, expected at most {EDGES}")
    return Cell(live_edges, tuple(operations[v - 1] for v in live[1:-1]))


def spelled(pruned_cell: Cell) -> str:
    """The architecture of a pruned cell."""
    pairs = itertools.combinations(range(pruned_cell.output + 1), 2)
    bits = "".join("1" if pair in pruned_cell.edges else "0" for pair in pairs)
    return f"{bits}:{''.join(pruned_cell.operations)}"


def choices(architecture: str) -> tuple[str, ...]:
    """The 21 bits and 5 letters of the cell, padded to 7 vertices with some that have no edges."""
    pruned_cell = cell(architecture)
    missing = VERTICES - 1 - pruned_cell.output
    edges = {(a, b + missing if b == pruned_cell.output else b) for a, b in pruned_cell.edges}
    bits = ("1" if p in edges else "0" for p in itertools.combinations(range(VERTICES), 2))
    return (*bits, *pruned_cell.operations, *OPERATIONS[:1] * missing)


def text(bits_and_letters: Sequence[str]) -> str:
    """The architecture of 21 bits and 5 letters; raises `InputError` if they make no cell."""
    inner = VERTICES - 2
    bits, letters = "".join(bits_and_letters[:-inner]), "".join(bits_and_letters[-inner:])
    return spelled(cell(f"{bits}:{letters}"))


def channels(pruned_cell: Cell, in_channels: int, out_channels: int) -> list[int]:
    """The number of output channels of every vertex of a cell with these numbers of channels.

    The vertices with an edge to the output share its channels; where these do not divide, the first
    vertices have one more. The others have as many as the widest vertex that reads them.
    """
    widths = [in_channels, *[0] * len(pruned_cell.operations), out_channels]
    last = [v for v in pruned_cell.into(pruned_cell.output) if v > 0]
    for index, vertex in enumerate(last):
        widths[vertex] = out_channels // len(last) + (index < out_channels % len(last))
    for vertex in range(pruned_cell.output - 1, 0, -1):
        if vertex not in last:
            widths[vertex] = max(widths[b] for b in pruned_cell.out_of(vertex))
    return widths


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Three stacks of three cells, of 128, 256 and 512 channels, max pooling between the stacks.

    From [batch, 3, height, width] to logits [batch, classes]; height and width are multiples of 4.
    """
    pruned_cell, in_channels, out_channels = cell(architecture), STEM, STEM
    parts: list[nn.Module] = [_conv_norm_relu(3, STEM, 3)]
    for stack in range(STACKS):
        if stack > 0:
            parts.append(nn.MaxPool2d(2))
            out_channels *= 2
        for _ in range(MODULES):
            parts.append(CellModule(pruned_cell, in_channels, out_channels))
            in_channels = out_channels
    return nn.Sequential(*parts, pooling(), nn.Linear(out_channels, classes))


class CellModule(nn.Module):
    """[batch, in_channels, height, width] to [batch, out_channels, height, width].

    The input reaches each vertex through a 1x1 projection. A vertex applies its operation to the
    sum of its inputs, wider ones cut to its channels. The output concatenates its inputs, to which
    it adds the projected input of the cell, if there is an edge.
    """

    def __init__(self, pruned_cell: Cell, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.cell, self.widths = pruned_cell, channels(pruned_cell, in_channels, out_channels)
        self.projections = nn.ModuleDict(
            {str(v): _conv_norm_relu(in_channels, self.widths[v], 1) for v in pruned_cell.out_of(0)}
        )
        self.operations = nn.ModuleList(
            _OPERATIONS[op](self.widths[v]) for v, op in enumerate(pruned_cell.operations, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for vertex in range(1, self.cell.output):
            width = self.widths[vertex]
            inputs = [self._from(values, source, vertex) for source in self.cell.into(vertex)]
            total = sum(y[:, :width] for y in inputs[1:]) + inputs[0][:, :width]
            values[vertex] = self.operations[vertex - 1](total)
        output = self.cell.output
        last = [values[v] for v in self.cell.into(output) if v > 0]
        parts = [torch.cat(last, 1)] if last else []
        if (0, output) in self.cell.edges:
            parts.append(self._from(values, 0, output))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _from(self, values: dict[int, Tensor], source: int, vertex: int) -> Tensor:
        """What a vertex reads from a source: its value, or the projected input of the cell."""
        if source > 0:
            return values[source]
        projected: Tensor = self.projections[str(vertex)](values[0])
        return projected


def equivalence_name(architecture: str) -> str:
    """A name that isomorphic cells share, the authors' notion of equal architectures.

    It is a digest of the labels of all vertices, each refined by the labels of its neighbours as
    many times as there are vertices.
    """
    pruned_cell = cell(architecture)
    operations = ("input", *pruned_cell.operations, "output")
    labels = [
        _digest(f"{op} {len(pruned_cell.into(v))} {len(pruned_cell.out_of(v))}")
        for v, op in enumerate(operations)
    ]
    for _ in labels:
        labels = [
            _digest(
                f"{label} < {sorted(labels[a] for a in pruned_cell.into(v))}"
                f" > {sorted(labels[b] for b in pruned_cell.out_of(v))}"
            )
            for v, label in enumerate(labels)
        ]
    return _digest(" ".join(sorted(labels)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _conv_norm_relu(in_channels: int, out_channels: int, kernel: int) -> nn.Module:
    return nn.Sequential(*conv_norm(in_channels, out_channels, kernel), nn.ReLU())


_OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "3": lambda width: _conv_norm_relu(width, width, 3),
    "1": lambda width: _conv_norm_relu(width, width, 1),
    "m": lambda width: nn.MaxPool2d(3, 1, padding=1),
}


def _complaint(text: str, problem: str) -> InputError:
    return InputError(f"NAS-Bench-101 architecture {shortened(text)!r}: {problem}")


SPACE = Space(
    name="nasbench101",
    positions=(("0", "1"),) * (VERTICES * (VERTICES - 1) // 2) + (OPERATIONS,) * (VERTICES - 2),
    choices=choices,
    text=text,
    build=build,
    names=lambda architecture: (equivalence_name(architecture),),
)
