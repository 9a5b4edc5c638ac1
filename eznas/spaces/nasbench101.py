"""NAS-Bench-101: a cell of up to 7 vertices and 9 edges, stacked nine times.

Source: Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search", ICML 2019.
An architecture is `BITS:OPERATIONS`: the upper triangle of the adjacency matrix row by row, and
a letter for each vertex between input and output: 3 (3x3 convolution), 1 (1x1 convolution),
m (3x3 max pooling). Vertices on no path from input to output are left out, as the authors do.
NASLib's spelling is understood too: `(...)`, the whole matrix and the number of each operation.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space

VERTICES, EDGES = 7, 9  # at most
OPERATIONS = ("3", "1", "m")
NUMBERED = {"2": "m", "3": "1", "4": "3"}  # in NASLib; 0 is the input and 1 the output
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
        """Where the edges to a vertex come from, ascending."""
        return sorted(a for a, b in self.edges if b == vertex)

    def out_of(self, vertex: int) -> list[int]:
        """Where the edges from a vertex lead, ascending."""
        return sorted(b for a, b in self.edges if a == vertex)


def cell(architecture: str) -> Cell:
    """The pruned cell of an architecture; `InputError` where it is none."""
    if architecture.lstrip().startswith("("):
        return _from_naslib(architecture)
    bits, mark, letters = architecture.strip().partition(":")
    count = len(letters) + 2
    pairs = list(itertools.combinations(range(count), 2))
    fits = mark and count <= VERTICES and len(bits) == len(pairs)
    if not fits or not set(bits) <= {"0", "1"} or not set(letters) <= set(OPERATIONS):
        raise _complaint(architecture, "expected BITS:OPERATIONS, as in 110101:3m")
    edges = frozenset(pair for pair, bit in zip(pairs, bits, strict=True) if bit == "1")
    return pruned(edges, letters, architecture)


def _from_naslib(architecture: str) -> Cell:
    """The pruned cell of 49 bits, the matrix row by row, and 7 numbers of operations."""
    numbers = [number.strip() for number in architecture.strip().strip("()").split(",")]
    bits, operations = numbers[: VERTICES**2], numbers[VERTICES**2 :]
    edges = [divmod(place, VERTICES) for place, bit in enumerate(bits) if bit != "0"]
    fits = len(operations) == VERTICES and set(bits) <= {"0", "1"}
    ends = operations[:1] == ["0"] and operations[-1:] == ["1"]
    inner = operations[1:-1]
    if not (fits and ends and set(inner) <= NUMBERED.keys() and all(a < b for a, b in edges)):
        wanted = f"{VERTICES**2} bits of edges that ascend and {VERTICES} numbers from 0 to 1"
        raise _complaint(architecture, f"expected {wanted}, between them each 2, 3 or 4")
    return pruned(edges, [NUMBERED[number] for number in inner], architecture)


def pruned(edges: Iterable[tuple[int, int]], operations: Sequence[str], shown: str) -> Cell:
    """The cell less its vertices on no path; `InputError` names `shown` where nothing is left or
    more than 9 edges are."""
    edges, output = set(edges), len(operations) + 1
    reached, reaching = {0}, {output}
    for a, b in sorted(edges):  # ascending sources: each vertex is settled before it is asked for
        if a in reached:
            reached.add(b)
    for a, b in sorted(edges, reverse=True):
        if b in reaching:
            reaching.add(a)
    kept = sorted(reached & reaching)
    if output not in reached:
        raise _complaint(shown, "no path from input to output")
    place = {vertex: i for i, vertex in enumerate(kept)}
    inside = frozenset((place[a], place[b]) for a, b in edges if a in place and b in place)
    if len(inside) > EDGES:
        raise _complaint(shown, f"{len(inside)} edges, expected at most {EDGES}")
    return Cell(inside, tuple(operations[v - 1] for v in kept[1:-1]))


def spelled(found: Cell) -> str:
    """The architecture of a pruned cell."""
    pairs = itertools.combinations(range(found.output + 1), 2)
    bits = "".join("1" if pair in found.edges else "0" for pair in pairs)
    return f"{bits}:{''.join(found.operations)}"


def choices(architecture: str) -> tuple[str, ...]:
    """The 21 bits and 5 letters of the cell, filled up to 7 vertices with ones without edges."""
    found = cell(architecture)
    missing = VERTICES - 1 - found.output
    edges = {(a, b + missing if b == found.output else b) for a, b in found.edges}
    bits = ("1" if p in edges else "0" for p in itertools.combinations(range(VERTICES), 2))
    return (*bits, *found.operations, *OPERATIONS[:1] * missing)


def text(chosen: Sequence[str]) -> str:
    """The architecture of 21 bits and 5 letters."""
    bits, letters = "".join(chosen[: -(VERTICES - 2)]), "".join(chosen[-(VERTICES - 2) :])
    return spelled(cell(f"{bits}:{letters}"))


def channels(found: Cell, before: int, after: int) -> list[int]:
    """Output channels of every vertex: those before the output share its channels, the first ones
    with one more where they do not divide; the others have as many as the widest they feed."""
    widths = [before, *[0] * len(found.operations), after]
    last = [v for v in found.into(found.output) if v > 0]
    for number, vertex in enumerate(last):
        widths[vertex] = after // len(last) + (number < after % len(last))
    for vertex in range(found.output - 1, 0, -1):
        if vertex not in last:
            widths[vertex] = max(widths[b] for b in found.out_of(vertex))
    return widths


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Three stacks of three cells, of 128, 256 and 512 channels, max pooling between the stacks.

    Height and width are multiples of 4.
    """
    found, before, after = cell(architecture), STEM, STEM
    parts: list[nn.Module] = [_convolution(3, STEM, 3)]
    for stack in range(STACKS):
        if stack > 0:
            parts.append(nn.MaxPool2d(2))
            after *= 2
        for _ in range(MODULES):
            parts.append(CellModule(found, before, after))
            before = after
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*parts, pool, nn.Linear(after, classes))


