"""Imported ground truth in the cache folder: one gzipped JSON file for each search space, and
further ones for other tables of it, under names of their own.

A file is read by its reader once, when it is imported; from then on the stored table is used.
`eznas.benchmarks.curves` stores learning curves beside the tables in the same way.
"""

import gzip
import hashlib
import json
import os
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pooch
from numpy.typing import NDArray

from eznas.benchmarks.benchmark import DATASETS, KINDS, Benchmark, Table
from eznas.benchmarks.splits import Booleans, parts
from eznas.errors import InputError, one_line, unknown
from eznas.spaces import SPACES
from eznas.system.files import parse_json, write_whole

FORMAT = 3
FOLDER = "EZNAS_DATA"  # the environment variable that names another folder
# What a damaged file raises when it is unpacked, parsed and checked.
_DAMAGE = (
    *(OSError, EOFError, zlib.error),
    *(ValueError, LookupError, TypeError, AttributeError, OverflowError),
)
Content = TypeVar("Content")
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,39}", re.ASCII)
_MARK = "+"  # in the names of files, between the space and the name of a table


@dataclass(frozen=True)
class Origin:
    """Where a stored table comes from: the name and SHA-256 of the file that was imported."""

    file: str
    sha256: str

    @staticmethod
    def of(path: Path) -> "Origin":
        """That of a file or folder; raises `InputError` if it cannot be read."""
        return Origin(one_line(path.resolve().name), sha256_of(path))


@dataclass(frozen=True, eq=False)
class Stored:
    """An imported table, its `name` ("": the usual one of its space), the file that it comes from,
    and the parts of its networks.

    components: int64 [networks], in the order of the table's architectures; is_held_out: bool
    [networks].
    """

    table: Table
    origin: Origin
    components: NDArray[np.int64]
    is_held_out: Booleans
    name: str = ""

    def benchmark(self) -> Benchmark:
        """The benchmark that the table contains."""
        trials = self.table.trials
        architectures = tuple(next(iter(trials.values())))
        return Benchmark.of_trials(
            space=self.table.space,
            architectures=architectures,
            datasets={d: DATASETS[d] for d in trials},
            trials={d: tuple(rows[a] for a in architectures) for d, rows in trials.items()},
            parts=(self.components, self.is_held_out),
            kind=self.table.kind,
            table=self.name,
        )


def folder() -> Path:
    """The folder of stored tables: that of the variable `EZNAS_DATA`, else the user's cache.

    Raises `InputError` where the variable is not set and the user has no home folder.
    """
    if named := os.environ.get(FOLDER):
        return Path(named)
    try:
        return Path(pooch.os_cache("eznas"))
    except RuntimeError:  # where a bare user id, as in a container, has no home
        raise InputError(f"no home folder for data: set {FOLDER} to a folder") from None


def source_parts(source: str) -> tuple[str, str]:
    """The space and the name of the table ("": the usual one) of a text SPACE or SPACE:NAME.
    Raises `InputError` for a name that no table can have."""
    space, mark, name = source.partition(":")
    if mark:
        check_name(name)
    return space, name


def check_name(name: str) -> None:
    """Raises `InputError` for a name that no table can have."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"name of a table {name!r}: expected 1 to 40 small letters, digits or hyphens"
        )


def path_of(space: str, name: str = "") -> Path:
    """The file of a space's stored table, whether or not it exists; `name`: of another table than
    its usual one."""
    return folder() / f"{space}{_MARK * bool(name)}{name}.json.gz"


def names_of(space: str) -> list[str]:
    """The names of a space's stored tables besides the usual one, sorted."""
    start, end = f"{space}{_MARK}", ".json.gz"
    names = [path.name[len(start) : -len(end)] for path in folder().glob(f"{start}*{end}")]
    return sorted(filter(_NAME.fullmatch, names))


