"""Workers: they own networks, in shards of fixed membership, and evaluate measures on them.

A shard is built, measured and evaluated on its own with one torch thread, in every mode, so a
run does not depend on the number of workers. Texts go in, numbers come out; no tensor crosses
a process border. This is the only file that imports ray.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from eznas.errors import InputError
from eznas.formulas.parser import parse
from eznas.formulas.plan import Plan, evaluate
from eznas.formulas.values import Cache
from eznas.machine import keep_pages, resident, trim
from eznas.spaces import Space
from eznas.statistics.bank import Shard, stack
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.conditions import Conditions
from eznas.statistics.mapped import Mapped
from eznas.statistics.measuring import measure

Array = npt.NDArray[np.float64]
Numbered = tuple[int, tuple[str, ...]]
Progress = Callable[[int, int], None]  # shards done, shards in all

ADDRESS = "RAY_ADDRESS"  # the environment variable that names a cluster
MEASURING = 1.5  # what measuring a shard takes, in sizes of a shard
OBJECT_STORE = 100 << 20  # bytes of shared memory for Ray: only numbers pass through it
_LIVES = 3  # how often one shard may take its worker down before the run gives up
_PATIENCE = 120  # seconds for a task that does nothing but import what workers import


@dataclass(frozen=True)
class Place:
    """A space and the settings under which its networks are measured.

    The space itself, not its name: one that a user has added is known in this process alone.
    """

    space: Space
    settings: tuple[Conditions, ...]


@dataclass
class _Kept:
    shard: Shard | Mapped
    cache: Cache = field(default_factory=Cache)

    def opened(self) -> Shard:
        return self.shard.shard() if isinstance(self.shard, Mapped) else self.shard


@dataclass(eq=False, repr=False)
class Evaluator:
    """Builds, measures and keeps shards of a few spaces, each under its settings.

    `statistics` are measured when a shard is first seen, and kept if `keep`; what a formula needs
    besides is measured for it and let go. A shard goes to disk where this process, with it and
    while another one is measured, would take more than `budget` bytes (None: no limit).
    """

    places: tuple[Place, ...]
    statistics: tuple[str, ...] = ()
    keep: bool = True
    budget: int | None = None
    _kept: dict[tuple[int, int, int], _Kept] = field(default_factory=dict)
    _plan: tuple[tuple[str, ...], Plan] = ((), Plan([], []))
    _largest: int = 0  # bytes of a shard with all that was measured for it

    def __post_init__(self) -> None:
        keep_pages()

    def evaluate(
        self, shard: Numbered, texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """Value and coverage of measures on a shard of one of the places: two arrays [settings,
        measures, networks]."""
        settings = range(len(self.places[place].settings))
        with one_thread():
            plan = self._planned(tuple(texts))
            found = [self._on(shard, place, setting, plan) for setting in settings]
        return np.stack([v for v, _ in found]), np.stack([c for _, c in found])

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors that are kept in memory."""
        return sum(k.shard.nbytes() for k in self._kept.values() if isinstance(k.shard, Shard))

    def touched(self, statistics: Collection[str]) -> int:
        """Bytes of these statistics, in memory or on disk."""
        return sum(k.opened().nbytes(statistics) for k in self._kept.values())

    def forget(self) -> None:
        """Drop what was computed; what was measured stays."""
        for kept in self._kept.values():
            kept.cache = Cache()

    def _planned(self, texts: tuple[str, ...]) -> Plan:
        if self._plan[0] != texts:
            self._plan = (texts, Plan.of([parse(t) for t in texts]))
        return self._plan[1]

    def _on(self, shard: Numbered, place: int, setting: int, plan: Plan) -> tuple[Array, Array]:
        number, architectures = shard
        space, conditions = self.places[place].space, self.places[place].settings[setting]
        kept = self._kept.get((place, number, setting))
        new = kept is None
        if kept is None:
            names = [n for n in CATALOGUE if n in self.statistics or n in plan.statistics()]
            kept = _Kept(_measured(space, architectures, conditions, names))
        whole = kept.opened()
        missing = plan.missing(whole, kept.cache)
        if missing:
            whole = whole.joined(_measured(space, architectures, conditions, missing))
        found = evaluate(plan, whole, kept.cache)
        if isinstance(kept.shard, Mapped):
            kept.shard.release()
        elif self.keep:
            self._largest = max(self._largest, whole.nbytes())
            kept.shard = whole.only(self.statistics)
            self._kept[place, number, setting] = kept
            del whole
            if missing or new:
                trim()
            if not self._roomy():
                kept.shard = Mapped(kept.shard)
                trim()
        return found

    def _roomy(self) -> bool:
        """Whether another shard can be measured within the budget."""
        if self.budget is None or self._fits(self.budget):
            return True
        trim()  # what is free already does not count
        return self._fits(self.budget)

    def _fits(self, budget: int) -> bool:
        return resident() + MEASURING * self._largest <= budget


def _measured(
    space: Space, architectures: tuple[str, ...], conditions: Conditions, names: list[str]
) -> Shard:
    rows, found = [CATALOGUE[n] for n in names], []
    for architecture in architectures:
        with torch.random.fork_rng(devices=[]):  # fresh parameters come with the measurement
            model = space.build(architecture, conditions.classes)
        found.append(measure(model, conditions, rows))
    shard = stack(found, conditions.device, conditions.storage)
    del found
    trim()
    return shard


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

    A lost actor is made anew and measures its shards again; a shard that takes down its worker
    `_LIVES` times ends the run.
    """

    def __init__(
        self, make: Callable[[], Evaluator], count: int, progress: Progress | None = None
    ) -> None:
        self.count = count
        self._make = make
        self._progress = progress
        self._started = _start_ray(count)
        self._actors = [self._actor() for _ in range(count)]

    def evaluate(
        self, shards: Sequence[Numbered], texts: Sequence[str], place: int = 0
    ) -> tuple[Array, Array]:
        """See `Workers.evaluate`."""
        import ray

        texts = list(texts)
        waiting = {self._submit(shard, texts, place): i for i, shard in enumerate(shards)}
        found: dict[int, tuple[Array, Array]] = {}
        lost = [0] * len(shards)
        while waiting:
            ready, _ = ray.wait(list(waiting))
            i = waiting.pop(ready[0])
            try:
                found[i] = ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise (error.cause if isinstance(error.cause, InputError) else error) from None
            except ray.exceptions.RayActorError:
                lost[i] += 1
                if lost[i] >= _LIVES:
                    raise
                self._revive(shards[i][0])
                waiting[self._submit(shards[i], texts, place)] = i
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

        remote = ray.remote(num_cpus=1, max_restarts=0)(Evaluator)
        made = self._make()
        return remote.remote(made.places, made.statistics, made.keep, made.budget)

    def _submit(self, shard: Numbered, texts: list[str], place: int) -> Any:
        return self._actors[shard[0] % self.count].evaluate.remote(shard, texts, place)

    def _revive(self, number: int) -> None:
        import ray

        place = number % self.count
        try:
            ray.get(self._actors[place].__ray_ready__.remote())
        except ray.exceptions.RayActorError:
            self._actors[place] = self._actor()


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


def _joined(found: Sequence[tuple[Array, Array]]) -> tuple[Array, Array]:
    values, coverage = zip(*found, strict=True)
    return np.concatenate(values, axis=2), np.concatenate(coverage, axis=2)


@contextmanager
def one_thread() -> Iterator[None]:
    """Results depend on the number of threads in their last bits: always one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
