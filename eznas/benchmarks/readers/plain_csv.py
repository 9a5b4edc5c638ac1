"""A user's own ground truth: a CSV file of architectures and accuracies, plain or gzipped."""

import csv
import gzip
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.readers.entries import Runs, located
from eznas.errors import InputError
from eznas.spaces import Space

Rows = Iterator[tuple[int, dict[str, str]]]  # line number, and text by column

COLUMNS = {  # what a column holds -> its possible names, the second ones NASLib's
    "architecture": ("architecture", "arch"),
    "accuracy": ("accuracy", "val_accuracy", "test_accuracy"),
}
_KIND_OF = {"val_accuracy": "validation", "test_accuracy": "test"}  # a column says so itself


def read_accuracies(path: str | Path, space: Space) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Architectures (canonical) and their accuracies, float64 [networks], in file order.

    An accuracy is the mean over the runs that `read_runs` finds. It may be on any scale, as long
    as larger is better. Raises `InputError` as `read_runs` does.
    """
    runs_of = read_runs(Path(path), space)
    return tuple(runs_of), np.array([fmean(runs) for runs in runs_of.values()])


def read_runs(path: Path, space: Space) -> dict[str, Runs]:
    """Architectures (canonical) and the accuracies of their runs, in file order.

    The first line is a header with the columns `architecture` and `accuracy`; others are ignored.
    Another accuracy for an architecture of an earlier row is a further run; an equal one is the
    same run, as samples of tables may repeat rows. `InputError` names file and line where there is
    no such column or two of them, a row has another number of cells than the header, an
    architecture is not of the space, or an accuracy is not a finite number; and the file where it
    has no rows or cannot be read.
    """
    runs_of: dict[str, Runs] = {}
    for line, text, number in _accuracies(path):
        with located(f"{path}:{line}"):
            architecture = space.canonical(text)
            accuracy = finite_number(number, "accuracy")
        runs = runs_of.get(architecture, ())
        runs_of[architecture] = runs if accuracy in runs else (*runs, accuracy)
    if not runs_of:
        raise InputError(f"{path}: no rows; expected at least one below the header")
    return runs_of


def kind_named(path: Path) -> str:
    """The kind of accuracy that the name of a file's column of accuracies says, "" where it says
    none. Raises `InputError` as `read_runs` does."""
    with csv_text(path) as file:
        header, _ = table_rows(file, path)
        return _KIND_OF.get(_columns(path, header)[1], "")


def read_models(path: Path) -> tuple[tuple[str, ...], dict[str, NDArray[np.float64]]]:
    """The names of a user's own models in file order, and their accuracies by data set, float64
    [models].

    The first line is a header with the column `model` and the columns `accuracy`,
    `accuracy_DATASET` or several of them; others are ignored. Accuracies may be on any scale, as
    long as larger is better. `InputError` names file and line where there is no such column, a row
    has another number of cells than the header, a model stands in two rows, or an accuracy is not a
    finite number; and the file where it has no rows or cannot be read.
    """
    line_of: dict[str, int] = {}
    with csv_text(path) as file:
        header, rows = table_rows(file, path)
        columns = [c for c in header if c == "accuracy" or c.startswith("accuracy_")]
        if "model" not in header or not columns:
            raise InputError(
                f"{path}:1: expected the header model,accuracy (or accuracy_DATASET), found "
                f"{','.join(header) or 'nothing'}"
            )
        numbers: dict[str, list[float]] = {column: [] for column in columns}
        for line, row in rows:
            with located(f"{path}:{line}"):
                name = row["model"]
                if not name or name in line_of:
                    problem = f"model {name!r} stands in line {line_of[name]} too" if name else ""
                    raise InputError(problem or "expected a model, found nothing")
                line_of[name] = line
                for column in columns:
                    numbers[column].append(finite_number(row[column], column))
    if not line_of:
        raise InputError(f"{path}: no rows; expected at least one below the header")
    return tuple(line_of), {
        column.removeprefix("accuracy_"): np.array(values) for column, values in numbers.items()
    }


@contextmanager
def csv_text(path: Path) -> Iterator[TextIO]:
    """An open CSV file in UTF-8, plain or (`.gz`) gzipped, closed when the context ends.

    `InputError` names the file where reading it or parsing it in the context fails.
    """
    open_text = gzip.open if path.suffix == ".gz" else open
    try:
        with open_text(path, "rt", newline="", encoding="utf-8-sig") as file:
            yield file
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {reason}; expected a CSV file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from None


def table_rows(lines: Iterable[str], path: Path) -> tuple[list[str], Rows]:
    """The header of a CSV table, and its rows: line number, and text by column.

    Lines of empty cells are skipped. `InputError`, which names the file and the line, where the
    header has a name twice and where a row has more or fewer cells than the header: what stands in
    which column would be a guess. `csv.Error` for quotes that do not match.
    """
    reader = csv.reader(lines, skipinitialspace=True, strict=True)
    header = [name.strip() for name in next(reader, [])]
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"{path}:1: column {twice} {header.count(twice)} times; expected it once")

    def rows() -> Rows:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    raise InputError(
                        f"{path}:{reader.line_num}: {len(cells)} cells, expected {len(header)} as "
                        "in the header (a comma ends a cell, unless double quotes are around it)"
                    )
                stripped = (cell.strip() for cell in cells)
                yield reader.line_num, dict(zip(header, stripped, strict=True))

    return header, rows()


def column_of(header: Sequence[str], names: Sequence[str], path: Path) -> str | None:
    """The one of some names that is in a header, None where none is; `InputError` for several."""
    columns = [name for name in names if name in header]
    if len(columns) > 1:
        raise InputError(f"{path}:1: columns {' and '.join(columns)}; expected one of them")
    return columns[0] if columns else None


def finite_number(text: str, column: str) -> float:
    """The number that the text of a cell is in plain notation (`-1.5`, `2e-3`).

    `InputError`, which names the column, for anything else that Python's `float` takes: `1_000`,
    digits of other scripts, `nan`.
    """
    value = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise InputError(
            f"expected a finite number as {column}, found {repr(text) if text else 'nothing'}"
        )
    return value


_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def _accuracies(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, architecture and accuracy of each row, as text."""
    with csv_text(path) as file:
        header, rows = table_rows(file, path)
        architecture, accuracy = _columns(path, header)
        for line, row in rows:
            yield line, row[architecture], row[accuracy]


def _columns(path: Path, header: Sequence[str]) -> list[str]:
    """The names that the columns of `COLUMNS` have in this header."""
    name_of = {what: column_of(header, names, path) or "" for what, names in COLUMNS.items()}
    missing = [what for what, name in name_of.items() if not name]
    if missing:
        raise InputError(
            f"{path}:1: no column {' or '.join(missing)}; expected the header "
            f"{','.join(COLUMNS)}, found {','.join(header) or 'nothing'}"
        )
    return list(name_of.values())
