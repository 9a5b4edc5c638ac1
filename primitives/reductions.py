"""Reductions: anything to a Scalar, per row and in float64, and softenings along a row."""

import math

import torch
from torch import Tensor

from eznas.primitives.registry import word

SHORT = 16  # below this, torch goes faster across many short rows than along each


def flat(x: Tensor) -> Tensor:
    """x as float64 [rows, everything else]."""
    return x.reshape(len(x), -1).double()


def peak(x: Tensor) -> Tensor:
    """The largest |entry| per row, [rows, 1], and 1 where all are 0.

    A row over its peak can be summed and squared without overflow, and a constant row becomes
    exactly 1, so that its deviation from the mean is exactly 0.
    """
    top = x.abs().amax(1, keepdim=True)
    return torch.where(top == 0, torch.ones_like(top), top)


def scaled(x: Tensor) -> tuple[Tensor, Tensor]:
    """A fresh float64 [rows, everything else] that can be summed and squared without overflow, and
    the scale, [rows, 1], that it is to be multiplied with.

    What was float32 is so as it is, and the mean of a constant row of it is exact; float64 goes
    over its peak.
    """
    rows = x.reshape(len(x), -1)
    if rows.dtype == torch.float32:
        return rows.double(), rows.new_ones((len(rows), 1), dtype=torch.float64)
    top = peak(rows).double()
    return rows / top, top


def lengths(x: Tensor) -> Tensor:
    """The Euclidean length of each row, [rows, 1]."""
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return length


def unit(x: Tensor) -> Tensor:
    """|x| over its sum per row, [rows, n]: a distribution; 0 where the sum is 0."""
    magnitude = x.abs() / peak(x)
    total = magnitude.sum(1, keepdim=True)
    return torch.where(total == 0, torch.zeros_like(x), magnitude / total)


def direction(x: Tensor) -> Tensor:
    """x as float64 [rows, n] over its Euclidean length; 0 where the length is."""
    return _shortened(scaled(x)[0])


def standard(x: Tensor) -> Tensor:
    """The direction of x less its mean, float64 [rows, n]; 0 where the row is constant."""
    rows, _ = scaled(x)
    return _shortened(rows.sub_(rows.mean(1, keepdim=True)))


def _shortened(rows: Tensor) -> Tensor:
    """The rows, in place, over their lengths."""
    length = lengths(rows)
    return rows.div_(length.masked_fill_(length == 0, 1))


@word("tensor -> scalar", name="sum")
def total(x: Tensor) -> Tensor:
    """The sum; may overflow to infinity."""
    return x.reshape(len(x), -1).sum(1, dtype=torch.float64)


@word("tensor -> scalar")
def mean(x: Tensor) -> Tensor:
    """The mean; may overflow to infinity."""
    return x.reshape(len(x), -1).mean(1, dtype=torch.float64)


@word("tensor -> scalar")
def mean_abs(x: Tensor) -> Tensor:
    """The mean of |x|; may overflow to infinity."""
    return mean(x.abs())


@word("tensor -> scalar")
def sum_abs(x: Tensor) -> Tensor:
    """The sum of |x|; may overflow to infinity."""
    return total(x.abs())


@word("tensor -> scalar")
def std(x: Tensor) -> Tensor:
    """The standard deviation (population)."""
    rows, scale = scaled(x)
    rows -= rows.mean(1, keepdim=True)
    return (lengths(rows) / math.sqrt(rows.shape[1]) * scale)[:, 0]


@word("tensor -> scalar")
def norm(x: Tensor) -> Tensor:
    """The Frobenius norm, scaled against overflow."""
    rows, scale = scaled(x)
    length = lengths(rows) * scale
    return torch.where(scale.isinf(), scale, length)[:, 0]


@word("tensor -> scalar")
def largest(x: Tensor) -> Tensor:
    """The largest entry."""
    return x.reshape(len(x), -1).amax(1).double()


@word("tensor -> scalar")
def smallest(x: Tensor) -> Tensor:
    """The smallest entry."""
    return x.reshape(len(x), -1).amin(1).double()


@word("tensor -> scalar")
def numel(x: Tensor) -> Tensor:
    """The number of entries."""
    return torch.full((len(x),), float(x[0].numel()), dtype=torch.float64, device=x.device)


@word("vector -> scalar")
def entropy(x: Tensor) -> Tensor:
    """Shannon entropy, in nats, of |entries| over their sum; 0 where all are 0."""
    p = unit(flat(x))
    return -torch.xlogy(p, p).sum(1)


@word("vector -> scalar")
def participation(x: Tensor) -> Tensor:
    """Participation ratio (sum |v|)^2 / sum v^2 of the entries; 0 where all are 0."""
    shares = unit(flat(x)).square().sum(1)
    return torch.where(shares == 0, torch.zeros_like(shares), 1 / shares)


@word("maps -> matrix")
def pixel_mean(x: Tensor) -> Tensor:
    """The mean over positions, [rows, batch, channels]; may overflow to infinity."""
    return x.double().mean((-2, -1))


@word("maps maps -> matrix", commutative=True)
def saliency(x: Tensor, y: Tensor) -> Tensor:
    """Sum of x y over positions, [rows, batch, channels]; may overflow to infinity.

    Of activations and their gradients: what removing a channel would change, to first order
    (Theis et al., 2018; Turner et al., 2020).
    """
    return (x.double() * y.double()).sum((-2, -1))


@word("maps -> vector")
def channel_variance(x: Tensor) -> Tensor:
    """Variance of each channel over batch and positions (population); may overflow to infinity."""
    rows = x.double()
    rows = rows - rows.mean((1, 3, 4), keepdim=True)  # not in place: it may be x itself
    return rows.square_().mean((1, 3, 4))


@word("tensor tensor -> scalar", commutative=True)
def hamming(x: Tensor, y: Tensor) -> Tensor:
    """The share of entries whose signs differ."""
    return mean((x.sign() - y.sign()).abs_().clamp_max_(1))


@word("tensor tensor -> scalar", commutative=True)
def cosine(x: Tensor, y: Tensor) -> Tensor:
    """The cosine of the angle between x and y; 0 where either is all zero."""
    return direction(x).mul_(direction(y)).sum(1)


@word("tensor tensor -> scalar")
def kl(x: Tensor, y: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(x) from softmax(y); may overflow to infinity."""
    log_p, log_q = flat(x).log_softmax(1), flat(y).log_softmax(1)
    p = log_p.exp()
    return torch.where(p == 0, torch.zeros_like(p), p * (log_p - log_q)).sum(1)


@word("tensor -> same")
def softmax(x: Tensor) -> Tensor:
    """Softmax along the last axis."""
    if x.shape[-1] >= SHORT:
        return x.softmax(-1)
    return x.movedim(-1, 0).contiguous().softmax(0).movedim(0, -1).contiguous()


@word("tensor -> same")
def normalise(x: Tensor) -> Tensor:
    """Zero mean and unit standard deviation over the row; 0 where it is constant."""
    rows = standard(x)
    return rows.mul_(math.sqrt(rows.shape[1])).reshape(x.shape).to(x.dtype)
