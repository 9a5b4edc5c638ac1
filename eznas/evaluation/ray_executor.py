"""Executors on Ray: one actor (a process with a state) per worker. Only this file imports ray.

Calls go in, answers come out; eznas sends no tensor from process to process.
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
HUNG = 1800.0  # seconds on one call after which a worker counts as hung
_TRIAL_TIMEOUT = 120  # seconds for tasks that only import what workers import
_PORT_TIMEOUT = 5  # seconds to reach the port of a cluster
_RELEASE = 5  # seconds for workers of others that are ending to leave their CPUs


class Worker:
    """The actor in a worker's process: it makes the state and runs calls on it."""

    def __init__(self, make_state: Callable[[], Any]) -> None:
        keep_pages()  # the process belongs to this worker alone
        self._state = make_state()

    def answer(self, call: Call) -> Any:
        """The result of a call. Raises what its function raises."""
        return call.function(self._state, *call.arguments)


class RayExecutor:
    """One Ray actor per worker: `worker_count` of them, each with a state from `make_state`, which
    must be picklable.

    An actor that dies, or takes longer than `call_timeout` seconds for one call, is replaced by one
    with a fresh state, and its job learns of it (see `Job.finish`). Raises `InputError` if the
    cluster that RAY_ADDRESS names cannot be joined, or has too few free CPUs.
    """

    def __init__(
        self, make_state: Callable[[], Any], worker_count: int, call_timeout: float = HUNG
    ) -> None:
        self.count = worker_count
        self._make_state = make_state
        self._call_timeout = call_timeout
        self._actors: list[Any] = []
        make_state()  # what fails here would look like an actor's death there
        self._must_shut_down = _start_ray(worker_count)
        try:
            self._actors = [self._actor() for _ in range(worker_count)]
        except BaseException:  # such as an interrupt
            self.close()
            raise

    def run(self, jobs: Sequence[Job], progress: Progress | None = None) -> list[Any]:
        """See `Executor.run`; every actor has one call at a time."""
        import ray

        queues: list[deque[int]] = [deque() for _ in self._actors]
        for number, job in enumerate(jobs):
            queues[job.worker % self.count].append(number)
        results: dict[int, Any] = {}
        done, total = 0, sum(job.size for job in jobs)
        running: dict[int, tuple[int, Call, Any, float]] = {}  # worker: job, call, answer, deadline
        while len(results) < len(jobs):
            for worker, queue in enumerate(queues):
                if queue and worker not in running:
                    number = queue.popleft()
                    call = jobs[number].call()
                    answer = self._actors[worker].answer.remote(call)
                    running[worker] = number, call, answer, time.monotonic() + self._call_timeout
            first_deadline = min(deadline for *_, deadline in running.values())
            answers = [answer for *_, answer, _ in running.values()]
            ready, _ = ray.wait(answers, timeout=max(first_deadline - time.monotonic(), 0))
            for worker, (number, call, answer, deadline) in list(running.items()):
                if answer not in ready and time.monotonic() < deadline:
                    continue
                outcome = self._outcome(worker, answer if answer in ready else None)
                del running[worker]
                results[number] = jobs[number].finish(self, call, outcome)
                done += jobs[number].size
                if progress is not None:
                    progress(done, total)
        return [results[number] for number in range(len(jobs))]

    def attempt(self, worker: int, call: Call, times: int) -> Any | Lost:
        """See `Executor.attempt`."""
        import ray

        actor, outcome = worker % self.count, None
        for _ in range(times):
            answer = self._actors[actor].answer.remote(call)
            ready, _ = ray.wait([answer], timeout=self._call_timeout)
            outcome = self._outcome(actor, answer if ready else None)
            if not isinstance(outcome, Lost):
                break
        return outcome

    def close(self) -> None:
        """Stop the actors, and leave the cluster, which ends if it was started here; a cluster that
        this process had joined before is not left."""
        import ray

        actors, self._actors = self._actors, []
        for actor in actors:
            ray.kill(actor)
        if self._must_shut_down:
            ray.shutdown()
        self._must_shut_down = False

    def _outcome(self, worker: int, answer: Any | None) -> Any | Lost:
        """The result behind an answer, which is None for a worker that took too long; `Lost` where
        there is no result: the actor has then been replaced."""
        import ray

        try:
            if answer is not None:
                return ray.get(answer)
            ray.kill(self._actors[worker])
            lost = Lost("hung", f"no answer for {self._call_timeout:g} s")
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, InputError) else error) from None
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
            lost = Lost("killed", str(error))
        self._actors[worker] = self._actor()
        return lost

    def _actor(self) -> Any:
        import ray

        return ray.remote(num_cpus=1, max_restarts=0)(Worker).remote(self._make_state)


def try_ray(worker_count: int) -> tuple[float, int]:
    """Start Ray for this many workers, or join the cluster that RAY_ADDRESS names, run one task for
    each worker, and leave it again.

    Returns the seconds until all tasks were back, and the bytes of memory of the largest process
    that ran one, after it has imported what workers import. Raises `InputError` if that fails.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError(f"Ray: cannot be imported: {error}") from None

    start, started = time.monotonic(), False
    try:
        started = _start_ray(worker_count)
        task = ray.remote(num_cpus=1)(resident)
        sizes = ray.get([task.remote() for _ in range(worker_count)], timeout=_TRIAL_TIMEOUT)
        return time.monotonic() - start, max(sizes)
    except InputError:
        raise
    except Exception as error:
        expected = (OSError, RuntimeError, ValueError, ray.exceptions.RayError)
        # Where one of its processes does not start, Ray raises a bare Exception.
        if type(error) is not Exception and not isinstance(error, expected):
            raise
        raise InputError(f"Ray: {' '.join(str(error).split())}") from None
    finally:
        if started:
            ray.shutdown()


def _start_ray(worker_count: int) -> bool:
    """Use the cluster that this process has joined, or join the one that RAY_ADDRESS names, or
    start a small one; True if `ray.shutdown` is to follow in the end."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return False
    handler = signal.getsignal(signal.SIGTERM)
    try:
        return _join_or_start(worker_count)
    except SystemExit:  # raised by Ray's own handler of SIGTERM while it starts
        ray.shutdown()
        raise Stopped(signal.SIGTERM) from None
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # which Ray has replaced by its own


def _join_or_start(worker_count: int) -> bool:
    import ray

    if address := os.environ.get(ADDRESS):
        _check_reachable(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError) as error:
            raise InputError(f"Ray cluster {address!r}: cannot be joined: {error}") from None
        cpus = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        free = _free_cpus(worker_count) if cpus >= worker_count else cpus
        if free < worker_count:  # the actors beyond that would wait without a word
            ray.shutdown()
            raise InputError(
                f"Ray cluster {address!r}: {free} of its {cpus} CPUs can be had, expected "
                f"{worker_count}, one for each worker"
            )
        return True
    ray.init(
        address="local",
        num_cpus=worker_count,
        object_store_memory=OBJECT_STORE,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    return True


def _free_cpus(wanted: int) -> int:
    """CPUs of the joined cluster that nobody holds, after at most `_RELEASE` seconds in which they
    may become as many as wanted."""
    import ray

    deadline = time.monotonic() + _RELEASE
    while True:
        free = int(ray.available_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if free >= wanted or time.monotonic() > deadline:
            return free
        time.sleep(0.2)


def _check_reachable(address: str) -> None:
    """Raises `InputError` if nothing listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # a name that Ray knows, such as "auto"
    try:
        socket.create_connection((host, int(port)), timeout=_PORT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"Ray cluster {address!r}: cannot be reached: {error}") from None
