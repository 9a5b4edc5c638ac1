"""Workers: evaluators, one in this process or one in each of several that Ray runs.

Texts go in, numbers come out; no tensor crosses a process border. This is the only file that
imports ray.
"""

import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eznas.errors import InputError
from eznas.evaluator import Evaluator, Partial
from eznas.formulas.reasons import OF_FORMULAS, OF_NETWORKS
from eznas.formulas.table import Numbered
from eznas.machine import resident

Array = npt.NDArray[np.float64]
Answer = tuple[Array, Array]  # value and coverage
Progress = Callable[[int, int], None]  # shards done, shards in all

ADDRESS = "RAY_ADDRESS"  # the environment variable that names a cluster
OBJECT_STORE = 100 << 20  # bytes of shared memory for Ray: only numbers pass through it
HUNG = 1800.0  # seconds after which a worker that evaluates one shard is taken to hang
_LIVES = 3  # how often what a worker is asked may take it down before it is blamed
_HARMLESS = "params"  # no worker dies of this measure, unless of the networks
_PATIENCE = 120  # seconds for a task that does nothing but import what workers import
_NEAR = 5  # seconds to reach the port of a cluster


class Workers(Protocol):
    """What evaluates shards: serial, or Ray."""

    @property
    def count(self) -> int:
        """How many work at once."""

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """Value and coverage on shards of one place: two arrays [settings, measures, networks of
        all these shards]."""

    def close(self) -> None:
        """Let everything go."""


class Serial:
    """The reference: this process does it all, one shard after the other."""

    count = 1

    def __init__(self, make: Callable[[], Evaluator], progress: Progress | None = None) -> None:
        self._make = make
        self._evaluator = make()
        self._progress = progress

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """See `Workers.evaluate`."""
        found = []
        for done, shard in enumerate(shards, 1):
            found.append(self._evaluator.evaluate(shard, texts, place))
            if self._progress is not None:
                self._progress(done, len(shards))
        return _joined(found)

    def close(self) -> None:
        """Let the bank go."""
        self._evaluator = self._make()


