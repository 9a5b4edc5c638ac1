"""Elementwise primitives, for arguments of any type.

Each returns a tensor of the shape and dtype of its arguments, which have one shape; a constant (no
axes, float64) among them is broadcast and takes the dtype of the other argument.
"""

import torch
from torch import Tensor

from eznas.primitives.registry import primitive


def _tiny(x: Tensor) -> float:
    return torch.finfo(x.dtype).tiny


@primitive("any any -> same", symbol="+", commutative=True)
def add(x: Tensor, y: Tensor) -> Tensor:
    """x + y; may overflow to infinity."""
    return x + y


@primitive("any any -> same", symbol="-")
def sub(x: Tensor, y: Tensor) -> Tensor:
    """x - y; may overflow to infinity."""
    return x - y


@primitive("any any -> same", symbol="*", commutative=True)
def mul(x: Tensor, y: Tensor) -> Tensor:
    """x * y; may overflow to infinity."""
    return x * y


@primitive("any any -> same", symbol="/")
def div(x: Tensor, y: Tensor) -> Tensor:
    """x / y, and 0 where y is 0; may overflow to infinity."""
    return (x / y).masked_fill_(y == 0, 0)


@primitive("any any -> same", commutative=True, name="min")
def minimum(x: Tensor, y: Tensor) -> Tensor:
    """The smaller of x and y; NaN where either is."""
    return torch.minimum(*_pair(x, y))


@primitive("any any -> same", commutative=True, name="max")
def maximum(x: Tensor, y: Tensor) -> Tensor:
    """The larger of x and y; NaN where either is."""
    return torch.maximum(*_pair(x, y))


@primitive("any any -> same")
def less(x: Tensor, y: Tensor) -> Tensor:
    """1 where x < y, else 0."""
    x, y = _pair(x, y)
    return (x < y).to(x.dtype)


@primitive("any any -> same")
def greater(x: Tensor, y: Tensor) -> Tensor:
    """1 where x > y, else 0."""
    x, y = _pair(x, y)
    return (x > y).to(x.dtype)


@primitive("any any -> same", commutative=True)
def equal(x: Tensor, y: Tensor) -> Tensor:
    """1 where x == y, else 0."""
    x, y = _pair(x, y)
    return (x == y).to(x.dtype)


@primitive("any -> same")
def neg(x: Tensor) -> Tensor:
    """-x."""
    return -x


@primitive("any -> same", name="abs")
def absolute(x: Tensor) -> Tensor:
    """|x|."""
    return x.abs()


@primitive("any -> same", absent_at_zero=True, definition=3)
def log(x: Tensor) -> Tensor:
    """ln |x|, where |x| is at least the smallest normal number of its dtype: finite for 0.

    A layer is absent where x is zero because nothing comes of the layer, say no gradient.
    """
    return x.abs().clamp_min(_tiny(x)).log()


@primitive("any -> same", absent_at_zero=True, definition=3)
def abs_log(x: Tensor) -> Tensor:
    """|ln |x||, finite for 0 in the same way as `log`."""
    return log(x).abs()


@primitive("any -> same")
def log1p(x: Tensor) -> Tensor:
    """sign(x) ln(1 + |x|)."""
    return x.sign() * x.abs().log1p()


@primitive("any -> same")
def exp(x: Tensor) -> Tensor:
    """e to the power of x, capped at the largest finite number."""
    return x.exp().clamp_max(torch.finfo(x.dtype).max)


@primitive("any -> same")
def square(x: Tensor) -> Tensor:
    """x squared; may overflow to infinity."""
    return x * x


@primitive("any -> same")
def sqrt(x: Tensor) -> Tensor:
    """sign(x) sqrt |x|."""
    return x.sign() * x.abs().sqrt()


@primitive("any -> same")
def reciprocal(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0; may overflow to infinity."""
    return (1 / x).masked_fill_(x == 0, 0)


@primitive("any -> same")
def relu(x: Tensor) -> Tensor:
    """x where positive, else 0."""
    return x.relu()


@primitive("any -> same")
def sign(x: Tensor) -> Tensor:
    """-1, 0 or 1."""
    return x.sign()


@primitive("any -> same")
def heaviside(x: Tensor) -> Tensor:
    """1 where x > 0, 1/2 where it is 0, else 0."""
    bounded = x.clamp(-1, 1)
    nan_or_zero = bounded - bounded  # NaN where x is NaN, which its sign is not
    return x.sign().add_(1).mul_(0.5).add_(nan_or_zero)


@primitive("any -> same")
def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x))."""
    return x.sigmoid()


@primitive("any -> same")
def positive(x: Tensor) -> Tensor:
    """1 where x > 0, else 0."""
    return (x > 0).to(x.dtype)


@primitive("any -> same")
def negative(x: Tensor) -> Tensor:
    """1 where x < 0, else 0."""
    return (x < 0).to(x.dtype)


@primitive("any -> same")
def ones(x: Tensor) -> Tensor:
    """1 everywhere; its sum counts the entries."""
    return torch.ones_like(x)


@primitive("any -> same")
def zeros(x: Tensor) -> Tensor:
    """0 everywhere."""
    return torch.zeros_like(x)


def _pair(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """x and y in one dtype; a constant (no axes) takes that of the other, as in arithmetic."""
    dtype = torch.result_type(x, y)
    return x.to(dtype), y.to(dtype)
