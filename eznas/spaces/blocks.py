"""Parts that networks of several spaces are made of."""

import torch
from torch import Tensor, nn


class FactorizedReduction(nn.Module):
    """[batch, before, height, width] to `after` channels and a `stride`-th of height and width.

    ReLU, two 1x1 convolutions for half of the channels each, the second of which reads the rows
    and columns that the first leaves out, and a batch norm (Liu et al., 2019: DARTS).
    """

    def __init__(self, before: int, after: int, stride: int = 2) -> None:
        super().__init__()
        self.even = nn.Conv2d(before, after // 2, 1, stride, bias=False)
        self.odd = nn.Conv2d(before, after - after // 2, 1, stride, bias=False)
        self.relu, self.norm = nn.ReLU(), nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(x)
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        y: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))
        return y
