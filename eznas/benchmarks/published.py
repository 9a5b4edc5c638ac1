"""Scores of proxies that others have published, from a CSV file, plain or gzipped.

A column holds the scores of one proxy under the name that its authors use, or `dataset_name` where
a file covers several data sets. A score of -1e8 or an infinite one marks a failure. NASLib's files
can be read as they are: their `flops` and `params` count millions, which changes no rank.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import (
    COLUMNS,
    column_of,
    csv_text,
    finite_number,
    table_rows,
)
from eznas.errors import InputError
from eznas.spaces import Space

FAILED = -1e8
ARCHITECTURE = COLUMNS["architecture"]  # possible names of the column of architectures
# columns that hold no scores
UNSCORED = {*ARCHITECTURE, "index", "dataset", "val_accuracy", "test_accuracy"}
ALIASES = {"jacov": "jacob_cov", "nwot": "naswot", "flops": "operations"}  # published -> eznas


@dataclass(frozen=True, eq=False)
class Published:
    """Published scores of the networks of one space.

    architectures: canonical, each once; scores: column of the file -> float64 [networks] in the
    order of `architectures`, NaN where a score failed.
    """

    architectures: tuple[str, ...]
    scores: dict[str, NDArray[np.float64]]

    def columns(
        self, proxy: str, dataset: str, architectures: Sequence[str]
    ) -> dict[str, NDArray[np.float64]]:
        """The columns with scores of one proxy on one data set: column -> float64 [networks].

        The scores are in the order of the `architectures` given (canonical), NaN where the file
        has none. A column without a data set in its name counts for every data set. Empty where no
        column is of this proxy.
        """
        rows = [self._row_of.get(architecture, -1) for architecture in architectures]
        return {
            column: np.append(scores, np.nan)[rows]
            for column, scores in self.scores.items()
            if self.proxy_of(column, dataset) == proxy
        }

    @cached_property
    def _row_of(self) -> dict[str, int]:
        return {architecture: row for row, architecture in enumerate(self.architectures)}

    def datasets(self, known: Iterable[str], file: str) -> list[str]:
        """Those of the `known` data sets that columns name, or the only one that is known.

        `InputError`, which names the `file`, where several are known and no column names one.
        """
        known = list(known)
        if len(known) == 1:
            return known
        named = [d for d in known if any(column.startswith(f"{d}_") for column in self.scores)]
        if not named:
            raise InputError(
                f"{file}: no column names its data set; expected --dataset, one of "
                + ", ".join(known)
            )
        return named

    @staticmethod
    def proxy_of(column: str, dataset: str = "") -> str:
        """The name in eznas of the proxy of a column, without the prefix of this data set."""
        name = column.removeprefix(f"{dataset}_") if dataset else column
        return ALIASES.get(name, name)


def read_published(path: str | Path, space: Space) -> Published:
    """The published scores of a file; of a network in several rows the means of its scores.

    `InputError` names file and line where there is no column of architectures or two, none of
    scores, any column stands there twice, a row has another number of cells than the header, an
    architecture is not of the space, or a score is not a number; and the file where it has no rows
    or cannot be read.
    """
    file = Path(path)
    architectures: list[str] = []
    rows: list[list[float]] = []
    with csv_text(file) as text:
        header, table = table_rows(text, file)
        key = column_of(header, ARCHITECTURE, file)
        if key is None:
            raise InputError(
                f"{file}:1: no column architecture; expected {' or '.join(ARCHITECTURE)}, "
                f"found {','.join(header) or 'nothing'}"
            )
        columns = [name for name in header if name not in UNSCORED]
        if not columns:
            raise InputError(f"{file}:1: no column of scores, found {','.join(header)}")
        for line, row in table:
            with located(f"{file}:{line}"):
                architectures.append(space.canonical(row[key]))
                rows.append([_score(row[column], column) for column in columns])
    if not rows:
        raise InputError(f"{file}: no rows; expected at least one below the header")
    network_of = {a: i for i, a in enumerate(dict.fromkeys(architectures))}
    scores = _means(np.array(rows), np.array([network_of[a] for a in architectures]))
    return Published(tuple(network_of), dict(zip(columns, scores.T, strict=True)))


def _means(rows: NDArray[np.float64], network_of_row: NDArray[np.int64]) -> NDArray[np.float64]:
    """The means of each network's finite scores, float64 [networks, columns]; NaN if a network has
    none.

    rows: float64 [rows, columns]; network_of_row: int64 [rows].
    """
    is_finite = np.isfinite(rows)
    totals, counts = np.zeros((2, network_of_row.max() + 1, rows.shape[1]))
    np.add.at(totals, network_of_row, np.where(is_finite, rows, 0.0))
    np.add.at(counts, network_of_row, is_finite)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _score(text: str, column: str) -> float:
    value = math.nan if _FAILURE.fullmatch(text) else finite_number(text, column)
    return math.nan if value == FAILED else value


_FAILURE = re.compile("[+-]?(nan|inf|infinity)", re.IGNORECASE)
