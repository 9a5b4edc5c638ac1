"""Colours of images: how they are normalised, and their grey."""

import torch
from torch import Tensor

# Mean and standard deviation of red, green and blue in CIFAR-10's training images (Krizhevsky,
# 2009), for pixel values from 0 to 1.
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue (ITU-R BT.601)


def precise(numbers: tuple[float, ...]) -> Tensor:
    """Numbers as a tensor [n] in float64."""
    return torch.tensor(numbers, dtype=torch.float64)


def normalised(images: Tensor) -> Tensor:
    """Images [n, h, w, 3], or grey ones [n, h, w, 1], in float64 with values from 0 to 1, as
    normalised float32 [n, 3, h, w]."""
    return ((images - precise(MEAN)) / precise(STD)).permute(0, 3, 1, 2).float().contiguous()


def grey(pixels: Tensor) -> Tensor:
    """The grey [n, 1, height, width] of normalised red, green and blue [n, 3, height, width].

    Luma by ITU-R Recommendation BT.601, 0.299 R + 0.587 G + 0.114 B of pixel values, normalised
    with what becomes of `MEAN` and `STD` then: a mean of the channels, weighted by luma and `STD`.
    """
    parts = precise(LUMA) * precise(STD)
    return torch.einsum("nchw,c->nhw", pixels, (parts / parts.sum()).to(pixels.dtype))[:, None]
