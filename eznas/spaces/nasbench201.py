"""NAS-Bench-201: cells of 4 nodes and 6 edges, each edge one of five operations.

Source: Dong & Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture
Search", ICLR 2020. Functions that take an architecture raise `InputError` if it is not one.
"""

import difflib
import functools
import itertools
import operator
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Combine, Space, shortened
from eznas.spaces.blocks import ResidualReduction, conv_norm, pooling, relu_conv_norm

# An operation's position is its digit in the published tables; edges stand in string order.
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (to, from)
FORM = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|"
CELLS_PER_STAGE = 5

_OPS = "one of " + ", ".join(OPERATIONS)
_EDGE = r"([^|+]*)\|"
_SHAPE = re.compile(rf"\|{_EDGE}\+\|{_EDGE * 2}\+\|{_EDGE * 3}")
_DIGITS = re.compile("[0-4]{6}")  # no index of the official files has six digits
_TUPLE = re.compile(r"[(\[] *([0-4])" + r" *, *([0-4])" * 5 + r" *[)\]]")
# NASLib's numbers for operations, and for each edge in the order of `EDGES` its place there.
_NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
_NASLIB_PLACES = (0, 1, 3, 2, 4, 5)


def build(architecture: str, classes: int = 10) -> nn.Module:
    """The cell stacked 15 times: [batch, 3, height, width] to logits [batch, classes].

    Height and width are multiples of 4. Parameters: 72656 + 65 classes, and for each cell
    operation 243040 (3x3) or 28000 (1x1). The initialisation is torch's default.
    """
    cell = operations(architecture)

    return _network(lambda channels: Cell(cell, channels), classes, 16, CELLS_PER_STAGE)


def supernet(combine: Combine, classes: int = 10, width: int = 16, cells: int = 5) -> nn.Module:
    """A network that holds every operation on every edge of every cell, as `Space.supernet` has it.

    `width`: channels of the first stage; `cells` of a stage.
    """

    def make_cell(channels: int) -> nn.Module:
        return SumOfEdges(
            {
                edge: combine(edge, {op: make(channels) for op, make in MODULES.items()})
                for edge in range(len(EDGES))
            }
        )

    return _network(make_cell, classes, width, cells)


def _network(
    make_cell: Callable[[int], nn.Module], classes: int, width: int, cells: int
) -> nn.Module:
    """Three stages of cells of `width`, twice and four times as many channels."""

    def stage(channels: int) -> nn.Module:
        return nn.Sequential(*(make_cell(channels) for _ in range(cells)))

    layers: dict[str, nn.Module] = {
        "stem": nn.Sequential(*conv_norm(3, width, 3)),
        "stage1": stage(width),
        "reduction1": ResidualReduction(width, 2 * width),
        "stage2": stage(2 * width),
        "reduction2": ResidualReduction(2 * width, 4 * width),
        "stage3": stage(4 * width),
        "last": nn.Sequential(nn.BatchNorm2d(4 * width), nn.ReLU()),
        "pool": pooling(),
        "classifier": nn.Linear(4 * width, classes),
    }
    return nn.Sequential(OrderedDict(layers))