class RayWorkers:
    """One Ray actor per worker; shard i belongs to actor i modulo their number.

    A lost actor is made anew and measures its shards again. What takes its worker down, or holds
    it for longer than `limit` seconds, again and again is searched for, first among the networks,
    then among the texts, and becomes a code (see `formulas.reasons`); the rest goes on.
    """

    def __init__(
        self,
        make: Callable[[], Evaluator],
        count: int,
        progress: Progress | None = None,
        limit: float = HUNG,
    ) -> None:
        self.count = count
        self._make = make
        self._progress = progress
        self._limit = limit
        self._started = _start_ray(count)
        self._actors = [self._actor() for _ in range(count)]

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """See `Workers.evaluate`; every actor has one shard at a time."""
        import ray

        texts = list(texts)
        waiting: list[deque[int]] = [deque() for _ in self._actors]
        for i, (number, _) in enumerate(shards):
            waiting[number % self.count].append(i)
        found: dict[int, tuple[Array, Array]] = {}
        running: dict[int, tuple[int, Any, float]] = {}  # actor -> shard, answer, deadline
        while len(found) < len(shards):
            for actor, own in enumerate(waiting):
                if own and actor not in running:
                    i = own.popleft()
                    running[actor] = i, self._ask(actor, shards[i], texts, place), self._deadline()
            soonest = min(deadline for *_, deadline in running.values())
            answers = [answer for _, answer, _ in running.values()]
            ray.wait(answers, timeout=max(soonest - time.monotonic(), 0))
            for actor, (i, answer, deadline) in list(running.items()):
                outcome = self._outcome(actor, answer, deadline)
                if outcome is None:
                    continue
                del running[actor]
                if isinstance(outcome, str):
                    outcome = self._survived(actor, shards[i], texts, place)
                found[i] = outcome
                if self._progress is not None:
                    self._progress(len(found), len(shards))
        return _joined([found[i] for i in range(len(shards))])

    def close(self) -> None:
        """Stop the actors, and the cluster if it was started here."""
        import ray

        actors, self._actors = self._actors, []
        for actor in actors:
            ray.kill(actor)
        if actors and self._started:
            ray.shutdown()

    def _actor(self) -> Any:
        import ray

        made = self._make()
        remote = ray.remote(num_cpus=1, max_restarts=0)(type(made))
        return remote.remote(made.places, made.statistics, made.keep, made.budget, made.lenient)

    def _ask(self, actor: int, shard: Partial, texts: list[str], place: int) -> Any:
        return self._actors[actor].evaluate.remote(shard, texts, place)

    def _deadline(self) -> float:
        return time.monotonic() + self._limit

    def _outcome(
        self, actor: int, answer: Any, deadline: float
    ) -> tuple[Array, Array] | str | None:
        """What a worker answered; "killed" or "hung" where it did not and was made anew; None
        where it is still at it."""
        import ray

        try:
            found: tuple[Array, Array] = ray.get(answer, timeout=0)
            return found
        except ray.exceptions.GetTimeoutError:
            if time.monotonic() < deadline:
                return None
            ray.kill(self._actors[actor])
            why = "hung"
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, InputError) else error) from None
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError):
            why = "killed"
        self._actors[actor] = self._actor()
        return why

    def _tried(
        self, actor: int, shard: Partial, texts: list[str], place: int, lives: int
    ) -> Answer | str:
        """The answer of a worker that has so many lives, or what happened to the last."""
        import ray

        outcome: Answer | str | None = None
        for _ in range(lives):
            answer, deadline = self._ask(actor, shard, texts, place), self._deadline()
            ray.wait([answer], timeout=self._limit)
            outcome = None
            while outcome is None:
                outcome = self._outcome(actor, answer, deadline)
            if not isinstance(outcome, str):
                break
        assert outcome is not None
        return outcome

    def _survived(
        self, actor: int, shard: Partial, texts: list[str], place: int
    ) -> tuple[Array, Array]:
        """What a worker says of a shard that has taken it down, with codes where it keeps dying."""
        outcome = self._tried(actor, shard, texts, place, _LIVES - 1)
        if not isinstance(outcome, str):
            return outcome
        number, networks = shard
        codes = self._deadly(actor, shard, place)
        sound = number, tuple(None if i in codes else a for i, a in enumerate(networks))
        values, coverage = (a.copy() for a in self._halved(actor, sound, texts, place))
        for i, code in codes.items():
            values[..., i], coverage[..., i] = np.nan, code
        return values, coverage

    def _deadly(self, actor: int, shard: Partial, place: int) -> dict[int, float]:
        """Codes of the networks of a shard that a worker dies of whatever it is asked."""
        if not isinstance(self._tried(actor, shard, [_HARMLESS], place, 1), str):
            return {}
        number, networks = shard
        codes = dict[int, float]()
        for i, network in enumerate(networks):
            alone = number, tuple(network if j == i else None for j in range(len(networks)))
            outcome = self._tried(actor, alone, [_HARMLESS], place, _LIVES)
            if isinstance(outcome, str):
                codes[i] = OF_NETWORKS[f"network {outcome}"]
        if len(codes) == len(networks) > 1:
            raise InputError(
                f"workers: each of the {len(networks)} networks of shard {number} by itself takes "
                "its worker down; is there enough memory? (`eznas doctor`)"
            )
        return codes

    def _halved(
        self, actor: int, shard: Partial, texts: list[str], place: int
    ) -> tuple[Array, Array]:
        """Values of texts among which some take the worker down: these get their code."""
        alone = len(texts) == 1
        outcome = self._tried(actor, shard, texts, place, _LIVES if alone else 1)
        if not isinstance(outcome, str):
            return outcome
        if alone:
            shape = len(self._make().places[place].settings), 1, len(shard[1])
            return np.full(shape, np.nan), np.full(shape, OF_FORMULAS[outcome])
        middle = len(texts) // 2
        parts = [self._halved(actor, shard, t, place) for t in (texts[:middle], texts[middle:])]
        values, coverage = zip(*parts, strict=True)
        return np.concatenate(values, axis=1), np.concatenate(coverage, axis=1)


def start(make: Callable[[], Evaluator], count: int, progress: Progress | None = None) -> Workers:
    """Serial for one worker, Ray for more or on a cluster that is named."""
    if count == 1 and ADDRESS not in os.environ:
        return Serial(make, progress)
    return RayWorkers(make, count, progress)


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
        told = ray.get([task.remote() for _ in range(count)], timeout=_PATIENCE)
        return time.monotonic() - began, max(told)
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
    if address := os.environ.get(ADDRESS):
        _reach(address)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError) as error:
            raise InputError(f"Ray cluster {address!r}: cannot be joined: {error}") from None
        there = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
        if there < count:  # actors beyond that would wait for ever
            ray.shutdown()
            raise InputError(f"Ray cluster {address!r}: {there} CPUs for {count} workers")
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


def _joined(found: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    values, coverage = zip(*found, strict=True)
    return np.concatenate(values, axis=2), np.concatenate(coverage, axis=2)
