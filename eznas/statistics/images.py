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
from eznas.statistics.colours import MEAN, grey, normalised
from eznas.statistics.generating import (
    MEMBERS,
    ORDER,
    at_least,
    balanced_labels,
    pictures,
    stream,
)
from eznas.statistics.inputs import InputForm, Part, Parts
from eznas.statistics.surroundings import own_surroundings

Size = int | tuple[int, int]  # height and width in pixels, or both at once

GENERATED = "dead leaves"  # the origin of generated images
CONVERTED = 1000  # images at a time, from bytes to float64 and to their size

_CIFAR = {  # folder -> files, key of the labels
    "cifar-10-batches-py": ([f"data_batch_{i}" for i in range(1, 6)], b"labels"),
    "cifar-100-python": (["train"], b"fine_labels"),
}
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Images:
    """A batch of labelled images.

    `pixels`: float32 [count, channels, height, width], each of three channels normalised with
    `MEAN` and `STD`, a single one as `grey` says; `labels`: int64 [count]; `fingerprint`: 16
    hexadecimal digits, a hash of content and origin.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    fingerprint: str

    @property
    def form(self) -> InputForm:
        """What goes into a model with these images."""
        return InputForm((Part(tuple(self.pixels.shape[1:])),))

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width of an image."""
        return self.form.shape

    @property
    def dtype(self) -> torch.dtype:
        """The type of pixel values."""
        return self.pixels.dtype

    @property
    def parts(self) -> Parts:
        """The tensors [count, ...] that go into a model."""
        return (self.pixels,)

    def labels_for(self, classes: int) -> torch.Tensor:
        """The labels for a model with so many classes, int64 [count]: what the images have."""
        return self.labels

    @own_surroundings()
    def resized(self, size: Size) -> "Images":
        """This batch at another size in pixels, by area averaging; `size`: (height, width), or both
        at once. Raises `InputError` if it is below 1."""
        sides = _sides(size)
        pixels = F.interpolate(self.pixels, size=sides, mode="area")
        return _images(pixels, self.labels, f"{self.fingerprint} at {_named(sides)}")

    @own_surroundings()
    def fitted(self, shape: tuple[int, ...]) -> "Images":
        """This batch in a shape (channels, height, width): the grey of three colours for one
        channel, and area averaging. Raises `InputError` where more would have to change."""
        if shape == self.shape:
            return self
        (channels, *sides), (wanted, *wanted_sides) = self.shape, shape
        is_grey = channels == len(MEAN) and wanted == 1
        if not len(sides) == len(wanted_sides) == 2 or not (is_grey or channels == wanted):
            raise InputError(f"images: of shape {self.shape}, expected {shape}")
        if sides[0] * wanted_sides[1] != sides[1] * wanted_sides[0]:
            proportions = " x ".join(map(str, wanted_sides))
            raise InputError(f"images: {sides[0]} x {sides[1]}, expected proportions {proportions}")
        batch = self
        if is_grey:
            batch = _images(grey(self.pixels), self.labels, f"{self.fingerprint} grey")
        return batch if sides == wanted_sides else batch.resized((shape[1], shape[2]))


@own_surroundings()
def generated(count: int, size: Size = 32, classes: int = 10, seed: int = 0) -> Images:
    """A batch of dead-leaves images: overlapping disks of random colour and power-law radius.

    Image i depends only on `seed` and i, and shows the same scene at every `size` (height and width
    in pixels, or both at once). Labels: see `balanced_labels`. Raises `InputError` if `count`,
    `size` or `classes` < 1 or `seed` < 0.
    """
    labels = balanced_labels(count, classes, seed)
    return _images(pictures(count, (len(MEAN), *_sides(size)), seed), labels, GENERATED)


