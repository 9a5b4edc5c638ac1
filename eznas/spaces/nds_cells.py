"""The cell spaces of NDS: NASNet, AmoebaNet, PNAS, ENAS and DARTS, all stacked as in DARTS.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019; the
network is that of Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, without its
auxiliary head. An architecture is `cWIDTH-lDEPTH:NORMAL:REDUCTION`: channels, cells, and the two
kinds of cells, each `|op~source|op~source|+|...|`, two edges for every node. Sources 0 and 1 are
the outputs of the cell before the last and of the last one, 2 is the first node of the cell.
"""

import ast
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from eznas.errors import InputError, unknown
from eznas.spaces import nds_network
from eznas.spaces.base import Space
from eznas.spaces.nds_network import Edges

# What NDS draws from, as the model hub of NNI lists it for its NDS spaces; 16 and 20 are what it
# takes where nothing is drawn. To these a row adds the sizes of its published network.
WIDTHS, DEPTHS = (16, 24, 32), (4, 8, 12, 16, 20)
FIXED = (16, 20)

# Operations of DARTS by their number in NASLib, which leaves `none` out.
NASLIB = (
    *("max_pool_3x3", "avg_pool_3x3", "skip_connect"),
    *("sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "dil_conv_5x5"),
)

_CELL = r"([^:]*)"
_FORM = re.compile(rf"c(\w+)-l(\w+):{_CELL}:{_CELL}")
_EDGE = r"([^|~]*)~([^|~]*)\|"
_NODE = re.compile(rf"\|{_EDGE * 2}")


@dataclass(frozen=True)
class Genotype:
    """What an architecture says."""

    width: int
    depth: int
    normal: Edges
    reduction: Edges

    def layers(self) -> Iterator[tuple[Edges, bool]]:
        """The edges of each cell, and whether it reduces, as those after one and two thirds do."""
        for layer in range(self.depth):
            reduces = layer in (self.depth // 3, 2 * self.depth // 3)
            yield (self.reduction if reduces else self.normal), reduces


@dataclass(frozen=True)
class CellSpace:
    """One row of the table of spaces.

    `loose`: cells give the nodes that no node reads, otherwise all. `imagenet`: the stem divides
    height and width by 8, otherwise by 1. `widths`, `depths`: the options of both.
    """

    name: str
    operations: tuple[str, ...]
    nodes: int
    loose: bool
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    imagenet: bool = False

    def space(self) -> Space:
        """The row as a search space."""
        return Space(
            name=self.name,
            positions=self.positions(),
            choices=self.choices,
            text=self.text,
            build=self.build,
            connected=self.connected,
            datasets=("imagenet",) if self.imagenet else ("cifar10",),
            names=self.names,
        )

    def positions(self) -> tuple[tuple[str, ...], ...]:
        """Width, depth, and for each edge of both cells its operation and source."""
        sources = [tuple(map(str, range(node + 2))) for node in range(self.nodes)]
        cell = [options for s in sources for options in (self.operations, s) * 2]
        return (tuple(map(str, self.widths)), tuple(map(str, self.depths)), *cell, *cell)

    def choices(self, architecture: str) -> tuple[str, ...]:
        """The option of every position, the two edges of each node in order."""
        stripped = architecture.strip()
        if self.name == "nds-darts" and stripped.startswith("[["):
            stripped = from_naslib(stripped)
        match = _FORM.fullmatch(stripped)
        cells = [cell.split("+") for cell in match.groups()[2:]] if match else []
        nodes = [_NODE.fullmatch(node) for cell in cells for node in cell]
        if not match or any(len(cell) != self.nodes for cell in cells) or not all(nodes):
            raise self._complaint(
                stripped,
                "expected cWIDTH-lDEPTH:NORMAL:REDUCTION, each cell "
                f"{self.nodes} nodes |op~source|op~source| joined by +",
            )
        edges = [part for node in nodes if node for part in node.groups()]
        return self._ordered([*match.groups()[:2], *edges], stripped)

    def text(self, chosen: Sequence[str]) -> str:
        """The spelling of the options."""
        width, depth, *rest = self._ordered(chosen, " ".join(chosen))
        edges = [f"{op}~{source}|" for op, source in zip(rest[::2], rest[1::2], strict=True)]
        nodes = [f"|{a}{b}" for a, b in zip(edges[::2], edges[1::2], strict=True)]
        normal, reduction = "+".join(nodes[: self.nodes]), "+".join(nodes[self.nodes :])
        return f"c{width}-l{depth}:{normal}:{reduction}"

    def genotype(self, architecture: str) -> Genotype:
        """The parsed architecture."""
        width, depth, *rest = self.choices(architecture)
        edges = tuple(zip(rest[::2], map(int, rest[1::2]), strict=True))
        return Genotype(int(width), int(depth), edges[: 2 * self.nodes], edges[2 * self.nodes :])

    def outputs(self, edges: Edges) -> list[int]:
        """The nodes of a cell that make its output."""
        read = {source for _, source in edges} if self.loose else set()
        return [node for node in range(2, self.nodes + 2) if node not in read]

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        """[batch, 3, height, width] to logits [batch, classes], in torch's own initialisation."""
        found = self.genotype(architecture)
        cells = [(edges, self.outputs(edges), reduces) for edges, reduces in found.layers()]
        return nds_network.build(found.width, cells, self.imagenet, classes)

    def connected(self, architecture: str) -> bool:
        """Whether a path without `none` leads from the image to the logits."""
        before = last = True
        for edges, _ in self.genotype(architecture).layers():
            reached = [before, last]
            for node in _by_node(edges):
                reached.append(any(op != "none" and reached[source] for op, source in node))
            before, last = last, any(reached[output] for output in self.outputs(edges))
        return last

    def names(self, architecture: str) -> tuple[str, ...]:
        """One name for architectures that differ in the order of nodes or in what `none` reads.

        A node is the sum of its edges, an edge its operation applied to its source's name.
        """
        found = self.genotype(architecture)
        normal, reduction = self._cell_name(found.normal), self._cell_name(found.reduction)
        return (f"c{found.width}-l{found.depth}:{normal}:{reduction}",)

    def _cell_name(self, edges: Edges) -> str:
        names = ["0", "1"]
        for node in _by_node(edges):
            told = sorted(op if op == "none" else f"{op}({names[source]})" for op, source in node)
            names.append(_digest("+".join(told)))
        return _digest(" ".join(sorted(names[output] for output in self.outputs(edges))))

    def _ordered(self, chosen: Sequence[str], shown: str) -> tuple[str, ...]:
        """Valid options, the edges of each node sorted: a sum has no order."""
        words = ("width", "depth", *("operation", "source") * (4 * self.nodes))
        for option, options, word in zip(chosen, self.positions(), words, strict=True):
            if option not in options:
                raise self._complaint(shown, _unlisted(word, option, options))
        edges = list(zip(chosen[2::2], chosen[3::2], strict=True))
        pairs = [sorted(edges[i : i + 2], key=self._place) for i in range(0, len(edges), 2)]
        return (*chosen[:2], *(part for pair in pairs for edge in pair for part in edge))

    def _place(self, edge: tuple[str, str]) -> tuple[int, int]:
        return int(edge[1]), self.operations.index(edge[0])

    def _complaint(self, text: str, problem: str) -> InputError:
        shown = repr(text if len(text) <= 60 else text[:57] + "...")
        return InputError(f"{self.name} architecture {shown}: {problem}")


def _by_node(edges: Edges) -> Iterator[Edges]:
    return (edges[i : i + 2] for i in range(0, len(edges), 2))


def _digest(told: str) -> str:
    return hashlib.sha256(told.encode()).hexdigest()[:24]


def _unlisted(word: str, option: str, options: Sequence[str]) -> str:
    """Told of a choice that is none of its options."""
    shown = option if len(option) <= 40 else option[:37] + "..."
    if word == "operation":
        return str(unknown(word, shown, options))
    return f"{word} {shown!r}, expected one of {', '.join(options)}"


def architecture_of(space: str, genotype: Mapping[str, Any], width: int, depth: int) -> str:
    """The architecture of a genotype as NDS and DARTS write them, in a space of this module.

    `normal` and `reduce` hold pairs of operation and source, two for every node; `normal_concat`
    and `reduce_concat` the nodes in the output, which the space prescribes.
    """
    row = _ROWS.get(space)
    if row is None:
        raise unknown("cell space", space, _ROWS)
    try:
        cells = [[(str(op), int(s)) for op, s in genotype[key]] for key in ("normal", "reduce")]
        given = [sorted(map(int, genotype[f"{key}_concat"])) for key in ("normal", "reduce")]
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{space} genotype: expected normal and reduce, lists of operation and source, and "
            "normal_concat and reduce_concat, lists of nodes"
        ) from None
    for word, cell, concat in zip(("normal", "reduce"), cells, given, strict=True):
        if len(cell) != 2 * row.nodes:
            raise InputError(f"{space} genotype: {len(cell)} edges, expected {2 * row.nodes}")
        if concat != (wanted := row.outputs(tuple(cell))):
            raise InputError(f"{space} genotype: {word}_concat {concat}, expected {wanted}")
    edges = [part for cell in cells for op, source in cell for part in (op, str(source))]
    return row.text((str(width), str(depth), *edges))


def from_naslib(arch: str) -> str:
    """The architecture of `nds-darts` that NASLib writes as `[normal, reduce]`, each eight pairs of
    source and number of an operation.

    It holds 32 channels and 8 cells, as NAS-Bench-301 trains them. The parameters that NASLib tells
    are those of its search network, whose operations normalise without weights.
    """
    numbered = dict(enumerate(NASLIB))
    try:
        cells = [[(numbered[op], source) for source, op in cell] for cell in ast.literal_eval(arch)]
        normal, reduce = cells
    except (KeyError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        shown = repr(arch if len(arch) <= 60 else arch[:57] + "...")
        raise InputError(
            f"NASLib architecture {shown}: expected [normal, reduce], each 8 pairs of source and "
            f"operation, which is a number from 0 to {len(numbered) - 1}"
        ) from None
    every = [2, 3, 4, 5]
    concat = {"normal_concat": every, "reduce_concat": every}
    return architecture_of("nds-darts", {"normal": normal, "reduce": reduce} | concat, 32, 8)


_POOLS = ("avg_pool_3x3", "max_pool_3x3")
_TWO = ("sep_conv_3x3", "sep_conv_5x5")
_THREE = (*_TWO, "sep_conv_7x7")
_CONVS = ("conv_1x1", "conv_3x3", "conv_3x1_1x3", "conv_7x1_1x7")
_NASNET = (
    "skip_connect",
    *_POOLS,
    "max_pool_5x5",
    "max_pool_7x7",
    *_CONVS,
    *_THREE,
    "dil_conv_3x3",
)
_AMOEBA = ("skip_connect", *_POOLS, "conv_7x1_1x7", *_THREE, "dil_sep_conv_3x3")
_PNAS = ("skip_connect", *_POOLS, "conv_7x1_1x7", *_THREE, "dil_conv_3x3")
_ENAS = ("skip_connect", *_POOLS, *_TWO)
_DARTS = ("none", "skip_connect", *_POOLS, *_TWO, "dil_conv_3x3", "dil_conv_5x5")

# Operations, nodes, whether only loose nodes are the output, and the width and depth of the
# published network on CIFAR-10 and on ImageNet: 3N + 2 cells where the paper repeats N, but 3N of
# PNASNet, whose reductions are among the N. ENAS has published none on ImageNet.
_FAMILIES = {
    "darts": (_DARTS, 4, False, (36, 20), (48, 14)),
    "amoeba": (_AMOEBA, 5, True, (36, 20), (50, 14)),
    "enas": (_ENAS, 5, True, (36, 17), FIXED),
    "nasnet": (_NASNET, 5, True, (32, 20), (44, 14)),
    "pnas": (_PNAS, 5, False, (48, 9), (54, 9)),
}


def _rows(family: str) -> Iterator[CellSpace]:
    operations, nodes, loose, cifar, imagenet = _FAMILIES[family]
    row = CellSpace(f"nds-{family}", operations, nodes, loose, *_sizes(cifar))
    yield row
    widths, depths = _sizes(imagenet)
    yield replace(row, name=f"{row.name}-in", widths=widths, depths=depths, imagenet=True)
    yield replace(row, name=f"{row.name}-fix", widths=FIXED[:1], depths=FIXED[1:])


def _sizes(published: tuple[int, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The options of width and of depth, ascending."""
    width, depth = published
    return tuple(sorted({*WIDTHS, width})), tuple(sorted({*DEPTHS, depth}))


_ROWS = {row.name: row for family in _FAMILIES for row in _rows(family)}

SPACES = tuple(row.space() for row in _ROWS.values())
