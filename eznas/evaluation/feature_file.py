"""The file of a feature store: tables one after the other, in gzip members.

A table is a line of JSON with the `measurement` (the key of a measurement config), the `features`
and the `architectures`, and after it the values as float64, the coverages as float64 and the
statuses as int8, each [features, architectures], with the n-th bytes of all numbers together, so
that they compress well. Every append is a gzip member of its own: a last member that a crash cut
off is recognised and left out.
"""

import gzip
import json
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from eznas.errors import InputError
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status

LEVEL = 6  # of compression: more takes five times as long for a hundredth
_START = gzip.compress(b"", LEVEL, mtime=0)[:8]  # the first bytes of every member
_TYPES = ("<f8", "<f8", "i1")  # of values, coverages and statuses


@dataclass(frozen=True, eq=False)
class Block:
    """Values of some features of some networks under one measurement config.

    `measurement`: the config's key; `networks` and `features`: the column and row of each in
    `values` [features, networks].
    """

    measurement: str
    networks: dict[str, int]
    features: dict[str, int]
    values: FeatureValues

    @staticmethod
    def of(
        measurement: str,
        architectures: Sequence[str],
        features: Sequence[str],
        values: FeatureValues,
    ) -> "Block":
        """A block of values [features, networks], rounded; of an architecture that repeats, the
        last column counts."""
        columns = {architecture: i for i, architecture in enumerate(architectures)}
        rows = {feature: i for i, feature in enumerate(features)}
        return Block(measurement, columns, rows, values.rounded())

    def copy_to(
        self, values: FeatureValues, features: Sequence[str], architectures: Sequence[str]
    ) -> tuple[Any, ...] | None:
        """Write what the block knows of these features and architectures, which may repeat, into
        `values` [features, architectures]; the index of what was written, None for nothing."""
        rows = [(i, self.features[f]) for i, f in enumerate(features) if f in self.features]
        columns = [(i, self.networks[a]) for i, a in enumerate(architectures) if a in self.networks]
        if not rows or not columns:
            return None
        (to_rows, from_rows), (to_columns, from_columns) = (
            zip(*rows, strict=True),
            zip(*columns, strict=True),
        )
        target, source = np.ix_(to_rows, to_columns), np.ix_(from_rows, from_columns)
        values.values[target] = self.values.values[source]
        values.coverage[target] = self.values.coverage[source]
        values.status[target] = self.values.status[source]
        return target


