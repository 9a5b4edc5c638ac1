"""The cell spaces of NDS: NASNet, AmoebaNet, PNAS, ENAS and DARTS, all stacked as in DARTS.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019; the
network is that of Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, without its
auxiliary head. An architecture is `cWIDTH-lDEPTH:NORMAL:REDUCTION`: channels, number of cells, and
the normal and the reduction cell, each `|op~source|op~source|+|...|`, two edges for every node.
Sources 0 and 1 are the outputs of the second last and of the last cell, 2 is the first node.
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
from eznas.spaces.base import Space, shortened
from eznas.spaces.nds_network import Edges

# The widths and depths of NDS as the model hub of NNI lists them, to which each space adds those of
# its published network; and the one width and depth of the spaces of fixed size (-fix).
WIDTHS, DEPTHS = (16, 24, 32), (4, 8, 12, 16, 20)
FIXED = (16, 20)

# The operations of DARTS in the order in which NASLib numbers them; it has no `none`.
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
    """A parsed architecture: width and depth of the network, and the edges of its cells."""

    width: int
    depth: int
    normal: Edges
    reduction: Edges

    def layers(self) -> Iterator[tuple[Edges, bool]]:
        """The edges of each cell, and whether it is a reduction: at 1/3 and 2/3 of the depth."""
        for layer in range(self.depth):
            is_reduction = layer in (self.depth // 3, 2 * self.depth // 3)
            yield (self.reduction if is_reduction else self.normal), is_reduction


@dataclass(frozen=True)
class CellSpace:
    """One row of the table of spaces.

    `loose`: whether the output of a cell has only the nodes that no other node reads; otherwise it
    has all. `widths`, `depths`: the options of both. `imagenet`: whether the stem divides height
    and width by 8; otherwise it keeps them. Methods that take an architecture raise `InputError`
    for a text that is not one.
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
        """The options of width, depth, and of operation and source of each edge of both cells."""
        sources = [tuple(map(str, range(node + 2))) for node in range(self.nodes)]
        cell = [options for source in sources for options in (self.operations, source) * 2]
        return (tuple(map(str, self.widths)), tuple(map(str, self.depths)), *cell, *cell)

    def choices(self, architecture: str) -> tuple[str, ...]:
        """The option at every position, the two edges of each node sorted."""
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

    def text(self, choices: Sequence[str]) -> str:
        """The architecture of one option for every position; raises `InputError` for any other
        option."""
        width, depth, *rest = self._ordered(choices, " ".join(choices))
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
        """The nodes whose concatenation is the output of a cell."""
        left_out = {source for _, source in edges} if self.loose else set()
        return [node for node in range(2, self.nodes + 2) if node not in left_out]

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        """[batch, 3, height, width] to logits [batch, classes], torch's default initialisation."""
        genotype = self.genotype(architecture)
        cells = [(edges, self.outputs(edges), reduces) for edges, reduces in genotype.layers()]
        return nds_network.build(genotype.width, cells, self.imagenet, classes)

    def connected(self, architecture: str) -> bool:
        """Whether a path without `none` leads from the image to the logits."""
        second_last = last = True
        for edges, _ in self.genotype(architecture).layers():
            reached = [second_last, last]
            for node in _by_node(edges):
                reached.append(any(op != "none" and reached[source] for op, source in node))
            second_last, last = last, any(reached[output] for output in self.outputs(edges))
        return last

    def names(self, architecture: str) -> tuple[str, ...]:
        """One name for all architectures that differ in the order of nodes or in what `none` reads.

        A node is named by the sorted names of its edges, an edge by its operation and the name of
        its source.
        """
        genotype = self.genotype(architecture)
        normal_name = self._cell_name(genotype.normal)
        reduction_name = self._cell_name(genotype.reduction)
        return (f"c{genotype.width}-l{genotype.depth}:{normal_name}:{reduction_name}",)

    def _cell_name(self, edges: Edges) -> str:
        names = ["0", "1"]
        for node in _by_node(edges):
            terms = sorted(op if op == "none" else f"{op}({names[source]})" for op, source in node)
            names.append(_digest("+".join(terms)))
        return _digest(" ".join(sorted(names[output] for output in self.outputs(edges))))

    def _ordered(self, choices: Sequence[str], quoted: str) -> tuple[str, ...]:
        """The choices, checked, with the edges of each node sorted, as a sum has no order; errors
        show the text `quoted`."""
        labels = ("width", "depth", *("operation", "source") * (4 * self.nodes))
        for option, options, label in zip(choices, self.positions(), labels, strict=True):
            if option not in options:
                raise self._complaint(quoted, _no_option(label, option, options))
        edges = list(zip(choices[2::2], choices[3::2], strict=True))
        nodes = [sorted(edges[i : i + 2], key=self._edge_order) for i in range(0, len(edges), 2)]
        return (*choices[:2], *(part for node in nodes for edge in node for part in edge))

    def _edge_order(self, edge: tuple[str, str]) -> tuple[int, int]:
        return int(edge[1]), self.operations.index(edge[0])

    def _complaint(self, text: str, problem: str) -> InputError:
        return InputError(f"{self.name} architecture {shortened(text)!r}: {problem}")


