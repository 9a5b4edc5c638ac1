"""Learning curves imported from files into the cache folder, and which of them are there."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from eznas.benchmarks.curves import CURVES, Curves, curves_path, plain, store_curves, stored_curves
from eznas.benchmarks.readers import CURVE_READERS
from eznas.benchmarks.sources import source_of
from eznas.benchmarks.store import Origin
from eznas.errors import InputError, unknown
from eznas.spaces import SPACES
from eznas.system.files import regular


def import_curves(name: str, file: str | Path, replace: bool = False) -> dict[str, Any]:
    """Import learning curves into the cache folder; returns their `summary`.

    Raises `InputError` if the name is unknown, if the file (or folder) cannot be read or is not as
    expected, and if other curves of this name are there and `replace` is false. Those then stay.
    """
    path = regular(Path(file))
    curves, origin = read(name, path), Origin.of(path)
    if not replace:
        check_no_others(name, curves)
    store_curves(curves, origin)
    return summary(curves, origin)


def read(name: str, path: Path) -> tuple[Curves, ...]:
    """The learning curves of this name in a file, one for each data set; raises `InputError` as
    `import_curves` does."""
    if name not in CURVES:
        raise unknown("learning curves", name, CURVES)
    return CURVE_READERS[name](path)


def check_no_others(name: str, curves: Sequence[Curves]) -> None:
    """Raises `InputError` if undamaged learning curves of this name are stored that are not the
    same."""
    if not curves_path(name).exists() or problem_of_curves(name):
        return
    earlier, origin = stored_curves(name)
    if [*map(plain, earlier)] != [*map(plain, curves)]:
        raise InputError(
            f"learning curves {name}: those from {origin.file} are here; --replace puts others in "
            "their place"
        )


def summary(curves: Sequence[Curves], origin: Origin) -> dict[str, Any]:
    """What learning curves contain, as plain data.

    Their name and space, the number of networks, the data sets, what was measured, the number of
    points, the first and the last epoch of them, the epochs of the whole training and the origin.
    """
    first = curves[0]
    return {
        "name": first.name,
        "space": first.space,
        "networks": len(first.architectures),
        "datasets": [of_dataset.dataset for of_dataset in curves],
        "values": list(first.values),
        "points": len(first.epochs),
        "epochs": [int(first.epochs[0]), int(first.epochs[-1])],
        "total_epochs": first.total_epochs,
        "origin": asdict(origin),
    }


def curve_tables() -> list[dict[str, Any]]:
    """For every name of learning curves, whether they are here, as plain data.

    `about` says what they are, `here` is "imported", "damaged" or "" (none), `problem` says what is
    damaged, and `source` describes the official file; imported curves add their `summary`.
    """
    rows = []
    for name, about in CURVES.items():
        source = source_of(name)
        row: dict[str, Any] = {"name": name, "about": about, "here": "", "problem": ""}
        if curves_path(name).exists():
            try:
                row |= summary(*stored_curves(name)) | {"here": "imported"}
            except InputError as error:
                row |= {"here": "damaged", "problem": str(error)}
        rows.append(row | {"source": None if source is None else asdict(source)})
    return rows


def problem_of_curves(name: str) -> str:
    """What is wrong with stored learning curves (missing or damaged), "" where nothing is."""
    try:
        for curves in stored_curves(name)[0]:
            if curves.space:
                space = SPACES[curves.space]
                for architecture in curves.architectures:
                    if (canonical := space.canonical(architecture)) != architecture:
                        raise InputError(f"{architecture}: expected the canonical {canonical}")
    except KeyError as error:
        return f"{curves_path(name)}: unknown space {error}"
    except InputError as error:
        return str(error)
    return ""
