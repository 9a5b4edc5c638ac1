"""Files and plain data: whole or not at all, and as JSON can say it."""

import contextlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eznas.errors import InputError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write to a new file beside, then rename: a reader never sees half of it."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.parent / f".{path.name}.{os.getpid()}.partial"
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where it could not even be begun
            partial.unlink()
        raise InputError(f"{path}: cannot write: {error.strerror}") from None


def read_json(path: Path) -> Any:
    """The content of a JSON file; `InputError` names one that is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path}: damaged: {error}") from None


def plain(content: Any) -> Any:
    """Content as JSON can say it: a number that is not finite becomes null."""
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {str(k): plain(v) for k, v in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(v) for v in content]
    return content
