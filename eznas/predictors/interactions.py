"""Interactions of standardised features as further columns for least squares: products, the smaller
or the larger of two, and hinges."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from eznas.formulas.expression import Expression, call, constant
from eznas.formulas.interactions import Spread

QUANTILES = (0.1, 0.3, 0.5, 0.7, 0.9)  # at which a feature has hinges


class Built(Sequence[Expression]):
    """Expressions that are built where they are asked for: of thousands few are chosen."""

    def __init__(self, count: int, build: Callable[[int], Expression]) -> None:
        self._count, self._build = count, build

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        """The expression at an index from 0; no slices, and none from the end."""
        if not 0 <= index < self._count:
            raise IndexError(index)
        return self._build(index)


class Columns(NamedTuple):
    """Interactions as columns: their `values` [rows, columns], computed from standardised features,
    and the `expressions` that are equal to offset + unit * value; `units` and `offsets`: [columns].
    """

    values: Tensor
    expressions: Sequence[Expression]
    units: Tensor
    offsets: Tensor


# Standardised features [rows, features] and what they were standardised by -> all interactions.
Interactions = Callable[[Tensor, Sequence[Spread[Expression]]], Columns]


def products(standardised: Tensor, spreads: Sequence[Spread[Expression]]) -> Columns:
    """Products of two of the standardised features [rows, features], each minus its mean, and their
    squares."""
    first, second = torch.triu_indices(len(spreads), len(spreads))
    centred = [call("sub", spread.feature, _at(spread, 0.0)) for spread in spreads]
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    _, deviations = _moments(spreads)
    return Columns(
        standardised[:, first] * standardised[:, second],
        Built(len(pairs), lambda k: call("mul", *(centred[i] for i in pairs[k]))),
        deviations[first] * deviations[second],
        torch.zeros(len(first), dtype=standardised.dtype),
    )


def extremes(standardised: Tensor, spreads: Sequence[Spread[Expression]]) -> Columns:
    """The smaller and the larger of two of the standardised features [rows, features]."""
    first, second = torch.triu_indices(len(spreads), len(spreads), offset=1)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    count = len(pairs)

    def build(number: int) -> Expression:
        one, other = (spreads[i] for i in pairs[number % count])
        return call(("min", "max")[number // count], one.feature, _like(one, other))

    means, deviations = _moments(spreads)
    a, b = standardised[:, first], standardised[:, second]
    return Columns(
        torch.cat([torch.minimum(a, b), torch.maximum(a, b)], 1),
        Built(2 * count, build),
        deviations[first].repeat(2),
        means[first].repeat(2),
    )


def hinges(standardised: Tensor, spreads: Sequence[Spread[Expression]]) -> Columns:
    """Each of the standardised features [rows, features] up to one of its quantiles, and from there
    on (hinge functions: Friedman, 1991)."""
    quantiles = torch.tensor(QUANTILES, dtype=standardised.dtype)
    levels = torch.quantile(standardised, quantiles, dim=0)  # [quantiles, features]
    constants = [
        (spread.feature, _at(spread, level))
        for of_quantile in levels.tolist()
        for spread, level in zip(spreads, of_quantile, strict=True)
    ]
    means, deviations = _moments(spreads)
    below = [torch.minimum(standardised, level) for level in levels]
    above = [torch.maximum(standardised, level) for level in levels]
    return Columns(
        torch.cat([*below, *above], 1),
        [call(name, *operands) for name in ("min", "max") for operands in constants],
        deviations.repeat(2 * len(QUANTILES)),
        means.repeat(2 * len(QUANTILES)),
    )


INTERACTIONS: Mapping[str, Interactions] = {
    "products": products,
    "min and max": extremes,
    "hinges": hinges,
}


def _moments(spreads: Sequence[Spread[Expression]]) -> tuple[Tensor, Tensor]:
    """The means and the deviations of features: [features] each."""
    moments = [[s.mean for s in spreads], [s.deviation for s in spreads]]
    means, deviations = torch.tensor(moments, dtype=torch.float64)
    return means, deviations


def _at(spread: Spread[Expression], deviations: float) -> Expression:
    """A value of a feature, so many deviations from its mean."""
    return constant(_rounded(spread.mean + deviations * spread.deviation, spread.deviation))


def _like(first: Spread[Expression], second: Spread[Expression]) -> Expression:
    """The second feature with the mean and the deviation of the first."""
    factor = float(f"{first.deviation / second.deviation:.6g}")
    offset = constant(_rounded(first.mean - factor * second.mean, first.deviation))
    return call("add", call("mul", constant(factor), second.feature), offset)


def _rounded(value: float, deviation: float) -> float:
    """A value to a millionth of a deviation: it may be much larger."""
    digits = 6 + math.ceil(math.log10(max(abs(value) / deviation, 1)))
    return float(f"{value:.{digits}g}")
