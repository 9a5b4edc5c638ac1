"""Run folders: the only writer of them, and their reader.

| file           | what                                                                   |
|----------------|------------------------------------------------------------------------|
| config.json    | the resolved configuration                                             |
| environment.json | versions, platform, data fingerprints                                |
| journal.jsonl  | one line per generation; equal for equal seeds, so without times       |
| timings.jsonl  | one line per generation: seconds                                       |
| archive.json   | the best formulas so far, replaced whole after every generation        |
| state.json     | all it takes to go on: see `books`; the one before: state.previous.json |
| result.json    | the champion and the held-out table, written last                      |

The folder is readable at every moment: files are renamed into place, a line of a log counts when
it ends. Nothing is ever overwritten by another run.
"""

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eznas.discovery.config import Batch
from eznas.errors import InputError, unknown
from eznas.proxies.classics import CLASSICS
from eznas.system.files import plain, read_as, write_whole

ROOT = Path("runs")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Batches(BaseModel):
    """Of `config.json`: under which batches a run's formulas were evolved."""

    raw_batch: Batch
    sketch_batch: Batch


class Entry(BaseModel):
    """Of `archive.json`, a list of them: a formula and the least coverage that it had."""

    formula: str
    coverage: float | None = None


class Outcome(BaseModel):
    """Of `result.json`: the champion and the rows that judge it."""

    formula: str
    stopped: str = ""
    evaluations: int = 0
    held_out: list[dict[str, Any]] = []


class Environment(BaseModel):
    """Of `environment.json`: how the run measured."""

    conditions: list[dict[str, Any]] = []
    fingerprints: list[str] = []


class RunFolder:
    """One run's folder; `create` makes a new one, `find` opens one that is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def create(name: str | None, stem: str, root: Path = ROOT) -> "RunFolder":
        """A new folder `root/name`, or `root/stem-K` with the first free K.

        `config.json` makes it a run: without, a process was killed as it began, and the name is
        free. `InputError` if the name is taken or no name for a folder.
        """
        if name is not None and (name in CLASSICS or name.endswith(".json")):
            raise InputError(f"run name {name!r}: it would hide behind a proxy or a file")
        if name is not None and not _NAME.fullmatch(name):
            raise InputError(
                f"run name {name!r}: expected up to 100 letters, digits, '.', '_' or '-'"
            )
        try:
            root.mkdir(exist_ok=True)
            return RunFolder(_made(root, name, stem))
        except OSError as error:
            if name is not None and (root / name).exists():
                raise InputError(
                    f"run {name!r} exists already in {root}/; choose another name"
                ) from None
            raise InputError(f"runs folder {root}: {error.strerror}") from None

    @staticmethod
    def find(name: str, root: Path = ROOT) -> "RunFolder":
        """The folder of a run by path or name; `InputError` names the nearest."""
        for path in (Path(name), root / name):
            if (path / "config.json").is_file():
                return RunFolder(path)
        known = [p.parent.name for p in sorted(root.glob("*/config.json"))]
        raise unknown("run", name, known) if known else InputError(f"unknown run {name!r}")

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file whole."""
        write_whole(self.path / name, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")

    def read(self, name: str, form: Any = Any) -> Any:
        """The content of a JSON file, as a form where one is given; `InputError` names a file that
        is missing, damaged or of another form."""
        return read_as(self.path / name, form)


def _made(root: Path, name: str | None, stem: str) -> Path:
    if name is not None:
        (root / name).mkdir(exist_ok=_unbegun(root / name))
        return root / name
    number = 1
    while True:
        path = root / f"{stem}-{number}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _unbegun(path: Path) -> bool:
    """Whether a folder has nothing but what is written before `config.json`."""
    return path.is_dir() and all(
        p.name == "environment.json" or p.suffix == ".partial" for p in path.iterdir()
    )
