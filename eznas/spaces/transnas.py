"""TransNAS-Bench-101: a cell on a fixed skeleton (micro), or a skeleton of fixed blocks (macro).

Source: Duan et al., "TransNAS-Bench-101: Improving Transferability and Generalizability of
Cross-Task Neural Architecture Search", CVPR 2021. `64-41414-3_33_333`: 64 channels after the
stem, a digit for each module, the operations of each node of the cell. `64-1234-basic`: the same
with residual blocks. Built are backbone, pooling and a classifier, as for the tasks of object and
scene classification; the heads of the other tasks are not.
"""

import functools
import operator
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space
from eznas.spaces.blocks import FactorizedReduction

STEM = 64  # channels
BLOCKS = 2  # in each module

# A module's digit: 1 changes nothing, 2 doubles the channels, 3 halves height and width, 4 both.
MODULES = ("1", "2", "3", "4")
DOUBLING, HALVING = {"2", "4"}, {"3", "4"}
SKELETON = "41414"  # of every micro network

# An operation's digit: 0 none, 1 skip connection, 2 1x1 convolution, 3 3x3 convolution.
OPERATIONS = ("0", "1", "2", "3")
EDGES = ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2))  # (to, from), in the order of the text
PATHS = ((3,), (0, 4), (1, 5), (0, 2, 5))  # from node 0 to node 3, as places in EDGES

# The limits of a macro network, which 3,256 skeletons are within, as many as were published.
LENGTHS, HALVINGS, DOUBLINGS = range(4, 7), range(1, 5), range(1, 4)

TASKS = ("class_object", "class_scene")  # those with classification heads

Block = Callable[[int, int, int], nn.Module]  # channels before and after, stride


def micro_choices(architecture: str) -> tuple[str, ...]:
    """The operation of each edge."""
    cell = r"([0-3])_([0-3])([0-3])_([0-3])([0-3])([0-3])"
    match = re.fullmatch(f"{STEM}-{SKELETON}-{cell}", architecture.strip())
    if match is None:
        form = f"expected the form of {STEM}-{SKELETON}-3_33_333, digits from 0 to 3"
        raise _complaint("micro", architecture, form)
    return match.groups()


def micro_text(chosen: Sequence[str]) -> str:
    """The architecture of an operation for each edge."""
    a, b, c, d, e, f = chosen
    return f"{STEM}-{SKELETON}-{a}_{b}{c}_{d}{e}{f}"


def micro_build(architecture: str, classes: int = 10) -> nn.Module:
    """Five modules of two cells, of 64 to 512 channels. Halves of odd heights are rounded up."""
    chosen = micro_choices(architecture)
    return _network(
        SKELETON, lambda before, after, stride: Cell(chosen, before, after, stride), classes
    )


def live_cell(architecture: str) -> str:
    """The cell with the operations on no path from node 0 to node 3 replaced by 0.

    4,096 cells have 2,128 distinct ones.
    """
    chosen = micro_choices(architecture)
    paths = [path for path in PATHS if all(chosen[place] != "0" for place in path)]
    alive = {place for path in paths for place in path}
    return micro_text([op if place in alive else "0" for place, op in enumerate(chosen)])


def connected(architecture: str) -> bool:
    """Whether a path leads from node 0 to node 3."""
    return set(micro_choices(live_cell(architecture))) != {"0"}


def function_name(architecture: str) -> str:
    """One name for cells whose live cells are equal up to exchanging nodes 1 and 2.

    4,096 cells have 1,948.
    """
    live = live_cell(architecture)
    first, second, between, direct, one, two = micro_choices(live)
    if between != "0":
        return live
    return min(live, micro_text((second, first, between, direct, two, one)))


def macro_choices(architecture: str) -> tuple[str, ...]:
    """The digit of each module, empty for modules that are not there."""
    match = re.fullmatch(rf"{STEM}-([1-4]+)-basic", architecture.strip())
    if match is None:
        form = f"expected the form of {STEM}-1234-basic, digits from 1 to 4"
        raise _complaint("macro", architecture, form)
    _check(match[1], architecture)
    return (*match[1], *[""] * (LENGTHS[-1] - len(match[1])))


def macro_text(chosen: Sequence[str]) -> str:
    """The architecture of a digit for each module; `InputError` for a gap between modules."""
    digits = "".join(chosen)
    architecture = f"{STEM}-{digits}-basic"
    if any(chosen[len(digits) :]):
        raise _complaint("macro", architecture, "expected no gap before the last module")
    _check(digits, architecture)
    return architecture