def _by_node(edges: Edges) -> Iterator[Edges]:
    return (edges[i : i + 2] for i in range(0, len(edges), 2))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _no_option(label: str, option: str, options: Sequence[str]) -> str:
    """The problem with a choice that is none of its options."""
    option = shortened(option, 40)
    if label == "operation":
        return str(unknown(label, option, options))
    return f"{label} {option!r}, expected one of {', '.join(options)}"


def architecture_of(space: str, genotype: Mapping[str, Any], width: int, depth: int) -> str:
    """The architecture of a genotype in the form of NDS and DARTS, in a space of this module.

    `normal` and `reduce` hold pairs of operation and source, two for every node; `normal_concat`
    and `reduce_concat` the nodes in the output. Raises `InputError` for an unknown space, another
    form, and options or outputs that the space does not have.
    """
    row = ROWS.get(space)
    if row is None:
        raise unknown("cell space", space, ROWS)
    try:
        cells = [[(str(op), int(s)) for op, s in genotype[key]] for key in ("normal", "reduce")]
        concats = [sorted(map(int, genotype[f"{key}_concat"])) for key in ("normal", "reduce")]
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{space} genotype: expected normal and reduce, lists of operation and source, and "
            "normal_concat and reduce_concat, lists of nodes"
        ) from None
    for key, cell, concat in zip(("normal", "reduce"), cells, concats, strict=True):
        if len(cell) != 2 * row.nodes:
            raise InputError(f"{space} genotype: {len(cell)} edges, expected {2 * row.nodes}")
        if concat != (outputs := row.outputs(tuple(cell))):
            raise InputError(f"{space} genotype: {key}_concat {concat}, expected {outputs}")
    edges = [part for cell in cells for op, source in cell for part in (op, str(source))]
    return row.text((str(width), str(depth), *edges))


def from_naslib(arch: str) -> str:
    """The architecture of `nds-darts` that NASLib writes as `[normal, reduce]`, each eight pairs of
    source and number of an operation.

    It has 32 channels and 8 cells, the size at which NAS-Bench-301 trains. (The numbers of
    parameters in NASLib's tables are those of its search network, whose operations normalise
    without weights.) Raises `InputError` for a text of another form.
    """
    operations = dict(enumerate(NASLIB))
    try:
        normal, reduce = (
            [(operations[op], source) for source, op in cell] for cell in ast.literal_eval(arch)
        )
    except (KeyError, TypeError, ValueError, SyntaxError, RecursionError, MemoryError):
        raise InputError(
            f"NASLib architecture {shortened(arch)!r}: expected [normal, reduce], each 8 pairs of "
            f"source and operation, which is a number from 0 to {len(NASLIB) - 1}"
        ) from None
    nodes = [2, 3, 4, 5]
    concats = {"normal_concat": nodes, "reduce_concat": nodes}
    return architecture_of("nds-darts", {"normal": normal, "reduce": reduce} | concats, 32, 8)


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

# Operations, nodes, whether only loose nodes make the output, and (width, depth) of the published
# networks on CIFAR-10 and on ImageNet. The depth is 3N + 2 cells where the paper repeats a cell N
# times; 3N for PNASNet, whose N includes the reduction. ENAS published no network for ImageNet.
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


ROWS = {row.name: row for family in _FAMILIES for row in _rows(family)}

SPACES = tuple(row.space() for row in ROWS.values())
