"""A user's own ground truth: a CSV file of architectures and accuracies, plain or gzipped."""

import csv
import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.spaces import Space

COLUMNS = {  # what is read -> under which names; the others are NASLib's
    "architecture": ("architecture", "arch"),
    "accuracy": ("accuracy", "val_accuracy"),
}


def read_accuracies(path: str | Path, space: Space) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Architectures (canonical) and the means of their runs' accuracies, float64 [networks], in
    file order: see `read_runs`. Any scale will do, larger is better."""
    runs = read_runs(Path(path), space)
    return tuple(runs), np.array([fmean(own) for own in runs.values()])


def read_runs(path: Path, space: Space) -> dict[str, tuple[float, ...]]:
    """Architectures (canonical) and the accuracies of their runs, in file order.

    The first line is a header with the columns `architecture` and `accuracy`; others are ignored.
    An architecture that stands again with another accuracy has a further run; with the same one
    it is the same run (samples of tables repeat rows). `InputError` with file and line for
    whatever cannot be used.
    """
    runs: dict[str, tuple[float, ...]] = {}
    for architecture, accuracy in _parsed(path, space):
        known = runs.get(architecture, ())
        runs[architecture] = known if accuracy in known else (*known, accuracy)
    return runs


def _parsed(path: Path, space: Space) -> Iterator[tuple[str, float]]:
    """Architecture (canonical) and accuracy of each row, of which there is one."""
    line = 0
    for line, text, number in _rows(path):
        try:
            architecture = space.canonical(text)
        except InputError as error:
            raise InputError(f"{path}:{line}: {error}") from None
        yield architecture, _accuracy(number, f"{path}:{line}")
    if not line:
        raise InputError(f"{path}: no rows; expected at least one below the header")


def _accuracy(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        found = repr(text) if text else "nothing"
        raise InputError(f"{where}: expected a finite number as accuracy, found {found}")
    return value


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, architecture and accuracy of each row, as text."""
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, restval="", skipinitialspace=True)
            architecture, accuracy = _columns(path, reader.fieldnames or ())
            for row in reader:
                yield reader.line_num, row[architecture].strip(), row[accuracy].strip()
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be read: {why}; expected a CSV file") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _columns(path: Path, found: Sequence[str]) -> list[str]:
    """The columns that are read, by the names that they have here."""
    named = {what: next((n for n in names if n in found), "") for what, names in COLUMNS.items()}
    missing = [what for what, name in named.items() if not name]
    if missing:
        raise InputError(
            f"{path}:1: no column {' or '.join(missing)}; expected the header "
            f"{','.join(COLUMNS)}, found {','.join(found) or 'nothing'}"
        )
    return list(named.values())
