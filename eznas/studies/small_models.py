"""Twelve small models of many kinds, to see on what a feature is defined."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

CLASSES = 10
IMAGES = (3, 16, 16)  # what goes into most of them: channels, height, width


class Tokens(nn.Module):
    """Patches of 4 x 4 pixels as tokens [batch, tokens, width], layers over these, and a head."""

    def __init__(self, layers: Callable[[int, int], nn.Module], width: int = 16) -> None:
        super().__init__()
        tokens = (IMAGES[1] // 4) * (IMAGES[2] // 4)
        self.patches = nn.Conv2d(IMAGES[0], width, 4, 4)
        self.layers = nn.Sequential(*(layers(tokens, width) for _ in range(2)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Images [batch, 3, 16, 16] -> logits [batch, 10]."""
        tokens = self.patches(x).flatten(2).mT
        logits: Tensor = self.head(self.norm(self.layers(tokens)).mean(1))
        return logits


class Mixing(nn.Module):
    """A layer of an MLP-Mixer (Tolstikhin et al., 2021)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.over_tokens, self.over_width = _two_linear(tokens), _two_linear(width)

    def forward(self, x: Tensor) -> Tensor:
        """Tokens [batch, tokens, width] -> the same."""
        x = x + self.over_tokens(self.norms[0](x).mT).mT
        mixed: Tensor = x + self.over_width(self.norms[1](x))
        return mixed


class Dense(nn.Module):
    """Convolutions of which each reads all before it, as in DenseNet (Huang et al., 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Conv2d(n, 8, 3, padding=1) for n in (3, 11, 19))
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in (3, 11, 19))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(27, CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        """Images [batch, 3, height, width] -> logits [batch, 10]."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = torch.cat([x, convolution(norm(x).relu())], 1)
        logits: Tensor = self.head(x)
        return logits


def _two_linear(width: int) -> nn.Module:
    return nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


def _attention(tokens: int, width: int) -> nn.Module:
    """A layer of a vision transformer (Dosovitskiy et al., 2021)."""
    return nn.TransformerEncoderLayer(
        width, 2, 2 * width, 0.0, "gelu", batch_first=True, norm_first=True
    )


def _cnn(
    norm: Callable[[int], nn.Module] = nn.BatchNorm2d,
    activation: Callable[[], nn.Module] = nn.ReLU,
    channels: int = 3,
) -> nn.Module:
    """Three convolutions, the second of stride 2."""
    layers: list[nn.Module] = []
    for inside, outside, stride in ((channels, 8, 1), (8, 16, 2), (16, 16, 1)):
        convolution = nn.Conv2d(inside, outside, 3, stride, 1)
        layers += [convolution, norm(outside), activation()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, CLASSES))


def _cnn_1d() -> nn.Module:
    layers = [nn.Conv1d(2, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2)]
    layers += [nn.Conv1d(8, 16, 5, padding=2), nn.BatchNorm1d(16), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(16, CLASSES))


def _depthwise() -> nn.Module:
    """Separable convolutions, as in MobileNet (Howard et al., 2017)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6()]
    for _ in range(2):
        layers += [nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8), nn.ReLU6()]
        layers += [nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8), nn.ReLU6()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))


def _mlp() -> nn.Module:
    layers = (nn.Linear(768, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, CLASSES))
    return nn.Sequential(nn.Flatten(), *layers)


def _linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(768, CLASSES))


# Name -> the model, and the size of what goes into it.
SMALL_MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "cnn": (_cnn, IMAGES),
    "cnn-without-norms": (partial(_cnn, lambda _: nn.Identity()), IMAGES),
    "cnn-group-norm": (partial(_cnn, partial(nn.GroupNorm, 4)), IMAGES),
    "cnn-without-relu": (partial(_cnn, activation=nn.SiLU), IMAGES),
    "cnn-one-channel": (partial(_cnn, channels=1), (1, 16, 16)),
    "cnn-1d": (_cnn_1d, (2, 48)),
    "depthwise": (_depthwise, IMAGES),
    "dense": (Dense, IMAGES),
    "transformer": (partial(Tokens, _attention), IMAGES),
    "mixer": (partial(Tokens, Mixing), IMAGES),
    "mlp": (_mlp, IMAGES),
    "linear": (_linear, IMAGES),
}
