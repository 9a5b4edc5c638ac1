"""The books of a run while it goes on, and what it takes to go on with them later.

After every generation the journal gets its line, then the archive and the state are replaced whole;
the state tells how long the logs are and what they digest to. A process that ends anywhere in
between has lost the generation in hand: what the logs say beyond the state is cut off.
"""

import fcntl
import hashlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eznas.discovery.folder import RunFolder
from eznas.errors import InputError
from eznas.evolution.state import State
from eznas.system.files import append, digest, plain, read_sealed, write_sealed

LogName = Literal["journal.jsonl", "timings.jsonl"]
BegunName = Literal["config.json"]  # what a run began with, and holds to
LOGS: tuple[LogName, ...] = get_args(LogName)
BEGUN: tuple[BegunName, ...] = get_args(BegunName)
STATE, PREVIOUS = "state.json", "state.previous.json"


class Log(BaseModel):
    """How much of a log belongs to a state."""

    bytes: int = Field(ge=0)
    sha256: str


class Checkpoint(BaseModel):
    """A state as it is kept: with what it belongs to, the seconds of search so far, and the last
    generation that the search is to go to, and whether its configuration's bounds hold."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1] = 1
    seconds: float = Field(ge=0, allow_inf_nan=False)
    last: int = Field(ge=0)
    held: bool
    begun: dict[BegunName, str] = Field(min_length=1)
    logs: dict[LogName, Log] = Field(min_length=2)
    search: State


class Checkpoints:
    """The one writer of a run's books: a context that no second process can enter."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._logs = {name: hashlib.sha256() for name in LOGS}
        self._ends = dict.fromkeys(LOGS, 0)
        self._state = b""
        self.evaluations = 0  # of the last state
        self._handle = -1

    @property
    def kept(self) -> bool:
        """Whether there is a generation to go on from."""
        return bool(self._state)

    def __enter__(self) -> "Checkpoints":
        path = self._folder.path
        try:
            self._handle = os.open(path, os.O_RDONLY)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the process
            for left_behind in path.glob(".*.partial"):
                left_behind.unlink(missing_ok=True)
        except OSError as error:
            if self._handle >= 0:
                os.close(self._handle)
            busy = "another process is at work on this run"
            raise InputError(
                f"{path}: {busy if isinstance(error, BlockingIOError) else error.strerror}"
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._handle)

    def keep(
        self,
        lines: dict[LogName, Any],
        archive: list[Any],
        search: State,
        *,
        seconds: float,
        last: int,
        held: bool,
    ) -> None:
        """Keep what a generation leaves behind: a line for each log, the archive, the state."""
        for name, content in lines.items():
            data = (json.dumps(plain(content), allow_nan=False) + "\n").encode()
            append(self._folder.path / name, data, self._ends[name])
            self._logs[name].update(data)
            self._ends[name] += len(data)
        self._folder.write("archive.json", archive)
        saved = Checkpoint(
            seconds=seconds,
            last=last,
            held=held,
            begun={name: digest(self._bytes(name)) for name in BEGUN},
            logs={
                name: Log(bytes=end, sha256=self._logs[name].hexdigest())
                for name, end in self._ends.items()
            },
            search=search,
        )
        if self._state:
            write_sealed(self._folder.path / PREVIOUS, self._state)
        state = saved.model_dump_json().encode()
        write_sealed(self._folder.path / STATE, state)
        self._state, self.evaluations = state, search.evaluations

    def restore(self, previous: bool = False) -> Checkpoint | None:
        """What was kept last, or before that; None where no generation was.

        `InputError` names a file that is not as it was kept, and the older state where that is
        still good.
        """
        path = self._folder.path
        if not any((path / name).exists() for name in (STATE, PREVIOUS)):
            journal = self._bytes(LOGS[0]) if (path / LOGS[0]).exists() else b""
            if journal.count(b"\n") > 1 or (path / "result.json").exists():
                raise InputError(f"{path / STATE}: not there, so there is nothing to go on from")
            return None  # nothing, or the line of a generation that was being kept
        name = PREVIOUS if previous else STATE
        try:
            saved, state, logs = self._checked(name)
        except InputError as error:
            raise InputError(f"{error}{'' if previous else self._way_out()}") from None
        self._state = state
        self.evaluations = saved.search.evaluations
        for log, data in logs.items():
            self._logs[log].update(data)
            self._ends[log] = len(data)
        return saved

    def _checked(self, name: str) -> tuple[Checkpoint, bytes, dict[LogName, bytes]]:
        path = self._folder.path
        state = read_sealed(path / name)
        try:
            saved = Checkpoint.model_validate_json(state)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "content"
            raise InputError(f"{path / name}: {where}: {first['msg']}") from None
        for begun, known in saved.begun.items():
            if digest(self._bytes(begun)) != known:
                raise InputError(f"{path / begun}: not as it was when the run went on with it")
        logs = {log: self._bytes(log)[: known.bytes] for log, known in saved.logs.items()}
        for log, data in logs.items():
            if digest(data) != saved.logs[log].sha256:
                at = f"generation {saved.search.generation}"
                raise InputError(f"{path / log}: damaged: not as it was after {at}")
        return saved, state, logs

    def _way_out(self) -> str:
        try:
            older, *_ = self._checked(PREVIOUS)
        except InputError:
            return "; there is no older state to go on from: put the file back from a copy"
        at, name = older.search.generation, self._folder.path.name
        return f"; `eznas resume {name} --previous` goes on from generation {at}"

    def _bytes(self, name: str) -> bytes:
        path: Path = self._folder.path / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
