"""A folder of trained supernets: that of the whole space, and of each leaf of a tree.

One-shot: the whole space is trained for all epochs. Few-shot: for those that the leaves leave, and
the supernet of every leaf goes on from its weights; so both run as many steps. Sources: Guo et al.,
ECCV 2020 (one-shot); Zhao et al., "Few-Shot Neural Architecture Search", ICML 2021 (few-shot).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError, unknown
from eznas.evaluation.executors import Call, Executor, Lost, NoPhases, Phases, SerialExecutor
from eznas.evaluation.ray_executor import RayExecutor
from eznas.spaces import SPACES, Space
from eznas.statistics.config import available_device
from eznas.statistics.images import Images, load
from eznas.supernets.parts import Allowed, checked, everything, numbered
from eznas.supernets.quality import leaf_indices
from eznas.supernets.ranking import shared_accuracies
from eznas.supernets.shared import SharedSupernet
from eznas.supernets.training import Recipe, load_weights, train
from eznas.system.files import read_as, write_whole
from eznas.system.folder import locked, make_folder
from eznas.system.tensors import read_tensors, write_tensors

SETTINGS = "supernet.json"
WHOLE = "whole.tensors"
CHILD_RATE = 0.025  # the learning rate from which the supernets of leaves go on
TRAINED, CHOOSING = 0.8, 0.05  # shares of the images; the rest judges
HUNG = 24 * 3600.0  # seconds after which a worker that trains a leaf counts as hung

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Supernets:
    """What a folder holds: how its supernets are shaped and trained.

    `space`; `width`, `cells`: see `SharedSupernet`; `images`: a file or folder, as
    `eznas.statistics.images.load` takes it, at `size` pixels; `epochs`: passes over the training
    images in all, of which each of the `leaves` gets `leaf_epochs`; `batch` and `fair`: see
    `Recipe`; `seed` of the images' shares, the initialisation, paths and batches. Raises
    `InputError` for a space that is unknown, and for leaves that leave the whole space no epoch.
    """

    space: str
    images: str
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
        for allowed in self.leaves:
            checked(SPACES[self.space], allowed)
        if self.leaves and self.leaf_epochs < 1:
            raise InputError(f"leaf epochs {self.leaf_epochs}: expected 1 or more")
        if self.parent_epochs < 1:
            raise InputError(
                f"epochs {self.epochs}: expected more than {len(self.leaves)} leaves of "
                f"{self.leaf_epochs} epochs take"
            )

    @property
    def parent_epochs(self) -> int:
        """The epochs of the supernet of the whole space."""
        return self.epochs - len(self.leaves) * self.leaf_epochs

    @cached_property
    def parts(self) -> tuple[Images, Images, Images]:
        """The images to train on, those that choose a leaf, and those that judge networks. Raises
        `InputError` for images that cannot be used."""
        images = load(self.images, None, self.size, self.seed)
        count = len(images.labels)
        ends = [0, round(TRAINED * count), round((TRAINED + CHOOSING) * count), count]
        training, choosing, judging = (
            Images(images.pixels[a:b], images.labels[a:b], f"{images.fingerprint}, {a} to {b}")
            for a, b in pairwise(ends)
        )
        if not len(choosing.labels) or not len(judging.labels):
            raise InputError(f"{self.images}: {count} images, expected 10 or more")
        return training, choosing, judging

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


def train_supernets(
    folder: Path,
    supernets: Supernets,
    *,
    parent: Path | None = None,
    workers: int = 1,
    device: str = "cpu",
    phases: Phases | None = None,
) -> None:
    """Train the supernet of the whole space, then those of the leaves from its weights, in a folder
    that is made or gone on with: `kill -9` loses an epoch at most.

    `parent`: a folder with the trained supernet of the whole space to take, if it is the same that
    would be trained here. `workers`: processes (Ray actors beyond 1) among which leaves are shared
    out; all of them write into the folder. Results are the same for any number. Raises `InputError`
    for a folder of another training, and for images or a space that cannot be used.
    """
    phases = phases or NoPhases()
    supernet = supernets.fresh(device)
    make_folder(folder)
    with locked(folder):
        _claim(folder, supernets)
        if parent is not None and not (folder / WHOLE).exists():
            write_tensors(folder / WHOLE, read_tensors(parent / WHOLE))
        title = f"training the supernet of {supernets.space}, {supernets.parent_epochs} epochs"
        progress = phases.phase(title, len(supernets.parts[0].labels))
        allowed, seed = everything(supernet.space), [supernets.seed, 0]
        recipe, images = supernets.recipe(leaf=False), supernets.parts[0]
        train(supernet, allowed, images, recipe, seed, folder / WHOLE, progress)
        if supernets.leaves:
            title = f"training {len(supernets.leaves)} leaves, {supernets.leaf_epochs} epochs each"
            progress = phases.phase(title, len(supernets.parts[0].labels))
            jobs = [_LeafJob(k, str(folder), device) for k in range(len(supernets.leaves))]
            executor = _executor(partial(_state, supernets), workers)
            try:
                executor.run(jobs, progress)
            finally:
                executor.close()


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

    def accuracies(
        self, architectures: Sequence[str], images: str = "judging", phases: Phases | None = None
    ) -> Floats:
        """Accuracies in percent, float64 [networks], on the images of one purpose, "choosing" or
        "judging"; see `shared_accuracies`. They are remembered."""
        new = [a for a in dict.fromkeys(architectures) if (a, images) not in self._known]
        part = self.supernets.parts[1 if images == "choosing" else 2]
        leaf_of = self.leaves(new)
        title = f"{len(new)} networks on {len(part.labels)} images ({images})"
        progress = (phases or NoPhases()).phase(title, len(new)) if new else None
        done = 0
        for leaf in np.unique(leaf_of).tolist():
            self._load(leaf)
            members = [a for a, k in zip(new, leaf_of.tolist(), strict=True) if k == leaf]
            for architecture in members:
                path = numbered(self.space, [architecture])[0].tolist()
                value = shared_accuracies(self._supernet, [path], part)[0]
                self._known[architecture, images] = float(value)
                done += 1
                if progress is not None:
                    progress(done, len(new))
        return np.array([self._known[a, images] for a in architectures])

    def _load(self, leaf: int) -> None:
        is_few_shot = bool(self.supernets.leaves)
        file = leaf_file(self._folder, leaf) if is_few_shot else self._folder / WHOLE
        load_weights(self._supernet, file, self.supernets.recipe(is_few_shot).epochs)


@dataclass(frozen=True)
class _LeafJob:
    """Training of the leaf of index `worker`."""

    worker: int
    folder: str
    device: str

    def call(self) -> Call:
        return Call(_train_leaf, (self.worker, self.folder, self.device))

    def finish(self, executor: Executor, call: Call, answer: Any | Lost) -> Any:
        if isinstance(answer, Lost):  # its checkpoint stands: it goes on from there
            answer = executor.attempt(self.worker, call, 2)
        if isinstance(answer, Lost):
            raise InputError(f"leaf {self.worker + 1}: its worker was lost: {answer.detail}")
        return answer


def _train_leaf(supernets: Supernets, leaf: int, folder: str, device: str) -> None:
    supernet = supernets.fresh(device)
    load_weights(supernet, Path(folder) / WHOLE, supernets.parent_epochs)
    allowed, seed = supernets.leaves[leaf], [supernets.seed, leaf + 1]
    recipe = supernets.recipe(leaf=True)
    train(supernet, allowed, supernets.parts[0], recipe, seed, leaf_file(Path(folder), leaf))


def _state(supernets: Supernets) -> Supernets:
    """The state of a worker: it loads the images once, when it first needs them."""
    return supernets


def _executor(make_state: Any, workers: int) -> Executor:
    return SerialExecutor(make_state) if workers == 1 else RayExecutor(make_state, workers, HUNG)


def _claim(folder: Path, supernets: Supernets) -> None:
    """Write what the folder is to hold; `InputError` where it holds something else."""
    if not (folder / SETTINGS).exists():
        write_whole(folder / SETTINGS, json.dumps(asdict(supernets), indent=2) + "\n")
    elif read_supernets(folder) != supernets:
        raise InputError(f"{folder}: holds supernets of other settings; expected another folder")
