"""Workers with feature stores: what is stored is read, and what is not is evaluated and added.

A value that is stored may be by another build of torch than the present one: then a few networks
are measured again first, and where their values differ, those of the store are not used.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from eznas.errors import InputError
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.executors import NoPhases, Phases, Progress
from eznas.evaluation.feature_store import FeatureStore, present_build
from eznas.evaluation.feature_table import SHARD, Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import STATUS_OF
from eznas.evaluation.workers import Workers, start

SHARDS_PER_APPEND = 4  # per worker
# Relative difference between values of two builds, or machines, that are taken as equal: values of
# another CPU were seen to differ by 1.3e-6.
TOLERANCE = 1e-5


@dataclass(eq=False)
class Measuring:
    """The progress of workers whose work comes in portions: a phase of `callback` that begins when
    the first network is to be measured. `networks`: how many there may be."""

    title: str
    networks: int
    callback: Phases = field(default_factory=NoPhases)
    _progress: Progress | None = None
    _has_begun: bool = False
    _done: int = 0
    _total: int = 0

    def begin(self, done: int, total: int) -> None:
        """A portion of `total` networks begins, of which so many are done."""
        if not self._has_begun:
            self._has_begun = True
            self._progress = self.callback.phase(self.title, self.networks)
        self._done, self._total = done, total

    def begin_comparing(self, networks: int) -> None:
        """A phase of its own begins, in which so many networks are measured to compare values; what
        is measured after it begins another."""
        self._has_begun = False
        title = f"comparing stored values with this machine's on {networks} networks"
        self._progress = self.callback.phase(title, networks)
        self._done, self._total = 0, networks

    def __call__(self, done: int, total: int) -> None:
        """So many networks of the portion are done."""
        if self._progress is not None:
            self._progress(self._done + done, self._total)


@dataclass(eq=False)
class StoredWorkers:
    """Workers that read values from feature stores, and evaluate and add those that these lack.

    `contexts` are those of the workers; `stores`: the number of a context -> the store of its
    space. A store that another process has claimed, or that cannot be written to, is read only from
    then on; `measuring.callback` gets a note. `listed`: the features that are stored (None: all);
    all others are evaluated. `measuring` must be the progress of the workers, where these have one.
    """

    workers: Workers
    stores: Mapping[int, FeatureStore]
    contexts: tuple[Context, ...]
    measuring: Measuring = field(default_factory=lambda: Measuring("", 0))
    listed: frozenset[str] | None = None
    _usable: dict[int, bool] = field(default_factory=dict)  # by context, once it is known
    _refused: set[int] = field(default_factory=set)  # contexts whose store cannot be written to

    @property
    def count(self) -> int:
        """See `Workers.count`."""
        return self.workers.count

    def evaluate(self, shards: Sequence[Shard], features: Sequence[str]) -> list[FeatureValues]:
        """See `Workers.evaluate`; values are rounded as the stores keep them. Failures are not
        stored."""
        values = [FeatureValues.missing(len(features), len(s.architectures)) for s in shards]
        by_missing: dict[tuple[int, ...], list[int]] = {}  # features (indices) -> shards
        for number, missing in enumerate(self._look_up(shards, features, values)):
            if missing:
                by_missing.setdefault(missing, []).append(number)
        for missing, numbers in by_missing.items():
            numbers.sort(key=lambda number: (shards[number].number, shards[number].context))
            done = set[str]()
            total = {a for number in numbers for a in shards[number].architectures}
            portion = self._portion([features[i] for i in missing], len(numbers))
            for first in range(0, len(numbers), portion):
                part = numbers[first : first + portion]
                some_shards = [shards[n] for n in part]
                self.measuring.begin(len(done), len(total))
                self._evaluate(some_shards, features, missing, [values[n] for n in part])
                done |= {a for shard in some_shards for a in shard.architectures}
        return values

    def close(self) -> None:
        """See `Workers.close`; the stores are made compact where that can be done, and released."""
        self.workers.close()
        for context, store in {id(s): (c, s) for c, s in self.stores.items()}.values():
            try:
                if store.is_claimed and context not in self._refused:
                    store.compact()
            except InputError as error:
                self.measuring.callback.note(f"{error}; it is not made compact")
            finally:
                store.close()

    def _portion(self, features: Sequence[str], shards: int) -> int:
        """How many of some shards are evaluated before what is known of them is stored."""
        is_stored = any(self._is_listed(feature) for feature in features) and self.stores
        return SHARDS_PER_APPEND * self.count if is_stored else shards

    def _is_listed(self, feature: str) -> bool:
        return self.listed is None or feature in self.listed

    def _look_up(
        self, shards: Sequence[Shard], features: Sequence[str], values: Sequence[FeatureValues]
    ) -> list[tuple[int, ...]]:
        """Read what is stored into `values`, [features, networks of the shard] each; for each shard
        the features (indices) that some of its networks lack. One look-up for each context, since
        each goes through the blocks of the whole store."""
        missing = [tuple(range(len(features)))] * len(shards)
        listed = [i for i, feature in enumerate(features) if self._is_listed(feature)]
        for context in dict.fromkeys(shard.context for shard in shards):
            store = self._store_of(context) if listed else None
            if store is None:
                continue
            numbers = [n for n, shard in enumerate(shards) if shard.context == context]
            architectures = [a for n in numbers for a in shards[n].architectures]
            key = self.contexts[context].measurement.key
            stored, known = store.find(key, [features[i] for i in listed], architectures)
            first = 0
            for n in numbers:
                columns = slice(first, first := first + len(shards[n].architectures))
                values[n].put(listed, stored.columns(columns))
                is_known = np.zeros(len(features), dtype=bool)
                is_known[listed] = known[:, columns].all(1)
                missing[n] = tuple(np.flatnonzero(~is_known).tolist())
        return missing

    def _evaluate(
        self,
        shards: Sequence[Shard],
        features: Sequence[str],
        missing: tuple[int, ...],
        values: Sequence[FeatureValues],
    ) -> None:
        """Evaluate the features `missing` (indices) on shards into `values`, [features, networks of
        the shard] each, and store those that are listed."""
        evaluated = self.workers.evaluate(shards, [features[i] for i in missing])
        evaluated = [of_shard.rounded() for of_shard in evaluated]
        for of_shard, all_values in zip(evaluated, values, strict=True):
            all_values.put(missing, of_shard)
        rows = [row for row, i in enumerate(missing) if self._is_listed(features[i])]
        for context in dict.fromkeys(shard.context for shard in shards):
            numbers = [n for n, shard in enumerate(shards) if shard.context == context]
            architectures = [a for n in numbers for a in shards[n].architectures]
            listed = FeatureValues.beside([evaluated[n] for n in numbers]).rows(rows)
            self._store(context, [features[missing[row]] for row in rows], architectures, listed)

    def _store(
        self,
        context: int,
        features: Sequence[str],
        architectures: Sequence[str],
        values: FeatureValues,
    ) -> None:
        """Add values [features, networks] in a context to its store, but for networks and features
        that failed."""
        failed = np.isin(values.status, list(STATUS_OF.values()))
        networks = np.flatnonzero(~failed.all(0))
        rows = np.flatnonzero(~failed[:, networks].any(1)).tolist()
        store = self._store_of(context) if rows and networks.size else None
        if store is None:
            return
        config = self.contexts[context].measurement
        names = [architectures[n] for n in networks.tolist()]
        entry = config, names, values.rows(rows).columns(networks)
        self._changed(context, store, partial(store.append, [features[r] for r in rows], [entry]))

    def _changed(self, context: int, store: FeatureStore, change: Callable[[], None]) -> bool:
        """Whether a store could be changed so; it is claimed first, where that was not done. Where
        either fails nothing more is added."""
        if context in self._refused:
            return False
        config = self.contexts[context].measurement
        try:
            if not store.is_claimed or not store.builds(config.key):
                store.claim([config])
            change()
        except InputError as error:
            self._refused |= {c for c, other in self.stores.items() if other is store}
            self.measuring.callback.note(f"{error}; it is read, and nothing is added")
            return False
        return True

    def _store_of(self, context: int) -> FeatureStore | None:
        """The store of a context; None where there is none, or its values are by another build of
        torch and differ from the present one's."""
        store = self.stores.get(context)
        if store is not None and context not in self._usable:
            self._usable[context] = self._agrees(context, store)
        return store if self._usable.get(context) else None

    def _agrees(self, context: int, store: FeatureStore) -> bool:
        """Whether the values of a store are by the present build of torch, or agree with it. Those
        that ship with the package, of no build, are dropped where they differ."""
        config = self.contexts[context].measurement
        builds, networks = store.builds(config.key), store.networks(config.key)
        if not networks or present_build() in builds:
            return True
        some = networks[:: -(-len(networks) // SHARD)]
        differences = self._differences(context, store, some)
        feature = max(differences, key=lambda feature: differences[feature], default="")
        if feature and (difference := differences[feature]) > TOLERANCE:
            if not builds and self._changed(context, store, partial(store.forget, config)):
                self.measuring.callback.note(
                    f"{store.path}: the values that ship differ from this machine's ({feature}: by "
                    f"{difference:.0e}): they are dropped, and measured where they are needed"
                )
                return True
            self.measuring.callback.note(
                f"{store.path}: its values are by torch {', '.join(builds) or 'elsewhere'}, and "
                f"those by torch {present_build()} differ ({feature}: by {difference:.0e}): none "
                "are used"
            )
            return False
        self._changed(context, store, partial(store.agree, config))
        return True

    def _differences(
        self, context: int, store: FeatureStore, architectures: Sequence[str]
    ) -> dict[str, float]:
        """How far the stored values of each feature on some networks are from values measured now,
        relative to the largest of them; infinity where one alone is finite."""
        key = self.contexts[context].measurement.key
        features = store.features(key)  # all: the store will be said to agree
        if not features:
            return {}
        self.measuring.begin_comparing(len(architectures))
        shard = Shard(context, 0, tuple(architectures))
        [present] = self.workers.evaluate([shard], features)
        stored, known = store.find(key, features, architectures)
        finite, now_finite = np.isfinite(stored.values), np.isfinite(present.values)
        both = known & finite & now_finite
        largest = np.where(both, abs(stored.values), 0).max(1, keepdims=True)
        gaps = np.zeros(both.shape)
        gaps[both] = np.abs(stored.values[both] - present.values[both])
        gaps = np.divide(gaps, largest, where=gaps > 0, out=np.zeros(gaps.shape))
        gaps[known & (finite != now_finite)] = np.inf
        return dict(zip(features, gaps.max(1).tolist(), strict=True))


def started(
    make_evaluator: Callable[[], Evaluator],
    count: int,
    contexts: tuple[Context, ...],
    stores: Mapping[int, FeatureStore],
    measuring: Measuring,
    *,
    lenient: bool = False,
    listed: frozenset[str] | None = None,
) -> Workers | StoredWorkers:
    """Workers (see `eznas.evaluation.workers.start`), with feature stores where there are any (see
    `StoredWorkers`). Raises `InputError` as `start` does."""
    if not stores:
        progress = measuring.callback.phase(measuring.title, measuring.networks)
        return start(make_evaluator, count, lenient=lenient, progress=progress)
    workers = start(make_evaluator, count, lenient=lenient, progress=measuring)
    return StoredWorkers(workers, stores, contexts, measuring, listed)
