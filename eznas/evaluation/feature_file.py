"""The file of a feature store: CSV tables one after the other, in gzip members.

Each table has a header of `architecture`, `measurement` and canonical features. A row holds one
network's values under the measurement config of a fingerprint. A cell is `value`, or
`value@coverage` where the coverage is not 1, or `empty` for a network without anything to
aggregate. Every append is a gzip member of its own: a last member that a crash cut off is
recognised and left out. Any program that reads gzip reads all tables.
"""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eznas.errors import InputError
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status

DIGITS = 9  # of a stored value: ties of scores are ties of values, and 1e-9 moves no rank
HEADER = ["architecture", "measurement"]
EMPTY = "empty"
_START = gzip.compress(b"", mtime=0)[:8]  # the first bytes of every member


@dataclass(frozen=True, eq=False)
class Block:
    """Values of some features of some networks under one measurement config.

    `networks` and `features`: the column and row of each in `values` [features, networks].
    """

    fingerprint: str
    networks: dict[str, int]
    features: dict[str, int]
    values: FeatureValues

    @staticmethod
    def of(
        fingerprint: str,
        architectures: Sequence[str],
        features: Sequence[str],
        values: FeatureValues,
    ) -> "Block":
        """A block of values [features, networks]; of an architecture that repeats, the last
        column counts."""
        columns = {architecture: i for i, architecture in enumerate(architectures)}
        return Block(fingerprint, columns, {f: i for i, f in enumerate(features)}, values)

    def rounded(self) -> "Block":
        """The block as it will be read back."""
        lines = list(csv.reader(io.StringIO(text_of([self]))))[1:]
        values = _values([line[2:] for line in lines], len(self.features))
        return Block.of(self.fingerprint, list(self.networks), list(self.features), values)

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


def text_of(blocks: Iterable[Block]) -> str:
    """The blocks as CSV; successive blocks of the same features share a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header: tuple[str, ...] = ()
    for block in blocks:
        if header != (header := tuple(block.features)):
            writer.writerow([*HEADER, *header])
        for architecture, column in block.networks.items():
            cells = map(_cell, *(array[:, column].tolist() for array in block.values))
            writer.writerow([architecture, block.fingerprint, *cells])
    return out.getvalue()


def _cell(value: float, coverage: float, status: int) -> str:
    if status == Status.EMPTY:
        return EMPTY
    return f"{value:.{DIGITS}g}" + ("" if coverage == 1 else f"@{coverage:.6g}")


def _values(rows: Sequence[Sequence[str]], features: int) -> FeatureValues:
    """The values in rows of cells, one row for each network; `ValueError` for a cell that is no
    number."""
    values = FeatureValues.missing(features, len(rows))
    for column, cells in enumerate(rows):
        for row, cell in enumerate(cells):
            if cell == EMPTY:
                values.coverage[row, column], values.status[row, column] = 1.0, Status.EMPTY
                continue
            value, mark, coverage = cell.partition("@")
            values.values[row, column] = float(value)
            values.coverage[row, column] = float(coverage) if mark else 1.0
    return values


def compressed(blocks: Iterable[Block]) -> bytes:
    """The blocks as one gzip member, equal for equal blocks."""
    return gzip.compress(text_of(blocks).encode(), mtime=0)


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


def _members(data: bytes, file: Path) -> tuple[int, str]:
    """How many bytes hold complete gzip members, and their text."""
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
    try:
        return start, b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: damaged: {error}") from None


def _tables(text: str, file: Path) -> Iterator[Block]:
    header: list[str] = []
    rows: dict[tuple[str, str], list[str]] = {}  # (fingerprint, architecture) -> cells

    def blocks() -> Iterator[Block]:
        for fingerprint in dict.fromkeys(fingerprint for fingerprint, _ in rows):
            cells = {a: row for (f, a), row in rows.items() if f == fingerprint}
            values = _values(list(cells.values()), len(header))
            yield Block.of(fingerprint, list(cells), header, values)

    for number, line in _lines(text, file):
        if line[:2] == HEADER:
            yield from blocks()
            header, rows = line[2:], {}
            continue
        if len(line) != len(header) + 2:
            raise InputError(f"{file}:{number}: expected {len(header) + 2} cells, got {len(line)}")
        try:
            _values([line[2:]], len(header))
        except ValueError as error:
            raise InputError(f"{file}:{number}: {error}") from None
        rows[line[1], line[0]] = line[2:]
    yield from blocks()


def _lines(text: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from enumerate(csv.reader(io.StringIO(text)), 1)
    except csv.Error as error:
        raise InputError(f"{file}: damaged: {error}") from None


def merged(blocks: Iterable[Block]) -> Iterator[Block]:
    """The values of all blocks, each once (the last of several): one block for the networks of
    which the same features are known, all in sorted order."""
    by_fingerprint: dict[str, list[Block]] = {}
    for block in blocks:
        by_fingerprint.setdefault(block.fingerprint, []).append(block)
    groups = sorted(
        (features, fingerprint, architectures)
        for fingerprint, same_config in by_fingerprint.items()
        for features, architectures in _by_features(same_config).items()
    )
    for features, fingerprint, architectures in groups:
        values = FeatureValues.missing(len(features), len(architectures))
        result = Block.of(fingerprint, architectures, features, values)
        for block in by_fingerprint[fingerprint]:
            block.copy_to(values, features, architectures)
        yield result


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
