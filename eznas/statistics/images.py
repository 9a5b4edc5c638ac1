"""Batches of labelled images for measuring networks: generated (no download) or a user's own.

Every batch is determined by its seed, and the batch of 16 images is the beginning of the batch of
64 with the same seed, so that measurements at two batch sizes use the same images.
"""

import hashlib
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from eznas.errors import InputError
from eznas.statistics.surroundings import own_surroundings

# Mean and standard deviation of red, green and blue in CIFAR-10's training images (Krizhevsky,
# 2009), for pixel values from 0 to 1.
MEAN = np.array([0.4914, 0.4822, 0.4465])
STD = np.array([0.2470, 0.2435, 0.2616])

# Parameters of the dead-leaves images, in units of the image's side and of pixel values from 0 to
# 1. Chosen so that standard deviation, correlation between neighbouring pixels, power spectrum and
# correlation between colours come near those of CIFAR-10.
SMALLEST, LARGEST = 0.06, 1.0  # radii
# Standard deviations: of the brightness of an image, of its slope, and of single leaves;
SCENE, SHADING, LEAF = 0.10, 0.40, 0.165
TINT_SCENE, TINT_LEAF = 0.062, 0.065  # of the colour tint of an image and of single leaves.
LEAVES = 256  # drawn at a time
CONVERTED = 1000  # images at a time, from bytes to float64 and to their size
FINER = 2  # edges are smoothed by averaging FINER x FINER points per pixel

_CIFAR = {  # folder -> files, key of the labels
    "cifar-10-batches-py": ([f"data_batch_{i}" for i in range(1, 6)], b"labels"),
    "cifar-100-python": (["train"], b"fine_labels"),
}
_PICTURE, _LABELS, _MEMBERS, _ORDER = range(4)  # purposes, each with its own random streams

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Images:
    """A batch of labelled images.

    `pixels`: float32 [count, 3, height, width], each channel normalised with `MEAN` and `STD`;
    `labels`: int64 [count]; `fingerprint`: 16 hexadecimal digits, a hash of content and origin.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    fingerprint: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of an image."""
        return tuple(self.pixels.shape[1:])

    @property
    def dtype(self) -> torch.dtype:
        """The type of pixel values."""
        return self.pixels.dtype

    @own_surroundings()
    def resized(self, size: int) -> "Images":
        """This batch at `size` x `size` pixels, by area averaging; raises `InputError` if `size` <
        1."""
        _at_least("size", size, 1)
        pixels = F.interpolate(self.pixels, size=(size, size), mode="area")
        return _images(pixels, self.labels, f"{self.fingerprint} at {size}")


