"""Ridge regression from sums of products, of rows that may be of several spaces.

One weight of a term serves all spaces, but how far its values spread differs from one to the other.
So each space has a scale of its own, by which predictions are multiplied there: ranks within the
space do not depend on it. Weights and scales are found by alternating least squares.
"""

import torch
from torch import Tensor

ROUNDS = 5  # of weights given scales; the fifth hardly changes a correlation
LEAST, MOST = 0.2, 5.0  # scales; none is negative: a space must not be ranked the other way round
_TINY = 1e-12


def ridge_weights(grams: Tensor, products: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """The weights of some terms, float64 [..., terms], and the scales of spaces, [..., spaces].

    `grams` [..., spaces, terms, terms]: x @ x.T of the terms' rows in each space; `products` [...,
    spaces, terms]: x @ y; `ridge`: the penalty. Scales are 1 where there is one space, and else of
    a mean square of 1.
    """
    penalty = ridge * torch.eye(grams.shape[-1], dtype=grams.dtype)
    scales = torch.ones(products.shape[:-1], dtype=grams.dtype)
    weights: Tensor = torch.linalg.solve(grams.sum(-3) + penalty, products.sum(-2))
    for _ in range(ROUNDS if products.shape[-2] > 1 else 0):
        explained = (products @ weights[..., None])[..., 0]
        squares = torch.einsum("...i,...sij,...j->...s", weights, grams, weights)
        scales = (explained / squares.clamp(min=_TINY)).clamp(LEAST, MOST)
        scales = scales / scales.square().mean(-1, keepdim=True).sqrt()
        scaled_grams = scales.square()[..., None, None] * grams
        scaled_products = scales[..., None] * products
        weights = torch.linalg.solve(scaled_grams.sum(-3) + penalty, scaled_products.sum(-2))
    return weights, scales
