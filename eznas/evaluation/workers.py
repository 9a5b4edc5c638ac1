"""Workers: evaluators behind an executor. Feature texts go in, feature values come out.

Networks and features that crash a worker are isolated: see `isolation`.
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
    """Evaluates features on shards; shard i of every context belongs to worker i modulo `count`.

    `lenient`: a network or feature that crashes a worker gets a status; without, that is an
    `InputError`. `progress` is called with the shards that are done and all shards of a call.
    """

    def __init__(
        self, executor: Executor, lenient: bool = False, progress: Progress | None = None
    ) -> None:
        self._executor = executor
        self._suspects = Suspects(lenient)
        self._progress = progress

    @property
    def count(self) -> int:
        """The number of workers."""
        return self._executor.count

    def evaluate(self, shards: Sequence[Shard], texts: Sequence[str]) -> list[FeatureValues]:
        """Values of the features `texts` for each shard, in their order: [features, networks of the
        shard] each.

        `InputError` where a network's forward or backward pass fails (unless the evaluators are
        lenient) or a shard crashes its worker again and again (unless the workers are; even then
        if each of its networks does).
        """
        blamed: dict[str, str] = {}  # features that crash workers in this call, and the reason
        jobs = [ShardJob(shard, tuple(texts), blamed, self._suspects) for shard in shards]
        values: list[FeatureValues] = self._executor.run(jobs, self._progress)
        return values

    def close(self) -> None:
        """Drop the evaluators, and stop what was started for them."""
        self._executor.close()


def start(
    make_evaluator: Callable[[], Evaluator],
    count: int,
    *,
    lenient: bool = False,
    progress: Progress | None = None,
) -> Workers:
    """Workers in this process if `count` is 1 and no Ray cluster is named by the environment
    variable RAY_ADDRESS; `count` workers on Ray otherwise.

    `make_evaluator` must be picklable. `lenient` and `progress` as in `Workers`; evaluators have
    a `lenient` of their own. `InputError` where Ray cannot be started or the cluster not be joined.
    """
    serial = count == 1 and ADDRESS not in os.environ
    executor = SerialExecutor(make_evaluator) if serial else RayExecutor(make_evaluator, count)
    return Workers(executor, lenient, progress)
