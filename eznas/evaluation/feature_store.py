"""The feature store: a folder of feature values that later runs read and add to.

A folder holds `measurement.json` (the space, and the measurement config behind each key, with the
builds of torch that its values agree with) and `features.gz` (see `feature_file`; `_column` names
its features). Any process may read; one at a time may add.
"""

import fcntl
import functools
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch

from eznas.errors import InputError
from eznas.evaluation.feature_file import (
    Block,
    compressed,
    cut_incomplete,
    merged,
    read_blocks,
)
from eznas.evaluation.feature_values import FeatureValues
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.statistic import FIRST_DEFINITION
from eznas.system.files import read_as, write_whole

FILE, DESCRIPTION = "features.gz", "measurement.json"


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
    _is_scattered: bool = False  # something was added since it was compact

    def __post_init__(self) -> None:
        self._described()
        self._load()

    @property
    def is_claimed(self) -> bool:
        """Whether this process may add values."""
        return self._lock is not None

    @property
    def _file(self) -> Path:
        return self.path / FILE

    def claim(self, configs: Sequence[MeasurementConfig]) -> None:
        """Reserve the folder for this process, until `close`, and write down what the keys of these
        configs stand for.

        Raises `InputError` if another process has claimed it, if it is damaged, or if it cannot be
        written to.
        """
        self._claim_folder()
        cut_incomplete(self._file)
        # Another process may have added to it, or it was cut.
        if _size_and_mtime_of(self._file) != self._size_and_mtime:
            self._load()
        self._describe(config for config in configs if not self.networks(config.key))

    def builds(self, key: str) -> tuple[str, ...]:
        """The builds of torch that the values under the config of a key agree with."""
        return tuple(self._described().get("measurement", {}).get(key, {}).get("torch", ()))

    def agree(self, config: MeasurementConfig) -> None:
        """Write down, after `claim`, that the values under a config agree with those of the present
        build of torch. Raises `InputError` if writing fails."""
        self._describe([config])

    def networks(self, key: str) -> list[str]:
        """The networks of which there are values under the config of a key, sorted."""
        blocks = [block for block in self._blocks if block.measurement == key]
        return sorted({architecture for block in blocks for architecture in block.networks})

    def features(self, key: str) -> list[str]:
        """The features of which there are values under the config of a key, sorted; those by an
        earlier definition, or of words that the language has no more, are left out."""
        columns = {c for block in self._blocks if block.measurement == key for c in block.features}
        texts = ((column.partition(" #")[0], column) for column in columns)
        return sorted(text for text, column in texts if _column(text) == column and _is_known(text))

    def find(
        self, key: str, features: Sequence[str], architectures: Sequence[str]
    ) -> tuple[FeatureValues, npt.NDArray[np.bool_]]:
        """Stored values under the config of a key, and whether there are any, bool: both
        [features, networks]. Unknown values are as in `FeatureValues.missing`."""
        values = FeatureValues.missing(len(features), len(architectures))
        known = np.zeros(values.values.shape, dtype=bool)
        columns = [*map(_column, features)]
        for block in self._blocks:
            if block.measurement == key:
                written = block.copy_to(values, columns, architectures)
                if written is not None:
                    known[written] = True
        return values, known

    def append(
        self,
        features: Sequence[str],
        entries: Sequence[tuple[MeasurementConfig, Sequence[str], FeatureValues]],
    ) -> None:
        """Add values of features, rounded, and write them to the disk, after `claim`. An entry is a
        config, architectures and values [features, networks]. Raises `InputError` if writing
        fails."""
        columns = [*map(_column, features)]
        blocks = [Block.of(c.key, names, columns, values) for c, names, values in entries]
        try:
            with self._file.open("ab") as file:
                file.write(compressed(blocks))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(f"{self._file}: cannot write: {error.strerror}") from None
        self._blocks += blocks
        self._is_scattered = True

    def forget(self, config: MeasurementConfig) -> None:
        """Drop all values under a config, after `claim`. Raises `InputError` if writing fails."""
        self._blocks = [block for block in self._blocks if block.measurement != config.key]
        write_whole(self._file, compressed(list(merged(self._blocks))))
        self._describe([config])

    def compact(self) -> None:
        """Rewrite the file, where something was added, with as few tables as possible, sorted: it
        gets smaller, and stores of equal values get equal files. Raises `InputError` if writing
        fails."""
        if not self._is_scattered:
            return
        blocks = list(merged(self._blocks))
        write_whole(self._file, compressed(blocks))
        self._blocks, self._is_scattered = blocks, False

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
        file = self.path / DESCRIPTION
        if not file.is_file():
            return {}
        content = read_as(file, dict[str, Any])
        configs = content.get("measurement", {})
        if not isinstance(configs, dict) or not all(map(_is_description, configs.values())):
            raise InputError(f"{file}: damaged: expected a space and its measurement configs")
        if content.get("space", self.space) != self.space:
            raise InputError(
                f"{self.path}: feature values of {content['space']}, expected {self.space}"
            )
        return content

    def _describe(self, configs: Iterable[MeasurementConfig]) -> None:
        """Write down that the values under these configs agree with the present build of torch."""
        content = self._described()
        described = content.setdefault("measurement", {})
        content["space"] = self.space
        for config in configs:
            earlier = described.get(config.key, {}).get("torch", ())
            builds = [*(earlier if self.networks(config.key) else ()), present_build()]
            described[config.key] = config.describe() | {"torch": list(dict.fromkeys(builds))}
        text = json.dumps(content, indent=1) + "\n"
        if not (file := self.path / DESCRIPTION).is_file() or file.read_text() != text:
            write_whole(file, text)

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


def present_build() -> str:
    """The build of torch that runs."""
    return str(torch.__version__)


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


def _is_known(feature: str) -> bool:
    """Whether the language has all words of a feature."""
    try:
        parse(feature)
    except InputError:
        return False
    return True


def _is_description(config: Any) -> bool:
    """Whether the description of a measurement config has a list of builds of torch."""
    builds = config.get("torch") if isinstance(config, dict) else None
    return isinstance(builds, list) and all(isinstance(build, str) for build in builds)


def _size_and_mtime_of(file: Path) -> tuple[int, int] | None:
    """Size and time of change, which tell whether a file has changed; None where there is none."""
    if not file.is_file():
        return None
    status = file.stat()
    return status.st_size, status.st_mtime_ns
