"""A formula for networks of any kind: a feature that ranks all spaces, and bounded corrections.

Terms that are fitted freely to some spaces may have any value on a network of another. So the first
term, the anchor, is one that has ranked each space; every other is clamped to values that networks
of one space have, so that far from these it is the same for all. Terms are found in small steps
(forward stagewise regression; Hastie, Taylor, Tibshirani & Walther, 2007): those that are of use
again and again, not those that explain most at once.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from eznas.evolution.sums import Sums
from eznas.formulas.expression import Expression, call
from eznas.formulas.interactions import clamped, rounded_window

STEP = 0.05  # by which a weight changes at once, of the deviation of the accuracies
RIDGE = 0.3  # of the number of rows, on all weights but the anchor's
WINDOWS = ((0.02, 0.5), (0.2, 0.8), (0.5, 0.98))  # quantiles in one space
_LEAST = 1e-3  # correlation with what is left that a term must have


class _Clamped(NamedTuple):
    """A feature and its window."""

    feature: Expression
    low: float
    high: float

    def formula(self) -> Expression:
        """Raises `ValueTypeError` where a bound is not finite."""
        return clamped(self.feature, *rounded_window(self.low, self.high)).canonical


def boosted_formulas(
    sums: Sums, features: Sequence[Expression], most_terms: int
) -> list[Expression]:
    """Sums of an anchor and 0, 1, 2, ... corrections, `most_terms` terms at most; none where no
    feature is positive on all networks.

    Each has the corrections of the one before and a new one, and all weights fitted again, all but
    the anchor's shrunken. The features must have been filled; the anchor is the one whose logarithm
    has the highest correlation with accuracy, on average over the spaces.
    """
    usable = [feature for feature in features if sums.row(feature) is not None]
    if not usable:
        return []
    values = torch.stack([sums.values(feature) for feature in usable])
    empty = values == -torch.inf
    positive = (sums.at_rows(values) > 0).all(1).nonzero()[:, 0]
    if not len(positive):
        return []
    logs, _ = sums.rows(values[positive].log(), empty[positive])
    best = int(_mean_correlations(sums, logs).argmax())
    chosen = [call("log", usable[positive[best]]).canonical]
    formulas = [_weighted(sums, chosen)]
    terms, rows = _clamped(sums, usable, values, empty)
    for number in _stagewise(rows, logs[best], sums.y):
        if len(chosen) >= most_terms:
            break
        term = terms[number].formula()
        if sums.row(term) is not None:
            chosen.append(term)
            formulas.append(_weighted(sums, chosen))
    return formulas


def _mean_correlations(sums: Sums, rows: Tensor) -> Tensor:
    """The mean over the spaces of the correlation of rows [terms, rows] with the accuracies,
    without its sign: [terms]; 0 for one that is undefined."""
    in_spaces = [
        cosine_similarity(rows[:, space], sums.y[space][None], dim=1) for space in sums.spaces
    ]
    return torch.stack(in_spaces).mean(0).abs().nan_to_num()


def _clamped(
    sums: Sums, features: Sequence[Expression], values: Tensor, empty: Tensor
) -> tuple[list[_Clamped], Tensor]:
    """The features in all windows of all spaces, and their rows, float32 [terms, rows]. `values`,
    and where a network has nothing to aggregate: [features, contexts, networks]."""
    terms, rows = list[_Clamped](), list[Tensor]()
    for space in sums.spaces:
        in_space = sums.at_rows(values)[:, space]
        for window in WINDOWS:
            bounds = in_space.quantile(torch.tensor(window, dtype=values.dtype), dim=1)
            low, high = bounds[:, :, None, None]
            of_window, deviations = sums.rows(values.clamp(low, high), empty)
            varies = (~deviations.isnan()).nonzero()[:, 0].tolist()
            terms += [_Clamped(features[i], *bounds[:, i].tolist()) for i in varies]
            rows.append(of_window[varies].float())
    return terms, torch.cat(rows)


def _stagewise(rows: Tensor, anchor: Tensor, y: Tensor) -> Iterator[int]:
    """The numbers of the terms with these rows [terms, rows], in the order in which they first get
    a weight, beside an anchor [rows]."""
    first, left = anchor.float(), y.float()
    seen = set[int]()
    while len(rows):
        left = left - (first @ left) / (first @ first) * first
        correlations = rows @ left / len(left)
        best = int(correlations.abs().argmax())
        if abs(float(correlations[best])) < _LEAST:
            return
        left = left - STEP * correlations[best].sign() * rows[best]
        if best not in seen:
            seen.add(best)
            yield best


def _weighted(sums: Sums, terms: Sequence[Expression]) -> Expression:
    """The sum of an anchor and corrections, with weights by ridge regression."""
    x = torch.stack([row for term in terms if (row := sums.row(term)) is not None])
    penalties = torch.full((len(x),), RIDGE, dtype=x.dtype)
    penalties[0] = 0.0
    gram = x @ x.T / x.shape[1] + torch.diag(penalties)
    return sums.formula(list(terms), torch.linalg.solve(gram, x @ sums.y / x.shape[1]))
