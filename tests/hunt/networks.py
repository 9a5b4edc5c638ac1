"""A small convolutional network whose parts the tests of each kind exchange."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas
from eznas.proxies.one_model import Score

BATCH = 16


class Small(nn.Module):
    """Stem, batch norm, ReLU, body, ReLU, pooling, head; the weights are the same every time."""

    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.body: nn.Module = nn.Conv2d(8, 8, 3, padding=1)
        self.head: nn.Module = nn.Linear(8, 10)
        for name, part in parts.items():
            self.add_module(name, part)
        refill(self)

    def start(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.stem(x)))

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.body(self.start(x)))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


def refill(model: nn.Module, seed: int = 0) -> nn.Module:
    """Draw weights of layers from one generator; norms keep theirs, biases are small."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                fan_in = math.prod(parameter.shape[1:])
                parameter.normal_(0, fan_in**-0.5, generator=generator)
        for module in model.modules():
            if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                bias = getattr(module, "bias", None)
                if isinstance(bias, nn.Parameter):
                    bias.normal_(0, 0.1, generator=generator)
    return model


def score(proxy: str, model: nn.Module, batch: int = BATCH) -> float:
    """The score with few images: NaN where it is undefined."""
    return evaluated(proxy, model, batch).value


def undefined(proxy: str, model: nn.Module) -> str:
    """The reason for which a score is undefined; fails where it is not."""
    result = evaluated(proxy, model)
    assert math.isnan(result.value), result
    return result.reason


def notes(proxy: str, model: nn.Module) -> str:
    """What a user is shown of the measurement."""
    return "; ".join(evaluated(proxy, model).notes)


def evaluated(proxy: str, model: nn.Module, batch: int = BATCH) -> Score:
    """The score with its reason and notes."""
    loaded = eznas.load(proxy)
    return loaded.evaluate(model, loaded.measurement_config(sketch_batch=batch))
