"""Fault isolation: the networks and features that crash a worker are found, the rest goes on.

When a shard crashes or hangs its worker again and again, its networks are measured one by one,
then its features are evaluated half by half. A network or feature that crashes or hangs a worker
even alone gets a status if workers are lenient; if they are not, such a shard raises `InputError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from eznas.errors import InputError
from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.executors import Call, Executor, Lost
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import STATUS_OF

ATTEMPTS = 3  # how often a call may crash its worker before it is given up


@dataclass
class CrashingNetworks:
    """The networks that are known to crash workers, for all later evaluations.

    `networks`: (context, number of the shard, index in it) -> the reason of its status; `lenient`
    as in `Workers`.
    """

    lenient: bool
    networks: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def of(self, shard: Shard) -> dict[int, str]:
        """The networks of a shard that crash workers: index in the shard -> reason."""
        keys = {(shard.context, shard.number, i): i for i in range(len(shard.architectures))}
        return {i: self.networks[key] for key, i in keys.items() if key in self.networks}

    def without(self, shard: Shard) -> tuple[str | None, ...]:
        """The architectures of a shard, None in place of those that crash workers."""
        fatal = self.of(shard)
        return tuple(None if i in fatal else a for i, a in enumerate(shard.architectures))


@dataclass
class ShardJob:
    """Features (canonical texts) on one shard. `crashing_features`, shared by the jobs of one
    evaluation: the features that crash workers -> the reason."""

    shard: Shard
    features: tuple[str, ...]
    crashing_features: dict[str, str]
    crashing_networks: CrashingNetworks

    @property
    def worker(self) -> int:
        """The worker that owns the shard."""
        return self.shard.number

    @property
    def size(self) -> int:
        """The number of networks."""
        return len(self.shard.architectures)

    def call(self) -> Call:
        """The evaluation of the features and networks that are not known to crash workers."""
        return self._evaluation(self._usable_features())

    def finish(self, executor: Executor, call: Call, answer: FeatureValues | Lost) -> FeatureValues:
        """Values of all features, [features, networks]: from the answer, or by isolation if the
        worker was lost.

        Raises `InputError` if the shard keeps crashing its worker and workers are not lenient, or
        if every network in it crashes alone.
        """
        crashing_networks = self.crashing_networks.of(self.shard)
        if isinstance(answer, Lost):
            by_feature = self._retried(executor)
        elif len(call.arguments[2]) == len(self.features) and not crashing_networks:
            return answer
        else:
            by_feature = _by_feature(call.arguments[2], answer)
        networks = len(self.shard.architectures)
        failed = {
            feature: FeatureValues.failed(1, networks, reason)
            for feature, reason in self.crashing_features.items()
        }
        rows = failed | by_feature
        values = FeatureValues.below([rows[feature] for feature in self.features])
        for index, reason in self.crashing_networks.of(self.shard).items():
            values.values[:, index] = float("nan")
            values.coverage[:, index] = 0
            values.status[:, index] = STATUS_OF[reason]
        return values

    def _retried(self, executor: Executor) -> dict[str, FeatureValues]:
        """The values by feature, after the first loss of the worker; features that keep crashing
        it are missing, and so are those that another job has found to crash meanwhile."""
        features = self._usable_features()
        answer = executor.attempt(self.worker, self._evaluation(features), ATTEMPTS - 1)
        if not isinstance(answer, Lost):
            return _by_feature(features, answer)
        if not self.crashing_networks.lenient:
            raise self._fatal("crashes or hangs its worker again and again", answer)
        self._search_networks(executor, features)
        return self._search_features(executor, features)

    def _search_networks(self, executor: Executor, features: list[str]) -> None:
        """Find the networks that crash a worker when they are measured."""
        architectures = self.crashing_networks.without(self.shard)
        lost: Any = executor.attempt(self.worker, self._measurement(architectures, features), 1)
        if not isinstance(lost, Lost):
            return
        fatal: dict[int, str] = {}
        for index, architecture in enumerate(architectures):
            if architecture is None:
                continue
            alone = tuple(a if i == index else None for i, a in enumerate(architectures))
            answer = executor.attempt(self.worker, self._measurement(alone, features), ATTEMPTS)
            if isinstance(answer, Lost):
                fatal[index], lost = f"network {answer.cause}", answer
        if len(fatal) == len(architectures) > 1:
            raise self._fatal("crashes or hangs its worker with each of its networks", lost)
        for index, reason in fatal.items():
            self.crashing_networks.networks[self.shard.context, self.shard.number, index] = reason

    def _search_features(self, executor: Executor, features: list[str]) -> dict[str, FeatureValues]:
        """The values by feature; those that crash the worker even alone are missing."""
        attempts = ATTEMPTS if len(features) == 1 else 1
        answer = executor.attempt(self.worker, self._evaluation(features), attempts)
        if not isinstance(answer, Lost):
            return _by_feature(features, answer)
        if len(features) == 1:
            self.crashing_features[features[0]] = answer.cause
            return {}
        middle = len(features) // 2
        first_half = self._search_features(executor, features[:middle])
        return first_half | self._search_features(executor, features[middle:])

    def _usable_features(self) -> list[str]:
        return [f for f in self.features if f not in self.crashing_features]

    def _evaluation(self, features: list[str]) -> Call:
        key = self.shard.context, self.shard.number
        return Call(_evaluate, (key, self.crashing_networks.without(self.shard), features))

    def _measurement(self, architectures: tuple[str | None, ...], features: list[str]) -> Call:
        key = self.shard.context, self.shard.number
        return Call(_measure, (key, architectures, features))

    def _fatal(self, problem: str, lost: Lost) -> InputError:
        return InputError(
            f"workers: shard {self.shard.number} {problem}; is there enough memory? "
            f"(`eznas doctor`) The last failure: {lost.detail}"
        )


def _by_feature(features: Sequence[str], values: FeatureValues) -> dict[str, FeatureValues]:
    return {feature: values.rows([row]) for row, feature in enumerate(features)}


def _evaluate(evaluator: Evaluator, *arguments: Any) -> FeatureValues:
    return evaluator.evaluate(*arguments)


def _measure(evaluator: Evaluator, *arguments: Any) -> None:
    evaluator.measure(*arguments)
