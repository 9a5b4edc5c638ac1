"""Published scores of proxies, to compare ours with: a CSV file, plain or gzipped.

A column is a proxy's score under the name that its authors use, or `dataset_name` where a file
holds several data sets. A score of -1e8 or an infinite one marks a failure. NASLib's files are
read as they are: their `flops` and `params` count millions, which changes no rank.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.spaces import Space

FAILED = -1e8
NAMES = ("architecture", "arch")  # of the column of architectures
UNSCORED = {*NAMES, "index", "dataset", "val_accuracy"}  # columns that hold no scores
ALIASES = {"jacov": "jacob_cov", "nwot": "naswot", "flops": "operations"}  # theirs -> ours


@dataclass(frozen=True, eq=False)
class Published:
    """Scores by column: float64 [networks], NaN where failed, in the order of `architectures`."""

    architectures: tuple[str, ...]
    scores: dict[str, NDArray[np.float64]]

    def columns(
        self, proxy: str, dataset: str, architectures: Sequence[str]
    ) -> dict[str, NDArray[np.float64]]:
        """The columns that hold this proxy's scores for these networks, NaN where unknown.

        A column without a data set in its name is taken for any.
        """
        place = {a: i for i, a in enumerate(self.architectures)}
        chosen = [place.get(a, -1) for a in architectures]
        named = {c: s for c, s in self.scores.items() if self.proxy_of(c, dataset) == proxy}
        return {c: np.append(s, np.nan)[chosen] for c, s in named.items()}

    def datasets(self, known: Iterable[str], file: str) -> list[str]:
        """The data sets that columns name, or the only one; `InputError` where there is none."""
        known = list(known)
        named = [d for d in known if any(c.startswith(f"{d}_") for c in self.scores)]
        named = known if len(known) == 1 else named
        if not named:
            raise InputError(
                f"{file}: no column names its data set; expected --dataset, one of "
                + ", ".join(known)
            )
        return named

    @staticmethod
    def proxy_of(column: str, dataset: str = "") -> str:
        """Our name for a column of this data set."""
        name = column.removeprefix(f"{dataset}_") if dataset else column
        return ALIASES.get(name, name)


def read_published(path: str | Path, space: Space) -> Published:
    """Published scores of one space, of a network in several rows their mean; `InputError` names
    file and line for what cannot be used."""
    file = Path(path)
    architectures: list[str] = []
    rows: list[list[float]] = []
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, restval="")
            found = reader.fieldnames or ()
            column = next((n for n in NAMES if n in found), None)
            if column is None:
                raise InputError(f"{file}:1: no column architecture")
            names = [n for n in found if n not in UNSCORED]
            for row in reader:
                where = f"{file}:{reader.line_num}"
                architectures.append(_canonical(row[column], space, where))
                rows.append([_score(row[n], where) for n in names])
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{file}: cannot be read: {why}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not a CSV file in UTF-8: {error}") from error
    if not rows:
        raise InputError(f"{file}: no rows; expected at least one below the header")
    first = {a: i for i, a in enumerate(dict.fromkeys(architectures))}
    scores = _means(np.array(rows), np.array([first[a] for a in architectures]))
    return Published(tuple(first), dict(zip(names, scores.T, strict=True)))


def _means(rows: NDArray[np.float64], networks: NDArray[np.int64]) -> NDArray[np.float64]:
    """The mean of each network's rows, failed ones left out: [networks, columns]."""
    there = np.isfinite(rows)
    total, count = np.zeros((2, networks.max() + 1, rows.shape[1]))
    np.add.at(total, networks, np.where(there, rows, 0.0))
    np.add.at(count, networks, there)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _canonical(text: str, space: Space, where: str) -> str:
    try:
        return space.canonical(text)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _score(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{where}: expected a number as score, found {text!r}") from None
    return value if math.isfinite(value) and value != FAILED else math.nan
