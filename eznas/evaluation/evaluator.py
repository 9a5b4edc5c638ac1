"""The evaluator: it owns networks, in shards of fixed membership, and evaluates features on them.

A shard is built, measured and evaluated on its own with one torch thread, so that its numbers
depend neither on other shards nor on the process that computes them.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from eznas.evaluation.bank import Bank
from eznas.evaluation.bank_on_disk import BankOnDisk
from eznas.evaluation.contexts import Context
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.measuring import Architectures, measured_bank
from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import Status
from eznas.evaluation.values import Cache
from eznas.formulas.parser import parse
from eznas.statistics.surroundings import own_surroundings
from eznas.system.machine import out_of_memory, resident, trim

Key = tuple[int, int]  # a context's number, and a shard's number in it

MEASURING = 1.5  # the memory that measuring a shard takes, in sizes of its bank


@dataclass
class _MeasuredShard:
    """A shard's bank; `failed` are the indices of networks that could not be measured."""

    architectures: tuple[str | None, ...]
    bank: Bank | BankOnDisk
    failed: frozenset[int]
    cache: Cache = field(default_factory=Cache)

    def opened(self) -> Bank:
        return self.bank.opened() if isinstance(self.bank, BankOnDisk) else self.bank


@dataclass(eq=False, repr=False)
class Evaluator:
    """Builds and measures the shards of a few contexts, keeps their banks, evaluates features.

    `statistics` are measured when a shard is first evaluated, and kept if `keep` is set; other
    statistics that a feature needs are measured for it and dropped. A bank goes to disk if this
    process, with the bank in memory and the next one being measured, would take more than
    `budget` bytes (None: no limit). With `lenient`, a network whose forward or backward pass
    fails gets a status; without, that raises `InputError`. A feature that runs out of memory
    always gets a status.
    """

    contexts: tuple[Context, ...]
    statistics: tuple[str, ...] = ()
    keep: bool = True
    budget: int | None = None
    lenient: bool = False
    _shards: dict[Key, _MeasuredShard] = field(default_factory=dict)
    _plan: tuple[tuple[str, ...], Plan] = ((), Plan([], []))
    _largest: int = 0  # bytes of a bank with all that was measured for it

    def evaluate(
        self, key: Key, architectures: Architectures, features: Sequence[str]
    ) -> FeatureValues:
        """Values of features (canonical texts) on a shard's architectures: [features, networks].

        Raises `InputError` if a network cannot be measured and the evaluator is not lenient.
        """
        with one_thread(), own_surroundings(self._device(key)):
            return self._values(key, tuple(architectures), self._planned(tuple(features)))

    def measure(self, key: Key, architectures: Architectures, features: Sequence[str]) -> None:
        """Measure what features (canonical texts) need on a shard, and keep nothing of it: whether
        that succeeds is what the caller wants to know. Raises `InputError` as `evaluate` does."""
        with one_thread(), own_surroundings(self._device(key)):
            statistics = {*self.statistics, *self._planned(tuple(features)).statistics()}
            self._measured(architectures, key[0], statistics)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors that are kept in memory."""
        return sum(s.bank.nbytes() for s in self._shards.values() if isinstance(s.bank, Bank))

    def bytes_of(self, statistics: Collection[str]) -> int:
        """Bytes of the tensors of these statistics on all shards, in memory or on disk."""
        return sum(shard.opened().nbytes(statistics) for shard in self._shards.values())

    def clear_cache(self) -> None:
        """Drop all cached values of expressions; the measured tensors stay."""
        for shard in self._shards.values():
            shard.cache = Cache()

    def _device(self, key: Key) -> str:
        return self.contexts[key[0]].measurement.device

    def _planned(self, features: tuple[str, ...]) -> Plan:
        if self._plan[0] != features:
            self._plan = (features, Plan.of([parse(text) for text in features]))
        return self._plan[1]

    def _values(self, key: Key, architectures: tuple[str | None, ...], plan: Plan) -> FeatureValues:
        shard = self._shards.get(key)
        is_new = shard is None or shard.architectures != architectures
        if shard is None or is_new:
            shard = self._new_shard(key[0], architectures, plan)
        bank = shard.opened()
        missing = plan.missing(bank, shard.cache)
        if missing:
            measurable = [None if i in shard.failed else a for i, a in enumerate(architectures)]
            missing_bank, failed = self._measured(measurable, key[0], missing)
            if failed - shard.failed:
                return self._one_by_one(key, architectures, plan, frozenset(missing))
            bank = bank.with_statistics_of(missing_bank)
        values = _marked(_evaluated(plan, bank, shard.cache), shard.failed)
        if isinstance(shard.bank, BankOnDisk):
            shard.bank.release()
        elif self.keep:
            self._largest = max(self._largest, bank.nbytes())
            shard.bank = bank.restricted_to(self.statistics)
            self._shards[key] = shard
            del bank
            if missing or is_new:
                trim()
            if not self._has_room():
                shard.bank = BankOnDisk(shard.bank)
                trim()
        return values

    def _new_shard(
        self, context: int, architectures: tuple[str | None, ...], plan: Plan
    ) -> _MeasuredShard:
        statistics = {*self.statistics, *plan.statistics()}
        shard = _MeasuredShard(architectures, *self._measured(architectures, context, statistics))
        if shard.failed:  # perhaps at statistics that this plan alone needs
            shard = _MeasuredShard(
                architectures, *self._measured(architectures, context, self.statistics)
            )
        return shard

    def _one_by_one(
        self,
        key: Key,
        architectures: tuple[str | None, ...],
        plan: Plan,
        missing: frozenset[str],
    ) -> FeatureValues:
        """`_values` where networks fail at `missing` statistics only: each feature that needs these
        is evaluated alone, without the networks that fail at it, and all others as usual."""
        needs_missing = np.array([not missing.isdisjoint(r.statistics()) for r in plan.roots])
        values = FeatureValues.missing(len(plan.roots), len(architectures))
        other_rows = np.flatnonzero(~needs_missing).tolist()
        if other_rows:
            other_features = Plan.of(plan.roots[row] for row in other_rows)
            values.put(other_rows, self._values(key, architectures, other_features))
        for row in np.flatnonzero(needs_missing).tolist():
            one_feature = Plan.of([plan.roots[row]])
            bank, failed = self._measured(architectures, key[0], one_feature.statistics())
            values.put([row], _marked(_evaluated(one_feature, bank, Cache(0)), failed))
        return values

    def _measured(
        self, architectures: Architectures, context: int, names: Collection[str]
    ) -> tuple[Bank, frozenset[int]]:
        return measured_bank(self.contexts[context], architectures, names, self.lenient)

    def _has_room(self) -> bool:
        """Whether another shard can be measured within the budget."""
        if self.budget is None or self._fits(self.budget):
            return True
        trim()  # freed memory that the process still holds does not count
        return self._fits(self.budget)

    def _fits(self, budget: int) -> bool:
        return resident() + MEASURING * self._largest <= budget


def _marked(values: FeatureValues, failed: Collection[int]) -> FeatureValues:
    """The same values, with FORWARD_FAILED in the columns of failed networks."""
    columns = sorted(failed)
    values.values[:, columns], values.coverage[:, columns] = np.nan, 0
    values.status[:, columns] = Status.FORWARD_FAILED
    return values


def _evaluated(plan: Plan, bank: Bank, cache: Cache) -> FeatureValues:
    """The plan on a bank; if memory runs out, root by root, with a status for those that run out of
    it even alone."""
    try:
        return evaluate(plan, bank, cache)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
    trim()
    if len(plan.roots) > 1:
        return FeatureValues.below([_evaluated(Plan.of([r]), bank, cache) for r in plan.roots])
    return FeatureValues.failed(1, bank.networks, "memory")


@contextmanager
def one_thread() -> Iterator[None]:
    """One torch thread inside: the last bits of results depend on the number of threads."""
    threads_before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
