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
from eznas.benchmarks.readers.plain_csv import kind_named, read_runs
from eznas.benchmarks.sources import source_of
from eznas.benchmarks.store import (
    Origin,
    Stored,
    check_name,
    names_of,
    path_of,
    source_parts,
    store,
    stored,
)
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
    name: str = "",
) -> dict[str, Any]:
    """Import the ground truth of a space into the cache folder; returns its `summary`.

    Where the official file has learning curves too, they are stored in the same step, and the
    summary has theirs as `curves`.

    file: the official file, or a CSV file of architectures and accuracies in percent.
    kind: of a CSV file's accuracies, "validation" unless given or its column is `test_accuracy`.
    dataset: of a CSV file's accuracies, the first of the space unless given.
    replace: whether the table may take the place of another one.
    name: keeps the table beside the usual one of its space, which it leaves as it is; SPACE:NAME is
        what loads it. Learning curves of the file are then not stored.

    Raises `InputError` if the space, the kind or the data set is unknown, if the file cannot be
    read or is not as expected, and if another table was imported before and `replace` is false.
    The earlier table then stays.
    """
    check_importable(space, name)
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
    has_curves = space in CURVES and not is_csv and not name
    curves = curve_importing.read(space, path) if has_curves else ()
    origin = Origin.of(path)
    if not replace:
        check_no_other(space, lambda earlier: earlier.table == table, name)
        if curves:
            curve_importing.check_no_others(space, curves)
    store(table, origin, name)
    if not curves:
        return summary(table, origin, name)
    store_curves(curves, origin)
    return summary(table, origin) | {"curves": curve_importing.summary(curves, origin)}


def import_file(
    what: str,
    file: str | Path,
    kind: str | None = None,
    dataset: str | None = None,
    replace: bool = False,
    name: str | None = None,
) -> dict[str, Any]:
    """Import ground truth of a space (see `import_table`), or learning curves alone (see
    `eznas.benchmarks.curve_importing.import_curves`), whichever `what` is; returns its summary.

    Raises `InputError` as they do, and for a kind, a data set or a name of learning curves.
    """
    if what in SPACES or what not in CURVES:
        if name is not None:
            check_name(name)
        return import_table(what, file, kind, dataset, replace, name or "")
    if (kind, dataset, name) != (None, None, None):
        raise InputError(
            f"{file}: kind, dataset and name are for tables of accuracies, not for curves"
        )
    return curve_importing.import_curves(what, file, replace)


def check_importable(space: str, name: str = "") -> None:
    """Raises `InputError` if a space is unknown, or its usual table comes with a package and `name`
    names no other."""
    if name:
        check_name(name)
    if space not in SPACES:
        raise unknown("space", space, [*SPACES, *CURVES])
    if space in PACKAGED and not name:
        raise InputError(
            f"space {space}: its ground truth comes with a package; "
            "--accuracy FILE uses another in its place, --name NAME keeps another beside it"
        )


def summary(table: Table, origin: Origin, name: str = "") -> dict[str, Any]:
    """What a table contains, as plain data.

    The space (SPACE:NAME for one with a name), the number of networks, the largest number of runs
    of a network, the lowest and the highest accuracy of a run in percent for each data set, the
    kind of accuracy and the origin.
    """
    ranges = {
        dataset: [min(map(min, runs_of.values())), max(map(max, runs_of.values()))]
        for dataset, runs_of in table.trials.items()
    }
    return {
        "space": _source(table.space, name),
        "networks": len(next(iter(table.trials.values()))),
        "runs": max(len(runs) for runs_of in table.trials.values() for runs in runs_of.values()),
        "datasets": ranges,
        "kind": table.kind,
        "origin": asdict(origin),
    }


def tables() -> list[dict[str, Any]]:
    """For every space, which ground truth is available, as plain data; a row for its usual table,
    and one for each other, whose `space` is SPACE:NAME.

    `here` is "packaged", "imported", "damaged" or "" (none), `problem` says what is damaged, and
    `source` describes the official file (None where none is known); an imported table adds its
    `summary`.
    """
    rows: list[dict[str, Any]] = []
    for space in SPACES:
        source = source_of(space)
        for name in ("", *names_of(space)):
            row = {"space": _source(space, name), "here": "", "problem": ""}
            row |= _availability(space, name)
            rows.append(row | {"source": None if source is None else asdict(source)})
    return rows


def _availability(space: str, name: str) -> dict[str, Any]:
    """What a row of `tables` has of a table besides its source, as far as it is here."""
    if space in PACKAGED and not name:
        return {"here": "packaged"}
    if not path_of(space, name).exists():
        return {}
    try:
        imported = stored(space, name)
    except InputError as error:
        return {"here": "damaged", "problem": str(error)}
    return summary(imported.table, imported.origin, name) | {"here": "imported"}


def _source(space: str, name: str) -> str:
    return f"{space}:{name}" if name else space


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


def problem_of(source: str) -> str:
    """What is wrong with the ground truth of a space, or with a table SPACE:NAME of it (missing or
    damaged), "" where nothing is."""
    try:
        space, name = source_parts(source)
        if space in PACKAGED and not name:
            load(space)
        else:
            check_table(stored(space, name).table)
    except InputError as error:
        return str(error)
    return ""


def check_no_other(space: str, is_same: Callable[[Stored], bool], name: str = "") -> None:
    """Raises `InputError` if an undamaged table of this space and name is stored that is not the
    same."""
    source = _source(space, name)
    if not path_of(space, name).exists() or problem_of(source):
        return
    earlier = stored(space, name)
    if not is_same(earlier):
        raise InputError(
            f"{'table' if name else 'space'} {source}: ground truth from {earlier.origin.file} is "
            f"here ({earlier.table.kind} accuracy); --replace puts another in its place"
        )


def _read_csv(path: Path, space: str, accuracy_kind: str | None, dataset: str | None) -> Table:
    datasets = SPACES[space].datasets
    named = kind_named(path)
    accuracy_kind, dataset = accuracy_kind or named or KINDS[0], dataset or datasets[0]
    if accuracy_kind not in KINDS:
        raise unknown("kind", accuracy_kind, KINDS)
    if {named, accuracy_kind} == {"validation", "test"}:
        raise InputError(f"{path}: its column is of {named} accuracies, got kind {accuracy_kind}")
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
