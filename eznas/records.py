"""Records: measured values in a table that outlives a process and can be gone on with.

A folder holds `conditions.json` (the space, and what each fingerprint stands for) and
`measures.csv.gz`: CSV tables one after the other, each with a header `architecture,conditions,`
and then canonical measures. A cell is `value` or, where the coverage is not 1, `value@coverage`.
Every portion is appended as a gzip member of its own; a member that was cut off by a crash is
dropped when the file is next opened. Any reader of gzip reads the whole.
"""

import csv
import fcntl
import gzip
import io
import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eznas.errors import InputError
from eznas.proxies.files import write_whole
from eznas.statistics.conditions import Conditions
from eznas.workers import Numbered, Workers

Array = npt.NDArray[np.float64]
DIGITS = 9  # of a stored value: ties of scores are ties of values, and 1e-9 moves no rank
PORTION = 4  # shards per worker between two appends


@dataclass(frozen=True, eq=False)
class _Block:
    """Some measures of some networks under one fingerprint: arrays [networks, measures]."""

    fingerprint: str
    rows: dict[str, int]
    columns: dict[str, int]
    values: Array
    coverage: Array


@dataclass(eq=False)
class Records:
    """The measured values of one space in a folder; `InputError` for one of another space.

    One process at a time: a second one is refused.
    """

    path: Path
    space: str
    _blocks: list[_Block] = field(default_factory=list)
    _lock: IO[str] | None = None

    def __post_init__(self) -> None:
        about = self._about()
        if about.get("space", self.space) != self.space:
            raise InputError(f"{self.path}: records of {about['space']}, expected {self.space}")
        self._blocks = list(_read(self._file))

    @property
    def _file(self) -> Path:
        return self.path / "measures.csv.gz"

    def about(self, settings: Sequence[Conditions]) -> None:
        """Note what the fingerprints of these settings stand for, and claim the folder."""
        self._claim()
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
        settings: Sequence[Conditions],
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

    def _about(self) -> dict[str, Any]:
        file = self.path / "conditions.json"
        if not file.is_file():
            return {}
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{file}: damaged: {error}") from None
        return found

    def _claim(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._lock or (self.path / ".lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"{self.path}: another process is adding to these records") from None
        except OSError as error:
            raise InputError(f"{self.path}: cannot write: {error.strerror}") from None


@dataclass(eq=False)
class RecordedWorkers:
    """Workers that look into the records first and add to them what they had to measure."""

    workers: Workers
    records: Records
    settings: tuple[Conditions, ...]

    @property
    def count(self) -> int:
        """See `Workers.count`."""
        return self.workers.count

    def evaluate(self, shards: Sequence[Numbered], texts: Sequence[str]) -> tuple[Array, Array]:
        """See `Workers.evaluate`."""
        for asked, missing in self._missing(shards, texts):
            step = PORTION * self.count
            for some in (missing[i : i + step] for i in range(0, len(missing), step)):
                values, coverage = self.workers.evaluate(some, asked)
                networks = [a for _, own in some for a in own]
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
    """The tables of a file; a part that was not written to its end is cut off."""
    if not file.is_file():
        return
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror}") from None
    whole, text = _members(data, file)
    if whole < len(data):
        with file.open("r+b") as cut:
            cut.truncate(whole)
    yield from _merged(_tables(text, file))


def _members(data: bytes, file: Path) -> tuple[int, str]:
    """How many bytes hold whole gzip members, and their text."""
    start, parts = 0, []
    while start < len(data):
        member = zlib.decompressobj(wbits=31)
        try:
            part = member.decompress(data[start:])
        except zlib.error as error:
            raise InputError(f"{file}: damaged at byte {start}: {error}") from None
        if not member.eof:
            break
        parts.append(part)
        start = len(data) - len(member.unused_data)
    return start, b"".join(parts).decode()


def _tables(text: str, file: Path) -> Iterable[_Block]:
    header: list[str] = []
    rows: dict[tuple[str, str], tuple[list[float], list[float]]] = {}

    def blocks() -> Iterable[_Block]:
        prints = dict.fromkeys(fingerprint for _, fingerprint in rows)
        for each in prints:
            own = {a: cells for (a, fingerprint), cells in rows.items() if fingerprint == each}
            values, coverage = (np.array([c[k] for c in own.values()]) for k in (0, 1))
            yield _block(each, list(own), header, values, coverage)

    for number, line in enumerate(csv.reader(io.StringIO(text)), 1):
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


def _merged(blocks: Iterable[_Block]) -> Iterable[_Block]:
    """Blocks of equal fingerprint and measures as one, networks and blocks in sorted order."""
    alike: dict[tuple[tuple[str, ...], str], list[_Block]] = {}
    for block in blocks:
        alike.setdefault((tuple(block.columns), block.fingerprint), []).append(block)
    for (measures, fingerprint), own in sorted(alike.items()):
        place = {a: (block, i) for block in own for a, i in block.rows.items()}
        order = sorted(place)
        values = np.array([place[a][0].values[place[a][1]] for a in order])
        coverage = np.array([place[a][0].coverage[place[a][1]] for a in order])
        yield _block(fingerprint, order, measures, values, coverage)
