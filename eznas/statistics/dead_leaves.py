"""Dead-leaves images: overlapping disks of random colour and power-law radius.

Source: Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001; as training
images: Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.statistics.colours import MEAN

# Parameters of the dead-leaves images, in units of the image's side and of pixel values from 0 to
# 1. Chosen so that standard deviation, correlation between neighbouring pixels, power spectrum and
# correlation between colours come near those of CIFAR-10.
SMALLEST, LARGEST = 0.06, 1.0  # radii
# Standard deviations: of the brightness of an image, of its slope, and of single leaves;
SCENE, SHADING, LEAF = 0.10, 0.40, 0.165
TINT_SCENE, TINT_LEAF = 0.062, 0.065  # of the colour tint of an image and of single leaves.
LEAVES = 256  # drawn at a time
FINER = 2  # edges are smoothed by averaging FINER x FINER points per pixel

Array = npt.NDArray[Any]


def picture(rng: np.random.Generator, height: int, width: int) -> Array:
    """One dead-leaves image [height, width, 3] of red, green and blue from 0 to 1, rounded to steps
    of 1/255; the front leaf is drawn first.

    An oblong image is the middle of the square one whose side is its longer side.
    """
    size = max(height, width)
    side, sides = size * FINER, (height * FINER, width * FINER)
    scene = MEAN + rng.normal(0, SCENE) + _tints(rng, TINT_SCENE, 1)
    contrast, slope = rng.uniform(0.5, 1.5), rng.normal(0, SHADING, (2, 1))
    begin = np.array([[(size - height) // 2 * FINER], [(size - width) // 2 * FINER]])
    points = (np.indices(sides).reshape(2, -1) + begin + 0.5) / side
    canvas, uncovered = np.empty((points.shape[1], 3)), np.arange(points.shape[1])
    while len(uncovered):
        centres, radii = _leaves(rng)
        # Shading by a leaf's position makes distant parts of an image differ, as sky and ground do.
        brightness = (np.clip(centres - 0.5, -1, 1) * slope).sum(axis=0)
        brightness += rng.uniform(-1, 1, len(radii)) * 3**0.5 * LEAF
        colours = scene + contrast * (brightness[:, None] + _tints(rng, TINT_LEAF, len(radii)))
        squared_distances = (points[0, uncovered, None] - centres[0]) ** 2
        squared_distances += (points[1, uncovered, None] - centres[1]) ** 2
        covers = squared_distances <= radii**2  # [points, leaves]
        front_leaf = covers.argmax(axis=1)
        is_covered = covers.any(axis=1)
        canvas[uncovered[is_covered]] = colours[front_leaf[is_covered]]
        uncovered = uncovered[~is_covered]
    averaged = canvas.reshape(height, FINER, width, FINER, 3).mean(axis=(1, 3))
    return np.asarray(np.round(np.clip(averaged, 0, 1) * 255) / 255)


def _leaves(rng: np.random.Generator) -> tuple[Array, Array]:
    """Centres [2, n] and radii [n], of density r^-3, of those among `LEAVES` disks that touch the
    image."""
    inverse_squares = rng.uniform(LARGEST**-2, SMALLEST**-2, LEAVES)
    radii = inverse_squares**-0.5
    centres = rng.uniform(-LARGEST, 1 + LARGEST, (2, LEAVES))
    outside = np.maximum(np.abs(centres - 0.5) - 0.5, 0)
    visible = (outside**2).sum(axis=0) <= radii**2
    return centres[:, visible], radii[visible]


def _tints(rng: np.random.Generator, deviation: float, count: int) -> Array:
    """Offsets of red, green, blue [count, 3] that leave the brightness as it is: mostly red
    against blue, some green."""
    red_blue, green = rng.normal(0, deviation, (2, count, 1))
    return np.asarray(red_blue * [1.0, 0.0, -1.0] + 0.5 * green * [-0.5, 1.0, -0.5])
