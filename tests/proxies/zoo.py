"""Twenty models of many kinds, small, for 3 x 16 x 16 images; the draw is always the same."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eznas.spaces import SPACES
from tests.classics.made_up import STRINGS
from tests.hunt import networks, small

INPUT = (3, 16, 16)


class Block(nn.Module):
    """A basic block of a ResNet (He et al., 2016)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(outside, outside, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(outside), nn.BatchNorm2d(outside)])
        self.skip = nn.Conv2d(inside, outside, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norms[0](self.first(x)))
        return F.relu(self.norms[1](self.second(y)) + self.skip(x))


def resnet() -> nn.Module:
    stem = (nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    blocks = (Block(8, 8, 1), Block(8, 16, 2), Block(16, 32, 2))
    return nn.Sequential(*stem, *blocks, *head(32))


def head(width: int) -> tuple[nn.Module, ...]:
    return nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)


class ViT(nn.Module):
    """Patches, a class token, positions and two layers of attention (Dosovitskiy et al., 2021)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 17, width))
        layer = nn.TransformerEncoderLayer(
            width, 2, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).mT
        tokens = torch.cat([self.token.expand(len(x), -1, -1), tokens], 1) + self.positions
        return self.head(self.layers(tokens)[:, 0])


def mlp() -> nn.Module:
    layers = (nn.Linear(768, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))
    return nn.Sequential(nn.Flatten(), *layers)


def mobile() -> nn.Module:
    """Depthwise convolutions and a smooth activation."""
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU()]
    for _ in range(2):
        layers += [nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.SiLU()]
        layers += [nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.Hardswish()]
    return nn.Sequential(*layers, *head(8))


def vgg() -> nn.Module:
    """No norms."""
    layers = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3), nn.Tanh())
    return nn.Sequential(*layers, *head(8))


class Blind(small.Small):
    """A part of the forward runs without gradients."""

    def middle(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return super().middle(x)


class TwoOutputs(networks.Small):
    """The features beside the logits; noise from the global generator."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.features(x + 0.1 * torch.rand_like(x)).mean((2, 3))
        return {"features": features, "out": self.head(features)}


def of_space(space: str, architecture: str | None = None) -> nn.Module:
    return SPACES[space].build(architecture or SPACES[space].sample(1)[0], 10)


BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "ResNet": resnet,
    "ViT": ViT,
    "MLP": mlp,
    "depthwise": mobile,
    "without norms": vgg,
    "small": small.Small,
    "another small": networks.Small,
    "linear": partial(networks.Small, body=nn.Identity()),
    "blind": Blind,
    "two outputs": TwoOutputs,
    "group norm": partial(networks.Small, norm=nn.GroupNorm(2, 8)),
    "NAS-Bench-201, mixed": partial(of_space, "nasbench201", STRINGS["mixed"]),
    "NAS-Bench-201, nothing": partial(of_space, "nasbench201", STRINGS["nothing"]),
    "NAS-Bench-201, dead": partial(of_space, "nasbench201", STRINGS["dead convolutions"]),
    "one layer": lambda: nn.Sequential(nn.Flatten(), nn.Linear(768, 10)),
    **{
        space: partial(of_space, space)
        for space in ("nasbench101", "nasbench-macro", "nats-size", "nds-vanilla", "naap440")
    },
}


def model(name: str) -> nn.Module:
    """The model of this name, drawn from one seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(3)
        return BUILDERS[name]()
