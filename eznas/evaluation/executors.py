"""Workers: evaluators, one in this process or one in each of several that Ray runs.

Texts go in, numbers come out; no tensor crosses a process border. This is the only file that
imports ray.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from eznas.errors import InputError
from eznas.evaluation.evaluator import Evaluator, Partial
from eznas.evaluation.feature_table import Numbered
from eznas.evaluation.status import OF_FORMULAS, OF_NETWORKS
from eznas.system.machine import resident
from eznas.system.signals import Stopped

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
    then among the texts. Where evaluators are lenient it becomes a code (see `formulas.reasons`)
    and the rest goes on; `InputError` where they are not.
    """

    def __init__(
        self,
        make: Callable[[], Evaluator],
        count: int,
        progress: Progress | None = None,
        limit: float = HUNG,
    ) -> None:
        self.count = count
        self.made = make()
        self.deadly: dict[tuple[int, int], dict[int, float]] = {}  # place, shard: network, code
        self.death = ""  # what Ray said of the last one
        self._progress = progress
        self._limit = limit
        self._actors: list[Any] = []
        self._started = _start_ray(count)
        try:
            self._actors = [self._actor() for _ in range(count)]
        except BaseException:  # a request to end may come here too
            self.close()
            raise

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """See `Workers.evaluate`; every actor has one shard at a time."""
        import ray

        call = _Call(self, list(texts), place)
        waiting: list[deque[int]] = [deque() for _ in self._actors]
        for i, (number, _) in enumerate(shards):
            waiting[number % self.count].append(i)
        found: dict[int, Answer] = {}
        running: dict[int, tuple[int, list[str], Any, float]] = {}  # actor: shard, texts, answer
        while len(found) < len(shards):
            for actor, own in enumerate(waiting):
                if own and actor not in running:
                    i, asked = own.popleft(), call.texts()
                    answer = self.ask(actor, "evaluate", call.sound(shards[i]), asked, place)
                    running[actor] = i, asked, answer, time.monotonic() + self._limit
            soonest = min(deadline for *_, deadline in running.values())
            answers = [answer for *_, answer, _ in running.values()]
            ready, _ = ray.wait(answers, timeout=max(soonest - time.monotonic(), 0))
            for actor, (i, asked, answer, deadline) in list(running.items()):
                if answer not in ready and time.monotonic() < deadline:
                    continue
                outcome = self._outcome(actor, answer if answer in ready else None)
                del running[actor]
                found[i] = call.completed(actor, shards[i], asked, outcome)
                if self._progress is not None:
                    self._progress(len(found), len(shards))
        return _joined([found[i] for i in range(len(shards))])

    def close(self) -> None:
        """Stop the actors, and the cluster if it was started here."""
        import ray

        actors, self._actors = self._actors, []
        for actor in actors:
            ray.kill(actor)
        if self._started:
            ray.shutdown()
        self._started = False

    def ask(self, actor: int, method: str, *arguments: Any) -> Any:
        """What a method of an actor's evaluator will answer."""
        return getattr(self._actors[actor], method).remote(*arguments)

    def tried(self, lives: int, actor: int, method: str, *arguments: Any) -> Answer | str:
        """The answer of a worker that has so many lives, or what happened to the last."""
        import ray

        outcome: Answer | str = "killed"
        for _ in range(lives):
            answer = self.ask(actor, method, *arguments)
            ready, _ = ray.wait([answer], timeout=self._limit)
            outcome = self._outcome(actor, answer if ready else None)
            if not isinstance(outcome, str):
                break
        return outcome

    def _outcome(self, actor: int, answer: Any | None) -> Answer | str:
        """What a worker answered, None for one that took too long; "killed" or "hung" where there
        is no answer, and the actor was made anew."""
        import ray

        why = "hung"
        try:
            if answer is not None:
                found: Answer = ray.get(answer)
                return found
            ray.kill(self._actors[actor])
            self.death = f"no answer for {self._limit:g} s"
        except ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, InputError) else error) from None
        except (ray.exceptions.RayActorError, ray.exceptions.OutOfMemoryError) as error:
            why, self.death = "killed", str(error)
        self._actors[actor] = self._actor()
        return why

    def _actor(self) -> Any:
        import ray

        made = self.made
        remote = ray.remote(num_cpus=1, max_restarts=0)(type(made))
        return remote.remote(made.places, made.statistics, made.keep, made.budget, made.lenient)


