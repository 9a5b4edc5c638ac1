"""Blocks that networks of several spaces share."""

import torch
from torch import Tensor, nn


def conv_norm(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
) -> tuple[nn.Module, nn.Module]:
    """A convolution without bias, padded by half a kernel, and a batch norm.

    [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride].
    """
    conv = nn.Conv2d(
        in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
    )
    return conv, nn.BatchNorm2d(out_channels)


def relu_conv_norm(
    in_channels: int, out_channels: int, kernel: int, stride: int = 1
) -> nn.Sequential:
    """A ReLU and then `conv_norm`."""
    return nn.Sequential(nn.ReLU(), *conv_norm(in_channels, out_channels, kernel, stride))


def pooling() -> nn.Sequential:
    """Global average pooling, [batch, channels, height, width] to [batch, channels]."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


class ResidualReduction(nn.Module):
    """The residual block between stages of NAS-Bench-201 and of NATS-Bench's size space.

    [batch, in_channels, height, width] to [batch, out_channels, height / 2, width / 2].
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            relu_conv_norm(in_channels, out_channels, 3, stride=2),
            relu_conv_norm(out_channels, out_channels, 3),
        )
        projection = nn.Conv2d(in_channels, out_channels, 1, bias=False)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), projection)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self.shortcut(x) + self.body(x)
        return total


class FactorizedReduction(nn.Module):
    """A 1x1 convolution with a stride that reads more pixels than the stride visits.

    [batch, in_channels, height, width] to [batch, out_channels, height / stride, width / stride].
    ReLU, two convolutions for half of the channels each, the second of which reads one row and one
    column further, and a batch norm. Source: Liu et al., "DARTS", ICLR 2019.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 2) -> None:
        super().__init__()
        half = out_channels // 2
        self.even = nn.Conv2d(in_channels, half, 1, stride, bias=False)
        self.odd = nn.Conv2d(in_channels, out_channels - half, 1, stride, bias=False)
        self.relu, self.norm = nn.ReLU(), nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        y: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return y
