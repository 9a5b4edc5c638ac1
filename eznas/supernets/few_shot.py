"""A folder of trained supernets: that of the whole space, and of each leaf of a tree.

One-shot: the whole space is trained for all epochs. Few-shot: for those that the leaves leave, and
the supernet of every leaf goes on from its weights; so both run as many steps. Sources: Guo et al.,
ECCV 2020 (one-shot); Zhao et al., "Few-Shot Neural Architecture Search", ICML 2021 (few-shot).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError, unknown
from eznas.spaces import SPACES, Space
from eznas.statistics.config import available_device
from eznas.statistics.images import Images, load
from eznas.supernets.parts import Allowed, check_shared_out, everything, numbered
from eznas.supernets.quality import leaf_indices
from eznas.supernets.ranking import shared_accuracies
from eznas.supernets.shared import SharedSupernet
from eznas.supernets.training import Recipe, load_weights
from eznas.system.files import read_as

SETTINGS = "supernet.json"
WHOLE = "whole.tensors"
CHILD_RATE = 0.025  # the learning rate from which the supernets of leaves go on
TRAINED, CHOOSING = 0.8, 0.25  # shares of the images, and of those that do not train

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Supernets:
    """What a folder holds: how its supernets are shaped and trained.

    `space`; `width`, `cells`: see `SharedSupernet`; `images`: a file or folder, as
    `eznas.statistics.images.load` takes it, at `size` pixels; `validation`: another one, whose
    images choose leaves and judge networks ("": a fifth of the images is kept for that); `epochs`:
    passes over the training images in all, of which each of the `leaves` gets `leaf_epochs`;
    `batch` and `fair`: see `Recipe`; `seed` of the images' shares, the initialisation, paths and
    batches. Raises `InputError` for a space that is unknown, for leaves that do not share it out,
    and for those that leave the whole space no epoch.
    """

    space: str
    images: str
    validation: str = ""
    width: int = 8
    cells: int = 1
    size: int = 16
    epochs: int = 110
    leaf_epochs: int = 0
    batch: int = 128
    fair: bool = False
    seed: int = 0
    leaves: tuple[Allowed, ...] = ()

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise unknown("space", self.space, SPACES)
        if self.leaves:
            check_shared_out(SPACES[self.space], self.leaves)
        self.check_epochs(len(self.leaves))

    @property
    def parent_epochs(self) -> int:
        """The epochs of the supernet of the whole space."""
        return self.epochs - len(self.leaves) * self.leaf_epochs

    @cached_property
    def parts(self) -> tuple[Images, Images, Images]:
        """The images to train on, those that choose a leaf, and those that judge networks. Raises
        `InputError` for images that cannot be used."""
        training, rest = load(self.images, None, self.size, self.seed), None
        if self.validation:
            rest = load(self.validation, None, self.size, self.seed)
            last, most = int(rest.labels.max()), int(training.labels.max())
            if last > most:
                expected = f"expected labels from 0 to {most}, as those of {self.images}"
                raise InputError(f"{self.validation}: label {last}: {expected}")
        else:
            training, rest = _divided(training, TRAINED, self.images)
        choosing, judging = _divided(rest, CHOOSING, self.validation or self.images)
        return training, choosing, judging

    def check_epochs(self, leaves: int) -> None:
        """`InputError` where so many leaves leave no epoch for the supernet of the whole space."""
        if leaves and self.leaf_epochs < 1:
            raise InputError(f"leaf epochs {self.leaf_epochs}: expected 1 or more")
        if self.epochs <= leaves * self.leaf_epochs:
            raise InputError(
                f"epochs {self.epochs}: expected more than {leaves} leaves of "
                f"{self.leaf_epochs} epochs take"
            )

    def check(self, device: str = "cpu") -> None:
        """`InputError` for images, a space or a device that cannot be used, and where there are
        fewer images to train on than a batch."""
        self.fresh(device)
        count = len(self.parts[0].labels)
        if count < self.batch:
            raise InputError(
                f"{self.images}: {count} to train on, expected a batch ({self.batch}) or more"
            )

    def recipe(self, leaf: bool) -> Recipe:
        """How the supernet of a leaf is trained, or that of the whole space."""
        if leaf:
            return Recipe(self.leaf_epochs, CHILD_RATE, self.batch, fair=self.fair)
        return Recipe(self.parent_epochs, batch=self.batch, fair=self.fair)

    def fresh(self, device: str = "cpu") -> SharedSupernet:
        """The supernet of the space, freshly initialised."""
        labels = [int(images.labels.max()) for images in self.parts]
        whole = SPACES[self.space]
        supernet = SharedSupernet(whole, self.width, self.cells, max(labels) + 1, self.seed)
        return supernet.to(available_device(device))


def _divided(images: Images, share: float, file: str) -> tuple[Images, Images]:
    """The first share of images, and the others; `InputError` where one of them is empty."""
    count, end = len(images.labels), round(share * len(images.labels))
    if not 0 < end < count:
        raise InputError(f"{file}: too few images: {count} cannot be shared out")
    first, others = (
        Images(images.pixels[a:b], images.labels[a:b], f"{images.fingerprint}, {a} to {b}")
        for a, b in ((0, end), (end, count))
    )
    return first, others


def read_supernets(folder: Path) -> Supernets:
    """What a folder holds. Raises `InputError` for one that holds no supernets, or damaged ones."""
    return read_as(folder / SETTINGS, Supernets)


def leaf_file(folder: Path, leaf: int) -> Path:
    """The file of the supernet of the leaf of this index, whose number is one more."""
    return folder / f"leaf-{leaf + 1}.tensors"


class Ranker:
    """Accuracies of the networks of a folder's supernets, each network in that of its own leaf.

    `images`: the path in place of that the supernets were trained with. Raises `InputError` for a
    folder that cannot be read, and for supernets that are not trained to the end.
    """

    def __init__(self, folder: Path, images: str | None = None, device: str = "cpu") -> None:
        self.supernets = read_supernets(folder)
        if images is not None:
            object.__setattr__(self.supernets, "images", images)
        self._folder, self._device = folder, device
        self._known: dict[tuple[str, str], float] = {}
        self._supernet = self.supernets.fresh(device)

    @property
    def space(self) -> Space:
        """The space of the supernets."""
        return SPACES[self.supernets.space]

    def leaves(self, architectures: Sequence[str]) -> NDArray[np.int64]:
        """The index of the leaf of each architecture, int64 [networks]; 0 without leaves."""
        leaves = self.supernets.leaves or (everything(self.space),)
        return leaf_indices(numbered(self.space, architectures), leaves)

    def accuracies(self, architectures: Sequence[str], images: str = "judging") -> Floats:
        """Accuracies in percent, float64 [networks], on the images of one purpose, "choosing" or
        "judging"; see `shared_accuracies`. They are remembered."""
        new = [a for a in dict.fromkeys(architectures) if (a, images) not in self._known]
        part = self.supernets.parts[1 if images == "choosing" else 2]
        leaf_of = self.leaves(new)
        for leaf in np.unique(leaf_of).tolist():
            self._load(leaf)
            members = [a for a, k in zip(new, leaf_of.tolist(), strict=True) if k == leaf]
            paths = numbered(self.space, members).tolist()
            self.add(members, images, shared_accuracies(self._supernet, paths, part))
        return np.array([self._known[a, images] for a in architectures])

    def add(self, architectures: Sequence[str], images: str, accuracies: Floats) -> None:
        """Remember accuracies [networks] that are known already."""
        keys = [(architecture, images) for architecture in architectures]
        self._known |= dict(zip(keys, accuracies.tolist(), strict=True))

    def _load(self, leaf: int) -> None:
        is_few_shot = bool(self.supernets.leaves)
        file = leaf_file(self._folder, leaf) if is_few_shot else self._folder / WHOLE
        load_weights(self._supernet, file, self.supernets.recipe(is_few_shot).epochs)