class _Header(BaseModel):
    """The line of JSON before the numbers of a table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    measurement: str
    features: tuple[str, ...]
    architectures: tuple[str, ...]


def compressed(blocks: Iterable[Block]) -> bytes:
    """The blocks as one gzip member, equal for equal blocks."""
    return gzip.compress(b"".join(map(_table, blocks)), LEVEL, mtime=0)


def _table(block: Block) -> bytes:
    header: dict[str, str | list[str]] = {
        "measurement": block.measurement,
        "features": [*block.features],
        "architectures": [*block.networks],
    }
    values = block.values.rows([*block.features.values()]).columns([*block.networks.values()])
    arrays: tuple[npt.NDArray[Any], ...] = values
    numbers = [_by_byte(array, kind) for array, kind in zip(arrays, _TYPES, strict=True)]
    return b"".join([json.dumps(header, separators=(",", ":")).encode(), b"\n", *numbers])


def _by_byte(array: npt.NDArray[Any], kind: str) -> bytes:
    """The bytes of an array, the n-th ones of all its numbers together."""
    one_by_one = np.ascontiguousarray(array, kind).view(np.uint8)
    return one_by_one.reshape(-1, np.dtype(kind).itemsize).T.tobytes()


def read_blocks(file: Path) -> list[Block]:
    """The blocks of a file, each value once, without a last member that was cut off; none where
    there is no file. `InputError` says which file is damaged, and where in it."""
    return list(merged(_tables(_members(_bytes(file), file)[1], file)))


def cut_incomplete(file: Path) -> None:
    """Remove a last member that was cut off from the file; raises `InputError` for a damaged file,
    or one that cannot be written to."""
    data = _bytes(file)
    complete = _members(data, file)[0]
    if complete < len(data):
        try:
            os.truncate(file, complete)
        except OSError as error:
            raise InputError(f"{file}: cannot write: {error.strerror}") from None


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def _members(data: bytes, file: Path) -> tuple[int, bytes]:
    """How many bytes hold complete gzip members, and their content."""
    start, parts, view = 0, [], memoryview(data)
    while start < len(data):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(view[start:])
        except zlib.error as error:
            raise InputError(f"{file}: damaged at byte {start}: {error}") from None
        if not member.eof:
            # A crash cuts off the last member only; where another follows, the file is damaged.
            remainder = data[start:]
            is_start = remainder[: len(_START)] == _START[: len(remainder)]
            if not is_start or _START in remainder[1:]:
                raise InputError(f"{file}: damaged at byte {start}: it has no end")
            break
        parts.append(part)
        start = len(data) - len(member.unused_data)
    return start, b"".join(parts)


def _tables(content: bytes, file: Path) -> Iterator[Block]:
    start = 0
    while start < len(content):
        try:
            end = content.index(b"\n", start) + 1
            header = _Header.model_validate_json(content[start:end])
            shape = len(header.features), len(header.architectures)
            arrays = []
            start = end
            for kind in _TYPES:
                size = np.dtype(kind).itemsize
                stop = start + size * shape[0] * shape[1]
                arrays.append(_from_bytes(content[start:stop], kind, shape))
                start = stop
            values = FeatureValues(*arrays)
            if not np.isin(values.status, (0, Status.EMPTY)).all():
                raise ValueError("a status that is never stored")
        except ValidationError as error:
            reason = f"damaged: {error.errors(include_url=False)[0]['msg']}"
            raise InputError(f"{file}: {reason}") from None
        except ValueError as error:
            raise InputError(f"{file}: damaged: {error}") from None
        yield Block.of(header.measurement, header.architectures, header.features, values)


def _from_bytes(data: bytes, kind: str, shape: tuple[int, int]) -> npt.NDArray[Any]:
    """The array [features, architectures] that `_by_byte` made; `ValueError` for too few bytes."""
    by_byte = np.frombuffer(data, np.uint8).reshape(np.dtype(kind).itemsize, shape[0] * shape[1])
    array = np.ascontiguousarray(by_byte.T).view(kind).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def merged(blocks: Iterable[Block]) -> Iterator[Block]:
    """The values of all blocks, each once (the last of several): one block for the networks of
    which the same features are known, all in sorted order."""
    by_measurement: dict[str, list[Block]] = {}
    for block in blocks:
        by_measurement.setdefault(block.measurement, []).append(block)
    groups = sorted(
        (features, measurement, architectures)
        for measurement, same_config in by_measurement.items()
        for features, architectures in _by_features(same_config).items()
    )
    for features, measurement, architectures in groups:
        values = FeatureValues.missing(len(features), len(architectures))
        for block in by_measurement[measurement]:
            block.copy_to(values, features, architectures)
        yield Block.of(measurement, architectures, features, values)


def _by_features(blocks: Sequence[Block]) -> dict[tuple[str, ...], list[str]]:
    """Sets of features -> the architectures of which exactly these are known, sorted both."""
    block_numbers: dict[str, list[int]] = {}  # architecture -> the blocks that have it
    for number, block in enumerate(blocks):
        for architecture in block.networks:
            block_numbers.setdefault(architecture, []).append(number)
    by_blocks: dict[tuple[int, ...], list[str]] = {}
    for architecture, numbers in block_numbers.items():
        by_blocks.setdefault(tuple(numbers), []).append(architecture)
    by_features: dict[tuple[str, ...], list[str]] = {}
    for same_blocks, architectures in by_blocks.items():
        features = tuple(sorted({f for number in same_blocks for f in blocks[number].features}))
        by_features.setdefault(features, []).extend(architectures)
    return {features: sorted(architectures) for features, architectures in by_features.items()}