def store(table: Table, origin: Origin, name: str = "") -> Path:
    """Store a table in place of an earlier one of its space and name; returns the path of its file.

    The file is written atomically. Raises `InputError` if it cannot be written, or if an
    architecture is not of the space.
    """
    architectures = [*next(iter(table.trials.values()))]
    components, is_held_out = parts(SPACES[table.space], architectures)
    content = {
        "format": FORMAT,
        "space": table.space,
        "kind": table.kind,
        "origin": asdict(origin),
        # Stored because finding them takes long where there are many networks.
        "components": components.tolist(),
        "held_out": is_held_out.tolist(),
        "trials": {
            dataset: {architecture: list(runs) for architecture, runs in runs_of.items()}
            for dataset, runs_of in table.trials.items()
        },
    }
    path = path_of(table.space, name)
    write_content(path, content)
    return path


def stored(space: str, name: str = "") -> Stored:
    """The stored table of a space; `name`: another one than its usual one.

    Raises `InputError` if none was imported, which tells how to get it, or if its file is damaged
    or was written by another version.
    """
    if name and name not in (names := names_of(space)):
        how = f"`eznas data import {space} FILE --name {name}` imports one"
        if not names:
            raise InputError(f"no table {name!r} of {space} here: {how}")
        raise InputError(f"{unknown(f'table of {space}', name, names)}; {how}")
    missing = (
        f"no ground truth of {space} here: `eznas data list` says where to get it, "
        f"`eznas data import {space} FILE` imports it"
    )
    path = path_of(space, name)
    return read_content(path, lambda content: _checked(content, space, name), missing)


def write_content(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain data to a file of the cache folder, atomically; raises `InputError` if it cannot
    be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write: {error.strerror}") from None
    write_whole(path, gzip.compress(json.dumps(content).encode(), mtime=0))


def read_content(path: Path, checked: Callable[[Any], Content], missing: str) -> Content:
    """What `checked` makes of the plain data that `write_content` wrote.

    Raises `InputError`: `missing` if there is no such file, and if it is damaged, which `checked`
    says by an error that other content raises by itself (`ValueError`, `KeyError`, ...).
    """
    try:
        return checked(parse_json(gzip.decompress(path.read_bytes())))
    except FileNotFoundError:
        raise InputError(missing) from None
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged, import it again: {error}") from None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits; of a folder, that of a list of its files.

    The list has the SHA-256 and the name of each file. Raises `InputError` if one cannot be read.
    """
    try:
        if not path.is_dir():
            return str(pooch.file_hash(str(path)))
        files = (file for file in sorted(path.iterdir()) if file.is_file())
        lines = [f"{pooch.file_hash(str(file))}  {file.name}\n" for file in files]
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _checked(content: Mapping[str, Any], space: str, name: str) -> Stored:
    """The content of a stored file as a table; one of the errors in `_DAMAGE` where it is not."""
    if content["format"] != FORMAT:
        raise ValueError(f"written by another version, in format {content['format']}")
    if content["space"] != space or content["kind"] not in KINDS:
        raise ValueError(f"expected format {FORMAT} of {space}")
    trials = {
        dataset: {architecture: tuple(map(float, runs)) for architecture, runs in runs_of.items()}
        for dataset, runs_of in content["trials"].items()
        if dataset in DATASETS
    }
    architectures = next(iter(trials.values()), {}).keys()
    if not architectures or any(runs_of.keys() != architectures for runs_of in trials.values()):
        raise ValueError("expected the same architectures on every data set")
    if not all(runs for runs_of in trials.values() for runs in runs_of.values()):
        raise ValueError("expected an accuracy of every architecture")
    component_of = np.array([*map(int, content["components"])], dtype=np.int64)
    if component_of.shape != (len(architectures),):
        raise ValueError("expected a component of every architecture")
    is_held_out = np.array([*map(bool, content["held_out"])], dtype=bool)
    if is_held_out.shape != component_of.shape:
        raise ValueError("expected of every architecture whether it is held out")
    table, origin = Table(space, content["kind"], trials), Origin(**content["origin"])
    return Stored(table, origin, component_of, is_held_out, name)
