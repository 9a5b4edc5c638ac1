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
from eznas.spaces.base import Space, shortened
from eznas.spaces.blocks import ResidualReduction, conv_norm, pooling, relu_conv_norm

LAYERS = 5  # cell, reduction, cell, reduction, cell
CHANNELS = tuple(str(c) for c in range(8, 65, 8))


def choices(architecture: str) -> tuple[str, ...]:
    """The channels of each layer; raises `InputError` for a text that is no architecture."""
    numbers = architecture.strip().split(":")
    if len(numbers) != LAYERS or not set(numbers) <= set(CHANNELS):
        raise InputError(
            f"NATS-Bench size {shortened(architecture, 40)!r}: expected {LAYERS} numbers of "
            f"channels, as in 8:16:64:24:32, each one of {', '.join(CHANNELS)}"
        )
    return tuple(numbers)


def text(numbers: Sequence[str]) -> str:
    """The architecture with these numbers of channels."""
    return ":".join(numbers)


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Stem, then cell, reduction, cell, reduction, cell, each to its number of channels.

    The stem has as many channels as the first cell. From [batch, 3, height, width] to logits
    [batch, classes]; height and width are multiples of 4. Raises `InputError` as `choices` does.
    """
    first, second, third, fourth, last = map(int, choices(architecture))
    layers: dict[str, nn.Module] = {
        "stem": nn.Sequential(*conv_norm(3, first, 3)),
        "stage1": Cell(first, first),
        "reduction1": ResidualReduction(first, second),
        "stage2": Cell(second, third),
        "reduction2": ResidualReduction(third, fourth),
        "stage3": Cell(fourth, last),
        "last": nn.Sequential(nn.BatchNorm2d(last), nn.ReLU()),
        "pool": pooling(),
        "classifier": nn.Linear(last, classes),
    }
    return nn.Sequential(OrderedDict(layers))


class Cell(nn.Module):
    """[batch, in_channels, height, width] to [batch, out_channels, height, width].

    The cell that was best on CIFAR-100, |nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+
    |skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|. The edges from the input change the number of
    channels; the skip connection is a projection where it must change it.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict(
            {
                "1_0": relu_conv_norm(in_channels, out_channels, 3),
                "2_0": relu_conv_norm(in_channels, out_channels, 3),
                "2_1": relu_conv_norm(out_channels, out_channels, 3),
                "3_0": _skip(in_channels, out_channels),
                "3_1": relu_conv_norm(out_channels, out_channels, 3),
                "3_2": relu_conv_norm(out_channels, out_channels, 3),
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        edges = self.edges
        first = edges["1_0"](x)
        second = edges["2_0"](x) + edges["2_1"](first)
        total: Tensor = edges["3_0"](x) + edges["3_1"](first) + edges["3_2"](second)
        return total


def _skip(in_channels: int, out_channels: int) -> nn.Module:
    if in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(*conv_norm(in_channels, out_channels, 1))


SPACE = Space(
    name="nats-size",
    positions=(CHANNELS,) * LAYERS,
    choices=choices,
    text=text,
    build=build,
    datasets=("cifar10", "cifar100", "ImageNet16-120"),
)
