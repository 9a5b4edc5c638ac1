"""Small models wired for one test, and what the tracer says about them."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from eznas.statistics.structure import Structure

IMAGES = generated(2, size=8)
NONE, SKIP, CONV1, CONV3, POOL = (
    *("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"),
)


def cell(a: str, b: str, c: str, d: str, e: str, f: str) -> str:
    """A NAS-Bench-201 cell from the operations on its six edges."""
    return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


SPECIAL_CELLS = [
    cell(CONV3, CONV3, CONV3, CONV3, CONV3, CONV3),
    cell(NONE, NONE, NONE, NONE, NONE, NONE),
    cell(NONE, CONV3, CONV1, NONE, NONE, SKIP),  # a convolution fed by zeros
    cell(CONV3, NONE, NONE, SKIP, NONE, NONE),  # a convolution whose output is unused
    cell(NONE, NONE, CONV1, CONV3, POOL, CONV3),  # zeros through two convolutions
    cell(CONV3, CONV1, CONV3, NONE, NONE, NONE),  # disconnected, full of convolutions
    cell(NONE, NONE, CONV3, NONE, CONV1, POOL),  # disconnected from the other side
    cell(SKIP, SKIP, SKIP, SKIP, SKIP, SKIP),
]


def traced(model: nn.Module, names: Sequence[str] = ()) -> Structure:
    """The traced structure; with paths if one of the named statistics needs them."""
    rows = [CATALOGUE[name] for name in names]
    return measure(
        model, MeasurementConfig(IMAGES, raw=8, sketch=64, initialisation="keep"), rows
    ).structure


def live(structure: Structure, axis: str = "activations") -> tuple[bool, ...]:
    """Liveness of each row of the axis."""
    return tuple(is_live for _, is_live in structure.along(axis))


def neighbours(model: nn.Module) -> list[tuple[int | None, int | None, bool]]:
    """(activation, batch norm, liveness) of each layer."""
    return [(layer.activation, layer.norm, layer.live) for layer in traced(model).layers]


def shapes(structure: Structure, axis: str) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Shapes of input and output of each row of the axis."""
    return [signature[:2] for signature, _ in structure.along(axis)]  # type: ignore[index, misc]


class Wired(nn.Module):
    """A model from its parts and a function of the image and the parts, its forward."""

    def __init__(self, wiring: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.wiring = wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.wiring(x, **self.parts)


class OneBlock(nn.Module):
    """A chain that is one block: beside its container it has another child."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts, self.other = nn.Sequential(*parts), nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x)


class Halved(torch.autograd.Function):
    """An operation of a user's own, unknown to the tracer."""

    @staticmethod
    def forward(ctx, x):
        return x / 2

    @staticmethod
    def backward(ctx, gradient):
        return gradient / 2


def conv(in_channels: int = 4, out_channels: int = 4, **options) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, **options)


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False)


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def chain(activation: Callable[[Tensor], Tensor]) -> Wired:
    """Convolution, norm, the activation, convolution, pooling, linear."""

    def wiring(x, stem, norm, last, head):
        return head(pooled(last(activation(norm(stem(x))))))

    return Wired(wiring, stem=conv(3), norm=nn.BatchNorm2d(4), last=conv(), head=nn.Linear(4, 10))


CHAIN_NEIGHBOURS = [(None, 0, True), (0, None, True), (None, None, True)]
