"""The shared supernet: one network that holds all options of a space, of which a path runs.

Networks that choose the same option at a position share its weights. Source: Guo et al., "Single
Path One-Shot Neural Architecture Search with Uniform Sampling", ECCV 2020.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from eznas.errors import InputError, unknown
from eznas.spaces import SPACES, Space
from eznas.statistics.initialisation import kaiming
from eznas.supernets.parts import Allowed, numbered

Integers = NDArray[np.int64]
Path = Sequence[int]  # the index of the option at each position


class SharedSupernet(nn.Module):
    """A supernet of a space; `forward(images, path)` runs one of its networks.

    `width`: channels of the first stage; `cells` of a stage (where the space stacks cells);
    `classes`: of the images. Parameters are initialised as by `kaiming` from `seed`. Batch norms
    always take the statistics of the batch: running ones would be those of a mixture of networks.
    Raises `InputError` for a space without a supernet, and for a width or cells below 1.
    """

    def __init__(
        self, space: Space, width: int = 8, cells: int = 1, classes: int = 10, seed: int = 0
    ) -> None:
        super().__init__()
        for name, value in (("width", width), ("cells", cells), ("classes", classes)):
            if value < 1:
                raise InputError(f"{name} {value}: expected 1 or more")
        self.space, self.classes = space, classes
        self._choices: list[_Choice] = []
        with torch.device("meta"):  # where torch's own initialisation draws no random numbers
            self.network = _maker(space)(self._choice, classes, width, cells)
        for module in self.network.modules():
            if isinstance(module, _BatchNorm):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None
        self.load_state_dict(kaiming(self, seed), assign=True)

    def forward(self, images: Tensor, path: Path) -> Tensor:
        """Logits [batch, classes] of images [batch, 3, height, width] in the network of a path."""
        for choice in self._choices:
            choice.chosen = path[choice.position]
        logits: Tensor = self.network(images)
        return logits

    def _choice(self, position: int, modules: Mapping[str, nn.Module]) -> nn.Module:
        options = [modules[option] for option in self.space.positions[position]]
        choice = _Choice(position, options)
        self._choices.append(choice)
        return choice


class _Choice(nn.Module):
    """Options of a position, of which one runs: that of index `chosen`."""

    def __init__(self, position: int, options: Sequence[nn.Module]) -> None:
        super().__init__()
        self.position, self.chosen = position, 0
        self.options = nn.ModuleList(options)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.options[self.chosen](x)
        return y


def architecture_of(space: Space, path: Path) -> str:
    """The architecture of a path; raises `InputError` where its choices make no network."""
    return space.text([options[i] for options, i in zip(space.positions, path, strict=True)])


def live_path(space: Space, path: Path) -> tuple[int, ...] | None:
    """The path without what cannot reach the output, which computes the same and runs less; None
    where nothing joins input and output."""
    architecture = architecture_of(space, path)
    if not space.connected(architecture):
        return None
    live = numbered(space, [space.live_cell(architecture)])[0]
    return tuple(live.tolist())


def draw_paths(allowed: Allowed, steps: int, seed: Sequence[int], fair: bool = False) -> Integers:
    """Paths within the allowed options, int64 [steps, positions].

    Every position is drawn by itself: uniformly; or, if `fair`, so that each of its n options is
    taken once in every n steps (Chu et al., "FairNAS", ICCV 2021), in an order drawn anew each
    time. The first steps of a longer training are those of a shorter one.
    """
    columns = []
    for position, options in enumerate(allowed):
        generator = np.random.default_rng([*seed, position])
        if fair:
            orders = _orders(generator, np.array(options), steps)
            columns.append(np.concatenate([*orders, np.empty(0, np.int64)])[:steps])
        else:
            columns.append(generator.choice(np.array(options), steps))
    return np.stack(columns, 1).astype(np.int64)


def _orders(generator: np.random.Generator, options: Integers, steps: int) -> Iterator[Integers]:
    for _ in range(0, steps, len(options)):
        yield generator.permutation(options)


def _maker(space: Space) -> Callable[..., nn.Module]:
    if space.supernet is None:
        known = [name for name, other in SPACES.items() if other.supernet is not None]
        raise unknown("space with a supernet", space.name, known)
    return space.supernet
