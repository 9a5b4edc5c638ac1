"""NAS-Bench-Macro: eight layers, each the identity or one of two inverted residual blocks.

Source: Su et al., "Prioritized Architecture Sampling with Monto-Carlo Tree Search", CVPR 2021. An
architecture is eight digits: 0 identity, 1 kernel 3 and expansion 3, 2 kernel 5 and expansion 6.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space

STAGES = (2, 3, 3)  # layers; the first of each halves height and width and doubles the channels
BLOCKS = {"1": (3, 3), "2": (5, 6)}  # kernel, expansion
OPTIONS = ("0", *BLOCKS)
STEM, LAST = 32, 1280  # channels


def choices(architecture: str) -> tuple[str, ...]:
    """The digit of each layer."""
    text = architecture.strip()
    if len(text) != sum(STAGES) or not set(text) <= set(OPTIONS):
        shown = repr(text if len(text) <= 40 else text[:37] + "...")
        raise InputError(
            f"NAS-Bench-Macro architecture {shown}: expected {sum(STAGES)} digits, each 0, 1 or 2"
        )
    return tuple(text)


def text(chosen: Sequence[str]) -> str:
    """The digits in one."""
    return "".join(chosen)


def build(architecture: str, classes: int = 10) -> nn.Module:
    """Stem of 32 channels, the eight layers up to 256 channels, 1280 channels before pooling.

    Height and width are multiples of 8.
    """
    channels, features = STEM, list[nn.Module]()
    digits = iter(choices(architecture))
    for layers in STAGES:
        features.append(_layer(next(digits), channels, 2 * channels, 2))
        channels *= 2
        features += [_layer(next(digits), channels, channels, 1) for _ in range(layers - 1)]
    parts: dict[str, nn.Module] = {
        "stem": nn.Sequential(*_convolution(3, STEM, 3), nn.ReLU()),
        "features": nn.Sequential(*features),
        "last": nn.Sequential(*_convolution(channels, LAST, 1), nn.ReLU()),
        "pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "classifier": nn.Linear(LAST, classes),
    }
    return nn.Sequential(OrderedDict(parts))


class InvertedResidual(nn.Module):
    """Expand, filter every channel by itself, project (Sandler et al., 2018: MobileNetV2); with
    a shortcut where input and output have one shape."""

    def __init__(self, before: int, after: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = before * expansion
        self.body = nn.Sequential(
            *_convolution(before, hidden, 1),
            nn.ReLU(),
            *_convolution(hidden, hidden, kernel, stride, groups=hidden),
            nn.ReLU(),
            *_convolution(hidden, after, 1),
        )
        self.shortcut = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y + x if self.shortcut else y


def function_name(architecture: str) -> str:
    """One name for architectures of one function: where no shape changes, the identity before a
    block is the identity after it."""
    digits, start, found = choices(architecture), 0, ""
    for layers in STAGES:
        first, rest = digits[start], digits[start + 1 : start + layers]
        found += first + "".join(d for d in rest if d != "0").ljust(layers - 1, "0")
        start += layers
    return found


def _layer(digit: str, before: int, after: int, stride: int) -> nn.Module:
    if digit in BLOCKS:
        return InvertedResidual(before, after, *BLOCKS[digit], stride)
    if before == after and stride == 1:
        return nn.Identity()
    return nn.Sequential(*_convolution(before, after, 1, stride))


def _convolution(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(after)


SPACE = Space(
    name="nasbench-macro",
    positions=(OPTIONS,) * sum(STAGES),
    choices=choices,
    text=text,
    build=build,
    names=lambda architecture: (function_name(architecture),),
)
