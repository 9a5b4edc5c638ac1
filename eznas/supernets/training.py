"""Training a shared supernet: one path a step, checkpoints, and the same result after a resume."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.statistics.images import Images
from eznas.supernets.parts import Allowed
from eznas.supernets.shared import SharedSupernet, draw_paths, live_path
from eznas.system.tensors import read_state, write_state

_PATHS, _ORDER = range(2)  # purposes, each with its own random streams


@dataclass(frozen=True)
class Recipe:
    """How a supernet is trained: by SGD with Nesterov's momentum for `epochs` passes over the
    images, in batches of `batch`; the learning rate `rate` falls to 0 along a cosine, step by step;
    gradients are cut to a norm of `clip`. `fair` paths: see `draw_paths`. Images are mirrored by
    lot and shifted by up to `shift` pixels (see `varied`; 0: neither)."""

    epochs: int
    rate: float = 0.05
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 5.0
    fair: bool = False
    shift: int = 2


def train(
    supernet: SharedSupernet,
    allowed: Allowed,
    images: Images,
    recipe: Recipe,
    seed: Sequence[int],
    file: Path | None = None,
    until: int | None = None,
) -> None:
    """Train a supernet on the paths of the allowed options, in place, on its own device.

    Each step runs one path on one batch; what remains of the images after the last full batch of an
    epoch is left out of it. A step whose path joins input and output nowhere changes nothing, but
    counts. `file`: where the state is kept after every epoch; training goes on from there, to the
    bit as if it had never stopped. `until`: stop after so many epochs (None: all).

    Raises `InputError` for fewer images than a batch, and where the file cannot be written, or is
    that of another training.
    """
    steps = len(images.labels) // recipe.batch
    if not steps:
        raise InputError(f"{len(images.labels)} images: expected {recipe.batch}, a batch, or more")
    identity = [asdict(recipe), [*seed], [[*options] for options in allowed], images.fingerprint]
    supernet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(
        supernet.parameters(),
        lr=recipe.rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
    )
    first = 0 if file is None else _resume(file, supernet, optimizer, repr(identity))
    paths = draw_paths(allowed, steps * recipe.epochs, [*seed, _PATHS], recipe.fair)
    live = cache(partial(live_path, supernet.space))
    device = next(supernet.parameters()).device
    pixels, labels = images.pixels.to(device), images.labels.to(device)
    with one_thread():
        for epoch in range(first, min(until or recipe.epochs, recipe.epochs)):
            generator = np.random.default_rng([*seed, _ORDER, epoch])
            order = torch.from_numpy(generator.permutation(len(labels)))
            for step, batch in enumerate(torch.split(order, recipe.batch)[:steps], epoch * steps):
                path = live(tuple(paths[step].tolist()))
                if path is None:
                    continue
                share = step / (steps * recipe.epochs)
                rate = recipe.rate * (1 + math.cos(math.pi * share)) / 2
                varying = varied(pixels[batch], recipe.shift, generator)
                _step(supernet, optimizer, path, varying, labels[batch], rate, recipe.clip)
            if file is not None:
                state = {"supernet": supernet.state_dict(), "optimizer": optimizer.state_dict()}
                write_state(file, {"identity": repr(identity), "epochs": epoch + 1, **state})


def varied(pixels: torch.Tensor, shift: int, generator: np.random.Generator) -> torch.Tensor:
    """Images [batch, channels, height, width], each mirrored left to right with probability 1/2 and
    shifted by up to `shift` pixels in both directions, zeros coming in; as they are for a shift of
    0. Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    """
    if not shift:
        return pixels
    count, _, height, width = pixels.shape
    offsets = torch.from_numpy(generator.integers(2 * shift + 1, size=(2, count)))
    is_mirrored = torch.from_numpy(generator.random(count) < 0.5).to(pixels.device)
    mirrored = torch.where(is_mirrored[:, None, None, None], pixels.flip(3), pixels)
    windows = F.pad(mirrored, (shift,) * 4).unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count), :, offsets[0], offsets[1]]


def load_weights(supernet: SharedSupernet, file: Path, epochs: int) -> None:
    """Give a supernet the weights that `train` kept in a file. Raises `InputError` for a file that
    cannot be read or is of a supernet of another shape, and where fewer `epochs` are done."""
    if not file.exists():
        raise InputError(f"{file}: no such file: expected a supernet that is trained")
    state = read_state(file)
    if state.get("epochs") != epochs:
        done = state.get("epochs")
        raise InputError(
            f"{file}: trained for {done} of {epochs} epochs; the training goes on "
            "where its command is run again"
        )
    _load(supernet, state["supernet"], file)


def _step(
    supernet: SharedSupernet,
    optimizer: torch.optim.SGD,
    path: Sequence[int],
    pixels: torch.Tensor,
    labels: torch.Tensor,
    rate: float,
    clip: float,
) -> None:
    """One step of one path; parameters off the path have no gradient, and stay as they are."""
    optimizer.zero_grad(set_to_none=True)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    F.cross_entropy(supernet(pixels, path), labels).backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(supernet.parameters(), clip)
    optimizer.param_groups[0]["lr"] = rate
    optimizer.step()


def _resume(file: Path, supernet: SharedSupernet, optimizer: torch.optim.SGD, identity: str) -> int:
    """Restore the state in a file, where there is one; the epochs that were done."""
    if not file.exists():
        return 0
    state = read_state(file)
    if state.get("identity") != identity:
        raise InputError(f"{file}: of another training: expected equal settings, seed and images")
    _load(supernet, state["supernet"], file)
    optimizer.load_state_dict(state["optimizer"])
    return int(state["epochs"])


def _load(supernet: SharedSupernet, weights: dict[str, Any], file: Path) -> None:
    try:
        supernet.load_state_dict(weights)
    except RuntimeError:
        raise InputError(f"{file}: weights of a supernet of another shape") from None
