"""Fault isolation: what takes a worker down is searched for, and the rest goes on without it.

Where a shard takes its worker down again and again, first its networks are measured one by one,
then its features are evaluated half by half. What turns out to be fatal gets a status where
evaluators are lenient; where they are not, a shard that takes its worker down is an `InputError`.
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

ATTEMPTS = 3  # how often a call may take its worker down before it is blamed


@dataclass
class Suspects:
    """What is known to take workers down: networks, as (context, shard number, place in it), and
    how. Kept for all later calls; `lenient` as in `Evaluator`."""

    lenient: bool
    networks: dict[tuple[int, int, int], str] = field(default_factory=dict)

    def without(self, shard: Shard) -> tuple[str | None, ...]:
        """The architectures of a shard, None in place of those that are known to be fatal."""
        return tuple(
            None if (shard.context, shard.number, place) in self.networks else architecture
            for place, architecture in enumerate(shard.architectures)
        )


@dataclass
class ShardJob:
    """Features on one shard. `blamed`, shared by the jobs of one evaluation: features that take a
    worker down, and how."""

    shard: Shard
    texts: tuple[str, ...]
    blamed: dict[str, str]
    suspects: Suspects

    @property
    def worker(self) -> int:
        """The worker that owns the shard."""
        return self.shard.number

    def call(self) -> Call:
        """What is asked of the worker: what is not blamed yet, on networks not known as fatal."""
        return self._evaluation(self._unblamed())

    def finish(self, executor: Executor, call: Call, answer: FeatureValues | Lost) -> FeatureValues:
        """Values of all texts, after what the worker answered or how it was lost."""
        if isinstance(answer, Lost):
            by_text = self._retried(executor)
        else:
            by_text = _by_text(call.arguments[2], answer)
        networks = len(self.shard.architectures)
        values = FeatureValues.below(
            [
                by_text[t] if t in by_text else FeatureValues.failed(1, networks, self.blamed[t])
                for t in self.texts
            ]
        )
        for place in range(networks):
            how = self.suspects.networks.get((self.shard.context, self.shard.number, place))
            if how is not None:
                values.values[:, place] = float("nan")
                values.coverage[:, place] = 0
                values.status[:, place] = STATUS_OF[how]
        return values

    def _retried(self, executor: Executor) -> dict[str, FeatureValues]:
        """What a worker answers for a shard that has taken it down once, less what it keeps dying
        of and what other jobs have blamed meanwhile."""
        texts = self._unblamed()
        answer = executor.attempt(self.worker, self._evaluation(texts), ATTEMPTS - 1)
        if not isinstance(answer, Lost):
            return _by_text(texts, answer)
        if not self.suspects.lenient:
            raise self._fatal("again and again takes its worker down", answer)
        self._search_networks(executor, texts)
        return self._search_features(executor, texts)

    def _search_networks(self, executor: Executor, texts: list[str]) -> None:
        """Find the networks that a worker dies of as it measures them."""
        architectures = self.suspects.without(self.shard)
        lost: Any = executor.attempt(self.worker, self._measuring(architectures, texts), 1)
        if not isinstance(lost, Lost):
            return
        fatal: dict[int, str] = {}
        for place, architecture in enumerate(architectures):
            if architecture is None:
                continue
            alone = tuple(a if i == place else None for i, a in enumerate(architectures))
            answer = executor.attempt(self.worker, self._measuring(alone, texts), ATTEMPTS)
            if isinstance(answer, Lost):
                fatal[place], lost = f"network {answer.how}", answer
        if len(fatal) == len(architectures) > 1:
            raise self._fatal("takes its worker down with each of its networks", lost)
        for place, how in fatal.items():
            self.suspects.networks[self.shard.context, self.shard.number, place] = how

    def _search_features(self, executor: Executor, texts: list[str]) -> dict[str, FeatureValues]:
        """Values of features among which some take the worker down: these are blamed."""
        attempts = ATTEMPTS if len(texts) == 1 else 1
        answer = executor.attempt(self.worker, self._evaluation(texts), attempts)
        if not isinstance(answer, Lost):
            return _by_text(texts, answer)
        if len(texts) == 1:
            self.blamed[texts[0]] = answer.how
            return {}
        middle = len(texts) // 2
        first_half = self._search_features(executor, texts[:middle])
        return first_half | self._search_features(executor, texts[middle:])

    def _unblamed(self) -> list[str]:
        return [text for text in self.texts if text not in self.blamed]

    def _evaluation(self, texts: list[str]) -> Call:
        key = self.shard.context, self.shard.number
        return Call(_evaluate, (key, self.suspects.without(self.shard), texts))

    def _measuring(self, architectures: tuple[str | None, ...], texts: list[str]) -> Call:
        key = self.shard.context, self.shard.number
        return Call(_measure, (key, architectures, texts))

    def _fatal(self, what: str, lost: Lost) -> InputError:
        return InputError(
            f"workers: shard {self.shard.number} {what}; is there enough memory? (`eznas doctor`) "
            f"The last: {lost.detail}"
        )


def _by_text(texts: Sequence[str], values: FeatureValues) -> dict[str, FeatureValues]:
    return {text: values.rows([row]) for row, text in enumerate(texts)}


def _evaluate(evaluator: Evaluator, *arguments: Any) -> FeatureValues:
    return evaluator.evaluate(*arguments)


def _measure(evaluator: Evaluator, *arguments: Any) -> None:
    evaluator.measure(*arguments)
