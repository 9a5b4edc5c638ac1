"""A bank on disk: its tensors in one unnamed file, mapped into memory while they are read.

The file has no name, so that nothing is left behind however a process ends.
"""

import mmap
import tempfile
from dataclasses import replace

import torch
from torch import Tensor

from eznas.errors import InputError
from eznas.evaluation.bank import Bank

ALIGNED = 64  # bytes to which every tensor is aligned


class BankOnDisk:
    """A copy of a bank whose tensors are in a file. Raises `InputError` if it cannot be
    written."""

    def __init__(self, bank: Bank) -> None:
        tensors = [b for blocks in bank.blocks.values() for b in blocks if b is not None]
        starts, end = [], 0
        for tensor in tensors:
            starts.append(end)
            end += -(-tensor.nbytes // ALIGNED) * ALIGNED
        try:
            with tempfile.TemporaryFile() as file:
                file.truncate(max(end, ALIGNED))
                for start, tensor in zip(starts, tensors, strict=True):
                    file.seek(start)
                    file.write(tensor.cpu().contiguous().flatten().view(torch.uint8).numpy().data)
                file.flush()
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            folder = tempfile.gettempdir()
            raise InputError(f"{folder}: cannot hold the bank: {error.strerror}") from None
        remaining_starts = iter(starts)
        self._layout = {
            name: [
                None if b is None else (b.dtype, b.shape, next(remaining_starts)) for b in blocks
            ]
            for name, blocks in bank.blocks.items()
        }
        self._device = tensors[0].device if tensors else torch.empty(0).device
        self._without_blocks = replace(bank, blocks={})

    def opened(self) -> Bank:
        """The bank, on the device of the original; on the CPU its tensors are views of the file."""
        blocks = {
            name: [None if view is None else self._view(*view) for view in groups]
            for name, groups in self._layout.items()
        }
        return replace(self._without_blocks, blocks=blocks)

    def release(self) -> None:
        """Free the memory of what was read; it is read from the file again when needed."""
        self._map.madvise(mmap.MADV_DONTNEED)

    def _view(self, dtype: torch.dtype, shape: torch.Size, start: int) -> Tensor:
        if not shape.numel():
            return torch.empty(shape, dtype=dtype, device=self._device)
        flat = torch.frombuffer(self._map, dtype=dtype, count=shape.numel(), offset=start)
        return flat.reshape(shape).to(self._device)
