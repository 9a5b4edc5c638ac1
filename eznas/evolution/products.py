"""Sums of products of rows by fold and task: all that fits and their correlations are made of."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


class Products:
    """The products of rows with each other and with some targets, part by part.

    `bounds` [parts + 1]: where the consecutive parts of the rows begin, and where the last ends;
    `folds`: how many folds the parts are of, as many tasks in each; `targets` [targets, rows].
    """

    def __init__(self, bounds: Sequence[int], folds: int, targets: Tensor) -> None:
        self._folds = folds
        sizes = [end - start for start, end in pairwise(bounds)]
        # Parts of as many places each, so that one product serves all; the last row is one of 0.
        self._places = torch.full((len(sizes), max(sizes)), bounds[-1])
        for line, start, size in zip(self._places, bounds, sizes, strict=False):
            line[:size] = torch.arange(start, start + size)
        self._targets = self._by_part(targets).mT

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Of rows [terms, rows] with each other, [folds, tasks, terms, terms], and with the
        targets, [targets, folds, tasks, terms]."""
        of_part = self._by_part(rows)
        shape = self._folds, len(self._places) // self._folds, len(rows)
        grams = (of_part @ of_part.mT).view(*shape, len(rows))
        return grams, (of_part @ self._targets).view(*shape, -1).movedim(-1, 0)

    def _by_part(self, rows: Tensor) -> Tensor:
        """Rows [terms, rows] part by part, [parts, terms, places]."""
        filled = torch.cat([rows, rows.new_zeros(len(rows), 1)], 1)
        return filled[:, self._places].transpose(0, 1)
