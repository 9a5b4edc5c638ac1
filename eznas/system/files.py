"""Files that are written atomically, digests of files, and untrusted JSON."""

import contextlib
import hashlib
import importlib.resources
import json
import math
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eznas.errors import InputError

LARGEST = 4 * 2**20  # bytes of an untrusted JSON file: ten times the largest that a run writes
DEEPEST = 50  # levels of lists and objects in it, so that walking them stays within the stack
Schema = TypeVar("Schema")


def check_new(path: Path, force: bool = False) -> None:
    """Raise `InputError` if a file cannot be written there: it exists and is not to be replaced by
    `force`, it is a folder, or there is no folder for it."""
    if os.path.isdir(path):  # unlike `Path.is_dir` it takes a name that is too long
        raise InputError(f"{path}: cannot write: it is a folder")
    if os.path.lexists(path) and not force:
        raise InputError(f"{path}: exists already; --force (force=True) replaces it")
    if not os.path.isdir(path.parent):
        raise InputError(f"{path}: cannot write: no folder {path.parent}")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write to a new file beside the path, then rename it: a reader sees all of the old content or
    all of the new, and the new content survives a power cut.

    Raises `InputError` if the file cannot be written; the old one then stays as it is.
    """
    data = content.encode() if isinstance(content, str) else content
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):  # where it could not be created
            partial.unlink()
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder, all of it or nothing; where the target exists it stays as it is.

    Raises `InputError` if it cannot be written.
    """
    if target.exists():
        return
    partial = target.parent / f".{target.name}.{os.getpid()}.partial"
    try:
        shutil.copytree(source, partial)
        partial.rename(target)
    except OSError as error:
        if not target.exists():  # else another process was first
            raise InputError(f"{target}: cannot write: {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def append(path: Path, data: bytes, end: int) -> None:
    """Cut a file to its first `end` bytes, write data there, and wait until it is on the disk.

    A file that does not exist is created. Raises `InputError` if it cannot be written.
    """
    try:
        with path.open("r+b" if path.exists() else "xb") as file:
            file.truncate(end)
            file.seek(end)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not end:
            _sync_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def _sync_folder(folder: Path) -> None:
    """Wait until a new name in a folder is on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def digest(data: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(package: str) -> str:
    """SHA-256 of the source files of a package, as hexadecimal digits: equal wherever the package
    is installed, and whether or not its folders are links."""
    root = Path(str(importlib.resources.files(package)))
    sources = sorted(
        Path(folder, name)
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
        if name.endswith(".py")
    )
    sha256 = hashlib.sha256()
    for path in sources:
        sha256.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return sha256.hexdigest()


def write_sealed(path: Path, content: bytes) -> None:
    """Write content below a line with its length and digest, as `write_whole` does.

    Raises `InputError` if the file cannot be written.
    """
    write_whole(path, _seal(content) + b"\n" + content)


def read_sealed(path: Path) -> bytes:
    """The content that `write_sealed` wrote.

    Raises `InputError` if the file cannot be read, and if a single bit of it has changed.
    """
    seal, _, content = _read(path, math.inf).partition(b"\n")
    if seal != _seal(content):
        raise InputError(f"{path}: damaged: its content is not what its first line says")
    return content


def _seal(content: bytes) -> bytes:
    return json.dumps({"bytes": len(content), "sha256": digest(content)}).encode()


def regular(path: Path) -> Path:
    """The path itself; raises `InputError` for a pipe or a device, reading which might never
    end."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise InputError(f"{path}: a pipe or a device, expected a file")
    return path


def _read(path: Path, limit: float) -> bytes:
    """The bytes of a file of at most `limit` bytes."""
    regular(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= limit else b""
    except (OSError, ValueError) as error:  # ValueError for a name that no file can have
        raise InputError(f"{path}: {getattr(error, 'strerror', error)}") from None
    if size > limit:
        raise InputError(f"{path}: {size} bytes, at most {limit} are read")
    return data


def read_as(path: Path, schema: type[Schema]) -> Schema:
    """The content of a JSON file that may be untrusted, checked by pydantic against a schema.
    Content that can be read can also be written again.

    Raises `InputError`, which names the file and what is wrong: larger than `LARGEST` bytes, nested
    deeper than `DEEPEST` levels, not Unicode, a number that is not finite, or the first key that
    does not match the schema.
    """
    content = read_json(path, LARGEST)
    if not _is_shallow(content):
        raise InputError(f"{path}: damaged: nested deeper than {DEEPEST} levels")
    try:
        checked = TypeAdapter(schema).validate_python(content)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "content"
        raise InputError(f"{path}: {key}: {first['msg']}") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None
    return checked


def read_json(path: Path, limit: float = math.inf) -> Any:
    """The content of a JSON file of at most `limit` bytes.

    Raises `InputError` if the file is missing, too large or damaged.
    """
    data = _read(path, limit)
    try:
        return parse_json(data)
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None


def read_lines(path: Path) -> list[Any]:
    """The content of each line of JSON that is complete.

    Raises `InputError` if the file is missing or damaged.
    """
    complete, _, _ = _read(path, math.inf).rpartition(b"\n")
    try:
        return [parse_json(line) for line in complete.splitlines()]
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None


def parse_json(data: bytes) -> Any:
    """The content of JSON in UTF-8; `ValueError` for anything else, for JSON that is nested too
    deeply, and for an object with the same key twice."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain(content: Any) -> Any:
    """Content as JSON can express it: mappings as dicts with texts as keys, other sequences as
    lists, and a number that is not finite as None."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(k): plain(v) for k, v in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(v) for v in content]
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        repeated = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {repeated!r} stands twice")
    return content


def _is_shallow(content: Any) -> bool:
    """Whether lists and objects are within `DEEPEST` levels; without recursion."""
    level = [content]
    for _ in range(DEEPEST):
        children = [list(c.values()) if isinstance(c, dict) else c for c in level]
        level = [value for values in children if isinstance(values, list) for value in values]
    return not any(isinstance(value, dict | list) for value in level)
