"""FeatureStore: measured values in a table that outlives a process and can be gone on with.

A folder holds `conditions.json` (the space, and what each fingerprint stands for) and
`measures.csv.gz`: CSV tables one after the other, each with a header `architecture,conditions,`
and then canonical measures. A cell is `value` or, where the coverage is not 1, `value@coverage`.
Every portion is appended as a gzip member of its own; a last one that was cut off by a crash is
not read, and is dropped when the folder is next claimed. Any reader of gzip reads the whole.
"""

import csv
import fcntl
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eznas.errors import InputError
from eznas.evaluation.executors import Workers
from eznas.evaluation.feature_table import Numbered
from eznas.evaluation.status import named
from eznas.statistics.config import MeasurementConfig
from eznas.system.files import read_as, write_whole

Array = npt.NDArray[np.float64]
DIGITS = 9  # of a stored value: ties of scores are ties of values, and 1e-9 moves no rank
PORTION = 4  # shards per worker between two appends
_START = gzip.compress(b"", mtime=0)[:8]  # with which every member begins


@dataclass(frozen=True, eq=False)
class _Block:
    """Some measures of some networks under one fingerprint: arrays [networks, measures]."""

    fingerprint: str
    rows: dict[str, int]
    columns: dict[str, int]
    values: Array
    coverage: Array


@dataclass(eq=False)
class FeatureStore:
    """The measured values of one space in a folder; `InputError` for one of another space.

    Anyone may read; one process at a time may add, after `about`: a second one is refused.
    """

    path: Path
    space: str
    _blocks: list[_Block] = field(default_factory=list)
    _lock: IO[str] | None = None
    _seen: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._about()
        self._load()

    @property
    def _file(self) -> Path:
        return self.path / "measures.csv.gz"

    def about(self, settings: Sequence[MeasurementConfig]) -> None:
        """Claim the folder, and note what the fingerprints of these settings stand for."""
        self._claim()
        _cut(self._file)
        if _stamp(self._file) != self._seen:  # by the process that had it before, or by the cut
            self._load()
        about = self._about()
        known = about.setdefault("conditions", {})
        about["space"] = self.space
        known |= {c.fingerprint: c.describe() for c in settings}
        write_whole(self.path / "conditions.json", json.dumps(about, indent=1) + "\n")

    def find(
        self, fingerprint: str, measures: Sequence[str], architectures: Sequence[str]
    ) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
        """Value, coverage and whether they are known: three arrays [measures, networks]."""
        values = np.full((len(measures), len(architectures)), np.nan)
        coverage, known = np.zeros_like(values), np.zeros(values.shape, dtype=bool)
        for block in (b for b in self._blocks if b.fingerprint == fingerprint):
            pairs = [(i, block.rows[a]) for i, a in enumerate(architectures) if a in block.rows]
            columns = [(i, block.columns[m]) for i, m in enumerate(measures) if m in block.columns]
            if pairs and columns:
                (to, source), (into, out) = zip(*pairs, strict=True), zip(*columns, strict=True)
                here, there = np.ix_(into, to), np.ix_(source, out)
                values[here], coverage[here] = block.values[there].T, block.coverage[there].T
                known[here] = True
        return values, coverage, known

    def append(
        self,
        settings: Sequence[MeasurementConfig],
        architectures: Sequence[str],
        measures: Sequence[str],
        values: Array,
        coverage: Array,
    ) -> None:
        """Add values and coverage [settings, measures, networks], and see them reach the disk."""
        new = [
            _block(c.fingerprint, architectures, measures, v.T, k.T)
            for c, v, k in zip(settings, values, coverage, strict=True)
        ]
        try:
            with self._file.open("ab") as file:
                file.write(gzip.compress(_text(new).encode(), mtime=0))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self._file}: cannot write: {error.strerror}") from None
        self._blocks += [_rounded(b) for b in new]

    def compact(self) -> None:
        """Write the whole file anew as few tables, sorted: smaller, and equal for equal values."""
        merged = list(_merged(self._blocks))
        write_whole(self._file, gzip.compress(_text(merged).encode(), mtime=0))
        self._blocks = merged

    def close(self) -> None:
        """Give the folder free."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _load(self) -> None:
        self._seen = _stamp(self._file)
        self._blocks = list(_read(self._file))

    def _about(self) -> dict[str, Any]:
        file = self.path / "conditions.json"
        if not file.is_file():
            return {}
        found = read_as(file, dict[str, Any])
        if not isinstance(found.get("conditions", {}), dict):
            raise InputError(f"{file}: damaged: expected a space and its conditions")
        if found.get("space", self.space) != self.space:
            raise InputError(f"{self.path}: records of {found['space']}, expected {self.space}")
        return found

    def _claim(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._lock or (self.path / ".lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise InputError(f"{self.path}: another process is adding to these records") from None
        except OSError as error:
            self.close()
            raise InputError(f"{self.path}: cannot write: {error.strerror}") from None


@dataclass(eq=False)
class StoredWorkers:
    """Workers that look into the records first and add to them what they had to measure."""

    workers: Workers
    records: FeatureStore
    settings: tuple[MeasurementConfig, ...]

    @property
    def count(self) -> int:
        """See `Workers.count`."""
        return self.workers.count

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """See `Workers.evaluate`; there is one place, the records' space."""
        for asked, missing in self._missing(shards, texts):
            step = PORTION * self.count
            for some in (missing[i : i + step] for i in range(0, len(missing), step)):
                values, coverage = self.workers.evaluate(some, asked)
                networks = [a for _, own in some for a in own]
                if why := named(coverage.ravel()):
                    raise InputError(f"{', '.join(asked)}: {why[0]}; nothing of it was recorded")
                self.records.append(self.settings, networks, asked, values, coverage)
        networks = [a for _, own in shards for a in own]
        found = [self.records.find(c.fingerprint, texts, networks) for c in self.settings]
        return np.stack([v for v, *_ in found]), np.stack([c for _, c, _ in found])

    def close(self) -> None:
        """See `Workers.close`."""
        self.workers.close()

    def _missing(
        self, shards: Sequence[Numbered], texts: Sequence[str]
    ) -> Iterable[tuple[list[str], list[Numbered]]]:
        """Shards by the measures that some of their networks lack."""
        lacking: dict[tuple[str, ...], list[Numbered]] = {}
        networks = [a for _, own in shards for a in own]
        each = [self.records.find(c.fingerprint, texts, networks)[2] for c in self.settings]
        known = np.logical_and.reduce(each)
        start = 0
        for shard in shards:
            stop = start + len(shard[1])
            whole = known[:, start:stop].all(axis=1).tolist()
            asked = tuple(t for t, there in zip(texts, whole, strict=True) if not there)
            if asked:
                lacking.setdefault(asked, []).append(shard)
            start = stop
        return [(list(asked), own) for asked, own in lacking.items()]


