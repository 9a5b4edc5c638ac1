"""Aggregations: from the layers (or activations) of each network to one value for the network.

Each takes values `[networks, layers, ...]` in depth order and a boolean mask `[networks, layers]`,
True for the layers that count, and returns `[networks, ...]` in float64.
"""

import torch
from torch import Tensor

from eznas.primitives.reductions import peak
from eznas.primitives.registry import aggregation


def _masked(x: Tensor, mask: Tensor, fill: float) -> Tensor:
    """x as float64, with `fill` at the layers that do not count."""
    mask = mask.reshape(mask.shape + (1,) * (x.dim() - 2))
    return torch.where(mask, x.double(), torch.full((), fill, dtype=torch.float64, device=x.device))


def _count(mask: Tensor) -> Tensor:
    """How many layers count, [networks]; at least 1, as a divisor."""
    return mask.sum(1).clamp_min(1)


@aggregation("scalar -> scalar", "samples -> samples", empty=0.0, semidefinite="kept")
def sum_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over live layers, 0 over none; may overflow to infinity."""
    return _masked(x, mask, 0.0).sum(1)


@aggregation("scalar -> scalar", "samples -> samples", live=False, empty=0.0, semidefinite="kept")
def sum_all_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over all layers, dead ones too, as some published proxies do; may overflow to infinity.

    0 over no layers.
    """
    return sum_layers(x, mask)


@aggregation("scalar -> scalar")
def mean_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over live layers; may overflow to infinity."""
    return sum_layers(x, mask) / _count(mask)


@aggregation("scalar -> scalar", live=False)
def mean_all_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over all layers, dead ones too; may overflow to infinity."""
    return mean_layers(x, mask)


@aggregation("scalar scalar -> scalar")
def weighted_mean_layers(x: Tensor, weights: Tensor, mask: Tensor) -> Tensor:
    """Mean over live layers weighted by |weights|, such as layer_params; 0 if they sum to 0.

    May overflow to infinity, or to NaN where the weights do as well.
    """
    w = weights.double().abs()
    weighted_sum = sum_layers(x * w, mask)
    weight_sum = sum_layers(w, mask)
    return torch.where(weight_sum == 0, torch.zeros_like(weighted_sum), weighted_sum / weight_sum)


@aggregation("scalar -> scalar")
def std_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation over live layers (population)."""
    scale = peak(_masked(x, mask, 0.0))
    centred = x / scale - mean_layers(x / scale, mask)[:, None]
    return mean_layers(centred.square(), mask).sqrt() * scale[:, 0]


@aggregation("scalar -> scalar")
def min_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Smallest over live layers."""
    return _masked(x, mask, torch.inf).amin(1)


@aggregation("scalar -> scalar")
def max_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Largest over live layers."""
    return _masked(x, mask, -torch.inf).amax(1)


@aggregation("scalar -> scalar")
def first_layer(x: Tensor, mask: Tensor) -> Tensor:
    """The value at the first live layer."""
    return _pick(x, mask, mask.int().argmax(1))


@aggregation("scalar -> scalar")
def last_layer(x: Tensor, mask: Tensor) -> Tensor:
    """The value at the last live layer."""
    return _pick(x, mask, mask.shape[1] - 1 - mask.int().flip(1).argmax(1))


@aggregation("scalar -> scalar")
def slope_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Least-squares slope over the number of the live layer, counted from the input.

    0 over one layer; may overflow to infinity.
    """
    rank = mask.cumsum(1).double()
    centred = _masked(rank - mean_layers(rank, mask)[:, None], mask, 0.0)
    spread = centred.square().sum(1)
    slope = _masked(x * centred, mask, 0.0).sum(1) / spread
    return torch.where(spread == 0, torch.zeros_like(slope), slope)


@aggregation("scalar -> scalar")
def step_layers(x: Tensor, mask: Tensor) -> Tensor:
    """The smallest step from one live layer to the next (Lee & Ham, 2024: AZ-NAS).

    0 over one layer; may overflow to infinity.
    """
    order = torch.argsort((~mask).int(), dim=1, stable=True)  # live layers first, in depth order
    steps = x.double().gather(1, order).diff(dim=1)
    is_step = torch.arange(1, x.shape[1], device=x.device) < mask.sum(1, keepdim=True)
    steps = torch.where(is_step, steps, torch.full_like(steps, torch.inf))
    infinity = torch.full((len(x), 1), torch.inf, dtype=torch.float64, device=x.device)
    smallest = torch.cat([steps, infinity], 1).amin(1)  # defined for a single layer, too
    return torch.where(is_step.any(1), smallest, torch.zeros_like(smallest))


def _pick(x: Tensor, mask: Tensor, index: Tensor) -> Tensor:
    """The value of each network at the layer `index` [networks]; 0 if that does not count."""
    return _masked(x, mask, 0.0).gather(1, index[:, None])[:, 0]
