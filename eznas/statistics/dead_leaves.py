"""Dead-leaves images: overlapping disks of random colour and power-law radius.

Source: Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001; as training
images: Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021.
"""

from typing import Any

import torch
from torch import Tensor

from eznas.statistics.colours import MEAN, precise

# Parameters of the dead-leaves images, in units of the image's side and of pixel values from 0 to
# 1. Chosen so that standard deviation, correlation between neighbouring pixels, power spectrum and
# correlation between colours come near those of CIFAR-10.
SMALLEST, LARGEST = 0.06, 1.0  # radii
# Standard deviations: of the brightness of an image, of its slope, and of single leaves;
SCENE, SHADING, LEAF = 0.10, 0.40, 0.165
TINT_SCENE, TINT_LEAF = 0.062, 0.065  # of the colour tint of an image and of single leaves.
LEAVES = 256  # drawn at a time
FINER = 2  # edges are smoothed by averaging FINER x FINER points per pixel

# A generator of random numbers with numpy's `normal` and `uniform`: one of numpy's, or a stream of
# `eznas.statistics.streams`.
Draws = Any


def picture(rng: Draws, height: int, width: int) -> Tensor:
    """One dead-leaves image, float64 [height, width, 3], of red, green and blue from 0 to 1,
    rounded to steps of 1/255; the front leaf is drawn first.

    An oblong image is the middle of the square one whose side is its longer side.
    """
    size = max(height, width)
    side, sides = size * FINER, (height * FINER, width * FINER)
    scene = precise(MEAN) + rng.normal(0, SCENE) + _tints(rng, TINT_SCENE, 1)
    contrast, slope = rng.uniform(0.5, 1.5), _tensor(rng.normal(0, SHADING, (2, 1)))
    begins = (size - height) // 2 * FINER, (size - width) // 2 * FINER
    rows, columns = (
        (torch.arange(sides[axis], dtype=torch.float64) + begins[axis] + 0.5) / side
        for axis in (0, 1)
    )
    points = torch.cartesian_prod(rows, columns)
    canvas = torch.empty(len(points), 3, dtype=torch.float64)
    uncovered = torch.arange(len(points))
    while len(uncovered):
        centres, radii = _leaves(rng)
        # Shading by a leaf's position makes distant parts of an image differ, as sky and ground do.
        brightness = ((centres - 0.5).clamp(-1, 1) * slope).sum(0)
        brightness += _tensor(rng.uniform(-1, 1, len(radii))) * 3**0.5 * LEAF
        colours = scene + contrast * (brightness[:, None] + _tints(rng, TINT_LEAF, len(radii)))
        squared_distances = (points[uncovered, :1] - centres[0]).square_()
        squared_distances += (points[uncovered, 1:] - centres[1]).square_()
        covers = squared_distances <= radii**2  # [points, leaves]
        is_covered, front_leaf = covers.max(1)  # the first of those that cover a point
        canvas[uncovered[is_covered]] = colours[front_leaf[is_covered]]
        uncovered = uncovered[~is_covered]
    averaged = canvas.reshape(height, FINER, width, FINER, 3).mean((1, 3))
    return (averaged.clamp(0, 1) * 255).round() / 255


def _leaves(rng: Draws) -> tuple[Tensor, Tensor]:
    """Centres [2, n] and radii [n], of density r^-3, of those among `LEAVES` disks that touch the
    image."""
    inverse_squares = _tensor(rng.uniform(LARGEST**-2, SMALLEST**-2, LEAVES))
    radii = inverse_squares**-0.5
    centres = _tensor(rng.uniform(-LARGEST, 1 + LARGEST, (2, LEAVES)))
    outside = ((centres - 0.5).abs() - 0.5).clamp_min(0)
    visible = (outside**2).sum(0) <= radii**2
    return centres[:, visible], radii[visible]


def _tints(rng: Draws, deviation: float, count: int) -> Tensor:
    """Offsets of red, green, blue [count, 3] that leave the brightness as it is: mostly red
    against blue, some green."""
    red_blue, green = _tensor(rng.normal(0, deviation, (2, count, 1))).unbind()
    return red_blue * precise((1.0, 0.0, -1.0)) + 0.5 * green * precise((-0.5, 1.0, -0.5))


def _tensor(numbers: Any) -> Tensor:
    """Drawn numbers [...] as a tensor."""
    return torch.as_tensor(numbers)
