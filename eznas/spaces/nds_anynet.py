"""NDS's design spaces of standard networks: Vanilla, ResNet, ResNeXt-A and ResNeXt-B.

Source: Radosavovic et al., "On Network Design Spaces for Visual Recognition", ICCV 2019. Three
stages of equal blocks. An architecture is the blocks and the channels of each stage, as in
`d2-3-4:w16-32-64`; for ResNeXt also the bottleneck ratio (channels per channel of the 3x3
convolution) and the groups, as in `d1-2-4:w16-32-64:b1-2-4:g1-2-4`.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces.base import Space

STRIDES = (1, 2, 2)  # of the first block of each stage
STEM = 16  # channels; of the published files, and not varied

# The paper gives a range and a number of values "spaced about evenly" in the logarithm. Depths 1
# to 24 (9) and 1 to 16 (5), widths 16 to 256 (5) and 64 to 1024 (5), ratios 1 to 4 (3), groups 1
# to 4 (3) and 1 to 16 (5) leave powers of two, for 9 depths those and 3, 6, 12, 24. Which widths
# the 12 from 16 to 256 are is our choice from 48 on; 16, 24, 32 and 40 are in published entries.
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
    """A design space: its options by the letter they are written with, the same for each stage.

    `stem()`: images to `STEM` channels. `block(before, after, stride, ...)`: one block, given a
    stage's numbers for the letters after d and w.
    """

    name: str
    options: Mapping[str, tuple[int, ...]]
    stem: Callable[[], nn.Module]
    block: Callable[..., nn.Module]

    @property
    def positions(self) -> tuple[tuple[str, ...], ...]:
        """The options of each letter and stage."""
        return tuple(tuple(map(str, o)) for o in self.options.values() for _ in STRIDES)

    def choices(self, architecture: str) -> tuple[str, ...]:
        """The numbers of each letter and stage."""
        stages = r"(\d+)-(\d+)-(\d+)"
        form = ":".join(letter + stages for letter in self.options)
        match = re.fullmatch(form, architecture.strip(), re.ASCII)
        if match is None:
            example = _spelled({letter: o[:1] * 3 for letter, o in self.options.items()})
            raise self._complaint(architecture, f"expected the form of {example}")
        for number, option in zip(match.groups(), self.positions, strict=True):
            if number not in option:
                problem = f"found {_short(number)}, expected one of {', '.join(option)}"
                raise self._complaint(architecture, problem)
        return match.groups()

    def text(self, chosen: Sequence[str]) -> str:
        """The architecture of a number for each letter and stage."""
        return _spelled(dict(zip(self.options, _threes(chosen), strict=True)))

    def build(self, architecture: str, classes: int = 10) -> nn.Module:
        """Stem, three stages and a classifier of what they say on average.

        The first block of the second and the third stage halves height and width, rounded up.
        """
        numbers = [[*map(int, three)] for three in _threes(self.choices(architecture))]
        depths, widths, *more = numbers
        layers, before = {"stem": self.stem()}, STEM
        for stage, stride in enumerate(STRIDES):
            after, rest = widths[stage], [three[stage] for three in more]
            blocks = [self.block(before, after, stride, *rest)]
            blocks += [self.block(after, after, 1, *rest) for _ in range(depths[stage] - 1)]
            layers[f"stage{stage + 1}"] = nn.Sequential(*blocks)
            before = after
        layers["pool"] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        layers["classifier"] = nn.Linear(before, classes)
        return nn.Sequential(OrderedDict(layers))

    def _complaint(self, text: str, problem: str) -> InputError:
        return InputError(f"{self.name} architecture {_short(text)}: {problem}")


class Residual(nn.Module):
    """The block's body and a shortcut, summed and rectified (He et al., 2016: ResNet).

    The shortcut is a projection where the body changes the shape.
    """

    def __init__(self, body: nn.Module, before: int, after: int, stride: int) -> None:
        super().__init__()
        same = before == after and stride == 1
        self.body = body
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(*_convolution(before, after, 1, stride))
        )
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.shortcut(x) + self.body(x))
        return y


def vanilla(before: int, after: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions, without a shortcut."""
    return nn.Sequential(*_basic(before, after, stride), nn.ReLU())


