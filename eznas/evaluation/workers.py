"""Workers: evaluators behind an executor. Texts go in, feature values come out.

What takes a worker down is found: see `isolation`.
"""

import os
from collections.abc import Callable, Sequence

from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.executors import Executor, Progress, SerialExecutor
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.isolation import ShardJob, Suspects
from eznas.evaluation.ray_executor import ADDRESS, RayExecutor


class Workers:
    """Evaluates features on shards; shard i of every context belongs to worker i, modulo their
    number."""

    def __init__(
        self, executor: Executor, lenient: bool = False, progress: Progress | None = None
    ) -> None:
        self._executor = executor
        self._suspects = Suspects(lenient)
        self._progress = progress

    @property
    def count(self) -> int:
        """How many work at once."""
        return self._executor.count

    def evaluate(self, shards: Sequence[Shard], texts: Sequence[str]) -> list[FeatureValues]:
        """Values of features on each shard: [features, networks of the shard].

        `InputError` where a network's forward or backward pass fails or a worker dies again and
        again; with lenient workers the network or feature gets a status in its place.
        """
        blamed: dict[str, str] = {}  # features that took a worker down in this call, and how
        jobs = [ShardJob(shard, tuple(texts), blamed, self._suspects) for shard in shards]
        values: list[FeatureValues] = self._executor.run(jobs, self._progress)
        return values

    def close(self) -> None:
        """Let everything go."""
        self._executor.close()


def start(
    make_evaluator: Callable[[], Evaluator],
    count: int,
    *,
    lenient: bool = False,
    progress: Progress | None = None,
) -> Workers:
    """Workers in this process for a count of 1, on Ray for more or on a cluster that is named."""
    serial = count == 1 and ADDRESS not in os.environ
    executor = SerialExecutor(make_evaluator) if serial else RayExecutor(make_evaluator, count)
    return Workers(executor, lenient, progress)
