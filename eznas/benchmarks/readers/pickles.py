"""Pickles of which only plain data is admitted: they call nothing but what the reader gives."""

import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from eznas.errors import InputError

Admitted = Mapping[tuple[str, str], Callable[..., Any]]  # (module, name) -> what stands for it


def read_plain_pickle(path: Path) -> Any:
    """The content of a pickle of dicts, lists, strings and numbers; anything else is refused."""
    try:
        with path.open("rb") as file:
            return plain_pickle(file, str(path))
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def plain_pickle(file: BinaryIO, name: str, admitted: Admitted | None = None) -> Any:
    """The content of an open pickle; `InputError` under this name for what is damaged, or asks for
    more than plain data and what is `admitted`."""
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
        found = self._admitted.get((module, name))
        if found is None:
            raise InputError(f"{self._name}: refused {module}.{name}; expected plain data only")
        return found
