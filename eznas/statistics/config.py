"""The conditions of a measurement: all that a score depends on besides network and formula."""

import hashlib
from dataclasses import dataclass

import torch

from eznas.errors import unknown
from eznas.statistics.images import Images

INITIALISATIONS = ("kaiming", "keep")
STORAGES = ("single", "half")
DEFINITIONS = 2  # raised when a statistic changes its value, so that older records are not used


@dataclass(frozen=True)
class MeasurementConfig:
    """What a network is excited with, at which resolutions, and how it is initialised.

    `raw` and `sketch` are the batches of catalogue rows that keep tensors and of those that
    condense them; `initialisation` is "kaiming" or "keep" (the model as it is); `classes` is
    the width of the head that a search space builds (a user's model has its own). `storage`:
    "single", or "half" where raw features are kept in half the bytes (bfloat16: the range of
    float32) and computed with in single precision.
    """

    images: Images
    classes: int = 10
    raw: int = 8
    sketch: int = 64
    initialisation: str = "kaiming"
    seed: int = 0
    device: str = "cpu"
    storage: str = "single"

    def __post_init__(self) -> None:
        if self.initialisation not in INITIALISATIONS:
            raise unknown("initialisation", self.initialisation, INITIALISATIONS)
        if self.storage not in STORAGES:
            raise unknown("storage", self.storage, STORAGES)

    @property
    def size(self) -> int:
        """Side of the input in pixels."""
        return self.images.pixels.shape[-1]

    def batch(self, resolution: str) -> int:
        """Images at a resolution: raw, sketch, label (half of sketch, so that two batches with
        labels fit into one of sketches), or single."""
        sizes = {"raw": self.raw, "sketch": self.sketch, "label": self.sketch // 2, "single": 1}
        return sizes[resolution]

    def generator(self, purpose: str) -> torch.Generator:
        """A random stream of its own for each purpose, on the CPU: apart from the weights', which
        are drawn from the bare seed."""
        digest = hashlib.sha256(f"{purpose} {self.seed}".encode()).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))

    def describe(self) -> dict[str, object]:
        """The conditions as plain data, for a run folder or an exported proxy."""
        return {
            "images": self.images.fingerprint,
            "input": list(self.images.pixels.shape[1:]),
            "classes": self.classes,
            "raw_batch": self.raw,
            "sketch_batch": self.sketch,
            "initialisation": self.initialisation,
            "seed": self.seed,
            "device": torch.device(self.device).type,
            "definitions": DEFINITIONS,
            "torch": torch.__version__,
            **({"storage": self.storage} if self.storage != STORAGES[0] else {}),
        }

    @property
    def fingerprint(self) -> str:
        """A short hash of `describe()`."""
        return hashlib.sha256(repr(self.describe()).encode()).hexdigest()[:16]
