"""NDS's design spaces of standard networks: Vanilla, ResNet, ResNeXt-A and ResNeXt-B.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019. Three
stages of equal blocks. An architecture is the number of blocks and the channels of each stage,
as in `d2-3-4:w16-32-64`; for ResNeXt also the bottleneck ratio (channels per channel of the 3x3
convolution) and the groups, as in `d1-2-4:w16-32-64:b1-2-4:g1-2-4`.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space, shortened
from eznas.spaces.blocks import conv_norm, pooling

STRIDES = (1, 2, 2)  # of the first block of each stage
STEM = 16  # channels, of all networks in the published files

# The paper gives for each option a range and a number of values "spaced about evenly" in the
# logarithm. For 9 depths from 1 to 24 these are the powers of two and 3, 6, 12, 24; for all others
# but one, the powers of two. Of the 12 widths from 16 to 256, 16, 24, 32 and 40 are in published
# entries; the larger ones are our choice.
FINE = {
    "d": (1, 2, 3, 4, 6, 8, 12, 16, 24),
    "w": (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256),
}
COARSE_A = {
    "d": (1, 2, 4, 8, 16),
    "w": (16, 32, 64, 128, 256),
    "b": (1, 2, 4),
    "g": (1, 2, 4),
}
COARSE_B = {**COARSE_A, "w": (64, 128, 256, 512, 1024), "g": (1, 2, 4, 8, 16)}


@dataclass(frozen=True)
class Design:
    """A design space: the same options for each stage, under the letter that spells them.

    `stem()`: the module from images to `STEM` channels. `block(in_channels, out_channels, stride,
    ...)`: one block, whose further arguments are the stage's numbers for the letters after d and w.
    """

    name: str
    options: Mapping[str, tuple[int, ...]]
    stem: Callable[[], nn.Module]
    block: Callable[..., nn.Module]

    @property
    def positions(self) -> tuple[tuple[str, ...], ...]:
        """The options of each letter and stage."""
        return tuple(tuple(map(str, row)) for row in self.options.values() for _ in STRIDES)

    def choices(self, architecture: str) -> tuple[str, ...]:
        """The numbers for each letter and stage; raises `InputError` if it is no architecture."""
        stages = r"(\d+)-(\d+)-(\d+)"
        form = ":".join(letter + stages for letter in self.options)
        match = re.fullmatch(form, architecture.strip(), re.ASCII)
        if match is None:
            example = _spelled({letter: row[:1] * 3 for letter, row in self.options.items()})
            raise self._complaint(architecture, f"expected the form of {example}")
        for number, options in zip(match.groups(), self.positions, strict=True):
            if number not in options:
                problem = f"found {_quoted(number)}, expected one of {', '.join(options)}"
                raise self._complaint(architecture, problem)
        return match.groups()

    def text(self, numbers: Sequence[str]) -> str:
        """The architecture with these numbers, for each letter and stage."""
        return _spelled(dict(zip(self.options, _by_letter(numbers), strict=True)))

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        """Stem, three stages, pooling and a classifier: [batch, 3, height, width] to logits.

        The first block of the second and the third stage halves height and width, rounded up.
        Raises `InputError` as `choices` does.
        """
        numbers = [[*map(int, row)] for row in _by_letter(self.choices(architecture))]
        layers, in_channels = {"stem": self.stem()}, STEM
        for stage, stride in enumerate(STRIDES):
            depth, channels, *more = (row[stage] for row in numbers)
            blocks = [self.block(in_channels, channels, stride, *more)]
            blocks += [self.block(channels, channels, 1, *more) for _ in range(depth - 1)]
            layers[f"stage{stage + 1}"] = nn.Sequential(*blocks)
            in_channels = channels
        layers["pool"] = pooling()
        layers["classifier"] = nn.Linear(in_channels, classes)
        return nn.Sequential(OrderedDict(layers))

    def _complaint(self, text: str, problem: str) -> InputError:
        return InputError(f"{self.name} architecture {_quoted(text)}: {problem}")


class Residual(nn.Module):
    """The sum of a block's body and a shortcut, through a ReLU (He et al., "ResNet", CVPR 2016).

    The shortcut is a projection where the body changes the shape.
    """

    def __init__(self, body: nn.Module, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.body = body
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels or stride > 1:
            self.shortcut = nn.Sequential(*conv_norm(in_channels, out_channels, 1, stride))
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.shortcut(x) + self.body(x))
        return y


def vanilla(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """A block of two 3x3 convolutions, without a shortcut."""
    return nn.Sequential(*_basic(in_channels, out_channels, stride), nn.ReLU())


def basic(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """A block of two 3x3 convolutions with a shortcut."""
    body = nn.Sequential(*_basic(in_channels, out_channels, stride))
    return Residual(body, in_channels, out_channels, stride)


def bottleneck(
    in_channels: int, out_channels: int, stride: int, ratio: int, groups: int
) -> nn.Module:
    """A grouped 3x3 convolution between 1x1 ones to fewer channels and back, with a shortcut.

    Source: Xie et al., "ResNeXt", CVPR 2017.
    """
    inner = out_channels // ratio
    body = nn.Sequential(
        *conv_norm(in_channels, inner, 1),
        nn.ReLU(),
        *conv_norm(inner, inner, 3, stride, groups),
        nn.ReLU(),
        *conv_norm(inner, out_channels, 1),
    )
    return Residual(body, in_channels, out_channels, stride)


def stem_cifar() -> nn.Module:
    """A module from [batch, 3, height, width] to [batch, 16, height, width]."""
    return nn.Sequential(*conv_norm(3, STEM, 3), nn.ReLU())


def stem_imagenet() -> nn.Module:
    """A module from [batch, 3, height, width] to [batch, 16, height / 4, width / 4].

    It is ResNet's stem for large images: we know of no description of the one that NDS used.
    """
    pool = nn.MaxPool2d(3, 2, padding=1)
    return nn.Sequential(*conv_norm(3, STEM, 7, 2), nn.ReLU(), pool)


def _basic(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    first = conv_norm(in_channels, out_channels, 3, stride)
    return [*first, nn.ReLU(), *conv_norm(out_channels, out_channels, 3)]


def architecture_of(config: Mapping[str, Any]) -> str:
    """The architecture of an entry "net" of the published files.

    `ds`, `ws`, `ss`: blocks, channels and strides of the stages, after those of the stem.
    `bot_muls`: one over the bottleneck ratio. `num_gs`: groups (not channels per group, which would
    contradict the published sizes). Both are empty or missing for other blocks. Raises `InputError`
    for an entry of another form; whether a space has the architecture is not checked here.
    """
    fields = {"d": _stages(config, "ds"), "w": _stages(config, "ws")}
    if _stages(config, "ss") != list(STRIDES) or _stem(config) not in ([], [1, STEM]):
        expected = f"strides {STRIDES} after a stem of {STEM} channels"
        raise InputError(f"NDS network {_quoted(config)}: expected {expected}")
    if config.get("bot_muls") or config.get("num_gs"):
        multiples = _stages(config, "bot_muls")
        if 0 in multiples or any(1 / m != round(1 / m) for m in multiples):
            raise InputError(f"NDS network {_quoted(config)}: expected bot_muls of 1, 0.5 or 0.25")
        fields |= {"b": [round(1 / m) for m in multiples], "g": _stages(config, "num_gs")}
    return _spelled(fields)


def _stages(config: Mapping[str, Any], field: str) -> list[Any]:
    """The numbers of the three stages; that of the stem, if there is one, is left out."""
    content, stages = config.get(field), len(STRIDES)
    numbers = content if isinstance(content, list) else []
    allowed = {int, float} if field == "bot_muls" else {int}
    if len(numbers) not in (stages, stages + 1) or not {*map(type, numbers)} <= allowed:
        expected = f"a list of {stages} numbers (or one more, for the stem) as {field!r}"
        raise InputError(f"NDS network {_quoted(config)}: expected {expected}")
    return numbers[-stages:]


def _stem(config: Mapping[str, Any]) -> list[int]:
    """Numbers of blocks and channels of the stem, where the entry has it as a stage."""
    return [*config["ds"][: -len(STRIDES)], *config["ws"][: -len(STRIDES)]]


def _by_letter(numbers: Sequence[str]) -> list[Sequence[str]]:
    """For each letter its numbers, one for each stage."""
    stages = len(STRIDES)
    return [numbers[i : i + stages] for i in range(0, len(numbers), stages)]


def _spelled(fields: Mapping[str, Sequence[int | str]]) -> str:
    return ":".join(letter + "-".join(map(str, numbers)) for letter, numbers in fields.items())


def _quoted(value: object) -> str:
    return shortened(" ".join(repr(value).split()), 80)


# The published networks of ResNet and Vanilla for ImageNet only vary the learning rate.
DESIGNS = (
    Design("nds-resnet", FINE, stem_cifar, basic),
    Design("nds-resnext-a", COARSE_A, stem_cifar, bottleneck),
    Design("nds-resnext-b", COARSE_B, stem_cifar, bottleneck),
    Design("nds-vanilla", FINE, stem_cifar, vanilla),
    Design("nds-resnext-a-in", COARSE_A, stem_imagenet, bottleneck),
    Design("nds-resnext-b-in", COARSE_B, stem_imagenet, bottleneck),
)

SPACES = tuple(
    Space(
        name=design.name,
        positions=design.positions,
        choices=design.choices,
        text=design.text,
        build=design.build,
        datasets=("imagenet",) if design.stem is stem_imagenet else ("cifar10",),
    )
    for design in DESIGNS
)
