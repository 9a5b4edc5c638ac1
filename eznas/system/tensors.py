"""Tensors in files: weights as safetensors, which anyone reads without running code, and states of
training, sealed, which hold plain values beside tensors."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from eznas.errors import InputError
from eznas.system.files import read_sealed, write_sealed, write_whole


def check_installed() -> None:
    """`InputError` unless the package safetensors is there."""
    try:
        import safetensors.torch  # noqa: F401
    except ImportError:
        raise InputError(
            "saving weights needs the package safetensors; pip install 'eznas[search]'"
        ) from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors by name, as `write_whole` does; `InputError` without safetensors or where it
    cannot be written."""
    check_installed()
    from safetensors.torch import save

    write_whole(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; `InputError` without safetensors and for a file that is
    missing or damaged."""
    check_installed()
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: damaged or missing: {error}") from None


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors, numbers, texts and containers of these by name, sealed as `write_sealed` does.
    Raises `InputError` if the file cannot be written."""
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_sealed(path, buffer.getvalue())


def read_state(path: Path) -> dict[str, Any]:
    """What `write_state` wrote, on the CPU.

    Raises `InputError` if the file cannot be read, is damaged, or holds anything but tensors and
    plain values.
    """
    try:
        state = torch.load(
            io.BytesIO(read_sealed(path)), map_location=lambda data, _: data, weights_only=True
        )
    except InputError:
        raise
    except Exception as error:  # a broken archive may raise anything
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: not readable as tensors: {reason}") from None
    if not isinstance(state, dict):
        raise InputError(f"{path}: expected a dict of tensors, got {type(state).__name__}")
    return state
