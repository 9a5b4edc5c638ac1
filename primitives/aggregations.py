"""Aggregations: from the layers (or activations) of a network to the network.

Each takes values `[networks, layers, ...]` in depth order and the mask `[networks, layers]` of
the rows that count, and returns `[networks, ...]` in float64.
"""

import torch
from torch import Tensor

from eznas.primitives.reductions import peak
from eznas.primitives.registry import aggregation


def _masked(x: Tensor, mask: Tensor, fill: float) -> Tensor:
    mask = mask.reshape(mask.shape + (1,) * (x.dim() - 2))
    return torch.where(mask, x.double(), torch.full((), fill, dtype=torch.float64, device=x.device))


def _count(mask: Tensor) -> Tensor:
    return mask.sum(1).clamp_min(1)


@aggregation("scalar -> scalar", "samples -> samples", empty=0.0)
def sum_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over live layers, 0 over none; may overflow to infinity."""
    return _masked(x, mask, 0.0).sum(1)


@aggregation("scalar -> scalar", "samples -> samples", live=False, empty=0.0)
def sum_all_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Sum over all layers, dead ones too, as classics do, 0 over none; may overflow to infinity."""
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
    top = sum_layers(x * w, mask)
    total = sum_layers(w, mask)
    return torch.where(total == 0, torch.zeros_like(top), top / total)


@aggregation("scalar -> scalar")
def std_layers(x: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation over live layers (population)."""
    top = peak(_masked(x, mask, 0.0))
    centred = x / top - mean_layers(x / top, mask)[:, None]
    return mean_layers(centred.square(), mask).sqrt() * top[:, 0]


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
    """Least-squares slope over the rank of live layers, 0 over one; may overflow to infinity."""
    rank = mask.cumsum(1).double()
    centred = _masked(rank - mean_layers(rank, mask)[:, None], mask, 0.0)
    spread = centred.square().sum(1)
    slope = _masked(x * centred, mask, 0.0).sum(1) / spread
    return torch.where(spread == 0, torch.zeros_like(slope), slope)


@aggregation("scalar -> scalar")
def step_layers(x: Tensor, mask: Tensor) -> Tensor:
    """The smallest step from one live layer to the next (AZ-NAS, 2024); 0 over one layer.

    May overflow to infinity.
    """
    order = torch.argsort((~mask).int(), dim=1, stable=True)  # live layers first, in depth order
    steps = x.double().gather(1, order).diff(dim=1)
    pairs = torch.arange(1, x.shape[1], device=x.device) < mask.sum(1, keepdim=True)
    smallest = torch.where(pairs, steps, torch.full_like(steps, torch.inf))
    none = torch.full((len(x), 1), torch.inf, dtype=torch.float64, device=x.device)
    least = torch.cat([smallest, none], 1).amin(1)
    return torch.where(pairs.any(1), least, torch.zeros_like(least))


def _pick(x: Tensor, mask: Tensor, index: Tensor) -> Tensor:
    return _masked(x, mask, 0.0).gather(1, index[:, None])[:, 0]
