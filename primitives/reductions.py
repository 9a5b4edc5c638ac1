"""Reductions: tensors of any form to one float64 number per row, [rows]; rows normalised.

The functions without a decorator are shared with the other primitives.
"""

import math

import torch
from torch import Tensor

from eznas.primitives.registry import primitive

SHORT = 16  # entries; over a shorter axis, torch is faster when that axis comes first


def flat(x: Tensor) -> Tensor:
    """x as float64 [rows, everything else]."""
    return x.reshape(len(x), -1).double()


def peak(x: Tensor) -> Tensor:
    """The largest |entry| of each row of x [rows, n], as [rows, 1]; 1 where all entries are 0.

    A row divided by its peak can be summed and squared without overflow, and a constant row becomes
    exactly 1, so that its deviation from the mean is exactly 0.
    """
    highest = x.abs().amax(1, keepdim=True)
    return torch.where(highest == 0, torch.ones_like(highest), highest)


def scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """A new float64 [rows, everything else] that can be summed and squared without overflow, and
    the scale, [rows, 1], by which to multiply it to have x again.

    float32 is only converted: in float64 it cannot overflow, and the mean of a constant row is
    exact. float64 is divided by its peak.
    """
    rows = x.reshape(len(x), -1)
    if rows.dtype == torch.float32:
        return rows.double(), rows.new_ones((len(rows), 1), dtype=torch.float64)
    scale = peak(rows).double()
    return rows / scale, scale


def lengths(x: Tensor) -> Tensor:
    """The Euclidean length of each row of x [rows, n], as [rows, 1]."""
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return length


def unit(x: Tensor) -> Tensor:
    """|x| over its sum in each row, [rows, n]: a distribution; all 0 where the sum is 0."""
    magnitude = x.abs() / peak(x)
    row_sums = magnitude.sum(1, keepdim=True)
    return torch.where(row_sums == 0, torch.zeros_like(x), magnitude / row_sums)


def direction(x: Tensor) -> Tensor:
    """Each row of x over its Euclidean length, float64 [rows, n]; 0 where the length is 0."""
    return _over_lengths(scaled(x)[0])


def standard(x: Tensor) -> Tensor:
    """`direction` of each row minus its mean, float64 [rows, n]; 0 where the row is constant."""
    rows, _ = scaled(x)
    return _over_lengths(rows.sub_(rows.mean(1, keepdim=True)))


def _over_lengths(rows: Tensor) -> Tensor:
    """Each row divided by its length, in place."""
    length = lengths(rows)
    return rows.div_(length.masked_fill_(length == 0, 1))


@primitive("tensor -> scalar", name="sum")
def total(x: Tensor) -> Tensor:
    """The sum; may overflow to infinity."""
    return x.reshape(len(x), -1).sum(1, dtype=torch.float64)


@primitive("tensor -> scalar")
def mean(x: Tensor) -> Tensor:
    """The mean; may overflow to infinity."""
    return x.reshape(len(x), -1).mean(1, dtype=torch.float64)


@primitive("tensor -> scalar")
def mean_abs(x: Tensor) -> Tensor:
    """The mean of |x|; may overflow to infinity."""
    return mean(x.abs())


@primitive("tensor -> scalar")
def sum_abs(x: Tensor) -> Tensor:
    """The sum of |x|; may overflow to infinity."""
    return total(x.abs())


@primitive("tensor -> scalar")
def std(x: Tensor) -> Tensor:
    """The standard deviation (population)."""
    rows, scale = scaled(x)
    rows -= rows.mean(1, keepdim=True)
    return (lengths(rows) / math.sqrt(rows.shape[1]) * scale)[:, 0]


@primitive("tensor -> scalar")
def norm(x: Tensor) -> Tensor:
    """The Frobenius norm, computed without overflow of the squares."""
    rows, scale = scaled(x)
    length = lengths(rows) * scale
    return torch.where(scale.isinf(), scale, length)[:, 0]


@primitive("tensor -> scalar")
def largest(x: Tensor) -> Tensor:
    """The largest entry."""
    return x.reshape(len(x), -1).amax(1).double()


@primitive("tensor -> scalar")
def smallest(x: Tensor) -> Tensor:
    """The smallest entry."""
    return x.reshape(len(x), -1).amin(1).double()


@primitive("tensor -> scalar")
def numel(x: Tensor) -> Tensor:
    """The number of entries."""
    return torch.full((len(x),), float(x[0].numel()), dtype=torch.float64, device=x.device)


@primitive("vector -> scalar")
def entropy(x: Tensor) -> Tensor:
    """Shannon entropy, in nats, of the |entries| divided by their sum; 0 where all are 0."""
    p = unit(flat(x))
    return -torch.xlogy(p, p).sum(1)


@primitive("vector -> scalar")
def participation(x: Tensor) -> Tensor:
    """Participation ratio (sum |v|)^2 / sum v^2 of the entries; 0 where all are 0."""
    concentration = unit(flat(x)).square().sum(1)
    return torch.where(concentration == 0, torch.zeros_like(concentration), 1 / concentration)


@primitive("maps -> matrix")
def pixel_mean(x: Tensor) -> Tensor:
    """The mean over positions, [rows, batch, channels]; may overflow to infinity."""
    return x.double().mean((-2, -1))


@primitive("maps maps -> matrix", commutative=True)
def saliency(x: Tensor, y: Tensor) -> Tensor:
    """Sum of x y over positions, [rows, batch, channels]; may overflow to infinity.

    For activations and the gradients at them, this is to first order the change of the loss if the
    channel were removed (Theis et al., 2018; Turner et al., 2020).
    """
    return (x.double() * y.double()).sum((-2, -1))


@primitive("maps -> vector")
def channel_variance(x: Tensor) -> Tensor:
    """Variance of each channel over batch and positions (population); may overflow to infinity.

    [rows, channels].
    """
    maps = x.double()
    deviations = maps - maps.mean((1, 3, 4), keepdim=True)  # not in place: maps may be x itself
    return deviations.square_().mean((1, 3, 4))


@primitive("tensor tensor -> scalar", commutative=True)
def hamming(x: Tensor, y: Tensor) -> Tensor:
    """The share of entries whose signs differ."""
    return mean((x.sign() - y.sign()).abs_().clamp_max_(1))


@primitive("tensor tensor -> scalar", commutative=True)
def cosine(x: Tensor, y: Tensor) -> Tensor:
    """The cosine of the angle between x and y; 0 where either is all zero."""
    return direction(x).mul_(direction(y)).sum(1)


@primitive("tensor tensor -> scalar")
def kl(x: Tensor, y: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(x) from softmax(y); may overflow to infinity."""
    log_p, log_q = flat(x).log_softmax(1), flat(y).log_softmax(1)
    p = log_p.exp()
    return torch.where(p == 0, torch.zeros_like(p), p * (log_p - log_q)).sum(1)


@primitive("tensor -> same")
def softmax(x: Tensor) -> Tensor:
    """Softmax along the last axis; the shape and dtype of x."""
    if x.shape[-1] >= SHORT:
        return x.softmax(-1)
    return x.movedim(-1, 0).contiguous().softmax(0).movedim(0, -1).contiguous()


@primitive("tensor -> same")
def normalise(x: Tensor) -> Tensor:
    """Each row scaled to mean 0 and standard deviation 1, in the shape of x; 0 if constant."""
    rows = standard(x)
    return rows.mul_(math.sqrt(rows.shape[1])).reshape(x.shape).to(x.dtype)
