"""Image batches that excite a network: generated ones (nothing to download) or a user's own.

Every batch is fixed by its seed, and a batch of 16 is the beginning of the batch of 64 with the
same seed, so that measurements at two batch sizes see the same images.
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

# Mean and deviation of the red, green and blue of CIFAR-10's training images (Krizhevsky, 2009).
MEAN = np.array([0.4914, 0.4822, 0.4465])
STD = np.array([0.2470, 0.2435, 0.2616])

# The dead-leaves world, in units of the image's side and of pixel values from 0 to 1. Set so that
# deviation, neighbour correlation, spectrum and colour correlation come near those of CIFAR-10.
SMALLEST, LARGEST = 0.06, 1.0  # radii
SCENE, SHADING, LEAF = 0.10, 0.40, 0.165  # deviations: image brightness, its gradient, a leaf's own
TINT_SCENE, TINT_LEAF = 0.062, 0.065  # deviations of the colour tint of an image, of a leaf
LEAVES = 256  # drawn at a time
FINER = 2  # edges are smoothed by averaging FINER x FINER points per pixel

_CIFAR = {
    "cifar-10-batches-py": ([f"data_batch_{i}" for i in range(1, 6)], b"labels"),
    "cifar-100-python": (["train"], b"fine_labels"),
}
_PICTURE, _LABELS, _MEMBERS, _ORDER = range(4)  # one random stream for each purpose

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Images:
    """A labelled batch.

    `pixels`: float32 [count, 3, height, width], each channel normalised with `MEAN` and `STD`;
    `labels`: int64 [count]; `fingerprint`: 16 hexadecimal digits over the content and its origin.
    """

    pixels: torch.Tensor
    labels: torch.Tensor
    fingerprint: str

    def resized(self, size: int) -> "Images":
        """The same batch at `size` x `size`, by area averaging; `InputError` if `size` < 1."""
        _at_least("size", size, 1)
        pixels = F.interpolate(self.pixels, size=(size, size), mode="area")
        return _images(pixels, self.labels, f"{self.fingerprint} at {size}")


def generated(count: int, size: int = 32, classes: int = 10, seed: int = 0) -> Images:
    """Dead-leaves images: disks of random colour and power-law radius that hide one another.

    Image i depends on `seed` and i alone, and shows the same scene at every `size`. The labels
    are drawn without regard to the images; their counts differ by at most 1. `InputError` if
    `count`, `size` or `classes` < 1 or `seed` < 0.
    Source: Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001; as training
    images: Baradad et al., "Learning to See by Looking at Noise", NeurIPS 2021.
    """
    for name, value in (("count", count), ("size", size), ("classes", classes)):
        _at_least(name, value, 1)
    _at_least("seed", seed, 0)
    pictures = np.stack([_picture(_stream(_PICTURE, i, seed), size) for i in range(count)])
    orders = [_stream(_LABELS, i, seed).permutation(classes) for i in range(-(-count // classes))]
    return _images(_normalised(pictures), np.concatenate(orders)[:count], "dead leaves")


def load(path: str | Path, count: int, size: int = 32, seed: int = 0) -> Images:
    """`count` images of a file, balanced over classes, area-averaged to `size` x `size`.

    `path`: a .npz file with `images`, uint8 [n, h, h, 3] or floats from 0 to 1, and `labels`,
    integers [n]; or a folder in torchvision's layout that holds `cifar-10-batches-py` or
    `cifar-100-python` (or is one of them). Each class is shuffled by `seed`, and the classes take
    turns in shuffled order, so that their counts differ by at most 1 until a class is used up.
    `InputError` where the file is missing, is something else, or holds fewer than `count` images.
    """
    _at_least("count", count, 1)
    _at_least("size", size, 1)
    _at_least("seed", seed, 0)
    file = Path(path)
    images, labels = _cifar(file) if file.is_dir() else _npz(file)
    _check(images, labels, file)
    if len(images) < count:
        raise InputError(f"{file}: holds {len(images)} images, expected at least {count}")
    chosen = _balanced(labels, count, seed)
    scale = 255.0 if images.dtype == np.uint8 else 1.0
    pixels = _normalised(images[chosen].astype(np.float64) / scale)
    if pixels.shape[-1] != size:
        pixels = F.interpolate(pixels, size=(size, size), mode="area")
    return _images(pixels, labels[chosen], f"loaded at {size}")


def _picture(rng: np.random.Generator, size: int) -> Array:
    """One dead-leaves image [size, size, 3] of whole steps of 1/255, front leaf first."""
    side = size * FINER
    scene = MEAN + rng.normal(0, SCENE) + _tints(rng, TINT_SCENE, 1)
    contrast, slope = rng.uniform(0.5, 1.5), rng.normal(0, SHADING, (2, 1))
    points = (np.indices((side, side)).reshape(2, -1) + 0.5) / side
    canvas, bare = np.empty((side * side, 3)), np.arange(side * side)
    while len(bare):
        centres, radii = _leaves(rng)
        # Shading by the leaf's place makes far parts of an image differ, as a sky and a ground do.
        own = (np.clip(centres - 0.5, -1, 1) * slope).sum(axis=0)
        own += rng.uniform(-1, 1, len(radii)) * 3**0.5 * LEAF
        colours = scene + contrast * (own[:, None] + _tints(rng, TINT_LEAF, len(radii)))
        distance = (points[0, bare, None] - centres[0]) ** 2
        distance += (points[1, bare, None] - centres[1]) ** 2
        covers = distance <= radii**2
        front = covers.argmax(axis=1)
        covered = covers.any(axis=1)
        canvas[bare[covered]] = colours[front[covered]]
        bare = bare[~covered]
    averaged = canvas.reshape(size, FINER, size, FINER, 3).mean(axis=(1, 3))
    return np.asarray(np.round(np.clip(averaged, 0, 1) * 255) / 255)


def _leaves(rng: np.random.Generator) -> tuple[Array, Array]:
    """Centres [2, n] and radii [n], of density r^-3, of those of `LEAVES` disks that show."""
    inverse = rng.uniform(LARGEST**-2, SMALLEST**-2, LEAVES)
    radii = inverse**-0.5
    centres = rng.uniform(-LARGEST, 1 + LARGEST, (2, LEAVES))
    outside = np.maximum(np.abs(centres - 0.5) - 0.5, 0)
    shows = (outside**2).sum(axis=0) <= radii**2
    return centres[:, shows], radii[shows]


def _tints(rng: np.random.Generator, deviation: float, count: int) -> Array:
    """Colour offsets [count, 3] of no brightness: mostly red against blue, some green."""
    red_blue, green = rng.normal(0, deviation, (2, count, 1))
    return np.asarray(red_blue * [1.0, 0.0, -1.0] + 0.5 * green * [-0.5, 1.0, -0.5])


def _balanced(labels: Array, count: int, seed: int) -> Array:
    """Indices [count]: the classes take turns; any beginning of the list is balanced as well."""
    members = [
        _stream(_MEMBERS, k, seed).permutation(np.flatnonzero(labels == label))
        for k, label in enumerate(np.unique(labels))
    ]
    chosen: list[int] = []
    turn = 0
    while len(chosen) < count:
        order = _stream(_ORDER, turn, seed).permutation(len(members))
        chosen += [members[k][turn] for k in order if turn < len(members[k])]
        turn += 1
    return np.array(chosen[:count])


def _npz(file: Path) -> tuple[Array, Array]:
    if not file.is_file():
        raise InputError(f"{file}: no such file, expected a .npz file or a CIFAR folder")
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
            if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray):
                raise TypeError("a member that is no array comes as bytes")
            return images, labels
    except KeyError as error:
        raise InputError(f"{file}: {error.args[0]}, expected images and labels") from None
    except Exception:  # a damaged archive may raise anything
        raise InputError(
            f"{file}: not readable as .npz, expected plain arrays images, labels"
        ) from None


def _cifar(folder: Path) -> tuple[Array, Array]:
    """All training images, uint8 [n, 32, 32, 3], and labels [n] of a CIFAR folder."""
    found = [
        ([home / name for name in names], key)
        for set_name, (names, key) in _CIFAR.items()
        for home in (folder, folder / set_name)
        if (home / names[0]).is_file()
    ]
    if len(found) != 1:
        known = " or ".join(f"{set_name}/{names[0]}" for set_name, (names, _) in _CIFAR.items())
        raise InputError(f"{folder}: holds {len(found)} image sets, expected one: {known}")
    files, key = found[0]
    data, labels = zip(*(_cifar_file(file, key) for file in files), strict=True)
    return np.concatenate(data), np.concatenate(labels)


def _cifar_file(file: Path, key: bytes) -> tuple[Array, Array]:
    try:
        content = _Plain(io.BytesIO(file.read_bytes()), encoding="bytes").load()
        data, labels = content[b"data"], np.array(content[key])
    except Exception as error:  # a broken pickle may raise anything
        why = " ".join(f"{type(error).__name__}: {error}".split())
        wanted = f"a pickled dict with data and {key.decode()}"
        raise InputError(f"{file}: not a CIFAR file ({why}), expected {wanted}") from None
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (3072,):
        raise InputError(f"{file}: data has another form, expected uint8 [n, 3072]")
    if labels.shape != (len(data),):
        found = list(labels.shape)
        raise InputError(f"{file}: labels have shape {found}, expected [{len(data)}]")
    return data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


class _Plain(pickle.Unpickler):
    """Unpickles containers, numbers, text and numpy arrays, and calls nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"holds {module}.{name}")


def _check(images: Array, labels: Array, file: Path) -> None:
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
    """[n, h, w, 3] with values from 0 to 1 -> float32 [n, 3, h, w]."""
    return torch.from_numpy((images - MEAN) / STD).permute(0, 3, 1, 2).float().contiguous()


def _stream(purpose: int, index: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([purpose, index, seed])


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise InputError(f"{name} is {value}, expected at least {least}")
