"""Pickles read as plain data: nothing that a file names is imported or called."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from eznas.errors import InputError

# (module, name) that a pickle may name -> what is called in its place
Admitted = Mapping[tuple[str, str], Callable[..., Any]]


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle file of dicts, lists, tuples, strings and numbers.

    Raises `InputError` if the file cannot be read, is damaged, or holds anything else.
    """
    try:
        with path.open("rb") as file:
            return plain_pickle(file, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def plain_pickle(file: BinaryIO, name: str, admitted: Admitted | None = None) -> Any:
    """The content of an open pickle of plain data and of what is `admitted` (default: nothing).

    `InputError`, which shows the file by `name`, where it is damaged or names any other class or
    function.
    """
    try:
        return _PlainUnpickler(file, name, admitted or {}).load()
    except InputError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise InputError(f"{name}: not a readable pickle: {error}") from error


class _PlainUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, name: str, admitted: Admitted) -> None:
        super().__init__(file)
        self._name, self._admitted = name, admitted

    def find_class(self, module: str, name: str) -> Any:
        replacement = self._admitted.get((module, name))
        if replacement is None:
            raise InputError(f"{self._name}: refused {module}.{name}; expected plain data only")
        return replacement