def macro_build(architecture: str, classes: int = 10) -> nn.Module:
    """Four to six modules of two residual blocks. Halves of odd heights are rounded up."""
    return _network("".join(macro_choices(architecture)), BasicBlock, classes)


def _check(digits: str, shown: str) -> None:
    """`InputError` where a skeleton is outside the limits."""
    halvings, doublings = (sum(d in kind for d in digits) for kind in (HALVING, DOUBLING))
    if len(digits) not in LENGTHS:
        raise _complaint("macro", shown, "expected 4 to 6 modules")
    if halvings not in HALVINGS or doublings not in DOUBLINGS:
        limits = "expected 1 to 4 digits of 3 and 4 (halving), and 1 to 3 of 2 and 4 (doubling)"
        raise _complaint("macro", shown, limits)


def _network(modules: str, block: Block, classes: int) -> nn.Module:
    """Stem (a quarter of height and width), modules, pooling and classifier."""
    channels = STEM
    first = nn.Conv2d(3, STEM // 2, 3, 2, padding=1, bias=False)
    stem = [first, nn.BatchNorm2d(STEM // 2), _convolution(STEM // 2, STEM, 3, 2)]
    layers: dict[str, nn.Module] = {"stem": nn.Sequential(*stem)}
    for number, digit in enumerate(modules, 1):
        before, channels = channels, channels * (2 if digit in DOUBLING else 1)
        blocks = [block(before, channels, 2 if digit in HALVING else 1)]
        blocks += [block(channels, channels, 1) for _ in range(BLOCKS - 1)]
        layers[f"module{number}"] = nn.Sequential(*blocks)
    layers["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    layers["classifier"] = nn.Linear(channels, classes)
    return nn.Sequential(OrderedDict(layers))


class Cell(nn.Module):
    """[batch, before, height, width] to [batch, after, height / stride, width / stride].

    A node is the sum of its edges; what reads node 0 changes the shape. Every edge but 0 runs,
    whether or not it reaches the output. A node without edges is a constant zero.
    """

    def __init__(self, chosen: Sequence[str], before: int, after: int, stride: int) -> None:
        super().__init__()
        self.after, self.stride = after, stride
        self.edges = nn.ModuleDict(
            {
                f"{to}_{source}": _edge(op, after, after, 1)
                if source
                else _edge(op, before, after, stride)
                for (to, source), op in zip(EDGES, chosen, strict=True)
                if op != "0"
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        nodes = [x]
        for to in (1, 2, 3):
            arriving = [
                self.edges[edge](nodes[source])
                for source in range(to)
                if (edge := f"{to}_{source}") in self.edges
            ]
            total = functools.reduce(operator.add, arriving) if arriving else self._nothing(x)
            nodes.append(total)
        return nodes[-1]

    def _nothing(self, x: Tensor) -> Tensor:
        height, width = (-(-side // self.stride) for side in x.shape[2:])
        return x.new_zeros(x.shape[0], self.after, height, width)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut, a projection where the shape changes.

    [batch, before, height, width] to [batch, after, height / stride, width / stride].
    """

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(before, after, 3, stride), _convolution(after, after, 3)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            conv = nn.Conv2d(before, after, 1, stride, bias=False)
            # The authors' program hands two flags to this layer where eps and momentum stand; the
            # published accuracies are those of networks with 1 for both.
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(after, eps=1.0, momentum=1.0))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


def _edge(op: str, before: int, after: int, stride: int) -> nn.Module:
    if op == "1":
        same = before == after and stride == 1
        return nn.Identity() if same else FactorizedReduction(before, after, stride)
    return _convolution(before, after, {"2": 1, "3": 3}[op], stride)


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> nn.Module:
    conv = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(after))


def _complaint(kind: str, text: str, problem: str) -> InputError:
    shown = repr(text if len(text) <= 40 else text[:37] + "...")
    return InputError(f"TransNAS-Bench-101 {kind} architecture {shown}: {problem}")


MICRO = Space(
    name="transnas-micro",
    positions=(OPERATIONS,) * len(EDGES),
    choices=micro_choices,
    text=micro_text,
    build=micro_build,
    live_cell=live_cell,
    connected=connected,
    datasets=TASKS,
    names=lambda architecture: (function_name(architecture),),
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