class _Call:
    """One call of `RayWorkers.evaluate`: what is asked, and what turned out to be deadly."""

    def __init__(self, team: RayWorkers, texts: list[str], place: int) -> None:
        self._team, self._texts, self._place = team, texts, place
        self._blamed: dict[str, float] = {}

    def texts(self) -> list[str]:
        """The texts that are still asked for."""
        return [t for t in self._texts if t not in self._blamed]

    def sound(self, shard: Numbered) -> Partial:
        """A shard without the networks that are known to be deadly."""
        codes = self._team.deadly.get((self._place, shard[0]), {})
        return shard[0], tuple(None if i in codes else a for i, a in enumerate(shard[1]))

    def completed(
        self, actor: int, shard: Numbered, asked: list[str], outcome: Answer | str
    ) -> Answer:
        """Values of all texts on a shard, after what a worker answered or what happened to it."""
        found = self._survived(actor, shard) if isinstance(outcome, str) else _rows(asked, outcome)
        settings = len(self._team.made.places[self._place].settings)
        values = np.full((settings, len(self._texts), len(shard[1])), np.nan)
        coverage = values.copy()
        for row, text in enumerate(self._texts):
            if text in found:
                values[:, row], coverage[:, row] = found[text]
            else:
                coverage[:, row] = self._blamed[text]
        for network, code in self._team.deadly.get((self._place, shard[0]), {}).items():
            values[..., network], coverage[..., network] = np.nan, code
        return values, coverage

    def _survived(self, actor: int, shard: Numbered) -> dict[str, Answer]:
        """What a worker says of a shard that has taken it down, less what it keeps dying of."""
        texts = self.texts()
        outcome = self._tried(_LIVES - 1, actor, "evaluate", self.sound(shard), texts)
        if not isinstance(outcome, str):
            return _rows(texts, outcome)
        if not self._team.made.lenient:
            raise InputError(self._fatal(shard, "again and again takes its worker down"))
        self._search_networks(actor, shard)
        return self._search_texts(actor, shard, texts)

    def _search_networks(self, actor: int, shard: Numbered) -> None:
        """Find the networks that a worker dies of as it measures them."""
        number, networks = self.sound(shard)
        texts = self.texts()
        if not isinstance(self._tried(1, actor, "measured", (number, networks), texts), str):
            return
        codes = dict[int, float]()
        for i in (i for i, network in enumerate(networks) if network is not None):
            alone = number, tuple(a if j == i else None for j, a in enumerate(networks))
            outcome = self._tried(_LIVES, actor, "measured", alone, texts)
            if isinstance(outcome, str):
                codes[i] = OF_NETWORKS[f"network {outcome}"]
        if len(codes) == len(networks) > 1:
            raise InputError(self._fatal(shard, "takes its worker down with each of its networks"))
        self._team.deadly.setdefault((self._place, number), {}).update(codes)

    def _search_texts(self, actor: int, shard: Numbered, texts: list[str]) -> dict[str, Answer]:
        """Values of texts among which some take the worker down: these are blamed."""
        alone = len(texts) == 1
        lives = _LIVES if alone else 1
        outcome = self._tried(lives, actor, "evaluate", self.sound(shard), texts)
        if not isinstance(outcome, str):
            return _rows(texts, outcome)
        if alone:
            self._blamed[texts[0]] = OF_FORMULAS[outcome]
            return {}
        middle = len(texts) // 2
        first = self._search_texts(actor, shard, texts[:middle])
        return first | self._search_texts(actor, shard, texts[middle:])

    def _tried(
        self, lives: int, actor: int, method: str, shard: Partial, texts: list[str]
    ) -> Answer | str:
        return self._team.tried(lives, actor, method, shard, texts, self._place)

    def _fatal(self, shard: Numbered, what: str) -> str:
        return (
            f"workers: shard {shard[0]} {what}; is there enough memory? (`eznas doctor`) "
            f"The last: {self._team.death}"
        )


def _rows(texts: list[str], answer: Answer) -> dict[str, Answer]:
    """Value and coverage of each text, [settings, networks]."""
    return {text: (answer[0][:, i], answer[1][:, i]) for i, text in enumerate(texts)}


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
    heard = signal.getsignal(signal.SIGTERM)
    try:
        return _joined_or_begun(count)
    except SystemExit:  # what Ray's own handler raises while it starts
        ray.shutdown()
        raise Stopped(signal.SIGTERM) from None
    finally:
        if heard is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, heard)  # which Ray has put its own in place of


def _joined_or_begun(count: int) -> bool:
    import ray

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