class SumOfEdges(nn.Module):
    """[batch, channels, height, width] to the same shape; `modules`: of edges, by their index in
    `EDGES`.

    A node is the sum of its incoming edges; a node without edges is a constant zero, through which
    no gradient flows.
    """

    def __init__(self, modules: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {f"{EDGES[edge][0]}_{EDGES[edge][1]}": module for edge, module in modules.items()}
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for to in (1, 2, 3):
            incoming = [
                self.edges[edge](nodes[source])
                for source in range(to)
                if (edge := f"{to}_{source}") in self.edges
            ]
            nodes.append(
                functools.reduce(operator.add, incoming) if incoming else torch.zeros_like(x)
            )
        return nodes[-1]


class Cell(SumOfEdges):
    """The cell of one architecture, given by the operation of each edge.

    Every edge but `none` runs, whether or not it reaches the output: published proxies count such
    layers.
    """

    def __init__(self, operations: Sequence[str], channels: int) -> None:
        cell = enumerate(operations)
        super().__init__({edge: MODULES[op](channels) for edge, op in cell if op != "none"})


class Zero(nn.Module):
    """Zeros of the shape of what comes in, which no gradient passes."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


MODULES: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda channels: Zero(),
    "skip_connect": lambda channels: nn.Identity(),
    "nor_conv_1x1": lambda channels: relu_conv_norm(channels, channels, 1),
    "nor_conv_3x3": lambda channels: relu_conv_norm(channels, channels, 3),
    "avg_pool_3x3": lambda channels: nn.AvgPool2d(3, 1, padding=1, count_include_pad=False),
}


def table_key(architecture: str) -> str:
    """The architecture as six digits, one per operation, as the published tables name it."""
    return "".join(str(OPERATIONS.index(op)) for op in operations(architecture))


def operations(architecture: str) -> tuple[str, ...]:
    """The operation of each edge, in the order of `EDGES`.

    Beside the string, two notations are read that cannot be mistaken for another: the six digits of
    the published tables (`430143`, as `table_key` gives them) and NASLib's six numbers in brackets
    (`(4, 0, 3, 1, 4, 3)`), which count operations and edges in orders of their own.
    """
    stripped = architecture.strip()
    if stripped in _known():
        return _known()[stripped]
    if _DIGITS.fullmatch(stripped):
        return tuple(OPERATIONS[int(digit)] for digit in stripped)
    if numbers := _TUPLE.fullmatch(stripped):
        return tuple(_NASLIB_OPERATIONS[int(numbers[place + 1])] for place in _NASLIB_PLACES)
    raise _complaint(stripped)


def text(operations: Sequence[str]) -> str:
    """The architecture with these operations, in the order of `EDGES`."""
    a, b, c, d, e, f = operations
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


def live_cell(architecture: str) -> str:
    """The architecture with every operation on no path from input to output replaced by `none`.

    The 15,625 architectures have 9,445 distinct live cells.
    """
    edges = dict(zip(EDGES, operations(architecture), strict=True))
    reached, reaching = {0}, {3}
    # EDGES ascends, so one pass forward and one back visit each node after those that decide it.
    for to, source in EDGES:
        if source in reached and edges[to, source] != "none":
            reached.add(to)
    for to, source in reversed(EDGES):
        if to in reaching and edges[to, source] != "none":
            reaching.add(source)
    return text(
        [
            op if source in reached and to in reaching else "none"
            for (to, source), op in edges.items()
        ]
    )


def connected(architecture: str) -> bool:
    """Whether a path leads from input to output."""
    return any(op != "none" for op in operations(live_cell(architecture)))


def mirrored(architecture: str) -> str:
    """The architecture with nodes 1 and 2 exchanged, which computes the same function.

    The architecture itself where an edge between these nodes gives them an order.
    """
    to_1, to_2, between, direct, from_1, from_2 = operations(architecture)
    if between != "none":
        return architecture
    return text((to_2, to_1, "none", direct, from_2, from_1))


def equivalence_name(architecture: str) -> str:
    """One name for all architectures whose live cells are equal up to `mirrored`: 8,765 in all."""
    live = live_cell(architecture)
    return min(live, mirrored(live))


def isomorphism_class(architecture: str) -> str:
    """The official name of the cell's function, equal for isomorphic cells: 6,466 in all.

    The name of a node is the sorted sum of its edges. An edge is named by its operation and the
    name of its source: skip_connect keeps that name, and what is computed from zero is zero. (As
    published: a sum of zeros is not treated as zero.)
    """
    edges = dict(zip(EDGES, operations(architecture), strict=True))
    names = ["0"]
    for node in (1, 2, 3):
        incoming = [_edge_name(names[source], edges[node, source]) for source in range(node)]
        names.append("+".join(sorted(incoming)))
    return names[-1]


def _edge_name(source: str, op: str) -> str:
    if op == "none" or source == "#":
        return "#"
    return source if op == "skip_connect" else f"({source})@{op}"


@functools.cache
def _known() -> dict[str, tuple[str, ...]]:
    """The operations of every architecture."""
    return {text(cell): cell for cell in itertools.product(OPERATIONS, repeat=len(EDGES))}


def _complaint(text: str) -> InputError:
    """The error for a text that is no architecture; it names the first edge that is wrong."""
    shown = repr(shortened(text, 120))
    if text.isdecimal() and len(text) < len(EDGES):
        return InputError(
            f"NAS-Bench-201 architecture {shown}: an index counts in the order of the official "
            f"file, which is not known here; expected that file's string, of the form {FORM}"
        )
    match = _SHAPE.fullmatch(text)
    if match is None:
        return InputError(
            f"NAS-Bench-201 architecture {shown} is not of the form {FORM}, op {_OPS}"
        )
    (to, source), edge = next(
        (ends, edge)
        for ends, edge in zip(EDGES, match.groups(), strict=True)
        if edge not in {f"{op}~{ends[1]}" for op in OPERATIONS}
    )
    op = edge.partition("~")[0]
    nearest = difflib.get_close_matches(op, OPERATIONS, n=1, cutoff=0)[0]
    return InputError(
        f"NAS-Bench-201 architecture {shown}, edge {to}<-{source}: found {edge!r}, "
        f"expected op~{source}, op {_OPS}; nearest is '{nearest}~{source}'"
    )


SPACE = Space(
    name="nasbench201",
    positions=(OPERATIONS,) * len(EDGES),
    choices=operations,
    text=text,
    build=build,
    supernet=supernet,
    live_cell=live_cell,
    connected=connected,
    datasets=("cifar10", "cifar100", "ImageNet16-120"),
    names=lambda architecture: (isomorphism_class(architecture), equivalence_name(architecture)),
)
