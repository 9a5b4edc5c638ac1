"""The feature store: a folder of feature values that later runs read and add to.

A folder holds `measurement.json` (the space, and the measurement config behind each fingerprint)
and `features.csv.gz` (see `feature_file`; `_column` names its columns). Any process may read; one
at a time may add.
"""

import fcntl
import functools
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from eznas.errors import InputError
from eznas.evaluation.contexts import Context
from eznas.evaluation.feature_file import (
    Block,
    compressed,
    cut_incomplete,
    merged,
    read_blocks,
)
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import failures
from eznas.evaluation.workers import Workers
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.statistic import FIRST_DEFINITION
from eznas.system.files import read_as, write_whole

SHARDS_PER_APPEND = 4  # per worker


@dataclass(eq=False)
class FeatureStore:
    """The stored feature values of one space. A folder that does not exist is an empty store.

    Any process may read; to add values, it must `claim` the folder first. Raises `InputError` if
    the folder is damaged, or of another space.
    """

    path: Path
    space: str
    _blocks: list[Block] = field(default_factory=list)
    _lock: IO[str] | None = None
    _size_and_mtime: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        self._described()
        self._load()

    @property
    def _file(self) -> Path:
        return self.path / "features.csv.gz"

    def claim(self, configs: Sequence[MeasurementConfig]) -> None:
        """Reserve the folder for this process, until `close`, and write down what the fingerprints
        of these configs stand for.

        Raises `InputError` if another process has claimed it, if it is damaged, or if it cannot be
        written to.
        """
        self._claim_folder()
        cut_incomplete(self._file)
        # Another process may have added to it, or it was cut.
        if _size_and_mtime_of(self._file) != self._size_and_mtime:
            self._load()
        content = self._described()
        content["space"] = self.space
        content.setdefault("measurement", {}).update(
            {config.fingerprint: config.describe() for config in configs}
        )
        write_whole(self.path / "measurement.json", json.dumps(content, indent=1) + "\n")

    def find(
        self, fingerprint: str, features: Sequence[str], architectures: Sequence[str]
    ) -> tuple[FeatureValues, npt.NDArray[np.bool_]]:
        """Stored values under the config of a fingerprint, and whether there are any, bool: both
        [features, networks]. Unknown values are as in `FeatureValues.missing`."""
        values = FeatureValues.missing(len(features), len(architectures))
        known = np.zeros(values.values.shape, dtype=bool)
        columns = [*map(_column, features)]
        for block in self._blocks:
            if block.fingerprint == fingerprint:
                written = block.copy_to(values, columns, architectures)
                if written is not None:
                    known[written] = True
        return values, known

    def append(
        self,
        features: Sequence[str],
        entries: Sequence[tuple[MeasurementConfig, Sequence[str], FeatureValues]],
    ) -> None:
        """Add values of features and write them to the disk, after `claim`. An entry is a
        config, architectures and values [features, networks]. Raises `InputError` if writing
        fails."""
        columns = [*map(_column, features)]
        blocks = [Block.of(c.fingerprint, names, columns, values) for c, names, values in entries]
        try:
            with self._file.open("ab") as file:
                file.write(compressed(blocks))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self._file}: cannot write: {error.strerror}") from None
        self._blocks += [block.rounded() for block in blocks]

    def compact(self) -> None:
        """Rewrite the file with as few tables as possible, sorted: it gets smaller, and stores of
        equal values get equal files. Raises `InputError` if writing fails."""
        blocks = list(merged(self._blocks))
        write_whole(self._file, compressed(blocks))
        self._blocks = blocks

    def close(self) -> None:
        """Release the folder, for other processes to claim."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _load(self) -> None:
        self._size_and_mtime = _size_and_mtime_of(self._file)
        self._blocks = read_blocks(self._file)

    def _described(self) -> dict[str, Any]:
        """The content of `measurement.json`, empty where there is none."""
        file = self.path / "measurement.json"
        if not file.is_file():
            return {}
        content = read_as(file, dict[str, Any])
        if not isinstance(content.get("measurement", {}), dict):
            raise InputError(f"{file}: damaged: expected a space and its measurement configs")
        if content.get("space", self.space) != self.space:
            raise InputError(
                f"{self.path}: feature values of {content['space']}, expected {self.space}"
            )
        return content

    def _claim_folder(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._lock or (self.path / ".lock").open("a")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise InputError(f"{self.path}: another process is adding feature values") from None
        except OSError as error:
            self.close()
            raise InputError(f"{self.path}: cannot write: {error.strerror}") from None


@dataclass(eq=False)
class StoredWorkers:
    """Workers that read values from a feature store, and evaluate and add those that it lacks.

    `contexts` are those of the workers, all of the store's space; the store must be claimed.
    """

    workers: Workers
    store: FeatureStore
    contexts: tuple[Context, ...]

    @property
    def count(self) -> int:
        """See `Workers.count`."""
        return self.workers.count

    def evaluate(self, shards: Sequence[Shard], features: Sequence[str]) -> list[FeatureValues]:
        """See `Workers.evaluate`; values are rounded as the store keeps them.

        Also raises `InputError` if a feature or network gets a failure status: failures are not
        stored.
        """
        shards_per_append = SHARDS_PER_APPEND * self.count
        for missing_features, shards_lacking_them in self._missing(shards, features).items():
            for start in range(0, len(shards_lacking_them), shards_per_append):
                shards_of_append = shards_lacking_them[start : start + shards_per_append]
                self._evaluate_and_store(shards_of_append, missing_features)
        return [values for values, _ in self._find(shards, features)]

    def close(self) -> None:
        """See `Workers.close`."""
        self.workers.close()

    def _evaluate_and_store(self, shards: Sequence[Shard], features: Sequence[str]) -> None:
        """Evaluate features on shards, and store the values."""
        shard_values = self.workers.evaluate(shards, features)
        for values in shard_values:
            if reasons := failures(values.status.ravel()):
                raise InputError(f"{', '.join(features)}: {reasons[0]}; nothing of it was stored")
        entries = []
        for context in dict.fromkeys(shard.context for shard in shards):
            numbers = [i for i, shard in enumerate(shards) if shard.context == context]
            architectures = [a for i in numbers for a in shards[i].architectures]
            values = FeatureValues.beside([shard_values[i] for i in numbers])
            entries.append((self.contexts[context].measurement, architectures, values))
        self.store.append(features, entries)

    def _find(
        self, shards: Sequence[Shard], features: Sequence[str]
    ) -> list[tuple[FeatureValues, npt.NDArray[np.bool_]]]:
        """For each shard its stored values, and which of them are known. One look-up for each
        context, since each goes through the blocks of the whole store."""
        results: dict[Shard, tuple[FeatureValues, npt.NDArray[np.bool_]]] = {}
        for context in {shard.context for shard in shards}:
            context_shards = [shard for shard in shards if shard.context == context]
            architectures = [a for shard in context_shards for a in shard.architectures]
            fingerprint = self.contexts[context].measurement.fingerprint
            values, known = self.store.find(fingerprint, features, architectures)
            start = 0
            for shard in context_shards:
                columns = slice(start, start := start + len(shard.architectures))
                results[shard] = values.columns(columns), known[:, columns]
        return [results[shard] for shard in shards]

    def _missing(
        self, shards: Sequence[Shard], features: Sequence[str]
    ) -> dict[tuple[str, ...], list[Shard]]:
        """Features that some networks of a shard lack -> all shards that lack exactly these."""
        shards_by_missing: dict[tuple[str, ...], list[Shard]] = {}
        for shard, (_, known) in zip(shards, self._find(shards, features), strict=True):
            missing_features = tuple(
                feature for feature, row in zip(features, known, strict=True) if not row.all()
            )
            if missing_features:
                shards_by_missing.setdefault(missing_features, []).append(shard)
        return shards_by_missing


@functools.cache
def _column(feature: str) -> str:
    """The name of a feature's column: its text, and the latest definition among its statistics, and
    primitives of measured tensors, where that is not the first, so that values by an earlier
    definition are not taken."""
    words = re.findall(r"\w+", feature)
    rows = [CATALOGUE[word] for word in words if word in CATALOGUE]
    measured = any(row.type.axis != "networks" and not row.is_size for row in rows)
    primitives = [PRIMITIVES[word] for word in words if measured and word in PRIMITIVES]
    definitions = [*(row.definition for row in rows), *(p.definition for p in primitives)]
    definition = max([FIRST_DEFINITION, *definitions])
    return feature if definition == FIRST_DEFINITION else f"{feature} #{definition}"


def _size_and_mtime_of(file: Path) -> tuple[int, int] | None:
    """Size and time of change, which tell whether a file has changed; None where there is none."""
    if not file.is_file():
        return None
    status = file.stat()
    return status.st_size, status.st_mtime_ns
