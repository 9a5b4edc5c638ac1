"""Colours of images: how they are normalised, and their grey."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

# Mean and standard deviation of red, green and blue in CIFAR-10's training images (Krizhevsky,
# 2009), for pixel values from 0 to 1.
MEAN = np.array([0.4914, 0.4822, 0.4465])
STD = np.array([0.2470, 0.2435, 0.2616])
LUMA = np.array([0.299, 0.587, 0.114])  # weights of red, green and blue (ITU-R BT.601)

Array = npt.NDArray[Any]


def normalised(images: Array) -> torch.Tensor:
    """Images [n, h, w, 3], or grey ones [n, h, w, 1], with values from 0 to 1 as normalised float32
    [n, 3, h, w]."""
    return torch.from_numpy((images - MEAN) / STD).permute(0, 3, 1, 2).float().contiguous()


def grey(pixels: torch.Tensor) -> torch.Tensor:
    """The grey [n, 1, height, width] of normalised red, green and blue [n, 3, height, width].

    Luma by ITU-R Recommendation BT.601, 0.299 R + 0.587 G + 0.114 B of pixel values, normalised
    with what becomes of `MEAN` and `STD` then: a mean of the channels, weighted by luma and `STD`.
    """
    weights = torch.tensor(LUMA * STD / (LUMA @ STD), dtype=pixels.dtype)
    return torch.einsum("nchw,c->nhw", pixels, weights)[:, None]
