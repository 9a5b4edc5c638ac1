"""Executors on Ray: one actor per worker. This is the only file that imports ray.

Calls go in, answers come out; no tensor crosses a process border.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from eznas.errors import InputError
from eznas.evaluation.executors import Call, Job, Lost, Progress
from eznas.system.machine import keep_pages, resident
from eznas.system.signals import Stopped

ADDRESS = "RAY_ADDRESS"  # the environment variable that names a cluster
OBJECT_STORE = 100 << 20  # bytes of shared memory for Ray: only numbers pass through it
HUNG = 1800.0  # seconds after which a worker with one job is taken to hang
_PATIENCE = 120  # seconds for a task that does nothing but import what workers import
_NEAR = 5  # seconds to reach the port of a cluster


class Worker:
    """What lives in a worker's process: its state, and calls on it."""

    def __init__(self, make_state: Callable[[], Any]) -> None:
        keep_pages()  # of this process, which is ours
        self._state = make_state()

    def answer(self, call: Call) -> Any:
        """What a call gives."""
        return call.function(self._state, *call.arguments)


class RayExecutor:
    """One Ray actor per worker; a job belongs to its worker modulo their number.

    An actor that is lost, or that holds one job for longer than `limit` seconds, is made anew with
    a fresh state; what becomes of the job is the job's own matter (see `Job.finish`).
    """

    def __init__(self, make_state: Callable[[], Any], count: int, limit: float = HUNG) -> None:
        self.count = count
        self._make_state = make_state
        self._limit = limit
        self._actors: list[Any] = []
        self._started = _start_ray(count)
        try:
            self._actors = [self._actor() for _ in range(count)]
        except BaseException:  # a request to end may come here too
            self.close()
            raise

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """See `Executor.run`; every actor has one job at a time."""
        import ray

        queues: list[deque[int]] = [deque() for _ in self._actors]
        for number, job in enumerate(jobs):
            queues[job.worker % self.count].append(number)
        results: dict[int, Any] = {}
        running: dict[int, tuple[int, Call, Any, float]] = {}  # worker: job, call, answer, deadline
        while len(results) < len(jobs):
            for worker, queue in enumerate(queues):
                if queue and worker not in running:
                    number = queue.popleft()
                    call = jobs[number].call()
                    answer = self._actors[worker].answer.remote(call)
                    running[worker] = number, call, answer, time.monotonic() + self._limit
            first_deadline = min(deadline for *_, deadline in running.values())
            answers = [answer for *_, answer, _ in running.values()]
            ready, _ = ray.wait(answers, timeout=max(first_deadline - time.monotonic(), 0))
            for worker, (number, call, answer, deadline) in list(running.items()):
                if answer not in ready and time.monotonic() < deadline:
                    continue
                outcome = self._outcome(worker, answer if answer in ready else None)
                del running[worker]
                results[number] = jobs[number].finish(self, call, outcome)
                if progress is not None:
                    progress(len(results), len(jobs))
        return [results[number] for number in range(len(jobs))]

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """See `Executor.attempt`."""
        import ray

        outcome: Any | Lost = None
        for _ in range(times):
            answer = self._actors[worker % self.count].answer.remote(call)
            ready, _ = ray.wait([answer], timeout=self._limit)
            outcome = self._outcome(worker % self.count, answer if ready else None)
            if not isinstance(outcome, Lost):
                break
        return outcome

    def close(self) -> None:
        """Stop the actors, and the cluster if it was started here."""
        import ray

        actors, self._actors = self._actors, []
        for actor in actors:
            ray.kill(actor)
        if self._started:
            ray.shutdown()
        self._started = False

    def _outcome(self, worker: int, answer: Any | None) -> Any | Lost:
        """What a worker answered, None for one that took too long; `Lost` where there is no
        answer: the actor is made anew."""
        import ray

        try:
            if answer is not None:
                return ray.get(answer)
            ray.kill(self._actors[worker])
            lost = Lost("hung", f"no answer for {self._limit:g} s")
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, InputError) else error) from None
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
            lost = Lost("killed", str(error))
        self._actors[worker] = self._actor()
        return lost

    def _actor(self) -> Any:
        import ray

        return ray.remote(num_cpus=1, max_restarts=0)(Worker).remote(self._make_state)


def try_ray(count: int) -> tuple[float, int]:
    """Start Ray for so many workers or join the cluster that is named, have as many tasks done,
    and leave it again.

    Seconds until all tasks were back, and bytes of memory of the largest process that did one,
    with all imported that workers import. `InputError` where that fails.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(f"Ray: cannot be imported: {error}") from None

    began, started = time.monotonic(), False
    try:
        started = _start_ray(count)
        task = ray.remote(num_cpus=1)(resident)
        sizes = ray.get([task.remote() for _ in range(count)], timeout=_PATIENCE)
        return time.monotonic() - began, max(sizes)
    except InputError:
        raise
    except Exception as error:
        known = (OSError, RuntimeError, ValueError, ray.exceptions.RayError)
        # Where one of its processes does not come up, Ray raises Exception itself.
        if type(error) is not Exception and not isinstance(error, known):
            raise
        raise InputError(f"Ray: {' '.join(str(error).split())}") from None
    finally:
        if started:
            ray.shutdown()


def _start_ray(count: int) -> bool:
    """Join a cluster that is up in this process or that `RAY_ADDRESS` names, or start a lean one;
    True if this process is to leave it again."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return False
    handler = signal.getsignal(signal.SIGTERM)
    try:
        return _joined_or_begun(count)
    except SystemExit:  # what Ray's own handler raises while it starts
        ray.shutdown()
        raise Stopped(signal.SIGTERM) from None
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # which Ray has put its own in place of


def _joined_or_begun(count: int) -> bool:
    import ray

    if address := os.environ.get(ADDRESS):
        _reach(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError) as error:
            raise InputError(f"Ray cluster {address!r}: cannot be joined: {error}") from None
        cpus = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if cpus < count:  # actors beyond that would wait for ever
            ray.shutdown()
            raise InputError(f"Ray cluster {address!r}: {cpus} CPUs for {count} workers")
        return True
    ray.init(
        address="local",
        num_cpus=count,
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    return True


def _reach(address: str) -> None:
    """`InputError` where nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # a name that Ray knows, such as "auto"
    try:
        socket.create_connection((host, int(port)), timeout=_NEAR).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"Ray cluster {address!r}: cannot be reached: {error}") from None
