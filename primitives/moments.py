"""Moments of a spectrum without the spectrum: from trace and Frobenius norm.

Eigenvalues that are not negative sum to the trace, and their squares to the squared Frobenius norm
(Horn and Johnson, "Matrix Analysis", 2013). Of a symmetric positive semi-definite matrix these
functions therefore give what the reductions of their names give of its eigenvalues, or of its
singular values, in a time that grows with the square of its side, not with the cube. They are no
words of the language: a plan takes them in place of a reduction of a spectrum.

Each takes matrices [rows, n, n] and gives float64 [rows]; NaN for a matrix that is not finite.
"""

import math

from torch import Tensor, where, zeros_like

from eznas.primitives.reductions import lengths, scaled
from eznas.primitives.registry import Primitive, Signature


def _sum(x: Tensor) -> Tensor:
    """The sum of the eigenvalues; may overflow to infinity."""
    _, diagonal, scale = _parts(x)
    return diagonal.sum(1) * scale


def _mean(x: Tensor) -> Tensor:
    """The mean of the eigenvalues."""
    _, diagonal, scale = _parts(x)
    return diagonal.mean(1) * scale


def _norm(x: Tensor) -> Tensor:
    """The Euclidean norm of the eigenvalues; may overflow to infinity."""
    entries, _, scale = _parts(x)
    return lengths(entries)[:, 0] * scale


def _std(x: Tensor) -> Tensor:
    """The standard deviation of the eigenvalues (population); may overflow to infinity.

    The matrix is shifted by their mean, so that no digits are lost where they are nearly equal.
    """
    entries, diagonal, scale = _parts(x)
    diagonal -= diagonal.mean(1, keepdim=True)
    return lengths(entries)[:, 0] / math.sqrt(x.shape[-1]) * scale


def _participation(x: Tensor) -> Tensor:
    """The participation ratio of the eigenvalues; 0 where all are 0."""
    entries, diagonal, _ = _parts(x)
    total, squares = diagonal.sum(1), entries.square().sum(1)
    return where(squares == 0, zeros_like(squares), total.square() / squares)


def _parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The entries of each matrix over the largest, float64 [rows, n * n], a view of the diagonal
    among them, [rows, n], and the scale, [rows], that was divided by. Where a matrix is not finite
    the scale is not either, nor what is multiplied by it or made of all entries: NaN."""
    entries, scale = scaled(x.double())
    return entries, entries[:, :: x.shape[-1] + 1], scale[:, 0]


_SIGNATURES = (Signature((("samples", "matrix"),), "scalar"),)
MOMENTS: dict[str, Primitive] = {  # by the reduction of a spectrum that each stands for
    name: Primitive(name, function, _SIGNATURES, square=True)
    for name, function in {
        "sum": _sum,
        "sum_abs": _sum,
        "mean": _mean,
        "mean_abs": _mean,
        "std": _std,
        "norm": _norm,
        "participation": _participation,
    }.items()
}
