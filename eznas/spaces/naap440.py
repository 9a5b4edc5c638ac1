"""NAAP-440: small networks of three or four convolutions for CIFAR-10, 440 in all.

Source: Hakim, "NAAP-440 Dataset and Baseline for Neural Architecture Accuracy Prediction", 2022
(arXiv 2209.06626); code and data at github.com/talcs/NAAP-440. An architecture is its layers,
`3x12s2-3x16s2-1x16s1r`: kernel x channels, s and the stride, r where the layer's input is added to
its output. The author lists every network that these rules allow:

- the first two layers have kernel 3 and stride 2;
- a layer with a shortcut changes neither the number of channels nor height and width;
- at most three layers have stride 2.

So the 440 networks are all of the space, and a sample draws each with the same probability.

Near-equal networks, which are never on both sides of a split, are those that differ in shortcuts
and in the channels of the fourth layer alone. These two choices change the accuracy least: each by
itself by .7 and .8 points on average, where accuracies have a standard deviation of 5.2 (a kernel
changes it by 6, a stride by 4). That makes 192 components of at most 4 networks. With all channels
free there would be 16.
Functions that take an architecture raise `InputError` if it is not one.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space, shortened
from eznas.spaces.blocks import conv_norm, pooling

Layer = tuple[str, str, str]  # kernel, channels, stride; the stride is "1r" with a shortcut

NONE = "none"  # in place of a kernel: there is no fourth layer
STRIDES = ("1", "1r", "2")
POSITIONS = (
    ("12", "16"),  # channels of the first layer
    ("16", "24"),  # and of the second
    *(("1", "3"), ("16", "24", "32"), STRIDES),  # the third layer
    *((NONE, "1", "3"), ("32", "40"), STRIDES),  # the fourth layer
)
NO_LAYER = (NONE, "32", "1")  # the one way to say that there is no fourth layer
MOST_STRIDES = 3  # layers with stride 2
EXPECTED = (
    "three or four layers as in 3x12s2-3x16s2-1x16s1r: kernel 3 and stride 2 in the first two, "
    "then kernel 1 or 3; channels 12 or 16, 16 or 24, 16, 24 or 32, 32 or 40"
)
_LAYER = re.compile(r"(\d)x(\d\d)s(1r?|2)", re.ASCII)


def choices(architecture: str) -> tuple[str, ...]:
    """Channels of the first two layers; kernel, channels and stride of the others."""
    layers = _parsed(architecture)
    fourth = layers[3] if len(layers) == 4 else NO_LAYER
    chosen = (layers[0][1], layers[1][1], *layers[2], *fourth)
    known = all(option in options for option, options in zip(chosen, POSITIONS, strict=True))
    if not known or _layers(chosen) != layers:
        raise _error(architecture, f"expected {EXPECTED}")
    text(chosen)
    return chosen


def text(chosen: Sequence[str]) -> str:
    """The architecture with these choices; raises `InputError` where they break a rule."""
    layers = _layers(chosen)
    architecture = "-".join(f"{kernel}x{width}s{stride}" for kernel, width, stride in layers)
    if chosen[5] == NONE and tuple(chosen[5:]) != NO_LAYER:
        raise _error(architecture, f"without a fourth layer, its choices are {NO_LAYER}")
    if any(b[2] == "1r" and a[1] != b[1] for a, b in pairwise(layers)):
        raise _error(architecture, "a layer with a shortcut has as many channels as the one before")
    if sum(stride == "2" for _, _, stride in layers) > MOST_STRIDES:
        raise _error(architecture, f"at most {MOST_STRIDES} layers have stride 2")
    return architecture


def near_equal(architecture: str) -> str:
    """A name that networks share which differ in shortcuts and in the channels of the fourth layer
    alone."""
    first, second, kernel, channels, stride, *fourth = choices(architecture)
    return "-".join([first, second, kernel, channels, stride[0], fourth[0], fourth[2][0]])


def build(architecture: str, classes: int = 10) -> nn.Module:
    """The layers, global average pooling and a linear layer.

    From [batch, 3, height, width] to logits [batch, classes].
    """
    channels, layers = 3, list[nn.Module]()
    for kernel, width, stride in _layers(choices(architecture)):
        layers.append(ConvNormReLU(channels, int(width), int(kernel), stride))
        channels = int(width)
    parts: dict[str, nn.Module] = {
        "layers": nn.Sequential(*layers),
        "pool": pooling(),
        "classifier": nn.Linear(channels, classes),
    }
    return nn.Sequential(OrderedDict(parts))


class ConvNormReLU(nn.Module):
    """A convolution, a batch norm and a ReLU, to whose result the input is added if `stride` is
    "1r".

    [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride].
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: str) -> None:
        super().__init__()
        pair = conv_norm(in_channels, out_channels, kernel, int(stride[0]))
        self.body = nn.Sequential(*pair, nn.ReLU())
        self.shortcut = stride == "1r"

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return y + x if self.shortcut else y


def _parsed(architecture: str) -> list[Layer]:
    matches = [_LAYER.fullmatch(part) for part in architecture.strip().split("-")]
    layers = [(m[1], m[2], m[3]) for m in matches if m]
    if len(layers) != len(matches) or len(layers) not in (3, 4):
        raise _error(architecture, f"expected {EXPECTED}")
    return layers


def _layers(chosen: Sequence[str]) -> list[Layer]:
    first, second, *others = chosen
    layers: list[Layer] = [("3", first, "2"), ("3", second, "2")]
    for kernel, width, stride in (others[:3], others[3:]):
        if kernel != NONE:
            layers.append((kernel, width, stride))
    return layers


def _error(architecture: str, problem: str) -> InputError:
    return InputError(f"NAAP-440 architecture {shortened(architecture, 40)!r}: {problem}")


SPACE = Space(
    name="naap440",
    positions=POSITIONS,
    choices=choices,
    text=text,
    build=build,
    names=lambda architecture: (near_equal(architecture),),
)
