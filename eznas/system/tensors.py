"""Tensors in files of the safetensors format, which anyone can read without running code."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from eznas.errors import InputError
from eznas.system.files import write_whole


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
