"""The evaluator: it owns networks, in shards of fixed membership, and evaluates measures on them.

A shard is built, measured and evaluated on its own with one torch thread, so that its numbers
depend neither on other shards nor on the process that they are made in.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from eznas.errors import InputError
from eznas.evaluation.bank import Shard, stack
from eznas.evaluation.bank_on_disk import Mapped
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import OF_FORMULAS, OF_NETWORKS
from eznas.evaluation.values import Cache
from eznas.formulas.parser import parse
from eznas.spaces import Space
from eznas.statistics.catalogue import CATALOGUE, Statistic
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.measuring import MeasuredNetwork, measure, nothing
from eznas.system.machine import keep_pages, out_of_memory, resident, trim

Array = npt.NDArray[np.float64]
# A shard: its number and its architectures, None in place of one that is not to be touched.
Partial = tuple[int, tuple[str | None, ...]]

MEASURING = 1.5  # what measuring a shard takes, in sizes of a shard


@dataclass(frozen=True)
class Place:
    """A space and the settings under which its networks are measured.

    The space itself, not its name: one that a user has added is known in this process alone.
    """

    space: Space
    settings: tuple[MeasurementConfig, ...]


@dataclass
class _MeasuredShard:
    """A measured shard; `failed`: which of its networks could not be measured."""

    architectures: tuple[str | None, ...]
    shard: Shard | Mapped
    failed: frozenset[int]
    cache: Cache = field(default_factory=Cache)

    def opened(self) -> Shard:
        return self.shard.shard() if isinstance(self.shard, Mapped) else self.shard


@dataclass(eq=False, repr=False)
class Evaluator:
    """Builds, measures and keeps shards of a few spaces, each under its settings.

    `statistics` are measured when a shard is first seen, and kept if `keep`; what a formula needs
    besides is measured for it and let go. A shard goes to disk where this process, with it and
    while another one is measured, would take more than `budget` bytes (None: no limit). What
    cannot be had becomes a code (see `formulas.reasons`): with `lenient` a network whose forward
    or backward fails (an `InputError` without), and always a formula that finds no memory.
    """

    places: tuple[Place, ...]
    statistics: tuple[str, ...] = ()
    keep: bool = True
    budget: int | None = None
    lenient: bool = False
    _kept: dict[tuple[int, int, int], _MeasuredShard] = field(default_factory=dict)
    _plan: tuple[tuple[str, ...], Plan] = ((), Plan([], []))
    _largest: int = 0  # bytes of a shard with all that was measured for it

    def __post_init__(self) -> None:
        keep_pages()

    def evaluate(self, shard: Partial, texts: Sequence[str], place: int = 0) -> tuple[Array, Array]:
        """Value and coverage of measures on a shard of one of the places: two arrays [settings,
        measures, networks]."""
        settings = range(len(self.places[place].settings))
        with one_thread():
            plan = self._planned(tuple(texts))
            found = [self._on(shard, place, setting, plan) for setting in settings]
        return np.stack([v for v, _ in found]), np.stack([c for _, c in found])

    def measured(self, shard: Partial, texts: Sequence[str], place: int = 0) -> None:
        """Measure what the texts need on a shard, and let it go."""
        with one_thread():
            needed = {*self.statistics, *self._planned(tuple(texts)).statistics()}
            for setting in range(len(self.places[place].settings)):
                self._measured(shard[1], place, setting, needed)

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

    def _on(self, shard: Partial, place: int, setting: int, plan: Plan) -> tuple[Array, Array]:
        number, architectures = shard
        kept = self._kept.get((place, number, setting))
        new = kept is None or kept.architectures != architectures
        if kept is None or new:
            asked = {*self.statistics, *plan.statistics()}
            kept = _MeasuredShard(
                architectures, *self._measured(architectures, place, setting, asked)
            )
            if kept.failed:  # at what is kept, or at what this plan alone needs?
                own = self._measured(architectures, place, setting, self.statistics)
                kept = _MeasuredShard(architectures, *own)
        whole = kept.opened()
        missing = plan.missing(whole, kept.cache)
        if missing:
            sound = _without(architectures, kept.failed)
            more, failed = self._measured(sound, place, setting, missing)
            if failed - kept.failed:
                return self._parted(shard, place, setting, plan, frozenset(missing))
            whole = whole.joined(more)
        found = _marked(_evaluated(plan, whole, kept.cache), kept.failed)
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

    def _parted(
        self, shard: Partial, place: int, setting: int, plan: Plan, missing: frozenset[str]
    ) -> tuple[Array, Array]:
        """`_on` where networks fail at missing statistics alone: each of what needs these goes by
        itself, without the networks that fail at it, and the rest as ever."""
        needs = [not missing.isdisjoint(root.statistics()) for root in plan.roots]
        values = np.empty((len(needs), len(shard[1])))
        coverage = np.empty_like(values)
        rest = Plan.of(r for r, n in zip(plan.roots, needs, strict=True) if not n)
        if rest.roots:
            fine = [i for i, n in enumerate(needs) if not n]
            values[fine], coverage[fine] = self._on(shard, place, setting, rest)
        for i in np.flatnonzero(needs).tolist():
            own = Plan.of([plan.roots[i]])
            whole, failed = self._measured(shard[1], place, setting, own.statistics())
            found = _marked(_evaluated(own, whole, Cache(0)), failed)
            values[i], coverage[i] = found[0][0], found[1][0]
        return values, coverage

    def _measured(
        self,
        architectures: Sequence[str | None],
        place: int,
        setting: int,
        names: Collection[str],
    ) -> tuple[Shard, frozenset[int]]:
        """A shard, and which of its networks cannot be measured or are not to be."""
        space, conditions = self.places[place].space, self.places[place].settings[setting]
        rows = [CATALOGUE[n] for n in CATALOGUE if n in names]
        found: list[MeasuredNetwork] = []
        failed = set[int]()
        for at, architecture in enumerate(architectures):
            try:
                measured = architecture and _measurement(space, architecture, conditions, rows)
            except InputError:
                if not self.lenient:
                    raise
                measured = None
            if not measured:
                failed.add(at)
            found.append(measured or nothing(rows))
        shard = stack(found, conditions.device, conditions.storage)
        del found
        trim()
        return shard, frozenset(failed)

    def _roomy(self) -> bool:
        """Whether another shard can be measured within the budget."""
        if self.budget is None or self._fits(self.budget):
            return True
        trim()  # what is free already does not count
        return self._fits(self.budget)

    def _fits(self, budget: int) -> bool:
        return resident() + MEASURING * self._largest <= budget


def _measurement(
    space: Space, architecture: str, conditions: MeasurementConfig, rows: Sequence[Statistic]
) -> MeasuredNetwork:
    with torch.random.fork_rng(devices=[]):  # fresh parameters come with the measurement
        model = space.build(architecture, conditions.classes)
    return measure(model, conditions, rows)


def _without(architectures: Sequence[str | None], some: Collection[int]) -> list[str | None]:
    return [None if i in some else a for i, a in enumerate(architectures)]


def _marked(found: tuple[Array, Array], failed: Collection[int]) -> tuple[Array, Array]:
    """With the code of networks that fail in their columns."""
    values, coverage = found
    columns = sorted(failed)
    values[:, columns], coverage[:, columns] = np.nan, OF_NETWORKS["forward"]
    return values, coverage


def _evaluated(plan: Plan, shard: Shard, cache: Cache) -> tuple[Array, Array]:
    """The plan on a shard; where memory runs out, each root by itself, and those that find none
    even then by their code."""
    try:
        return evaluate(plan, shard, cache)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    trim()
    if len(plan.roots) > 1:
        parts = [_evaluated(Plan.of([root]), shard, cache) for root in plan.roots]
        return np.concatenate([v for v, _ in parts]), np.concatenate([c for _, c in parts])
    shape = (len(plan.roots), shard.networks)
    return np.full(shape, np.nan), np.full(shape, OF_FORMULAS["memory"])


@contextmanager
def one_thread() -> Iterator[None]:
    """Results depend on the number of threads in their last bits: always one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