def _block(
    fingerprint: str,
    architectures: Sequence[str],
    measures: Sequence[str],
    values: Array,
    coverage: Array,
) -> _Block:
    rows = {a: i for i, a in enumerate(architectures)}
    return _Block(fingerprint, rows, {m: i for i, m in enumerate(measures)}, values, coverage)


def _rounded(block: _Block) -> _Block:
    """As it will be read back."""
    values = np.array([float(f"{v:.{DIGITS}g}") for v in block.values.flat])
    coverage = np.array([float(f"{c:.6g}") for c in block.coverage.flat])
    shape = block.values.shape
    return _Block(
        block.fingerprint,
        block.rows,
        block.columns,
        values.reshape(shape),
        coverage.reshape(shape),
    )


def _text(blocks: Iterable[_Block]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header: tuple[str, ...] = ()
    for block in blocks:
        if header != (header := tuple(block.columns)):
            writer.writerow(["architecture", "conditions", *header])
        for architecture, i in block.rows.items():
            cells = map(_cell, block.values[i].tolist(), block.coverage[i].tolist())
            writer.writerow([architecture, block.fingerprint, *cells])
    return out.getvalue()


def _cell(value: float, coverage: float) -> str:
    return f"{value:.{DIGITS}g}" + ("" if coverage == 1 else f"@{coverage:.6g}")


def _read(file: Path) -> Iterable[_Block]:
    """The tables of a file, without a last part that was not written to its end."""
    yield from _merged(_tables(_members(_bytes(file), file)[1], file))


def _cut(file: Path) -> None:
    """Take a last part that was not written to its end off the file."""
    data = _bytes(file)
    whole = _members(data, file)[0]
    if whole < len(data):
        try:
            os.truncate(file, whole)
        except OSError as error:
            raise InputError(f"{file}: cannot write: {error.strerror}") from None


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes() if file.is_file() else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None


def _stamp(file: Path) -> tuple[int, int] | None:
    """By which a file is known to be the one read before."""
    if not file.is_file():
        return None
    about = file.stat()
    return about.st_size, about.st_mtime_ns


def _members(data: bytes, file: Path) -> tuple[int, str]:
    """How many bytes hold whole gzip members, and their text."""
    start, parts, view = 0, [], memoryview(data)
    while start < len(data):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(view[start:])
        except zlib.error as error:
            raise InputError(f"{file}: damaged at byte {start}: {error}") from None
        if not member.eof:
            # Only of the last one an end may be missing; where more follows, its end was damaged.
            left = data[start:]
            if left[: len(_START)] != _START[: len(left)] or _START in left[1:]:
                raise InputError(f"{file}: damaged at byte {start}: it has no end")
            break
        parts.append(part)
        start = len(data) - len(member.unused_data)
    try:
        return start, b"".join(parts).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: damaged: {error}") from None


def _tables(text: str, file: Path) -> Iterable[_Block]:
    header: list[str] = []
    rows: dict[tuple[str, str], tuple[list[float], list[float]]] = {}

    def blocks() -> Iterable[_Block]:
        prints = dict.fromkeys(fingerprint for _, fingerprint in rows)
        for each in prints:
            own = {a: cells for (a, fingerprint), cells in rows.items() if fingerprint == each}
            values, coverage = (np.array([c[k] for c in own.values()]) for k in (0, 1))
            yield _block(each, list(own), header, values, coverage)

    for number, line in _lines(text, file):
        if line[:2] == ["architecture", "conditions"]:
            yield from blocks()
            header, rows = line[2:], {}
            continue
        if len(line) != len(header) + 2:
            raise InputError(f"{file}:{number}: expected {len(header) + 2} cells, got {len(line)}")
        try:
            cells = [(*cell.split("@"), "1")[:2] for cell in line[2:]]
            values, coverage = [float(v) for v, _ in cells], [float(c) for _, c in cells]
        except ValueError as error:
            raise InputError(f"{file}:{number}: {error}") from None
        rows[line[0], line[1]] = (values, coverage)
    yield from blocks()


def _lines(text: str, file: Path) -> Iterable[tuple[int, list[str]]]:
    try:
        yield from enumerate(csv.reader(io.StringIO(text)), 1)
    except csv.Error as error:
        raise InputError(f"{file}: damaged: {error}") from None


def _merged(blocks: Iterable[_Block]) -> Iterable[_Block]:
    """What the blocks say, every value once (the last one): networks of which the same measures
    are known stand together, all in sorted order."""
    own: dict[str, list[_Block]] = {}
    for block in blocks:
        own.setdefault(block.fingerprint, []).append(block)
    alike = ((key, f, a) for f, some in own.items() for key, a in _alike(some).items())
    for measures, fingerprint, networks in sorted(alike):
        place = {a: i for i, a in enumerate(networks)}
        into = {m: i for i, m in enumerate(measures)}
        values = np.empty((len(networks), len(measures)))
        coverage = np.empty_like(values)
        for block in own[fingerprint]:
            rows = [(place[a], i) for a, i in block.rows.items() if a in place]
            columns = [(into[m], i) for m, i in block.columns.items() if m in into]
            if rows and columns:
                (to, row), (at, column) = zip(*rows, strict=True), zip(*columns, strict=True)
                here, there = np.ix_(to, at), np.ix_(row, column)
                values[here], coverage[here] = block.values[there], block.coverage[there]
        yield _block(fingerprint, networks, measures, values, coverage)


def _alike(blocks: Sequence[_Block]) -> dict[tuple[str, ...], list[str]]:
    """The measures that are known of a network -> all networks of which just these are known."""
    told: dict[str, list[int]] = {}  # network -> the blocks that say something of it
    for number, block in enumerate(blocks):
        for architecture in block.rows:
            told.setdefault(architecture, []).append(number)
    by: dict[tuple[int, ...], list[str]] = {}
    for architecture, numbers in told.items():
        by.setdefault(tuple(numbers), []).append(architecture)
    found: dict[tuple[str, ...], list[str]] = {}
    for some, architectures in by.items():
        measures = tuple(sorted({m for n in some for m in blocks[n].columns}))
        found.setdefault(measures, []).extend(architectures)
    return {measures: sorted(architectures) for measures, architectures in found.items()}