@own_surroundings()
def load(
    path: str | Path, count: int | None, size: Size = 32, seed: int = 0, channels: int = 3
) -> Images:
    """`count` images of a file (None: all), balanced over classes, area-averaged to a size in
    pixels.

    `path`: a .npz file with `images`, uint8 [n, h, w, 3] or floats from 0 to 1, and `labels`,
    integers [n]; or a folder in torchvision's layout that holds `cifar-10-batches-py` or
    `cifar-100-python` (or is one of them). `size`: (height, width) in the images' proportions, or
    both at once; `channels`: 3, or 1 for their `grey`, as which the images of a file may come too,
    [n, h, w, 1]. Each class is shuffled by `seed`, and the classes take turns in shuffled order,
    so that their counts differ by at most 1 until a class is used up. Raises `InputError` if
    `count` or `size` < 1 or `seed` < 0, and if the file is missing, is not of such a form, or holds
    fewer than `count` images.
    """
    if count is not None:
        at_least("count", count, 1)
    sides = _sides(size)
    at_least("seed", seed, 0)
    file = Path(path)
    images, labels = _cifar(file) if file.is_dir() else _npz(file)
    _check(images, labels, (*sides, channels), file)
    count = len(images) if count is None else count
    if len(images) < count:
        raise InputError(f"{file}: holds {len(images)} images, expected at least {count}")
    indices = _balanced(labels, count, seed)
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    parts = []
    for start in range(0, count, CONVERTED):
        part = images[indices[start : start + CONVERTED]].astype(np.float64) / scale
        pixels = normalised(torch.from_numpy(part))
        if tuple(pixels.shape[2:]) != sides:
            pixels = F.interpolate(pixels, size=sides, mode="area")
        parts.append(pixels)
    coloured = torch.cat(parts)
    pixels = coloured if channels == len(MEAN) else grey(coloured)
    return _images(pixels, labels[indices], f"loaded at {_named(sides)}")


def _balanced(labels: Array, count: int, seed: int) -> Array:
    """Indices of images, int [count]: the classes take turns, so that any prefix is balanced."""
    members = [
        stream(MEMBERS, k, seed).permutation(np.flatnonzero(labels == label))
        for k, label in enumerate(np.unique(labels))
    ]
    indices: list[int] = []
    turn = 0
    while len(indices) < count:
        order = stream(ORDER, turn, seed).permutation(len(members))
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


def _check(images: Array, labels: Array, form: tuple[int, int, int], file: Path) -> None:
    """`InputError` unless the arrays have the shapes and types that `load` describes; `form`:
    height, width and channels of the images that are wanted."""
    shape, (height, width, channels) = list(images.shape), form
    is_usual = images.ndim == 4 and shape[3] in (channels, 3) and 0 not in shape
    if not is_usual or shape[1] * width != shape[2] * height:
        proportions = f"those of proportions {height} x {width}, [n, h, w, 3]"
        expected = "square ones, [n, h, h, 3]" if height == width else proportions
        raise InputError(f"{file}: images have shape {shape}, expected {expected}")
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


def _images(pixels: torch.Tensor, labels: Any, origin: str) -> Images:
    classes = torch.as_tensor(labels, dtype=torch.int64)
    return Images(pixels, classes, fingerprint_of(origin, (pixels,), classes))


def fingerprint_of(origin: str, parts: Parts, labels: torch.Tensor) -> str:
    """16 hexadecimal digits over the content [count, ...] and the labels [count]."""
    content = [origin.encode()]
    for part in parts:
        content += [str(list(part.shape)).encode(), part.numpy().tobytes()]
    content.append(labels.numpy().tobytes())
    return hashlib.sha256(b"\n".join(content)).hexdigest()[:16]


def _sides(size: Size) -> tuple[int, int]:
    """Height and width in pixels. Raises `InputError` if one is below 1."""
    height, width = (size, size) if isinstance(size, int) else size
    at_least("size", min(height, width), 1)
    return height, width


def _named(sides: tuple[int, int]) -> str:
    height, width = sides
    return str(height) if height == width else f"{height} x {width}"
