"""Run folders: each has a name, is locked while it is written, and can be read at any time.

Files are renamed into place and a line of a log counts once it is complete, so that a folder is
readable at every moment. No run overwrites another.
"""

import fcntl
import json
import os
import re
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eznas.errors import InputError, unknown
from eznas.system.files import plain, read_as, read_lines, write_whole

ROOT = Path("runs")
CONFIG = "config.json"  # a folder that has this file is a run
LOOKS, LOOK = 3, 0.02  # how often a lock is tried again, and after how many seconds
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunFolder:
    """The folder of one run; `create` makes a new one, `find` one that exists."""

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
        """A new folder `root/name`, or `root/stem-K` with the first free K from 1.

        A folder without `config.json` belongs to a process that was killed as it began: its name is
        free. Raises `InputError` for a name that is taken, `reserved` (for proxies, say) or cannot
        be a folder's, and for a root that cannot be written.
        """
        if name is not None and (name in reserved or name.endswith(".json")):
            raise InputError(
                f"run name {name!r}: expected no name of a proxy and none that ends in .json"
            )
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
        """The folder of a run, by path or name. Raises `InputError`, with the nearest known name,
        if there is none."""
        for path in (Path(name), root / name):
            if _is_run_folder(path):
                return RunFolder(path)
        names = run_names(root)
        raise unknown("run", name, names) if names else InputError(f"unknown run {name!r}")

    def has(self, name: str) -> bool:
        """Whether the folder has a file of this name."""
        return (self.path / name).is_file()

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file atomically; numbers that are not finite become null. Raises
        `InputError` if it cannot be written."""
        write_whole(self.path / name, json.dumps(plain(content), indent=2, allow_nan=False) + "\n")

    def remove(self, name: str) -> None:
        """Remove a file of the folder, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    def read(self, name: str, form: Any = Any) -> Any:
        """The content of a JSON file as a type that pydantic can check, by default any;
        `InputError` names a file that is missing, damaged or of another form."""
        return read_as(self.path / name, form)

    def lines(self, name: str) -> list[Any]:
        """The content of the complete lines of a log of JSON, [] where there is no such file;
        `InputError` for one that is damaged."""
        return read_lines(self.path / name) if self.has(name) else []

    def is_locked(self) -> bool:
        """Whether a process is in the context of `locked` for this folder; `InputError` for one
        that cannot be read."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise InputError(f"{self.path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)  # the lock goes with it
        return False


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they are missing; `InputError` where that cannot
    be."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def is_run(name: str, root: Path = ROOT) -> bool:
    """Whether a text is the path or name of a run."""
    return any(map(_is_run_folder, (Path(name), root / name)))


def run_names(root: Path = ROOT) -> list[str]:
    """The names of all runs in a folder of runs, sorted."""
    return [path.parent.name for path in sorted(root.glob(f"*/{CONFIG}"))]


def _is_run_folder(path: Path) -> bool:
    # Unlike `Path.is_file`, this takes a text that is too long for the name of a file.
    return os.path.isfile(path / CONFIG)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A context that one process at a time can enter for a folder; a process that is killed leaves
    no lock. Incomplete files of a killed process are removed.

    Raises `InputError` if another process is in the context, or the folder cannot be locked.
    """
    descriptor = -1
    try:
        descriptor = os.open(path, os.O_RDONLY)
        _lock(descriptor)
        for incomplete in path.glob(".*.partial"):
            incomplete.unlink(missing_ok=True)
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        busy = "another process is at work on this run"
        reason = busy if isinstance(error, BlockingIOError) else error.strerror
        raise InputError(f"{path}: {reason}") from None
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Lock an open folder; `BlockingIOError` where it is locked for longer than `is_locked`
    takes."""
    for _ in range(LOOKS):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(LOOK)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _new_folder(root: Path, name: str | None, stem: str) -> Path:
    """Make root/name, or root/stem-K with the first free K; `OSError` where that cannot be."""
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
    """Whether a folder has no files but those that are written before `config.json`."""
    return path.is_dir() and all(
        file.name == "environment.json" or file.suffix == ".partial" for file in path.iterdir()
    )
