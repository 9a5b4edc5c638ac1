"""Forty small networks for scikit-learn's digits: one channel, 8 x 8 pixels, ten classes."""

from itertools import product

from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU}


class Residual(nn.Module):
    """A block whose input is added to its output."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.block(maps)


def net(
    width: int,
    depth: int,
    kernel: int = 3,
    activation: str = "relu",
    norm: bool = True,
    pool: bool = False,
    skip: bool = False,
) -> nn.Module:
    """A convolutional network: `depth` layers of `width` channels, then mean and classes.

    `norm`: batch norm after each convolution; `pool`: maximum over 2 x 2 after the first layer;
    `skip`: every layer but the first adds its input.
    """
    layers: list[nn.Module] = []
    for index in range(depth):
        convolution = nn.Conv2d(width if index else 1, width, kernel, padding=kernel // 2)
        parts = [convolution, *([nn.BatchNorm2d(width)] if norm else []), ACTIVATIONS[activation]()]
        block = nn.Sequential(*parts)
        layers.append(Residual(block) if skip and index else block)
        if pool and not index:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10))


def mlp(width: int, depth: int = 1) -> nn.Module:
    """`depth` hidden layers of `width` units."""
    layers: list[nn.Module] = [nn.Flatten()]
    for index in range(depth):
        layers += [nn.Linear(width if index else 64, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


NAMES = [
    *(f"digits_models:net({w}, {d})" for w, d in product((2, 4, 8, 16), (1, 2, 3, 5))),
    *(f"digits_models:net({w}, {d}, norm=False)" for w, d in product((4, 16), (2, 4))),
    *(f"digits_models:net({w}, {d}, skip=True)" for w, d in product((4, 12), (3, 6))),
    *(f"digits_models:net({w}, {d}, pool=True)" for w, d in product((4, 12), (2, 4))),
    *(f"digits_models:net({w}, 2, kernel={k})" for w, k in product((6, 12), (1, 5))),
    *(f"digits_models:net(6, {d}, activation='{a}')" for d, a in product((2, 4), ("tanh", "gelu"))),
    *(f"digits_models:mlp({w}, {d})" for w, d in product((4, 24), (1, 2))),
]
