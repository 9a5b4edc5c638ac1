"""Ground truth taken into the cache folder from a file, and what is there."""

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pooch import file_hash

from eznas.benchmarks.loading import PACKAGED, load
from eznas.benchmarks.readers import READERS
from eznas.benchmarks.benchmark import KINDS, Table
from eznas.benchmarks.readers.plain_csv import read_runs
from eznas.benchmarks.sources import source_of
from eznas.benchmarks.store import Origin, Stored, path_of, store, stored
from eznas.errors import InputError, one_line, unknown
from eznas.spaces import SPACES
from eznas.system.files import regular

CSV = (".csv", ".csv.gz")


def import_table(
    space: str,
    file: str | Path,
    kind: str | None = None,
    dataset: str | None = None,
    replace: bool = False,
) -> dict[str, Any]:
    """Store the ground truth of a space from its official file, or from a CSV file of
    architectures and accuracies in percent, of which `kind` (default: validation) and `dataset`
    (default: the space's first) say what they are.

    Returns what `summary` tells of it. `InputError` where the file cannot be used, or where
    another table is there and `replace` was not said: that one stays.
    """
    importable(space)
    path = regular(Path(file))
    table = _from_csv(path, space, kind, dataset) if path.name.endswith(CSV) else None
    if table is None:
        if kind is not None or dataset is not None:
            raise InputError(f"{path}: kind and dataset are for CSV files, this one says its own")
        table = _official(path, space)
    try:
        check(table)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    origin = Origin(one_line(path.resolve().name), sha256_of(path))
    if not replace:
        vacant(space, lambda here: here.table == table)
    store(table, origin)
    return summary(table, origin)


def importable(space: str) -> None:
    """`InputError` for a space that cannot be imported."""
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    if space in PACKAGED:
        raise InputError(
            f"space {space}: its ground truth comes with a package; "
            "--accuracy FILE takes another in its place"
        )


def summary(table: Table, origin: Origin) -> dict[str, Any]:
    """Of a table: number of networks, kind, origin, and for each data set the lowest and the
    highest accuracy of a run in percent."""
    ranges = {
        dataset: [min(map(min, rows.values())), max(map(max, rows.values()))]
        for dataset, rows in table.trials.items()
    }
    networks = len(next(iter(table.trials.values())))
    runs = max(len(runs) for rows in table.trials.values() for runs in rows.values())
    return {
        "space": table.space,
        "networks": networks,
        "runs": runs,
        "datasets": ranges,
        "kind": table.kind,
        "origin": asdict(origin),
    }


def tables() -> list[dict[str, Any]]:
    """Of every space: whether its ground truth is "packaged", "imported", "damaged" or "" (not
    here), what `summary` tells of an imported one, and where the official file is."""
    rows: list[dict[str, Any]] = []
    for space in SPACES:
        source = source_of(space)
        row: dict[str, Any] = {"space": space, "here": "", "problem": ""}
        if space in PACKAGED:
            row["here"] = "packaged"
        elif path_of(space).exists():
            try:
                here = stored(space)
                row |= summary(here.table, here.origin) | {"here": "imported"}
            except InputError as error:
                row |= {"here": "damaged", "problem": str(error)}
        rows.append(row | {"source": None if source is None else asdict(source)})
    return rows


def check(table: Table) -> None:
    """`InputError` where a table holds what it must not: no networks or runs, an accuracy that is
    no percentage, an architecture that is not spelled as its space spells it."""
    space = SPACES[table.space]
    for dataset, rows in table.trials.items():
        if not rows:
            raise InputError(f"{dataset}: no networks")
        for architecture, runs in rows.items():
            if space.canonical(architecture) != architecture:
                raise InputError(f"{architecture}: not as space {table.space} spells it")
            if not runs or not all(math.isfinite(a) and 0 <= a <= 100 for a in runs):
                shown = ", ".join(map(str, runs)) or "nothing"
                raise InputError(
                    f"{architecture}: expected accuracies in percent on {dataset}, found {shown}"
                )


def problem_of(space: str) -> str:
    """What is damaged in the ground truth of a space that is here, "" where nothing is."""
    try:
        if space in PACKAGED:
            load(space)
        else:
            check(stored(space).table)
    except InputError as error:
        return str(error)
    return ""


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file; of a folder, that of the names and SHA-256 of its files."""
    try:
        if not path.is_dir():
            return str(file_hash(str(path)))
        listed = [f"{file_hash(str(file))}  {file.name}\n" for file in sorted(path.iterdir())]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return hashlib.sha256("".join(listed).encode()).hexdigest()


def vacant(space: str, same: Callable[[Stored], bool]) -> None:
    """`InputError` where a table is here that can be read and is not the same."""
    if not path_of(space).exists() or problem_of(space):
        return
    here = stored(space)
    if not same(here):
        raise InputError(
            f"space {space}: ground truth from {here.origin.file} is here "
            f"({here.table.kind} accuracy); --replace takes another in its place"
        )


def _from_csv(path: Path, space: str, kind: str | None, dataset: str | None) -> Table:
    known = SPACES[space].datasets
    kind, dataset = kind or KINDS[0], dataset or known[0]
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if dataset not in known:
        raise unknown(f"{space} dataset", dataset, known)
    return Table(space, kind, {dataset: read_runs(path, SPACES[space])})


def _official(path: Path, space: str) -> Table:
    reader = READERS.get(space)
    if reader is None:
        raise InputError(f"{path}: expected a CSV file (.csv or .csv.gz), as {space} has no other")
    try:
        return reader(path, SPACES[space])
    except RecursionError:
        raise InputError(f"{path}: damaged: nested too deeply") from None