@own_surroundings()
def generated(count: int, size: int = 32, classes: int = 10, seed: int = 0) -> Images:
    """A batch of dead-leaves images: overlapping disks of random colour and power-law radius.

    Image i depends only on `seed` and i, and shows the same scene at every `size` (its side in
    pixels). Labels are random, independent of the images, and balanced: the numbers of images in
    two classes differ by at most 1. Raises `InputError` if `count`, `size` or `classes` < 1 or
    `seed` < 0. Source: Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001; as
    training images: Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021.
    """
    for name, value in (("count", count), ("size", size), ("classes", classes)):
        _at_least(name, value, 1)
    _at_least("seed", seed, 0)
    pictures = np.stack([_picture(_stream(_PICTURE, i, seed), size) for i in range(count)])
    orders = [_stream(_LABELS, i, seed).permutation(classes) for i in range(-(-count // classes))]
    return _images(_normalised(pictures), np.concatenate(orders)[:count], "dead leaves")


@own_surroundings()
def load(path: str | Path, count: int | None, size: int = 32, seed: int = 0) -> Images:
    """`count` images of a file (None: all), balanced over classes, area-averaged to `size` x `size`
    pixels.

    `path`: a .npz file with `images`, uint8 [n, h, h, 3] or floats from 0 to 1, and `labels`,
    integers [n]; or a folder in torchvision's layout that holds `cifar-10-batches-py` or
    `cifar-100-python` (or is one of them). Each class is shuffled by `seed`, and the classes take
    turns in shuffled order, so that their counts differ by at most 1 until a class is used up.
    Raises `InputError` if `count` or `size` < 1 or `seed` < 0, and if the file is missing, is not
    of such a form, or holds fewer than `count` images.
    """
    if count is not None:
        _at_least("count", count, 1)
    _at_least("size", size, 1)
    _at_least("seed", seed, 0)
    file = Path(path)
    images, labels = _cifar(file) if file.is_dir() else _npz(file)
    _check(images, labels, file)
    count = len(images) if count is None else count
    if len(images) < count:
        raise InputError(f"{file}: holds {len(images)} images, expected at least {count}")
    indices = _balanced(labels, count, seed)
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    parts = []
    for start in range(0, count, CONVERTED):
        part = images[indices[start : start + CONVERTED]].astype(np.float64) / scale
        pixels = _normalised(part)
        if pixels.shape[-1] != size:
            pixels = F.interpolate(pixels, size=(size, size), mode="area")
        parts.append(pixels)
    return _images(torch.cat(parts), labels[indices], f"loaded at {size}")


def _picture(rng: np.random.Generator, size: int) -> Array:
    """One dead-leaves image [size, size, 3], rounded to steps of 1/255, front leaf first."""
    side = size * FINER
    scene = MEAN + rng.normal(0, SCENE) + _tints(rng, TINT_SCENE, 1)
    contrast, slope = rng.uniform(0.5, 1.5), rng.normal(0, SHADING, (2, 1))
    points = (np.indices((side, side)).reshape(2, -1) + 0.5) / side
    canvas, uncovered = np.empty((side * side, 3)), np.arange(side * side)
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
    averaged = canvas.reshape(size, FINER, size, FINER, 3).mean(axis=(1, 3))
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


def _balanced(labels: Array, count: int, seed: int) -> Array:
    """Indices of images, int [count]: the classes take turns, so that any prefix is balanced."""
    members = [
        _stream(_MEMBERS, k, seed).permutation(np.flatnonzero(labels == label))
        for k, label in enumerate(np.unique(labels))
    ]
    indices: list[int] = []
    turn = 0
    while len(indices) < count:
        order = _stream(_ORDER, turn, seed).permutation(len(members))
        indices += [members[k][turn] for k in order if turn < len(members[k])]
        turn += 1
    return np.array(indices[:count])


def _npz(file: Path) -> tuple[Array, Array]:
    """The arrays `images` and `labels` of a .npz file."""
    if not file.is_file():
        raise InputError(f"{file}: no such file, expected a .npz file or a CIFAR folder")
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
            if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray):
                raise TypeError("NumPy returns a member that is not an array as bytes")
            return images, labels
    except KeyError as error:
        raise InputError(f"{file}: {error.args[0]}, expected images and labels") from None
    except Exception:  # a damaged archive may raise anything
        raise InputError(
            f"{file}: not readable as .npz, expected plain arrays images, labels"
        ) from None


def _cifar(folder: Path) -> tuple[Array, Array]:
    """All training images, uint8 [n, 32, 32, 3], and labels [n] of a CIFAR folder."""
    image_sets = [
        ([directory / name for name in names], key)
        for set_name, (names, key) in _CIFAR.items()
        for directory in (folder, folder / set_name)
        if (directory / names[0]).is_file()
    ]
    if len(image_sets) != 1:
        known = " or ".join(f"{set_name}/{names[0]}" for set_name, (names, _) in _CIFAR.items())
        raise InputError(f"{folder}: holds {len(image_sets)} image sets, expected one: {known}")
    files, key = image_sets[0]
    data, labels = zip(*(_cifar_file(file, key) for file in files), strict=True)
    return np.concatenate(data), np.concatenate(labels)


def _cifar_file(file: Path, key: bytes) -> tuple[Array, Array]:
    """Images, uint8 [n, 32, 32, 3], and labels [n] (stored under `key`) of one CIFAR file."""
    try:
        content = _SafeUnpickler(io.BytesIO(file.read_bytes()), encoding="bytes").load()
        data, labels = content[b"data"], np.array(content[key])
    except Exception as error:  # a broken pickle may raise anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        expected = f"a pickled dict with data and {key.decode()}"
        raise InputError(f"{file}: not a CIFAR file ({reason}), expected {expected}") from None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise InputError(f"{file}: data has the wrong shape or type, expected uint8 [n, 3072]")
    if labels.shape != (len(data),):
        shape = list(labels.shape)
        raise InputError(f"{file}: labels have shape {shape}, expected [{len(data)}]")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


class _SafeUnpickler(pickle.Unpickler):
    """Unpickles containers, numbers, text and NumPy arrays; calls no other function, so that an
    untrusted file cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"holds {module}.{name}")


def _check(images: Array, labels: Array, file: Path) -> None:
    """`InputError` unless the arrays have the shapes and types that `load` describes."""
    shape = list(images.shape)
    if images.ndim != 4 or shape[1] != shape[2] or shape[3] != 3 or 0 in shape:
        raise InputError(f"{file}: images have shape {shape}, expected square ones, [n, h, h, 3]")
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise InputError(f"{file}: images are {images.dtype}, expected uint8 or floats from 0 to 1")
    if images.dtype != np.uint8 and not (images.min() >= 0 and images.max() <= 1):  # NaN fails too
        raise InputError(f"{file}: images have values outside 0 to 1, expected floats from 0 to 1")
    if labels.shape != (len(images),):
        raise InputError(
            f"{file}: labels have shape {list(labels.shape)}, expected [{len(images)}]"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise InputError(f"{file}: labels are not classes, expected whole numbers from 0")


def _images(pixels: torch.Tensor, labels: Array | torch.Tensor, origin: str) -> Images:
    classes = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    content = [origin.encode(), str(list(pixels.shape)).encode()]
    content += [pixels.numpy().tobytes(), classes.numpy().tobytes()]
    return Images(pixels, classes, hashlib.sha256(b"\n".join(content)).hexdigest()[:16])


def _normalised(images: Array) -> torch.Tensor:
    """Images [n, h, w, 3] with values from 0 to 1 as normalised float32 [n, 3, h, w]."""
    return torch.from_numpy((images - MEAN) / STD).permute(0, 3, 1, 2).float().contiguous()


def _stream(purpose: int, index: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([purpose, index, seed])


def _at_least(name: str, value: int, minimum: int) -> None:
    if value < minimum:
        raise InputError(f"{name} is {value}, expected at least {minimum}")
