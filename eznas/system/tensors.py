"""Tensors in files that are written whole, and read without running what stands in them."""

import io
from pathlib import Path
from typing import Any

import torch

from eznas.errors import InputError
from eznas.system.files import read_sealed, write_sealed


def write_tensors(path: Path, content: dict[str, Any]) -> None:
    """Write a dict of tensors, numbers, texts and containers of these, sealed as `write_sealed`
    does. Raises `InputError` if the file cannot be written."""
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_sealed(path, buffer.getvalue())


def read_tensors(path: Path) -> dict[str, Any]:
    """What `write_tensors` wrote, on the device for which no other is needed (the CPU).

    Raises `InputError` if the file cannot be read, is damaged, or holds anything but tensors and
    plain values.
    """
    try:
        content = torch.load(
            io.BytesIO(read_sealed(path)), map_location=lambda data, _: data, weights_only=True
        )
    except InputError:
        raise
    except Exception as error:  # a broken archive may raise anything
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not readable as tensors: {reason}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a dict of tensors, got {type(content).__name__}")
    return content
