"""Settings, models and comparisons that the tests of measurements share."""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import MeasuredNetwork
from eznas.statistics.statistic import Statistic

CELL = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|nor_conv_1x1~1|none~2|"
RAW, SKETCH, LABEL = 5, 12, 6
CONFIG = MeasurementConfig(generated(SKETCH, size=8), raw=RAW, sketch=SKETCH, seed=3)
ALL_ROWS = tuple(CATALOGUE.values())


def keep_config(**changes) -> MeasurementConfig:
    """The config that keeps a model's own parameters, with seed 0 unless the changes say so."""
    return replace(CONFIG, initialisation="keep", **{"seed": 0} | changes)


def in_dtype_of(model: nn.Module) -> MeasurementConfig:
    """`keep_config` with images in the type of the model's parameters."""
    images = CONFIG.images
    dtype = next(model.parameters()).dtype
    return replace(keep_config(), images=replace(images, pixels=images.pixels.to(dtype)))


def rows_of(probe: str, batch: str) -> list[Statistic]:
    """The rows of the catalogue that one probe measures on one batch."""
    return [row for row in ALL_ROWS if row.excitation == (probe, batch)]


def differences(a: MeasuredNetwork, b: MeasuredNetwork, tolerance: float = 0.0) -> list[str]:
    """Names of the statistics that differ; `tolerance` is relative to a tensor's largest entry."""
    assert a.structure == b.structure
    assert a.tensors.keys() == b.tensors.keys()
    return [
        f"{name} {row}"
        for name in a.tensors
        for row, (x, y) in enumerate(zip(a.tensors[name], b.tensors[name], strict=True))
        if not close(x, y, tolerance)
    ]


def close(x: Tensor | None, y: Tensor | None, tolerance: float) -> bool:
    """Equal in shape and type, and up to the tolerance in values; None equals None alone."""
    if x is None or y is None:
        return x is y
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return bool((x - y).abs().max() <= tolerance * y.abs().max())


class StochasticModel(nn.Module):
    """A model with dropout, derived weights and a buffer that changes the output. One of its layers
    has zeros as input, one a detached tensor, and the output of one is unused."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = spectral_norm(nn.Conv2d(3, 4, 3, padding=1))
        self.zero_fed, self.unused = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1)
        self.detached = weight_norm(nn.Conv2d(4, 4, 1))
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.dropout, self.head = nn.Dropout(0.3), nn.Linear(4, 10)
        self.register_buffer("count", torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        self.count += 1
        x = self.dropout(self.stem(x)) * self.count
        self.last_features = x
        self.unused(x)
        x = x + self.zero_fed(torch.zeros_like(x)) + self.detached(x.detach())
        return self.head(self.dropout(self.relu(self.norm(x))).mean((2, 3)))


def stochastic() -> StochasticModel:
    torch.manual_seed(0)
    return StochasticModel()


class Failing(nn.Module):
    """A block that changes its input and a buffer, and then fails if it has run often enough."""

    runs_left: float = math.inf  # of all instances together, before one fails

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.norm, self.relu = nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu(x))
        self.runs += 1
        self.last = x
        Failing.runs_left -= 1
        if Failing.runs_left < 0:
            raise ArithmeticError("burnt")
        return self.conv2(self.norm(x))


def used_model(runs_left: float = math.inf) -> nn.Module:
    """A model of blocks that has been used: with gradients and hooks, part of it frozen, part of it
    in evaluation mode. It fails in a `Failing` block after `runs_left` runs."""
    torch.manual_seed(0)
    Failing.runs_left = math.inf
    parts = nn.Conv2d(3, 4, 3, padding=1), Failing(), nn.MaxPool2d(2), Failing()
    model = nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
    model(torch.randn(4, 3, 8, 8)).sum().backward()
    model[0].requires_grad_(False)
    model[3].eval()
    model[3].register_forward_pre_hook(lambda *_: None)
    model[1].register_forward_hook(lambda *_: None)
    Failing.runs_left = runs_left
    return model
