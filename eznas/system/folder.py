"""Folders that hold what a long command makes: named, locked while it is written, read at any time.

Files in them are renamed into place and a line of a log counts when it ends, so that a folder is
readable at every moment. Nothing is ever overwritten by another command.
"""

import fcntl
import json
import os
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eznas.errors import InputError, unknown
from eznas.system.files import plain, read_as, write_whole

ROOT = Path("runs")
CONFIG = "config.json"  # which makes a folder a run
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunFolder:
    """One run's folder; `create` makes a new one, `find` opens one that is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.path.name

    @staticmethod
    def create(
        name: str | None, stem: str, root: Path = ROOT, reserved: Collection[str] = ()
    ) -> "RunFolder":
        """A new folder `root/name`, or `root/stem-K` with the first free K.

        `config.json` makes it a run: a folder without it is what a process left that was killed as
        it began, and its name is free. `InputError` if the name is taken, `reserved` or no name
        for a folder.
        """
        if name is not None and (name in reserved or name.endswith(".json")):
            raise InputError(f"run name {name!r}: it would hide behind a proxy or a file")
        if name is not None and not _NAME.fullmatch(name):
            raise InputError(
                f"run name {name!r}: expected up to 100 letters, digits, '.', '_' or '-'"
            )
        try:
            root.mkdir(exist_ok=True)
            return RunFolder(_new_folder(root, name, stem))
        except OSError as error:
            if name is not None and (root / name).exists():
                raise InputError(
                    f"run {name!r} exists already in {root}/; choose another name"
                ) from None
            raise InputError(f"runs folder {root}: {error.strerror}") from None

    @staticmethod
    def find(name: str, root: Path = ROOT) -> "RunFolder":
        """The folder of a run by path or name; `InputError` names the nearest."""
        # Unlike Path's own, isfile takes a text too long for the name of a file.
        for path in (Path(name), root / name):
            if os.path.isfile(path / CONFIG):
                return RunFolder(path)
        known = run_names(root)
        raise unknown("run", name, known) if known else InputError(f"unknown run {name!r}")

    def has(self, name: str) -> bool:
        """Whether a file of this name is there."""
        return (self.path / name).is_file()

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file whole; numbers that are not finite become null."""
        write_whole(self.path / name, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")

    def read(self, name: str, form: Any = Any) -> Any:
        """The content of a JSON file, as a form (what pydantic checks) where one is given;
        `InputError` names a file that is missing, damaged or of another form."""
        return read_as(self.path / name, form)


def is_run(name: str, root: Path = ROOT) -> bool:
    """Whether a path or name is that of a run."""
    return any(os.path.isfile(path / CONFIG) for path in (Path(name), root / name))


def run_names(root: Path = ROOT) -> list[str]:
    """The names of all runs in a folder of runs, sorted."""
    return [path.parent.name for path in sorted(root.glob(f"*/{CONFIG}"))]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """No second process can enter this context for the same folder; the lock goes with the process.

    `InputError` where another is in it, or the folder cannot be locked.
    """
    handle = -1
    try:
        handle = os.open(path, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for incomplete in path.glob(".*.partial"):  # of a process that was killed
            incomplete.unlink(missing_ok=True)
    except OSError as error:
        if handle >= 0:
            os.close(handle)
        busy = "another process is at work on this run"
        reason = busy if isinstance(error, BlockingIOError) else error.strerror
        raise InputError(f"{path}: {reason}") from None
    try:
        yield
    finally:
        os.close(handle)


def _new_folder(root: Path, name: str | None, stem: str) -> Path:
    if name is not None:
        (root / name).mkdir(exist_ok=_never_began(root / name))
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


def _never_began(path: Path) -> bool:
    """Whether a folder has nothing but what is written before `config.json`."""
    return path.is_dir() and all(
        file.name == "environment.json" or file.suffix == ".partial" for file in path.iterdir()
    )
