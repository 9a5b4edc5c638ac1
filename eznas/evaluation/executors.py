"""Executors: where jobs run, in this process or in several.

An executor holds a state for each of its workers (an evaluator, a supernet, ...), made once, and
runs jobs on it. It knows nothing of what they compute.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Progress = Callable[[int, int], None]  # jobs done, jobs in all


@dataclass(frozen=True)
class Call:
    """A function of the worker's state and of arguments; all of it can be pickled."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Lost:
    """What stands in place of an answer: the worker died of the call ("killed") or did not come
    back from it ("hung"), and was made anew; `detail` is what is known of it."""

    how: Literal["killed", "hung"]
    detail: str


class Job(Protocol):
    """Work for one worker: what it calls is made when the worker is free, and its answer is
    finished in the driver, which may call the worker again."""

    @property
    def worker(self) -> int:
        """The worker, by its number; taken modulo how many there are."""

    def call(self) -> Call:
        """What the worker is to call."""

    def finish(self, executor: "Executor", call: Call, answer: Any | Lost) -> Any:
        """The job's result, from what `call` gave."""


class Executor(Protocol):
    """Runs jobs: in this process (`SerialExecutor`), or in others (`RayExecutor`)."""

    @property
    def count(self) -> int:
        """How many workers there are."""

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """The result of every job, in their order. An error in a call is raised here."""

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """What a worker answers; `Lost` where it is lost so many times in a row."""

    def close(self) -> None:
        """Let the states go, and what was started for them."""


class SerialExecutor:
    """The reference: this process does it all, one job after the other."""

    count = 1

    def __init__(self, make_state: Callable[[], Any]) -> None:
        self._make_state = make_state
        self._state = make_state()

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """See `Executor.run`."""
        results = []
        for job in jobs:
            call = job.call()
            results.append(job.finish(self, call, self.attempt(job.worker, call, 1)))
            if progress is not None:
                progress(len(results), len(jobs))
        return results

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """See `Executor.attempt`; nothing is ever lost here."""
        return call.function(self._state, *call.arguments)

    def close(self) -> None:
        """See `Executor.close`."""
        self._state = self._make_state()
