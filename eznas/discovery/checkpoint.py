"""The checkpoints of a run: what it takes to resume it, and the logs that belong to them.

After every generation each log gets a line, then the archive and the checkpoint are replaced whole;
the checkpoint has the lengths and digests of the logs. A process that ends anywhere in between has
lost its last generation: what the logs have beyond the checkpoint is cut off by the next one.
"""

import hashlib
import json
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eznas.errors import InputError
from eznas.evolution.state import State
from eznas.proxies.files import ARCHIVE
from eznas.system.files import append, digest, plain, read_sealed, write_sealed
from eznas.system.folder import RunFolder, locked

LogName = Literal["journal.jsonl", "timings.jsonl"]
FixedName = Literal["config.json"]  # what never changes in a run
LOGS: tuple[LogName, ...] = get_args(LogName)
FIXED: tuple[FixedName, ...] = get_args(FixedName)
LATEST, PREVIOUS = "checkpoint.json", "checkpoint.previous.json"


class Log(BaseModel):
    """How much of a log belongs to a checkpoint, and the SHA-256 of that part."""

    bytes: int = Field(ge=0)
    sha256: str


class Checkpoint(BaseModel):
    """The state of a search between two generations, and of the files that belong to it.

    `seconds` of search so far; `last`: the last generation to come; `configured`: whether the
    search ends by the limits of its configuration; `fixed`: SHA-256 of files that never change.
    """

    model_config = ConfigDict(extra="forbid")

    format: Literal[2] = 2
    seconds: float = Field(ge=0, allow_inf_nan=False)
    last: int = Field(ge=0)
    configured: bool
    fixed: dict[FixedName, str] = Field(min_length=1)
    logs: dict[LogName, Log] = Field(min_length=2)
    search: State


class Checkpoints:
    """The one writer of a run's checkpoints and logs: a context that no second process enters
    (`InputError` for the second)."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._digests = {name: hashlib.sha256() for name in LOGS}
        self._ends = dict.fromkeys(LOGS, 0)
        self._latest = b""
        self._lock: AbstractContextManager[None] = locked(folder.path)
        self.evaluations = 0  # formulas evaluated up to the latest checkpoint

    @property
    def exist(self) -> bool:
        """Whether there is a checkpoint to resume from."""
        return bool(self._latest)

    def __enter__(self) -> "Checkpoints":
        self._lock.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.__exit__(error_type, error, traceback)

    def save(
        self,
        lines: dict[LogName, Any],
        archive: Any,
        search: State,
        *,
        seconds: float,
        last: int,
        configured: bool,
    ) -> None:
        """Write a line to each log, then the archive, then the checkpoint, the latest from now on.
        Raises `InputError` if one of them cannot be written."""
        for name, content in lines.items():
            data = (json.dumps(plain(content), allow_nan=False) + "\n").encode()
            append(self._folder.path / name, data, self._ends[name])
            self._digests[name].update(data)
            self._ends[name] += len(data)
        self._folder.write(ARCHIVE, archive)
        checkpoint = Checkpoint(
            seconds=seconds,
            last=last,
            configured=configured,
            fixed={name: digest(self._bytes(name)) for name in FIXED},
            logs={
                name: Log(bytes=end, sha256=self._digests[name].hexdigest())
                for name, end in self._ends.items()
            },
            search=search,
        )
        if self._latest:
            write_sealed(self._folder.path / PREVIOUS, self._latest)
        latest = checkpoint.model_dump_json().encode()
        write_sealed(self._folder.path / LATEST, latest)
        self._latest, self.evaluations = latest, search.evaluations

    def restore(self, previous: bool = False) -> Checkpoint | None:
        """The latest checkpoint, or the one before it, as the one to resume from; None for a run
        that has not completed a generation.

        `InputError` names a file that is missing or not as it was written, and says whether the
        previous checkpoint is intact.
        """
        path = self._folder.path
        if not any((path / name).exists() for name in (LATEST, PREVIOUS)):
            journal = self._bytes(LOGS[0]) if (path / LOGS[0]).exists() else b""
            if journal.count(b"\n") > 1 or (path / "result.json").exists():
                raise InputError(f"{path / LATEST}: missing, so there is nothing to resume from")
            return None  # the journal is empty, or has the line of a generation that was cut off
        name = PREVIOUS if previous else LATEST
        try:
            checkpoint, content, logs = self._checked(name)
        except InputError as error:
            advice = "" if previous else self._advice()
            raise InputError(f"{error}{advice}") from None
        self._latest = content
        self.evaluations = checkpoint.search.evaluations
        for log, data in logs.items():
            self._digests[log].update(data)
            self._ends[log] = len(data)
        return checkpoint

    def _checked(self, name: str) -> tuple[Checkpoint, bytes, dict[LogName, bytes]]:
        """A checkpoint, its bytes, and the part of each log that belongs to it."""
        path = self._folder.path
        content = read_sealed(path / name)
        try:
            checkpoint = Checkpoint.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            key = ".".join(map(str, problem["loc"])) or "content"
            raise InputError(f"{path / name}: {key}: {problem['msg']}") from None
        generation = checkpoint.search.generation
        for fixed, expected in checkpoint.fixed.items():
            if digest(self._bytes(fixed)) != expected:
                raise InputError(f"{path / fixed}: changed since generation {generation}")
        logs = {log: self._bytes(log)[: part.bytes] for log, part in checkpoint.logs.items()}
        for log, data in logs.items():
            if digest(data) != checkpoint.logs[log].sha256:
                raise InputError(
                    f"{path / log}: damaged: not as it was after generation {generation}"
                )
        return checkpoint, content, logs

    def _advice(self) -> str:
        """What a user can do about a latest checkpoint that cannot be used."""
        try:
            previous, *_ = self._checked(PREVIOUS)
        except InputError:
            return "; there is no older checkpoint to resume from: restore the file from a backup"
        generation, name = previous.search.generation, self._folder.name
        return f"; `eznas resume {name} --previous` goes on from generation {generation}"

    def _bytes(self, name: str) -> bytes:
        path: Path = self._folder.path / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
