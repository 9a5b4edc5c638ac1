"""The mixed supernet of a part: at each position the mean of the allowed options, all of which run.

It is that of Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, with equal weights
of the options (the softmax of equal alphas). `none` is one of them: it counts, and adds zeros.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES, Space
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import kaiming
from eznas.supernets.parts import Allowed, checked, everything, restricted

CELLS = 2  # of a stage, in spaces that stack cells: half of a minute for a tree instead of minutes
WIDTH = 16  # channels of the first stage


class Mean(nn.Module):
    """The mean of what several modules make of the same input; `modules`: by a name each."""

    def __init__(self, modules: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.options = nn.ModuleDict(modules)

    def forward(self, x: Tensor) -> Tensor:
        first, *others = (module(x) for module in self.options.values())
        total: Tensor = sum(others, first)
        return total / len(self.options) if others else total


def mixed(
    space: Space,
    allowed: Sequence[Sequence[int]] | None = None,
    classes: int = 10,
    width: int = WIDTH,
    cells: int = CELLS,
) -> nn.Module:
    """The mixed supernet of a part of a space, with torch's default initialisation: from images
    [batch, 3, height, width] to logits [batch, classes].

    `allowed`: the indices of the options of each position (None: all); `width`: channels of the
    first stage; `cells` of a stage, where the space stacks cells. An option's parameters have the
    same names in every part that has it. Raises `InputError` for a space without a mixed supernet,
    and for options that it does not have.
    """
    maker = check_mixed(space)
    indices = everything(space) if allowed is None else checked(space, allowed)

    def combine(position: int, modules: Mapping[str, nn.Module]) -> nn.Module:
        options = space.positions[position]
        return Mean({str(i): modules[options[i]] for i in indices[position]})

    return maker(combine, classes, width, cells)


def check_mixed(space: Space) -> Callable[..., nn.Module]:
    """What makes the supernet of a space. Raises `InputError` for a space without one."""
    if space.supernet is None:
        known = ", ".join(name for name, other in SPACES.items() if other.supernet is not None)
        raise InputError(
            f"space {space.name} has no mixed supernet ({known} have one): expected to split it by "
            "members (--by members)"
        )
    return space.supernet


@dataclass(frozen=True)
class SupernetScore:
    """The score that a proxy gives the mixed supernet of a part, freshly initialised.

    `config`: how it is measured, its initialisation seed included; `width`, `cells`: see `mixed`.
    """

    space: Space
    proxy: Proxy
    config: MeasurementConfig
    width: int = WIDTH
    cells: int = CELLS

    def __call__(self, allowed: Allowed) -> float:
        """The score of a part: finite, -inf where it is lowest or undefined. Raises `InputError`
        where the supernet cannot be measured."""
        with torch.device("meta"):  # `kaiming` gives it parameters
            supernet = mixed(self.space, allowed, self.config.classes, self.width, self.cells)
        with one_thread():
            score = self.proxy.evaluate(supernet, self.config).value
        return score if math.isfinite(score) else -math.inf


@dataclass(frozen=True)
class GradientMatch:
    """How alike the gradients of two mixed supernets are on the weights that both have.

    Source: Hu et al., "Generalizing Few-Shot NAS with Gradient Matching", ICLR 2022. `config`: the
    images, labels and initialisation; every supernet has the weights of that of the whole space.
    """

    space: Space
    config: MeasurementConfig
    width: int = WIDTH
    cells: int = CELLS

    def cosines(self, allowed: Allowed, position: int) -> list[list[float]]:
        """The cosine between the gradients of each two options of a position, in each of which it
        is the only one there: [options, options], 0 where a gradient is zero."""
        gradients = [
            self._gradient(restricted(allowed, position, [option])) for option in allowed[position]
        ]
        return [[_cosine(a, b) for b in gradients] for a in gradients]

    def _gradient(self, allowed: Allowed) -> dict[str, Tensor]:
        """The gradient of the cross-entropy by the name of each parameter."""
        images = self.config.images
        with torch.device("meta"):
            whole = mixed(self.space, None, self.config.classes, self.width, self.cells)
            supernet = mixed(self.space, allowed, self.config.classes, self.width, self.cells)
        weights = kaiming(whole, self.config.seed)
        tensors = {
            name: weights[name].to(self.config.device)
            for name in (*dict(supernet.named_parameters()), *dict(supernet.named_buffers()))
        }
        parameters = {
            name: tensors[name].requires_grad_() for name, _ in supernet.named_parameters()
        }
        with one_thread():
            pixels = images.pixels[: self.config.sketch].to(self.config.device)
            labels = images.labels[: self.config.sketch].to(self.config.device)
            loss = F.cross_entropy(functional_call(supernet, tensors, (pixels,)), labels)
            gradients = torch.autograd.grad(
                loss, list(parameters.values()), allow_unused=True, materialize_grads=True
            )
        return dict(zip(parameters, gradients, strict=True))


def _cosine(first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> float:
    shared = [name for name in first if name in second]
    a, b = (torch.cat([g[name].double().flatten() for name in shared]) for g in (first, second))
    lengths = float(a.norm() * b.norm())
    return float(a @ b) / lengths if lengths > 0 else 0.0