class CellModule(nn.Module):
    """[batch, before, height, width] to [batch, after, height, width].

    The input reaches every vertex through a 1x1 projection; vertices are sums of their inputs,
    cut to the fewest channels; the output concatenates, and adds the projected input.
    """

    def __init__(self, found: Cell, before: int, after: int) -> None:
        super().__init__()
        self.cell, self.widths = found, channels(found, before, after)
        direct = found.out_of(0)
        self.projections = nn.ModuleDict(
            {str(v): _convolution(before, self.widths[v], 1) for v in direct}
        )
        self.operations = nn.ModuleList(
            _OPERATIONS[op](self.widths[v]) for v, op in enumerate(found.operations, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        values = {0: x}
        for vertex in range(1, self.cell.output):
            width = self.widths[vertex]
            arriving = [self._from(values, source, vertex) for source in self.cell.into(vertex)]
            total = sum(y[:, :width] for y in arriving[1:]) + arriving[0][:, :width]
            values[vertex] = self.operations[vertex - 1](total)
        output = self.cell.output
        last = [values[v] for v in self.cell.into(output) if v > 0]
        parts = [torch.cat(last, 1)] if last else []
        if (0, output) in self.cell.edges:
            parts.append(self._from(values, 0, output))
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    def _from(self, values: dict[int, Tensor], source: int, vertex: int) -> Tensor:
        if source > 0:
            return values[source]
        projected: Tensor = self.projections[str(vertex)](values[0])
        return projected


def function_name(architecture: str) -> str:
    """A name that isomorphic cells share: labels of vertices, refined by their neighbours', as
    often as there are vertices (the authors' notion of equality)."""
    found = cell(architecture)
    operations = ("input", *found.operations, "output")
    labels = [
        _digest(f"{op} {len(found.into(v))} {len(found.out_of(v))}")
        for v, op in enumerate(operations)
    ]
    for _ in labels:
        labels = [
            _digest(
                f"{own} < {sorted(labels[a] for a in found.into(v))}"
                f" > {sorted(labels[b] for b in found.out_of(v))}"
            )
            for v, own in enumerate(labels)
        ]
    return _digest(" ".join(sorted(labels)))


def _digest(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _convolution(before: int, after: int, kernel: int) -> nn.Module:
    conv = nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU())


_OPERATIONS: dict[str, Callable[[int], nn.Module]] = {
    "3": lambda width: _convolution(width, width, 3),
    "1": lambda width: _convolution(width, width, 1),
    "m": lambda width: nn.MaxPool2d(3, 1, padding=1),
}


def _complaint(text: str, problem: str) -> InputError:
    shown = repr(text if len(text) <= 60 else text[:57] + "...")
    return InputError(f"NAS-Bench-101 architecture {shown}: {problem}")


SPACE = Space(
    name="nasbench101",
    positions=(("0", "1"),) * (VERTICES * (VERTICES - 1) // 2) + (OPERATIONS,) * (VERTICES - 2),
    choices=choices,
    text=text,
    build=build,
    names=lambda architecture: (function_name(architecture),),
)
