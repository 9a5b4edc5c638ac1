"""TransNAS-Bench-101: a cell on a fixed skeleton (micro), or a skeleton of fixed blocks (macro).

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021. `64-41414-3_33_333`: 64 channels after the
stem, a digit for each module, the operations of each node of the cell. `64-1234-basic`: the same
with residual blocks. Networks are built with the classification head of two tasks, object and scene
classification; the heads of the other tasks are not implemented. Functions that take an
architecture raise `InputError` if it is not one.
"""

import functools
import operator
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space, shortened
from eznas.spaces.blocks import FactorizedReduction, conv_norm, pooling, relu_conv_norm

STEM = 64  # channels
BLOCKS_PER_MODULE = 2

# A module's digit: 1 changes nothing, 2 doubles the channels, 3 halves height and width, 4 both.
MODULES = ("1", "2", "3", "4")
DOUBLING, HALVING = {"2", "4"}, {"3", "4"}
SKELETON = "41414"  # of every micro network

# An operation's digit: 0 none, 1 skip connection, 2 1x1 convolution, 3 3x3 convolution.
OPERATIONS = ("0", "1", "2", "3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (to, from), in the order of the text
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # from node 0 to node 3, as indices into EDGES

# The limits of a macro network. 3,256 skeletons are within them, as many as were published.
LENGTHS, HALVINGS, DOUBLINGS = range(4, 7), range(1, 5), range(1, 4)

TASKS = ("class_object", "class_scene")  # those with classification heads

Block = Callable[[int, int, int], nn.Module]  # input channels, output channels, stride


def micro_choices(architecture: str) -> tuple[str, ...]:
    """The operation of each edge."""
    cell = r"([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])"
    match = re.fullmatch(f"{STEM}-{SKELETON}-{cell}", architecture.strip())
    if match is None:
        expected = f"expected the form of {STEM}-{SKELETON}-3_33_333, digits from 0 to 3"
        raise _complaint("micro", architecture, expected)
    return match.groups()


def micro_text(operations: Sequence[str]) -> str:
    """The architecture with these operations, in the order of `EDGES`."""
    a, b, c, d, e, f = operations
    return f"{STEM}-{SKELETON}-{a}_{b}{c}_{d}{e}{f}"


def micro_build(architecture: str, classes: int = 10) -> nn.Module:
    """Five modules of two cells, of 64 to 512 channels; halves of odd sides are rounded up.

    From [batch, 3, height, width] to logits [batch, classes].
    """
    return _network(SKELETON, functools.partial(Cell, micro_choices(architecture)), classes)


def live_cell(architecture: str) -> str:
    """The architecture with the operations on no path from node 0 to node 3 replaced by 0.

    The 4,096 architectures have 2,128 distinct live cells.
    """
    operations = micro_choices(architecture)
    paths = [path for path in PATHS if all(operations[edge] != "0" for edge in path)]
    live_edges = {edge for path in paths for edge in path}
    return micro_text([op if edge in live_edges else "0" for edge, op in enumerate(operations)])


def connected(architecture: str) -> bool:
    """Whether a path leads from node 0 to node 3."""
    return set(micro_choices(live_cell(architecture))) != {"0"}


def equivalence_name(architecture: str) -> str:
    """One name for all architectures whose live cells are equal up to exchanging nodes 1 and 2.

    The 4,096 architectures have 1,948 names.
    """
    live_architecture = live_cell(architecture)
    to_1, to_2, between, direct, from_1, from_2 = micro_choices(live_architecture)
    if between != "0":
        return live_architecture
    return min(live_architecture, micro_text((to_2, to_1, between, direct, from_2, from_1)))


def macro_choices(architecture: str) -> tuple[str, ...]:
    """The digit of each module, padded with empty ones to the largest number of modules."""
    match = re.fullmatch(rf"{STEM}-([1-4]+)-basic", architecture.strip())
    if match is None:
        expected = f"expected the form of {STEM}-1234-basic, digits from 1 to 4"
        raise _complaint("macro", architecture, expected)
    _check(match[1], architecture)
    return (*match[1], *[""] * (LENGTHS[-1] - len(match[1])))


def macro_text(modules: Sequence[str]) -> str:
    """The architecture with these digits, of which those at the end may be empty.

    Raises `InputError` for an empty digit before another and outside the limits of a network.
    """
    digits = "".join(modules)
    architecture = f"{STEM}-{digits}-basic"
    if any(modules[len(digits) :]):
        raise _complaint("macro", architecture, "expected no gap before the last module")
    _check(digits, architecture)
    return architecture


def macro_build(architecture: str, classes: int = 10) -> nn.Module:
    """Four to six modules of two residual blocks; halves of odd sides are rounded up.

    From [batch, 3, height, width] to logits [batch, classes].
    """
    return _network("".join(macro_choices(architecture)), BasicBlock, classes)


def _check(digits: str, architecture: str) -> None:
    """Raises `InputError` for a skeleton outside the limits of a macro network."""
    halvings, doublings = (sum(d in changing for d in digits) for changing in (HALVING, DOUBLING))
    if len(digits) not in LENGTHS:
        raise _complaint("macro", architecture, "expected 4 to 6 modules")
    if halvings not in HALVINGS or doublings not in DOUBLINGS:
        limits = "expected 1 to 4 digits of 3 and 4 (halving), and 1 to 3 of 2 and 4 (doubling)"
        raise _complaint("macro", architecture, limits)


def _network(digits: str, make_block: Block, classes: int) -> nn.Module:
    """Stem (a quarter of height and width), a module for each digit, pooling and classifier."""
    channels = STEM
    stem = [*conv_norm(3, STEM // 2, 3, 2), relu_conv_norm(STEM // 2, STEM, 3, 2)]
    layers: dict[str, nn.Module] = {"stem": nn.Sequential(*stem)}
    for number, digit in enumerate(digits, 1):
        in_channels, channels = channels, channels * (2 if digit in DOUBLING else 1)
        blocks = [make_block(in_channels, channels, 2 if digit in HALVING else 1)]
        blocks += [make_block(channels, channels, 1) for _ in range(BLOCKS_PER_MODULE - 1)]
        layers[f"module{number}"] = nn.Sequential(*blocks)
    layers["pool"] = pooling()
    layers["classifier"] = nn.Linear(channels, classes)
    return nn.Sequential(OrderedDict(layers))


class Cell(nn.Module):
    """[batch, in_channels, height, width] to out_channels, height / stride and width / stride.

    A node is the sum of its incoming edges; those from node 0 change the shape. Every operation but
    0 runs, whether or not it reaches the output. A node without edges is a constant zero.
    """

    def __init__(
        self, operations: Sequence[str], in_channels: int, out_channels: int, stride: int
    ) -> None:
        super().__init__()
        self.out_channels, self.stride = out_channels, stride
        self.edges = nn.ModuleDict(
            {
                f"{to}_{source}": _edge(op, out_channels, out_channels, 1)
                if source
                else _edge(op, in_channels, out_channels, stride)
                for (to, source), op in zip(EDGES, operations, strict=True)
                if op != "0"
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
            nodes.append(functools.reduce(operator.add, incoming) if incoming else self._zeros(x))
        return nodes[-1]

    def _zeros(self, x: Tensor) -> Tensor:
        height, width = (-(-side // self.stride) for side in x.shape[2:])
        return x.new_zeros(x.shape[0], self.out_channels, height, width)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, a projection where the shape changes.

    [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride].
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_norm(in_channels, out_channels, 3, stride),
            relu_conv_norm(out_channels, out_channels, 3),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or in_channels != out_channels:
            conv = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            # The authors' code passes two flags to this layer in the place of eps and momentum: the
            # published accuracies are those of networks in which both are 1.
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(out_channels, eps=1.0, momentum=1.0))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


def _edge(op: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if op == "1":
        same = in_channels == out_channels and stride == 1
        return nn.Identity() if same else FactorizedReduction(in_channels, out_channels, stride)
    return relu_conv_norm(in_channels, out_channels, {"2": 1, "3": 3}[op], stride)


def _complaint(subset: str, text: str, problem: str) -> InputError:
    shown = repr(shortened(text, 40))
    return InputError(f"TransNAS-Bench-101 {subset} architecture {shown}: {problem}")


MICRO = Space(
    name="transnas-micro",
    positions=(OPERATIONS,) * len(EDGES),
    choices=micro_choices,
    text=micro_text,
    build=micro_build,
    live_cell=live_cell,
    connected=connected,
    datasets=TASKS,
    names=lambda architecture: (equivalence_name(architecture),),
)
MACRO = Space(
    name="transnas-macro",
    positions=(MODULES,) * LENGTHS[0] + (("", *MODULES),) * (LENGTHS[-1] - LENGTHS[0]),
    choices=macro_choices,
    text=macro_text,
    build=macro_build,
    datasets=TASKS,
)
SPACES = (MICRO, MACRO)
