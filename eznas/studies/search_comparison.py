"""Searches that were saved, side by side: the best so far of each, and paired differences."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eznas.errors import InputError
from eznas.metrics import verdict
from eznas.report import plots
from eznas.search.as_json import restored
from eznas.search.result import Curve, SearchResult, compare
from eznas.system.files import plain, read_json

SHOWN = (10, 25, 50, 100, 150)  # numbers of queries, and the last
DRAWN_FROM = 10  # queries: before, curves rise so far that what sets them apart later is not seen

Content = dict[str, Any]


def compare_saved(files: Sequence[str]) -> Content:
    """The best accuracy so far of several searches, and how far each is ahead of the first.

    `files`: JSON files of `eznas search METHOD --save`, two or more, of searches of one space, data
    set and seed, with as many queries and repeats. A dict with the keys space, dataset, accuracy,
    seed, repeats, best_known; first (the name of the first search); `curves`: name of a search (its
    file's) -> the mean of its best so far after each query; `rows`: for some numbers of queries and
    each search its mean with the 95 % interval low, high over repeats; and, but for the first,
    difference, difference_low, difference_high of pairs of repeats, and verdict: "won" or "lost"
    where the interval excludes 0, else "even".

    Raises `InputError` for fewer than two files, one that cannot be read or is no search, and
    searches that cannot be compared.
    """
    if len(files) < 2:
        raise InputError("expected two or more files of saved searches")
    searches = {
        name: _read(file) for name, file in zip(_names(files), map(Path, files), strict=True)
    }
    (name, first), *others = searches.items()
    differences = {other: _difference(result, first, other, name) for other, result in others}
    return {
        **{key: getattr(first, key) for key in ("space", "dataset", "seed", "best_known")},
        "accuracy": first.kind,
        "repeats": len(first.repeats),
        "first": name,
        "curves": {name: search.curve().mean.tolist() for name, search in searches.items()},
        "rows": [
            _row(queries, name, search, differences.get(name))
            for queries in [*(n for n in SHOWN if n < first.queries), first.queries]
            for name, search in searches.items()
        ],
    }


def plot(content: Mapping[str, Any], file: str) -> list[str]:
    """Draw the curves of a comparison (see `compare_saved`) into a PNG file, from `DRAWN_FROM`
    queries on, and return its name in a list. Raises `InputError` where it cannot be written."""
    curves = content["curves"]
    last = len(next(iter(curves.values())))
    begin = DRAWN_FROM if last > DRAWN_FROM else 1
    lines = {name: values[begin - 1 :] for name, values in curves.items()}
    x = f"queries ({content['space']}, {content['dataset']})"
    y = f"best {content['accuracy']} accuracy so far"
    plots.line_plot(Path(file), np.arange(begin, last + 1), lines, x, y)
    return [file]


def _names(files: Sequence[str]) -> list[str]:
    """The files' names without .json, or the files as they are given where two names are equal."""
    names = [Path(file).stem for file in files]
    if len(set(names)) == len(names):
        return names
    if twice := [file for i, file in enumerate(files) if file in files[:i]]:
        raise InputError(f"{twice[0]}: given twice")
    return list(files)


def _read(file: Path) -> SearchResult:
    content = read_json(file)
    try:
        return restored(content)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None


def _difference(search: SearchResult, first: SearchResult, name: str, of_first: str) -> Curve:
    try:
        return compare(search, first)
    except InputError as error:
        raise InputError(f"{name} and {of_first}: {error}") from None


def _row(queries: int, name: str, search: SearchResult, difference: Curve | None) -> Content:
    row: Content = {"queries": queries, "search": name} | _at(queries, search.curve())
    if difference is not None:
        ends = _at(queries, difference)
        row |= {"difference": ends["mean"]}
        row |= {f"difference_{end}": ends[end] for end in ("low", "high")}
        row["verdict"] = verdict(ends["low"], ends["high"])
    return row


def _at(queries: int, curve: Curve) -> Content:
    ends = {end: float(getattr(curve, end)[queries - 1]) for end in ("mean", "low", "high")}
    return {end: plain(value) for end, value in ends.items()}
