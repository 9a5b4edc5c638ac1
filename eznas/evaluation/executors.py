"""Executors: they run jobs, in this process or in several.

An executor makes a state for each of its workers once (an evaluator, a supernet, ...) and runs jobs
on it. It knows nothing of what the jobs compute.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Progress = Callable[[int, int], None]  # networks (or other parts of the work) done, and in all


class Phases(Protocol):
    """What work of several phases calls as it makes progress; an exception ends it."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """A phase begins that measures so many networks; its name says so to people. The function
        it returns, if any, is called as networks are done with their number and that of all."""

    def note(self, text: str) -> None:
        """There is something to say, in a line, that ends nothing."""


class NoPhases:
    """Does nothing."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Phases.phase`."""
        return None

    def note(self, text: str) -> None:
        """See `Phases.note`."""


@dataclass(frozen=True)
class Call:
    """What a worker runs: `function(state, *arguments)`. Function, arguments and result must be
    picklable."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Lost:
    """Stands in place of an answer that never came, because the worker died during the call
    ("killed") or exceeded the time limit ("hung"). The worker was replaced by one with a fresh
    state; `detail` says more for an error message."""

    cause: Literal["killed", "hung"]
    detail: str


class Job(Protocol):
    """Work for one worker, driven by the process that runs the executor (the driver)."""

    @property
    def worker(self) -> int:
        """The number of the worker, modulo how many workers there are."""

    @property
    def size(self) -> int:
        """Of how many networks (or other parts) of the work the job consists."""

    def call(self) -> Call:
        """The call for the worker, built when the worker is free."""

    def finish(self, executor: "Executor", call: Call, answer: Any | Lost) -> Any:
        """The job's result, from the answer to `call`. Runs in the driver, and may send the worker
        further calls through `executor.attempt`."""


class Executor(Protocol):
    """Runs jobs: in this process (`SerialExecutor`) or in others (`RayExecutor`)."""

    @property
    def count(self) -> int:
        """How many workers there are."""

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """The result of every job, in their order; `progress` is called after each, with the
        sizes of those done and of all. An exception in a call or in `Job.finish` is raised here."""

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """A worker's answer to a call, which is repeated while the worker is lost, `times` times in
        all; `Lost` if it is lost every time."""

    def close(self) -> None:
        """Drop the states, and stop what was started for them."""


class SerialExecutor:
    """The reference: this process runs one job after the other. `count` is 1."""

    count = 1

    def __init__(self, make_state: Callable[[], Any]) -> None:
        self._make_state = make_state
        self._state = make_state()

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """See `Executor.run`."""
        results, done, total = [], 0, sum(job.size for job in jobs)
        for job in jobs:
            call = job.call()
            results.append(job.finish(self, call, self.attempt(job.worker, call, 1)))
            done += job.size
            if progress is not None:
                progress(done, total)
        return results

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """See `Executor.attempt`; nothing is ever lost here."""
        return call.function(self._state, *call.arguments)

    def close(self) -> None:
        """See `Executor.close`."""
        self._state = self._make_state()
