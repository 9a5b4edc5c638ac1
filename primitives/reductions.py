"""Reductions: anything to a Scalar, per row and in float64, and softenings along a row."""

import math

import torch
from torch import Tensor

from primitives.registry import word


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


def over_peak(x: Tensor) -> tuple[Tensor, Tensor]:
    """A fresh float64 [rows, everything else] of x over its peak, and the peak, [rows, 1]."""
    rows = x.reshape(len(x), -1)
    top = peak(rows).double()
    return rows / top, top  # promoted while it is divided


def unit(x: Tensor) -> Tensor:
    """|x| over its sum per row, [rows, n]: a distribution; 0 where the sum is 0."""
    magnitude = x.abs() / peak(x)
    total = magnitude.sum(1, keepdim=True)
    return torch.where(total == 0, torch.zeros_like(x), magnitude / total)


def centred(x: Tensor) -> Tensor:
    """x [rows, n] over its peak, less the mean."""
    x = x / peak(x)
    return x.sub_(x.mean(1, keepdim=True))


def direction(x: Tensor) -> Tensor:
    """x [rows, n] over its Euclidean length; 0 where the length is."""
    x = x / peak(x)
    length = x.square().sum(1, keepdim=True).sqrt()
    return x.div_(torch.where(length == 0, torch.ones_like(length), length))


@word("tensor -> scalar", name="sum")
def total(x: Tensor) -> Tensor:
    """The sum; may overflow to infinity."""
    return flat(x).sum(1)


@word("tensor -> scalar")
def mean(x: Tensor) -> Tensor:
    """The mean; may overflow to infinity."""
    return flat(x).mean(1)


@word("tensor -> scalar")
def mean_abs(x: Tensor) -> Tensor:
    """The mean of |x|; may overflow to infinity."""
    return flat(x.abs()).mean(1)


@word("tensor -> scalar")
def sum_abs(x: Tensor) -> Tensor:
    """The sum of |x|; may overflow to infinity."""
    return flat(x.abs()).sum(1)


@word("tensor -> scalar")
def std(x: Tensor) -> Tensor:
    """The standard deviation (population)."""
    rows, top = over_peak(x)
    rows -= rows.mean(1, keepdim=True)
    return rows.square_().mean(1).sqrt() * top[:, 0]


@word("tensor -> scalar")
def norm(x: Tensor) -> Tensor:
    """The Frobenius norm, scaled against overflow."""
    rows, top = over_peak(x)
    finite = rows.square_().sum(1).sqrt() * top[:, 0]
    return torch.where(top[:, 0].isinf(), top[:, 0], finite)


@word("tensor -> scalar")
def largest(x: Tensor) -> Tensor:
    """The largest entry."""
    return flat(x).amax(1)


@word("tensor -> scalar")
def smallest(x: Tensor) -> Tensor:
    """The smallest entry."""
    return flat(x).amin(1)


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


@word("features -> matrix")
def pixel_mean(x: Tensor) -> Tensor:
    """The mean over positions, [rows, batch, channels]; may overflow to infinity."""
    return x.double().mean((-2, -1))


@word("features features -> matrix", commutative=True)
def saliency(x: Tensor, y: Tensor) -> Tensor:
    """Sum of x y over positions, [rows, batch, channels]; may overflow to infinity.

    Of activations and their gradients: what removing a channel would change, to first order
    (Theis et al., 2018; Turner et al., 2020).
    """
    return (x.double() * y.double()).sum((-2, -1))


@word("features -> vector")
def channel_variance(x: Tensor) -> Tensor:
    """Variance of each channel over batch and positions (population); may overflow to infinity."""
    return x.double().var((1, 3, 4), correction=0)


@word("tensor tensor -> scalar", commutative=True)
def hamming(x: Tensor, y: Tensor) -> Tensor:
    """The share of entries whose signs differ."""
    return flat(x.sign() != y.sign()).mean(1)


@word("tensor tensor -> scalar", commutative=True)
def cosine(x: Tensor, y: Tensor) -> Tensor:
    """The cosine of the angle between x and y; 0 where either is all zero."""
    return (direction(flat(x)) * direction(flat(y))).sum(1)


@word("tensor tensor -> scalar")
def kl(x: Tensor, y: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(x) from softmax(y); may overflow to infinity."""
    log_p, log_q = flat(x).log_softmax(1), flat(y).log_softmax(1)
    p = log_p.exp()
    return torch.where(p == 0, torch.zeros_like(p), p * (log_p - log_q)).sum(1)


@word("tensor -> same")
def softmax(x: Tensor) -> Tensor:
    """Softmax along the last axis."""
    return x.softmax(-1)


@word("tensor -> same")
def normalise(x: Tensor) -> Tensor:
    """Zero mean and unit standard deviation over the row; 0 where it is constant."""
    rows = flat(x)
    standard = direction(centred(rows)) * math.sqrt(rows.shape[1])
    return standard.reshape(x.shape).to(x.dtype)
