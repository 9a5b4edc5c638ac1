"""Files and plain data: whole or not at all, and as JSON can say it."""

import contextlib
import hashlib
import importlib.resources
import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from eznas.errors import InputError

LARGEST = 4 * 2**20  # bytes of a stranger's JSON file: ten times the largest that a run writes
DEEPEST = 50  # levels of lists and objects in it, so that walking them stays within the stack
Form = TypeVar("Form")


def write_whole(path: Path, content: str | bytes) -> None:
    """Write to a new file beside, then rename: a reader never sees half of it, and what is there
    afterwards stays there through a power cut."""
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
        with contextlib.suppress(OSError):  # where it could not even be begun
            partial.unlink()
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def append(path: Path, data: bytes, end: int) -> None:
    """Put data at `end` bytes of a file, what stood beyond is gone, and see it reach the disk."""
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


def digest(data: bytes) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(package: str) -> str:
    """SHA-256 of a package's source files, wherever it is installed."""
    root = Path(str(importlib.resources.files(package)))
    folders = os.walk(root, followlinks=True)
    sources = sorted(
        Path(folder, n) for folder, _, own in folders for n in own if n.endswith(".py")
    )
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def write_sealed(path: Path, content: bytes) -> None:
    """Write content whole, under a line that tells its length and digest."""
    seal = json.dumps({"bytes": len(content), "sha256": digest(content)})
    write_whole(path, seal.encode() + b"\n" + content)


def read_sealed(path: Path) -> bytes:
    """What `write_sealed` wrote; `InputError` where a bit of it is another."""
    seal, _, content = _bytes(path, math.inf).partition(b"\n")
    if seal != json.dumps({"bytes": len(content), "sha256": digest(content)}).encode():
        raise InputError(f"{path}: damaged: its content is not what its first line says")
    return content


def _sync_folder(folder: Path) -> None:
    """See a new name in a folder reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def regular(path: Path) -> Path:
    """The path; `InputError` for a pipe or a device, which might never end."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise InputError(f"{path}: a pipe or a device, expected a file")
    return path


def read_as(path: Path, form: type[Form]) -> Form:
    """The content of a JSON file that may come from a stranger, as a form (what pydantic checks).

    What is read can be written again. `InputError` names the file and what is wrong: larger than
    `LARGEST` bytes, nested deeper than `DEEPEST` levels, not Unicode, a number that is not finite,
    or the key that is not as the form has it.
    """
    content = read_json(path, LARGEST)
    if not _is_shallow(content):
        raise InputError(f"{path}: damaged: nested deeper than {DEEPEST} levels")
    try:
        checked = TypeAdapter(form).validate_python(content)
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "content"
        raise InputError(f"{path}: {where}: {first['msg']}") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None
    return checked


def read_json(path: Path, most: float = math.inf) -> Any:
    """The content of a JSON file of at most `most` bytes; `InputError` names one that is missing,
    too large or damaged."""
    data = _bytes(path, most)
    try:
        return parse_json(data)
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None


def parse_json(data: bytes) -> Any:
    """What JSON in UTF-8 says; `ValueError` where it is none, too deep, or says a key twice."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def plain(content: Any) -> Any:
    """Content as JSON can say it: a number that is not finite becomes null."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(k): plain(v) for k, v in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(v) for v in content]
    return content


def _bytes(path: Path, most: float) -> bytes:
    regular(path)
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= most else b""
    except (OSError, ValueError) as error:  # ValueError for a name that no file can have
        raise InputError(f"{path}: {getattr(error, 'strerror', error)}") from None
    if size > most:
        raise InputError(f"{path}: {size} bytes, at most {most} are read")
    return data


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return content


def _is_shallow(content: Any) -> bool:
    """Whether lists and objects are within `DEEPEST` levels, without recursion."""
    inside = [content]
    for _ in range(DEEPEST):
        parts = [list(c.values()) if isinstance(c, dict) else c for c in inside]
        inside = [value for part in parts if isinstance(part, list) for value in part]
    return not any(isinstance(value, dict | list) for value in inside)