def basic(before: int, after: int, stride: int) -> nn.Module:
    """Two 3x3 convolutions with a shortcut."""
    return Residual(nn.Sequential(*_basic(before, after, stride)), before, after, stride)


def bottleneck(before: int, after: int, stride: int, ratio: int, groups: int) -> nn.Module:
    """A 3x3 convolution in groups, between 1x1 convolutions to fewer channels and back, with a
    shortcut (Xie et al., 2017: ResNeXt)."""
    inner = after // ratio
    body = nn.Sequential(
        *_convolution(before, inner, 1),
        nn.ReLU(),
        *_convolution(inner, inner, 3, stride, groups),
        nn.ReLU(),
        *_convolution(inner, after, 1),
    )
    return Residual(body, before, after, stride)


def stem_cifar() -> nn.Module:
    """[batch, 3, height, width] to [batch, 16, height, width]."""
    return nn.Sequential(*_convolution(3, STEM, 3), nn.ReLU())


def stem_imagenet() -> nn.Module:
    """[batch, 3, height, width] to [batch, 16, height / 4, width / 4].

    Our choice, ResNet's for large images: no description of NDS's stem for ImageNet was found.
    """
    pool = nn.MaxPool2d(3, 2, padding=1)
    return nn.Sequential(*_convolution(3, STEM, 7, 2), nn.ReLU(), pool)


def _basic(before: int, after: int, stride: int) -> list[nn.Module]:
    first, last = _convolution(before, after, 3, stride), _convolution(after, after, 3)
    return [*first, nn.ReLU(), *last]


def _convolution(
    before: int, after: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, groups=groups, bias=False)
    return conv, nn.BatchNorm2d(after)


def architecture_of(config: Mapping[str, Any]) -> str:
    """The architecture of an entry "net" of the published files; `InputError` where it is none.

    `ds`, `ws`, `ss`: blocks, channels and strides of the stages, after those of the stem.
    `bot_muls`: one over the bottleneck ratio, and `num_gs`: groups (not channels per group: only
    so are the published sizes met); empty or missing where blocks have none. Whether a space has
    the architecture is for its `canonical` to say.
    """
    fields = {"d": _stages(config, "ds"), "w": _stages(config, "ws")}
    if _stages(config, "ss") != list(STRIDES) or _stem(config) not in ([], [1, STEM]):
        wanted = f"strides {STRIDES} after a stem of {STEM} channels"
        raise InputError(f"NDS network {_short(config)}: expected {wanted}")
    if config.get("bot_muls") or config.get("num_gs"):
        multiples = _stages(config, "bot_muls")
        if 0 in multiples or any(1 / m != round(1 / m) for m in multiples):
            raise InputError(f"NDS network {_short(config)}: expected bot_muls of 1, 0.5 or 0.25")
        fields |= {"b": [round(1 / m) for m in multiples], "g": _stages(config, "num_gs")}
    return _spelled(fields)


def _stages(config: Mapping[str, Any], field: str) -> list[Any]:
    """The numbers of the three stages, less the stem's where there is one."""
    found, stages = config.get(field), len(STRIDES)
    numbers = found if isinstance(found, list) else []
    kinds = {int, float} if field == "bot_muls" else {int}
    if len(numbers) not in (stages, stages + 1) or not {*map(type, numbers)} <= kinds:
        wanted = f"a list of {stages} numbers (or one more, for the stem) as {field!r}"
        raise InputError(f"NDS network {_short(config)}: expected {wanted}")
    return numbers[-stages:]


def _stem(config: Mapping[str, Any]) -> list[int]:
    """Blocks and channels of the stem where the network has it as a stage."""
    return [*config["ds"][: -len(STRIDES)], *config["ws"][: -len(STRIDES)]]


def _threes(chosen: Sequence[str]) -> list[Sequence[str]]:
    """The numbers of each letter, one for each stage."""
    return [chosen[at : at + len(STRIDES)] for at in range(0, len(chosen), len(STRIDES))]


def _spelled(fields: Mapping[str, Sequence[int | str]]) -> str:
    return ":".join(letter + "-".join(map(str, numbers)) for letter, numbers in fields.items())


def _short(shown: object) -> str:
    told = " ".join(repr(shown).split())
    return told if len(told) <= 80 else told[:77] + "..."


# ResNet and Vanilla have networks for ImageNet only in sweeps of the learning rate.
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
