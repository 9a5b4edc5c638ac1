"""Matrix primitives: Gram and covariance matrices, spectra, determinants; condensed in float64.

The first axis of every tensor holds the rows (layers, say), each of which is treated by itself.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from eznas.primitives.reductions import flat, standard, unit
from eznas.primitives.registry import primitive


@primitive("maps -> samples", semidefinite="made")
def gram(x: Tensor) -> Tensor:
    """Inner products between samples, [rows, batch, batch]; may overflow to infinity."""
    samples = x.flatten(2).double()
    return samples @ samples.mT


@primitive("maps -> samples", semidefinite="made")
def agreement(x: Tensor) -> Tensor:
    """For each pair of samples, how many units are positive in both or in neither.

    [rows, batch, batch]; the kernel of Mellor et al., 2021 (NASWOT). Counts are exact up to 2^24
    units, as they are summed in float32.
    """
    x = x.detach()
    units = (x if x.is_contiguous() else x.movedim(2, -1)).flatten(2)  # in memory order: no copy
    positive = torch.gt(units, 0, out=torch.empty_like(units, dtype=torch.float32))
    in_both = (positive @ positive.mT).double()
    in_sample = in_both.diagonal(dim1=-2, dim2=-1)
    return 2 * in_both - in_sample[:, :, None] - in_sample[:, None, :] + units.shape[2]


@primitive("maps|weights -> matrix", semidefinite="made")
def covariance(x: Tensor) -> Tensor:
    """Covariance of channels (of weights: input channels); may overflow to infinity.

    [rows, channels, channels], the population covariance over batch (or filters) and positions.
    """
    points = x.movedim(2, -1).flatten(1, 3).double()  # no copy where channels come last in memory
    points = points - points.mean(1, keepdim=True)  # not in place: this may still be x
    return points.mT @ points / points.shape[1]


@primitive("maps|weights -> matrix", semidefinite="made")
def channel_correlation(x: Tensor) -> Tensor:
    """Pearson correlation between channels (of weights: input channels); 0 for a constant one.

    [rows, channels, channels].
    """
    channels = x.movedim(2, 1).flatten(2)
    rows = standard(channels.flatten(0, 1)).reshape(channels.shape)
    return (rows @ rows.mT).clamp(-1, 1)


@primitive("samples -> same", "matrix -> matrix", semidefinite="made")
def correlation(x: Tensor) -> Tensor:
    """Pearson correlation between the rows of a matrix, [rows, m, n] to [rows, m, m].

    NaN in the row and the column of a matrix row that is constant.
    """
    rows = standard(x.flatten(0, 1)).reshape(x.shape)
    r = (rows @ rows.mT).clamp(-1, 1)
    constant = (rows == 0).all(2)
    undefined = constant[:, :, None] | constant[:, None, :]
    return torch.where(undefined, torch.full_like(r, torch.nan), r)


@primitive("samples|matrix -> same", square=True, semidefinite="kept")
def unit_diagonal(x: Tensor) -> Tensor:
    """x_ij / sqrt(x_ii x_jj): inner products to cosines, covariance to correlation.

    [rows, n, n] to the same. The row and the column of a diagonal entry that is not a positive
    normal number are 0.
    """
    diagonal = x.diagonal(dim1=-2, dim2=-1)
    normal = diagonal >= torch.finfo(x.dtype).tiny
    root = torch.where(normal, diagonal, torch.ones_like(diagonal)).rsqrt() * normal
    return (x * (root[:, :, None] * root[:, None, :])).clamp(-1, 1)


@primitive("samples|matrix -> same", "maps|weights -> same", square=True, semidefinite="kept")
def transpose(x: Tensor) -> Tensor:
    """The last two axes, equally long, exchanged."""
    return x.mT


@primitive("samples samples -> same", "matrix matrix -> same", "maps maps -> same", square=True)
def matmul(x: Tensor, y: Tensor) -> Tensor:
    """Matrix product over the last two axes; may overflow to infinity."""
    return x @ y


@primitive("samples|matrix -> scalar", square=True)
def trace(x: Tensor) -> Tensor:
    """The sum of the diagonal, [rows]; may overflow to infinity."""
    return x.double().diagonal(dim1=-2, dim2=-1).sum(-1)


@primitive("samples|matrix -> vector", square=True)
def eigenvalues(x: Tensor) -> Tensor:
    """Eigenvalues of the symmetric part, [rows, n], ascending; NaN if the matrix is not finite."""
    half = x.double() / 2
    return _finite(torch.linalg.eigvalsh, half + half.mT)


@primitive("samples|matrix -> vector", "weights -> vector")
def singular_values(x: Tensor) -> Tensor:
    """Singular values, [rows, n], descending; NaN if the matrix is not finite.

    Weights are taken as matrices [out, in x kernel height x kernel width].
    """
    return _finite(torch.linalg.svdvals, x.flatten(2).double())


@primitive("samples|matrix -> scalar", "maps|weights -> matrix", square=True)
def logdet(x: Tensor) -> Tensor:
    """ln |det| over the last two axes; -inf for a singular matrix."""
    log_determinant: Tensor = torch.linalg.slogdet(x.double()).logabsdet
    return log_determinant


@primitive("samples|matrix -> scalar", "maps|weights -> matrix", square=True)
def det(x: Tensor) -> Tensor:
    """Determinant over the last two axes; may overflow to infinity."""
    determinant: Tensor = torch.linalg.det(x.double())
    return determinant


@primitive("vector -> scalar")
def condition(x: Tensor) -> Tensor:
    """Largest |entry| over smallest |entry|; 0 if the latter is 0; may overflow to infinity."""
    magnitude = flat(x).abs()
    lowest = magnitude.amin(1)
    return torch.where(lowest == 0, torch.zeros_like(lowest), magnitude.amax(1) / lowest)


@primitive("vector -> scalar")
def top_share(x: Tensor) -> Tensor:
    """Largest |entry| over the sum of all |entries|, [rows]; 0 where that sum is 0."""
    return unit(flat(x)).amax(1)


def _finite(decompose: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The decomposition of the finite matrices; NaN for the others, on which torch would raise."""
    is_finite = x.isfinite().flatten(1).all(1)
    matrices = torch.where(is_finite[:, None, None], x, torch.zeros_like(x))
    values = decompose(matrices)
    return torch.where(is_finite[:, None], values, torch.full_like(values, torch.nan))
