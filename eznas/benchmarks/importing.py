"""Ground truth imported from files into the cache folder, and what the folder holds."""

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eznas.benchmarks import curve_importing
from eznas.benchmarks.benchmark import KINDS, Table
from eznas.benchmarks.curves import CURVES, store_curves
from eznas.benchmarks.loading import PACKAGED, load
from eznas.benchmarks.readers import READERS
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import read_runs
from eznas.benchmarks.sources import source_of
from eznas.benchmarks.store import Origin, Stored, path_of, store, stored
from eznas.errors import InputError, unknown
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
    """Import the ground truth of a space into the cache folder; returns its `summary`.

    Where the official file has learning curves too, they are stored in the same step, and the
    summary has theirs as `curves`.

    file: the official file, or a CSV file of architectures and accuracies in percent.
    kind: of a CSV file's accuracies, "validation" unless given.
    dataset: of a CSV file's accuracies, the first of the space unless given.
    replace: whether the table may take the place of another one.

    Raises `InputError` if the space, the kind or the data set is unknown, if the file cannot be
    read or is not as expected, and if another table was imported before and `replace` is false.
    The earlier table then stays.
    """
    check_importable(space)
    path = regular(Path(file))
    is_csv = path.name.endswith(CSV)
    if is_csv:
        table = _read_csv(path, space, kind, dataset)
    elif kind is None and dataset is None:
        table = _read_official(path, space)
    else:
        raise InputError(
            f"{path}: kind and dataset are for CSV files, an official file determines its own"
        )
    with located(str(path)):
        check_table(table)
    has_curves = space in CURVES and not is_csv
    curves = curve_importing.read(space, path) if has_curves else ()
    origin = Origin.of(path)
    if not replace:
        check_no_other(space, lambda earlier: earlier.table == table)
        if curves:
            curve_importing.check_no_others(space, curves)
    store(table, origin)
    if not curves:
        return summary(table, origin)
    store_curves(curves, origin)
    return summary(table, origin) | {"curves": curve_importing.summary(curves, origin)}


def import_file(
    name: str,
    file: str | Path,
    kind: str | None = None,
    dataset: str | None = None,
    replace: bool = False,
) -> dict[str, Any]:
    """Import what a name stands for: the ground truth of a space (see `import_table`), or learning
    curves alone (see `eznas.benchmarks.curve_importing.import_curves`); returns its summary.

    Raises `InputError` as they do, and for a kind or a data set of learning curves.
    """
    if name in SPACES or name not in CURVES:
        return import_table(name, file, kind, dataset, replace)
    if kind is not None or dataset is not None:
        raise InputError(f"{file}: kind and dataset are for CSV files of accuracies, not of curves")
    return curve_importing.import_curves(name, file, replace)


def check_importable(space: str) -> None:
    """Raises `InputError` if a space is unknown, or its ground truth comes with a package."""
    if space not in SPACES:
        raise unknown("space", space, [*SPACES, *CURVES])
    if space in PACKAGED:
        raise InputError(
            f"space {space}: its ground truth comes with a package; "
            "--accuracy FILE uses another in its place"
        )


def summary(table: Table, origin: Origin) -> dict[str, Any]:
    """What a table contains, as plain data.

    The space, the number of networks, the largest number of runs of a network, the lowest and the
    highest accuracy of a run in percent for each data set, the kind of accuracy and the origin.
    """
    ranges = {
        dataset: [min(map(min, runs_of.values())), max(map(max, runs_of.values()))]
        for dataset, runs_of in table.trials.items()
    }
    return {
        "space": table.space,
        "networks": len(next(iter(table.trials.values()))),
        "runs": max(len(runs) for runs_of in table.trials.values() for runs in runs_of.values()),
        "datasets": ranges,
        "kind": table.kind,
        "origin": asdict(origin),
    }


def tables() -> list[dict[str, Any]]:
    """For every space, which ground truth is available, as plain data.

    `here` is "packaged", "imported", "damaged" or "" (none), `problem` says what is damaged, and
    `source` describes the official file (None where none is known); an imported table adds its
    `summary`.
    """
    rows: list[dict[str, Any]] = []
    for space in SPACES:
        source = source_of(space)
        row: dict[str, Any] = {"space": space, "here": "", "problem": ""}
        if space in PACKAGED:
            row["here"] = "packaged"
        elif path_of(space).exists():
            try:
                imported = stored(space)
                row |= summary(imported.table, imported.origin) | {"here": "imported"}
            except InputError as error:
                row |= {"here": "damaged", "problem": str(error)}
        rows.append(row | {"source": None if source is None else asdict(source)})
    return rows


def check_table(table: Table) -> None:
    """Raises `InputError` if a data set has no networks, a network has no runs, an accuracy is not
    in 0 to 100 percent, or an architecture is not canonical."""
    space = SPACES[table.space]
    for dataset, runs_of in table.trials.items():
        if not runs_of:
            raise InputError(f"{dataset}: no networks")
        for architecture, runs in runs_of.items():
            if (canonical := space.canonical(architecture)) != architecture:
                raise InputError(f"{architecture}: expected the canonical text {canonical}")
            if not runs or not all(math.isfinite(a) and 0 <= a <= 100 for a in runs):
                shown = ", ".join(map(str, runs)) or "nothing"
                raise InputError(
                    f"{architecture}: expected accuracies in percent on {dataset}, found {shown}"
                )


def problem_of(space: str) -> str:
    """What is wrong with the ground truth of a space (missing or damaged), "" where nothing is."""
    try:
        if space in PACKAGED:
            load(space)
        else:
            check_table(stored(space).table)
    except InputError as error:
        return str(error)
    return ""


def check_no_other(space: str, is_same: Callable[[Stored], bool]) -> None:
    """Raises `InputError` if an undamaged table of this space is stored that is not the same."""
    if not path_of(space).exists() or problem_of(space):
        return
    earlier = stored(space)
    if not is_same(earlier):
        raise InputError(
            f"space {space}: ground truth from {earlier.origin.file} is here "
            f"({earlier.table.kind} accuracy); --replace puts another in its place"
        )


def _read_csv(path: Path, space: str, accuracy_kind: str | None, dataset: str | None) -> Table:
    datasets = SPACES[space].datasets
    accuracy_kind, dataset = accuracy_kind or KINDS[0], dataset or datasets[0]
    if accuracy_kind not in KINDS:
        raise unknown("kind", accuracy_kind, KINDS)
    if dataset not in datasets:
        raise unknown(f"{space} dataset", dataset, datasets)
    return Table(space, accuracy_kind, {dataset: read_runs(path, SPACES[space])})


def _read_official(path: Path, space: str) -> Table:
    reader = READERS.get(space)
    if reader is None:
        raise InputError(f"{path}: expected a CSV file (.csv or .csv.gz), as {space} has no other")
    try:
        return reader(path, SPACES[space])
    except RecursionError:
        raise InputError(f"{path}: damaged: nested too deeply") from None
