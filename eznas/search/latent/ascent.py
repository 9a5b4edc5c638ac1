"""Gradient ascent on latents: from known architectures to those that an objective makes best.

Source: Huang et al., "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR Workshops 2024.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from eznas.errors import InputError
from eznas.evaluation.executors import Progress
from eznas.search.latent.autoencoder import Autoencoder

Objective = Callable[[Tensor], Tensor]  # latents [n, latent] -> scores [n], larger is better
Box = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Visit:
    """An architecture that a path came to. `predicted`: the objective at the architecture's own
    encoding; `step` (0: the starts themselves) and `start`, the path's number: where it was decoded
    first."""

    architecture: str
    predicted: float
    step: int
    start: int


@dataclass(frozen=True, eq=False)
class Ascent:
    """What an ascent found.

    `visited`: every different architecture, best predicted first. `paths`: the latents float32
    [steps + 1, starts, latent]; a path that was stopped stays where it was refused. `stopped`: for
    each start the step at which its latent made no network, None where it never did.
    """

    visited: tuple[Visit, ...]
    paths: Tensor
    stopped: tuple[int | None, ...]


def ascend(
    autoencoder: Autoencoder,
    objective: Objective,
    starts: Tensor,
    *,
    steps: int = 150,
    rate: float = 0.05,
    box: Box | None = None,
    progress: Progress | None = None,
) -> Ascent:
    """Move all starts, float32 [starts, latent], uphill with Adam, and decode them after every
    step.

    `objective`: from latents [n, latent] to scores [n] that can be differentiated, each of its own
    row alone. A path stops at the first latent that makes no network. Latents are kept in `box`,
    the lowest and highest number allowed, each [latent]: unless given, that of the architectures
    the autoencoder was fitted to, because far from these an objective is guesswork. Architectures
    are scored at their own encoding and not where a path found them, for the same reason, and so
    that each has one score.

    Raises `InputError` for starts, a box or scores of another shape, numbers that are not finite,
    fewer than 0 steps, and an autoencoder that is not fitted.
    """
    low, high = autoencoder.box if box is None else box
    _check(autoencoder, starts, (low, high), steps)
    first: dict[str, tuple[int, int]] = {}  # architecture -> step and start
    stopped: list[int | None] = [None] * len(starts)

    def look(latents: Tensor, step: int) -> None:
        for start, text in enumerate(autoencoder.decode(latents)):
            if stopped[start] is not None:
                continue
            if text is None:
                stopped[start] = step
            else:
                first.setdefault(text, (step, start))

    latents = starts.detach().clamp(low, high).requires_grad_()
    optimiser = torch.optim.Adam([latents], lr=rate, maximize=True)
    paths = [latents.detach().clone()]
    look(paths[0], 0)
    for step in range(1, steps + 1):
        latents.grad = _slope(objective, latents, step)
        optimiser.step()
        with torch.no_grad():
            stays = torch.tensor([s is not None for s in stopped])[:, None]
            latents.copy_(torch.where(stays, paths[-1], latents.clamp(low, high)))
        paths.append(latents.detach().clone())
        look(paths[-1], step)
        if progress is not None:
            progress(step, steps)
    return Ascent(_visits(autoencoder, objective, first), torch.stack(paths), tuple(stopped))


def _slope(objective: Objective, latents: Tensor, step: int) -> Tensor:
    """The gradient of the objective, [starts, latent]."""
    with torch.enable_grad():
        scores = _scores(objective, latents, f"step {step}")
        if not scores.requires_grad:
            raise InputError(f"objective at step {step}: gave scores that cannot be differentiated")
        (slope,) = torch.autograd.grad(scores.sum(), latents)
    if not slope.isfinite().all():
        raise InputError(f"objective at step {step}: has a slope that is not finite")
    return slope


def _visits(
    autoencoder: Autoencoder, objective: Objective, first: dict[str, tuple[int, int]]
) -> tuple[Visit, ...]:
    """The architectures, best first, of equal ones the one that was found first."""
    if not first:
        return ()
    with torch.no_grad():
        scores = _scores(objective, autoencoder.encode([*first]), "the visited architectures")
    visits = [
        Visit(architecture, score, step, start)
        for (architecture, (step, start)), score in zip(first.items(), scores.tolist(), strict=True)
    ]
    return tuple(sorted(visits, key=lambda visit: -visit.predicted))


def _scores(objective: Objective, latents: Tensor, where: str) -> Tensor:
    """The objective's scores [n] of latents [n, latent], checked."""
    scores = objective(latents)
    if scores.shape != (len(latents),):
        raise InputError(
            f"objective at {where}: gave {[*scores.shape]}, expected one score for each of "
            f"{len(latents)} latents"
        )
    if not scores.isfinite().all():
        raise InputError(f"objective at {where}: gave scores that are not finite")
    return scores


def _check(autoencoder: Autoencoder, starts: Tensor, box: Box, steps: int) -> None:
    if starts.ndim != 2 or starts.shape[1] != autoencoder.latent or not starts.isfinite().all():
        raise InputError(
            f"starts {[*starts.shape]}: expected finite numbers [starts, {autoencoder.latent}]"
        )
    low, high = box
    if low.shape != high.shape or low.shape != (autoencoder.latent,) or not (low <= high).all():
        raise InputError(
            f"box {[*low.shape]} to {[*high.shape]}: expected the lowest and then the highest "
            f"numbers, each [{autoencoder.latent}]"
        )
    if steps < 0:
        raise InputError(f"{steps} steps: expected 0 or more")
