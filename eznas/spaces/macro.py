"""NAS-Bench-Macro: eight layers, each the identity or one of two inverted residual blocks.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021. An
architecture is eight digits: 0 identity, 1 kernel 3 and expansion 3, 2 kernel 5 and expansion 6.
Functions that take an architecture raise `InputError` if it is not one.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Combine, Space, shortened
from eznas.spaces.blocks import conv_norm, pooling

STAGES = (2, 3, 3)  # layers; the first of each halves height and width and doubles the channels
BLOCKS = {"1": (3, 3), "2": (5, 6)}  # kernel, expansion
OPTIONS = ("0", *BLOCKS)
STEM, LAST = 32, 1280  # channels


def choices(architecture: str) -> tuple[str, ...]:
    """The digit of each layer."""
    text = architecture.strip()
    if len(text) != sum(STAGES) or not set(text) <= set(OPTIONS):
        raise InputError(
            f"NAS-Bench-Macro architecture {shortened(text, 40)!r}: "
            f"expected {sum(STAGES)} digits, each 0, 1 or 2"
        )
    return tuple(text)


def text(digits: Sequence[str]) -> str:
    """The architecture with these digits."""
    return "".join(digits)


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Stem of 32 channels, eight layers up to 256 channels, a 1x1 convolution to 1280 channels.

    From [batch, 3, height, width] to logits [batch, classes]; height and width are multiples of 8.
    """
    digits = choices(architecture)
    return _network(lambda layer, *shape: _layer(digits[layer], *shape), classes, STEM)


def supernet(combine: Combine, classes: int = 10, width: int = STEM, cells: int = 0) -> nn.Module:
    """A network that holds every option of every layer, as `Space.supernet` has it.

    `width`: channels of the stem, and a fortieth of those of the last convolution. `cells` has no
    meaning here: the layers are the choices.
    """

    def make_layer(layer: int, *shape: int) -> nn.Module:
        return combine(layer, {digit: _layer(digit, *shape) for digit in OPTIONS})

    return _network(make_layer, classes, width)


def _network(make_layer: Callable[..., nn.Module], classes: int, width: int) -> nn.Module:
    """The network whose layers `make_layer(index, in_channels, out_channels, stride)` makes."""
    channels, features = width, list[nn.Module]()
    for layers in STAGES:
        features.append(make_layer(len(features), channels, 2 * channels, 2))
        channels *= 2
        features += [
            make_layer(len(features) + i, channels, channels, 1) for i in range(layers - 1)
        ]
    last = LAST * width // STEM
    parts: dict[str, nn.Module] = {
        "stem": nn.Sequential(*conv_norm(3, width, 3), nn.ReLU()),
        "features": nn.Sequential(*features),
        "last": nn.Sequential(*conv_norm(channels, last, 1), nn.ReLU()),
        "pool": pooling(),
        "classifier": nn.Linear(last, classes),
    }
    return nn.Sequential(OrderedDict(parts))


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise one, and a 1x1 one to `out_channels`.

    With a shortcut where input and output have the same shape. Source: Sandler et al.,
    "MobileNetV2", CVPR 2018.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, expansion: int, stride: int
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.body = nn.Sequential(
            *conv_norm(in_channels, hidden, 1),
            nn.ReLU(),
            *conv_norm(hidden, hidden, kernel, stride, groups=hidden),
            nn.ReLU(),
            *conv_norm(hidden, out_channels, 1),
        )
        self.shortcut = in_channels == out_channels and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y + x if self.shortcut else y


def equivalence_name(architecture: str) -> str:
    """One name for all architectures that compute the same function.

    After the first layer of a stage no layer changes the shape, and an identity may stand before
    or after a block.
    """
    digits, start, name = choices(architecture), 0, ""
    for layers in STAGES:
        first, rest = digits[start], digits[start + 1 : start + layers]
        name += first + "".join(d for d in rest if d != "0").ljust(layers - 1, "0")
        start += layers
    return name


def _layer(digit: str, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if digit in BLOCKS:
        return InvertedResidual(in_channels, out_channels, *BLOCKS[digit], stride)
    if in_channels == out_channels and stride == 1:
        return nn.Identity()
    return nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride))


SPACE = Space(
    name="nasbench-macro",
    positions=(OPTIONS,) * sum(STAGES),
    choices=choices,
    text=text,
    build=build,
    supernet=supernet,
    names=lambda architecture: (equivalence_name(architecture),),
)
