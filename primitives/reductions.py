"""Reductions: anything to a Scalar, per row and in float64, and softenings along a row."""

import torch
from torch import Tensor

from primitives.registry import word


def flat(x: Tensor) -> Tensor:
    """x as float64 [rows, everything else]."""
    return x.reshape(len(x), -1).double()


def unit(x: Tensor) -> Tensor:
    """|x| over its sum per row, [rows, n]: a distribution; uniform where the sum is 0."""
    total = x.abs().sum(1, keepdim=True)
    uniform = torch.full_like(x, 1 / x.shape[1])
    return torch.where(total == 0, uniform, x.abs() / total)


@word("any -> scalar", name="sum")
def total(x: Tensor) -> Tensor:
    """The sum; may overflow to infinity."""
    return flat(x).sum(1)


@word("any -> scalar")
def mean(x: Tensor) -> Tensor:
    """The mean; may overflow to infinity."""
    return flat(x).mean(1)


@word("any -> scalar")
def mean_abs(x: Tensor) -> Tensor:
    """The mean of |x|; may overflow to infinity."""
    return flat(x).abs().mean(1)


@word("tensor -> scalar")
def std(x: Tensor) -> Tensor:
    """The standard deviation (population); may overflow to infinity."""
    return flat(x).std(1, correction=0)


@word("any -> scalar")
def norm(x: Tensor) -> Tensor:
    """The Frobenius norm, scaled against overflow."""
    top = flat(x).abs().amax(1, keepdim=True)
    scale = torch.where(top == 0, torch.ones_like(top), top)
    finite = (flat(x) / scale).square().sum(1).sqrt() * scale[:, 0]
    return torch.where(top[:, 0].isinf(), top[:, 0], finite)


@word("tensor -> scalar")
def largest(x: Tensor) -> Tensor:
    """The largest entry."""
    return flat(x).amax(1)


@word("tensor -> scalar")
def smallest(x: Tensor) -> Tensor:
    """The smallest entry."""
    return flat(x).amin(1)


@word("any -> scalar")
def numel(x: Tensor) -> Tensor:
    """The number of entries."""
    return torch.full((len(x),), float(flat(x).shape[1]), dtype=torch.float64, device=x.device)


@word("vector -> scalar")
def entropy(x: Tensor) -> Tensor:
    """Shannon entropy, in nats, of |entries| over their sum."""
    p = unit(flat(x))
    return -torch.special.xlogy(p, p).sum(1)


@word("vector -> scalar")
def participation(x: Tensor) -> Tensor:
    """Participation ratio (sum |v|)^2 / sum v^2 of the entries."""
    p = unit(flat(x))
    return 1 / p.square().sum(1)


@word("any any -> scalar", commutative=True)
def hamming(x: Tensor, y: Tensor) -> Tensor:
    """The share of entries whose signs differ."""
    return (flat(x).sign() != flat(y).sign()).double().mean(1)


@word("tensor tensor -> scalar", commutative=True)
def cosine(x: Tensor, y: Tensor) -> Tensor:
    """The cosine of the angle between x and y; 0 where either is all zero."""
    return torch.nn.functional.cosine_similarity(direction(flat(x)), direction(flat(y)), eps=1e-300)


@word("tensor tensor -> scalar")
def kl(x: Tensor, y: Tensor) -> Tensor:
    """Kullback-Leibler divergence of softmax(x) from softmax(y)."""
    p, q = flat(x).log_softmax(1), flat(y).log_softmax(1)
    return (p.exp() * (p - q)).sum(1)


@word("tensor -> same")
def softmax(x: Tensor) -> Tensor:
    """Softmax along the last axis."""
    return x.softmax(-1)


@word("tensor -> same")
def normalise(x: Tensor) -> Tensor:
    """Zero mean and unit standard deviation over the row; 0 where it is constant."""
    rows = flat(x)
    centred = rows - rows.mean(1, keepdim=True)
    return direction(centred).mul(rows.shape[1] ** 0.5).reshape(x.shape).to(x.dtype)


def direction(x: Tensor) -> Tensor:
    """x [rows, n] over its Euclidean length; 0 where the length is."""
    top = x.abs().amax(1, keepdim=True)
    x = x / torch.where(top == 0, torch.ones_like(top), top)
    length = x.square().sum(1, keepdim=True).sqrt()
    return x / torch.where(length == 0, torch.ones_like(length), length)
