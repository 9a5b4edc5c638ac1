"""A formula for networks of any kind: a feature that ranks all spaces, and bounded corrections.

Terms that are fitted freely to some spaces may have any value on a network of another. So the first
term, the anchor, is one that has ranked each space; every other is clamped to values that networks
of one space have, so that far from these it is the same for all. Terms are found in small steps
(forward stagewise regression; Hastie, Taylor, Tibshirani & Walther, 2007): those that are of use
again and again, not those that explain most at once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from eznas.evolution.sums import Sums
from eznas.formulas.expression import Expression, call
from eznas.formulas.interactions import clamped, rounded_window

STEP = 0.02  # by which a weight changes at once, of the deviation of the accuracies
RIDGE = 0.3  # of the number of rows, on all weights but the anchor's
WINDOWS = ((0.02, 0.5), (0.2, 0.8), (0.5, 0.98))  # quantiles in one space
MOST_STEPS = 1000  # so that it ends, whatever rounding does


class _Clamped(NamedTuple):
    """A feature and its window."""

    feature: Expression
    low: float
    high: float

    def formula(self) -> Expression:
        """Raises `ValueTypeError` where a bound is not finite."""
        return clamped(self.feature, *rounded_window(self.low, self.high)).canonical


def boosted_formulas(
    sums: Sums, features: Sequence[Expression], is_within: Callable[[Expression], bool]
) -> list[Expression]:
    """Sums of an anchor and 0, 1, 2, ... corrections, as long as they are within the limits; none
    where no feature is positive on all networks.

    Each has the corrections of the one before and a new one, and all weights fitted again, all but
    the anchor's shrunken. The features must have been filled; the anchor is the logarithm of the
    one that has the highest rank correlation with accuracy, on average over the spaces.
    """
    usable = [feature for feature in features if sums.row(feature) is not None]
    if not usable:
        return []
    values = torch.stack([sums.values(feature) for feature in usable])
    empty = values == -torch.inf
    positive = (sums.at_rows(values) > 0).all(1).nonzero()[:, 0]
    if not len(positive):
        return []
    best = int(positive[_rank_correlations(sums, values[positive]).argmax()])
    chosen = [call("log", usable[best]).canonical]
    anchor = sums.row(chosen[0])
    if anchor is None:
        return []
    formulas = list[Expression]()
    terms, rows = _clamped(sums, usable, values, empty)
    found = (terms[number].formula() for number in _stagewise(rows, anchor, sums.y))
    while is_within(formula := _weighted(sums, chosen)):
        formulas.append(formula)
        term = next((term for term in found if sums.row(term) is not None), None)
        if term is None:
            break
        chosen.append(term)
    return formulas


def _rank_correlations(sums: Sums, values: Tensor) -> Tensor:
    """The correlation of the ranks of values [features, contexts, networks] with accuracies,
    without its sign: the mean over the spaces of the mean over their tasks, [features]."""
    from scipy.stats import rankdata  # slow to import

    at_rows, of_spaces = sums.at_rows(values), []
    for tasks in sums.spaces:
        of_tasks = []
        for rows in tasks:
            x = torch.from_numpy(rankdata(at_rows[:, rows].numpy(), axis=1))
            x = x - x.mean(1, keepdim=True)
            of_tasks.append(cosine_similarity(x, sums.y[rows][None], dim=1))
        of_spaces.append(torch.stack(of_tasks).mean(0))
    return torch.stack(of_spaces).mean(0).abs()


def _clamped(
    sums: Sums, features: Sequence[Expression], values: Tensor, empty: Tensor
) -> tuple[list[_Clamped], Tensor]:
    """The features in all windows of all spaces, and their rows, float32 [terms, rows]. `values`,
    and where a network has nothing to aggregate: [features, contexts, networks]."""
    terms, rows = list[_Clamped](), list[Tensor]()
    for tasks in sums.spaces:
        in_space = sums.at_rows(values)[:, torch.cat(tasks)]
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
    for _ in range(MOST_STEPS if len(rows) else 0):
        left = left - (first @ left) / (first @ first) * first
        correlations = rows @ left / len(left)
        best = int(correlations.abs().argmax())
        if abs(float(correlations[best])) < STEP / 2:  # another step would be too far
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
