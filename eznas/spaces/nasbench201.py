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
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space, shortened
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

    def stage(channels: int) -> nn.Module:
        return nn.Sequential(*(Cell(cell, channels) for _ in range(CELLS_PER_STAGE)))

    layers: dict[str, nn.Module] = {
        "stem": nn.Sequential(*conv_norm(3, 16, 3)),
        "stage1": stage(16),
        "reduction1": ResidualReduction(16, 32),
        "stage2": stage(32),
        "reduction2": ResidualReduction(32, 64),
        "stage3": stage(64),
        "last": nn.Sequential(nn.BatchNorm2d(64), nn.ReLU()),
        "pool": pooling(),
        "classifier": nn.Linear(64, classes),
    }
    return nn.Sequential(OrderedDict(layers))


class Cell(nn.Module):
    """[batch, channels, height, width] to the same shape.

    A node is the sum of its incoming edges. Every edge but `none` runs, whether or not it
    reaches the output: published proxies count such layers. A node without edges is a constant
    zero, through which no gradient flows.
    """

    def __init__(self, operations: Sequence[str], channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                f"{to}_{source}": _MODULES[op](channels)
                for (to, source), op in zip(EDGES, operations, strict=True)
                if op != "none"
            }
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


_MODULES: dict[str, Callable[[int], nn.Module]] = {
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
    if _DIGITS.fullmatch(stripped):
        return tuple(OPERATIONS[int(digit)] for digit in stripped)
    if numbers := _TUPLE.fullmatch(stripped):
        return tuple(_NASLIB_OPERATIONS[int(numbers[place + 1])] for place in _NASLIB_PLACES)
    if stripped not in _known():
        raise _complaint(stripped)
    return _known()[stripped]


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
    match = _SHAPE.fullmatch(text)
    if text.isdecimal() and len(text) < 6:
        return InputError(
            f"NAS-Bench-201 architecture {shown}: an index counts in the order of the official "
            f"file, which is not known here; expected the string that this file has under it, of "
            f"the form {FORM}"
        )
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
    live_cell=live_cell,
    connected=connected,
    datasets=("cifar10", "cifar100", "ImageNet16-120"),
    names=lambda architecture: (isomorphism_class(architecture), equivalence_name(architecture)),
)
