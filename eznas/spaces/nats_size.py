"""NATS-Bench's size space: five numbers of channels around one cell of NAS-Bench-201.

Source: Dong et al., "NATS-Bench: Benchmarking NAS Algorithms for Architecture Topology and Size",
TPAMI 2021. An architecture is `8:16:64:24:32`: the channels after the first stage (and the stem),
the first reduction, the second stage, the second reduction and the third stage. (The authors'
README names other layers; the published sizes are those of this order.)
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space

LAYERS = 5  # cell, reduction, cell, reduction, cell
CHANNELS = tuple(str(c) for c in range(8, 65, 8))


def choices(architecture: str) -> tuple[str, ...]:
    """The channels of each layer."""
    chosen = architecture.strip().split(":")
    if len(chosen) != LAYERS or not set(chosen) <= set(CHANNELS):
        shown = repr(architecture if len(architecture) <= 40 else architecture[:37] + "...")
        raise InputError(
            f"NATS-Bench size {shown}: expected {LAYERS} numbers of channels, "
            f"as in 8:16:64:24:32, each one of {', '.join(CHANNELS)}"
        )
    return tuple(chosen)


def text(chosen: Sequence[str]) -> str:
    """The numbers with colons between them."""
    return ":".join(chosen)


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Stem, then cell, reduction, cell, reduction, cell, each with the channels named for it.

    The stem has as many as the first cell. Height and width are multiples of 4.
    """
    first, second, third, fourth, last = map(int, choices(architecture))
    layers: dict[str, nn.Module] = {
        "stem": nn.Sequential(nn.Conv2d(3, first, 3, padding=1, bias=False), nn.BatchNorm2d(first)),
        "stage1": Cell(first, first),
        "reduction1": Reduction(first, second),
        "stage2": Cell(second, third),
        "reduction2": Reduction(third, fourth),
        "stage3": Cell(fourth, last),
        "last": nn.Sequential(nn.BatchNorm2d(last), nn.ReLU()),
        "pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "classifier": nn.Linear(last, classes),
    }
    return nn.Sequential(OrderedDict(layers))


class Cell(nn.Module):
    """[batch, before, height, width] to [batch, after, height, width].

    The cell that was best on CIFAR-100, |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+
    |skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|. What reads the input changes the channels; the
    skip connection is a projection where it has to.
    """

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                "1_0": _convolution(before, after),
                "2_0": _convolution(before, after),
                "2_1": _convolution(after, after),
                "3_0": _skip(before, after),
                "3_1": _convolution(after, after),
                "3_2": _convolution(after, after),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        edges = self.edges
        first = edges["1_0"](x)
        second = edges["2_0"](x) + edges["2_1"](first)
        total: Tensor = edges["3_0"](x) + edges["3_1"](first) + edges["3_2"](second)
        return total


class Reduction(nn.Module):
    """The residual block between stages: other channels, half the height and width."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_convolution(before, after, stride=2), _convolution(after, after))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(before, after, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


def _skip(before: int, after: int) -> nn.Module:
    if before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))


def _convolution(before: int, after: int, stride: int = 1) -> nn.Module:
    conv = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(after))


SPACE = Space(
    name="nats-size",
    positions=(CHANNELS,) * LAYERS,
    choices=choices,
    text=text,
    build=build,
    datasets=("cifar10", "cifar100", "ImageNet16-120"),
)
