"""From the values of features to scores: the arithmetic of a formula, and what it may give.

Torch alone: an exported proxy runs this code where there is nothing else.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES

LEAST_COVERAGE = 0.8  # below this share of a network's live layers there is no score


class FeatureRows(NamedTuple):
    """Features on networks: `values` and `coverage` (a share, 0 to 1), float64 [features,
    networks]; `empty`, bool [features, networks]: where a network has nothing to aggregate."""

    values: Tensor
    coverage: Tensor
    empty: Tensor


def scores(formula: Expression, texts: list[str], rows: FeatureRows) -> tuple[Tensor, str]:
    """The scores of a formula, float64 [networks], and why some are undefined ("" where none is).

    `rows`: its features, whose texts are `texts`. A score is finite, NaN (undefined: infinite, or a
    feature that applies to too few layers) or -inf: that of a network without anything to aggregate
    in one of the features, whatever the arithmetic gives.
    """
    numbers = dict(zip(texts, rows.values, strict=True))
    values = arithmetic(formula.canonical, numbers).expand(rows.values.shape[1]).clone()
    infinite = values == torch.inf
    thin = (rows.coverage < LEAST_COVERAGE).any(0)
    values[infinite | thin] = torch.nan
    values[rows.empty.any(0)] = -torch.inf
    return values, _reason(values, infinite, thin)


def _reason(values: Tensor, infinite: Tensor, thin: Tensor) -> str:
    undefined = values.isnan()
    if not undefined.any():
        return ""
    if (thin & undefined).any():
        return "coverage"
    return "infinite" if (infinite & undefined).any() else "undefined"


def arithmetic(node: Expression, numbers: Mapping[str, Tensor]) -> Tensor:
    """The value of a canonical expression from `numbers`, feature -> values of any one shape: of
    that shape, or [] for an expression of constants alone."""
    if node.text in numbers:
        return numbers[node.text]
    if node.value is not None:
        return torch.tensor(node.value, dtype=torch.float64)
    return PRIMITIVES[node.name].function(*(arithmetic(a, numbers) for a in node.arguments))
