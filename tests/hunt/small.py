"""A small network whose parts are replaced, and its score by a published proxy."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import eznas

BATCH = 8  # images; 2 suffice for batch norm, GradSign and label proxies take half of them


class Small(nn.Module):
    """Stem, norm, ReLU, a body, ReLU, a mean over positions, and a head; the draw is always the
    same."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(5)
            self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
            self.norm, self.body = nn.BatchNorm2d(width), nn.Conv2d(width, width, 3, padding=1)
            self.second, self.head = nn.BatchNorm2d(width), nn.Linear(width, 10)

    def begin(self, x: Tensor) -> Tensor:
        return F.relu(self.norm(self.stem(x)))

    def middle(self, x: Tensor) -> Tensor:
        return F.relu(self.second(self.body(x)))

    def features(self, x: Tensor) -> Tensor:
        return self.middle(self.begin(x))

    def forward(self, x: Tensor) -> object:
        return self.head(self.features(x).mean((2, 3)))


def score(proxy: str, model: nn.Module, **options: object) -> float:
    settings = {"input_size": (3, 16, 16), "batch": BATCH} | options
    return eznas.load(proxy).score(model, **settings)  # type: ignore[arg-type]


def refusal(action: Callable[[], object]) -> str:
    """The one line with which an action is refused."""
    with pytest.raises(eznas.InputError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    return text
