"""Imported ground truth: one gzipped JSON file for each space in a cache folder.

Readers turn official files into it once.
"""

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pooch
from numpy.typing import NDArray

from eznas.benchmarks.benchmark import DATASETS, KINDS, Benchmark, Table
from eznas.benchmarks.splits import components
from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.system.files import parse_json, write_whole

FORMAT = 2
_DAMAGE = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError)
FOLDER = "EZNAS_DATA"  # the environment variable that names another folder


@dataclass(frozen=True)
class Origin:
    """Where a stored table comes from: the name and SHA-256 of the file that was imported."""

    file: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Stored:
    """An imported table, where it is from, and the component of each of its networks."""

    table: Table
    origin: Origin
    components: NDArray[np.int64]

    def benchmark(self) -> Benchmark:
        """The table as ground truth."""
        trials = self.table.trials
        architectures = tuple(next(iter(trials.values())))
        return Benchmark.of_trials(
            space=self.table.space,
            architectures=architectures,
            datasets={d: DATASETS[d] for d in trials},
            trials={d: tuple(rows[a] for a in architectures) for d, rows in trials.items()},
            components=self.components,
            kind=self.table.kind,
        )


def folder() -> Path:
    """Where tables are kept."""
    return Path(os.environ.get(FOLDER) or pooch.os_cache("eznas"))


def path_of(space: str) -> Path:
    """The file of a space's table."""
    return folder() / f"{space}.json.gz"


def store(table: Table, origin: Origin) -> Path:
    """Write a table whole, in place of the one that was there."""
    architectures = [*next(iter(table.trials.values()))]
    content = {
        "format": FORMAT,
        "space": table.space,
        "kind": table.kind,
        "origin": {"file": origin.file, "sha256": origin.sha256},
        # Which networks have one function takes long to find out where there are many.
        "components": components(SPACES[table.space], architectures).tolist(),
        "trials": {d: {a: list(t) for a, t in rows.items()} for d, rows in table.trials.items()},
    }
    path = path_of(table.space)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent}: cannot write: {error.strerror}") from None
    write_whole(path, gzip.compress(json.dumps(content).encode(), mtime=0))
    return path


def stored(space: str) -> Stored:
    """The table of a space as it was imported; `InputError` where there is none or a damaged
    one."""
    path = path_of(space)
    try:
        content = parse_json(gzip.decompress(path.read_bytes()))
        return _checked(content, space)
    except FileNotFoundError:
        raise InputError(
            f"no ground truth of {space} here: `eznas data list` says where to get it, "
            f"`eznas data import {space} FILE` takes it in"
        ) from None
    except _DAMAGE as error:
        raise InputError(f"{path}: damaged, import it again: {error}") from None


def _checked(content: Mapping[str, Any], space: str) -> Stored:
    if content["format"] != FORMAT or content["space"] != space or content["kind"] not in KINDS:
        raise ValueError(f"expected format {FORMAT} of {space}")
    trials = {
        dataset: {a: tuple(map(float, t)) for a, t in rows.items()}
        for dataset, rows in content["trials"].items()
        if dataset in DATASETS
    }
    first = next(iter(trials.values()), {})
    if not first or not all(rows.keys() == first.keys() for rows in trials.values()):
        raise ValueError("expected the same architectures on every data set")
    if not all(runs for rows in trials.values() for runs in rows.values()):
        raise ValueError("expected an accuracy of every architecture")
    linked = np.array([*map(int, content["components"])], dtype=np.int64)
    if linked.shape != (len(first),):
        raise ValueError("expected a component of every architecture")
    return Stored(Table(space, content["kind"], trials), Origin(**content["origin"]), linked)
