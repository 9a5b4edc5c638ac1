"""Matrix words: Gram and covariance matrices, spectra, determinants. All in float64."""

import torch
from torch import Tensor

from eznas.primitives.reductions import flat, standard, unit
from eznas.primitives.registry import word


@word("maps -> samples")
def gram(x: Tensor) -> Tensor:
    """Inner products between samples, [rows, batch, batch]; may overflow to infinity."""
    samples = x.flatten(2).double()
    return samples @ samples.mT


@word("maps -> samples")
def agreement(x: Tensor) -> Tensor:
    """For each pair of samples, how many units are positive in both or in neither.

    The kernel of Mellor et al., 2021; exact in float32 up to 2^24 units.
    """
    x = x.detach()
    units = (x if x.is_contiguous() else x.movedim(2, -1)).flatten(2)  # as they lie in memory
    on = torch.gt(units, 0, out=torch.empty_like(units, dtype=torch.float32))
    both = (on @ on.mT).double()
    each = both.diagonal(dim1=-2, dim2=-1)
    return 2 * both - each[:, :, None] - each[:, None, :] + units.shape[2]


@word("maps|weights -> matrix")
def covariance(x: Tensor) -> Tensor:
    """Covariance of channels (of weights: input channels); may overflow to infinity."""
    points = x.movedim(2, -1).flatten(1, 3).double()  # no copy where channels come last in memory
    points = points - points.mean(1, keepdim=True)  # not in place: it may be x itself
    return points.mT @ points / points.shape[1]


@word("maps|weights -> matrix")
def channel_correlation(x: Tensor) -> Tensor:
    """Pearson correlation between channels (of weights: input channels); 0 for a constant one."""
    channels = x.movedim(2, 1).flatten(2)
    rows = standard(channels.flatten(0, 1)).reshape(channels.shape)
    return (rows @ rows.mT).clamp(-1, 1)


@word("samples -> same", "matrix -> matrix")
def correlation(x: Tensor) -> Tensor:
    """Pearson correlation between the matrix's own rows; NaN for a row that is constant."""
    rows = standard(x.flatten(0, 1)).reshape(x.shape)
    r = (rows @ rows.mT).clamp(-1, 1)
    constant = (rows == 0).all(2)
    undefined = constant[:, :, None] | constant[:, None, :]
    return torch.where(undefined, torch.full_like(r, torch.nan), r)


@word("samples|matrix -> same", square=True)
def unit_diagonal(x: Tensor) -> Tensor:
    """x_ij / sqrt(x_ii x_jj): inner products to cosines, covariance to correlation.

    0 in the rows and columns of a diagonal entry that is no positive normal number.
    """
    diagonal = x.diagonal(dim1=-2, dim2=-1)
    normal = diagonal >= torch.finfo(x.dtype).tiny
    root = torch.where(normal, diagonal, torch.ones_like(diagonal)).rsqrt() * normal
    return (x * (root[:, :, None] * root[:, None, :])).clamp(-1, 1)


@word("samples|matrix -> same", "maps|weights -> same", square=True)
def transpose(x: Tensor) -> Tensor:
    """The matrix over the last two axes, transposed."""
    return x.mT


@word("samples samples -> same", "matrix matrix -> same", "maps maps -> same", square=True)
def matmul(x: Tensor, y: Tensor) -> Tensor:
    """Matrix product over the last two axes; may overflow to infinity."""
    return x @ y


@word("samples|matrix -> scalar", square=True)
def trace(x: Tensor) -> Tensor:
    """The sum of the diagonal; may overflow to infinity."""
    return x.double().diagonal(dim1=-2, dim2=-1).sum(-1)


@word("samples|matrix -> vector", square=True)
def eigenvalues(x: Tensor) -> Tensor:
    """Eigenvalues of the symmetric part, ascending; NaN for a matrix that is not finite."""
    half = x.double() / 2
    return _finite(torch.linalg.eigvalsh, half + half.mT)


@word("samples|matrix -> vector", "weights -> vector")
def singular_values(x: Tensor) -> Tensor:
    """Singular values, descending (of weights: out x everything else); NaN if not finite."""
    return _finite(torch.linalg.svdvals, x.flatten(2).double())


@word("samples|matrix -> scalar", "maps|weights -> matrix", square=True)
def logdet(x: Tensor) -> Tensor:
    """ln |det| over the last two axes; -inf for a singular matrix."""
    found: Tensor = torch.linalg.slogdet(x.double()).logabsdet
    return found


@word("samples|matrix -> scalar", "maps|weights -> matrix", square=True)
def det(x: Tensor) -> Tensor:
    """Determinant over the last two axes; may overflow to infinity."""
    found: Tensor = torch.linalg.det(x.double())
    return found


@word("vector -> scalar")
def condition(x: Tensor) -> Tensor:
    """Largest over smallest |entry|, 0 where the smallest is 0; may overflow to infinity."""
    magnitude = flat(x).abs()
    low = magnitude.amin(1)
    return torch.where(low == 0, torch.zeros_like(low), magnitude.amax(1) / low)


@word("vector -> scalar")
def top_share(x: Tensor) -> Tensor:
    """Largest |entry| over the sum of all; 0 where that is 0."""
    return unit(flat(x)).amax(1)


def _finite(decompose: object, x: Tensor) -> Tensor:
    """Apply a decomposition, which would raise on NaN, to the finite matrices only."""
    fine = x.isfinite().flatten(1).all(1)
    safe = torch.where(fine[:, None, None], x, torch.zeros_like(x))
    values: Tensor = decompose(safe)  # type: ignore[operator]
    return torch.where(fine[:, None], values, torch.full_like(values, torch.nan))
