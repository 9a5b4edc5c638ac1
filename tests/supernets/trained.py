"""Tiny supernets: three steps on 64 generated images take a tenth of a second."""

from pathlib import Path

import numpy as np

from eznas.statistics.colours import MEAN, STD
from eznas.statistics.images import generated
from eznas.supernets.few_shot import Supernets
from eznas.supernets.parts import everything, restricted
from eznas.supernets.working import train_all

HALVES = ((0, 1, 2), (3, 4))  # options of the first edge of NAS-Bench-201, shared out to two leaves


def image_file(folder: Path, count: int = 64) -> str:
    """A file of generated images."""
    images = generated(count, 8, classes=4)
    pixels = images.pixels.permute(0, 2, 3, 1).numpy() * STD + MEAN
    file = folder / f"images-{count}.npz"
    np.savez(file, images=np.clip(pixels, 0, 1), labels=images.labels.numpy())
    return str(file)


def tiny(folder: Path, **changes) -> Supernets:
    """One-shot supernets that are trained three steps, of 16 images each."""
    usual = {"width": 2, "size": 8, "epochs": 1, "batch": 16, "images": image_file(folder)}
    return Supernets(**{"space": "nasbench201", **usual, **changes})


def leaves(space) -> tuple:
    """The space in two halves by its first position."""
    return tuple(restricted(everything(space), 0, half) for half in HALVES)


def trained(folder: Path, **changes) -> Path:
    """A folder of tiny supernets that are trained."""
    path = folder / "supernets"
    train_all({path: tiny(folder, **changes)})
    return path
