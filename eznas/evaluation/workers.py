"""Workers: evaluators behind an executor. Features go in as texts, their values come out.

Networks and features that crash a worker are isolated: see `isolation`.
"""

import os
from collections.abc import Callable, Sequence

from eznas.evaluation.evaluator import Evaluator
from eznas.evaluation.executors import Executor, Progress, SerialExecutor
from eznas.evaluation.feature_table import Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.isolation import CrashingNetworks, ShardJob
from eznas.evaluation.ray_executor import ADDRESS, HUNG, RayExecutor
from eznas.system.arguments import whole


class Workers:
    """Evaluates features on shards; shard i of every context belongs to worker i modulo `count`.

    `lenient`: a network or feature that crashes a worker gets a status; without, it raises
    `InputError`. `progress` is called with the networks of a call that are done and all
    of them; one that is measured in several contexts counts once.
    """

    def __init__(
        self, executor: Executor, lenient: bool = False, progress: Progress | None = None
    ) -> None:
        self._executor = executor
        self._crashing_networks = CrashingNetworks(lenient)
        self._progress = progress

    @property
    def count(self) -> int:
        """The number of workers."""
        return self._executor.count

    def evaluate(self, shards: Sequence[Shard], features: Sequence[str]) -> list[FeatureValues]:
        """Values of features (canonical texts) for each of the shards, in their order: [features,
        networks of the shard].

        Raises `InputError` if a network's forward or backward pass fails and the evaluators are not
        lenient; if a shard keeps crashing its worker and workers are not lenient; or if every
        network in it crashes alone.
        """
        crashing_features: dict[str, str] = {}  # of this call -> the reason
        jobs = [
            ShardJob(shard, tuple(features), crashing_features, self._crashing_networks)
            for shard in shards
        ]
        shard_values: list[FeatureValues] = self._executor.run(jobs, self._in_networks(shards))
        return shard_values

    def _in_networks(self, shards: Sequence[Shard]) -> Progress | None:
        """The progress of a call, which comes in networks of each context, in networks."""
        progress = self._progress
        if progress is None:
            return None
        networks = len({architecture for shard in shards for architecture in shard.architectures})
        return lambda done, total: progress(done * networks // total, networks)

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
    """Workers that evaluate, each with an evaluator of its own.

    `count`: see `executor_of`; `lenient` and `progress` as in `Workers`; evaluators have a
    `lenient` of their own. Raises `InputError` as `executor_of` does.
    """
    return Workers(executor_of(make_evaluator, count), lenient, progress)


def executor_of(
    make_state: Callable[[], object], count: int, call_timeout: float = HUNG
) -> Executor:
    """An executor in this process if `count` is 1 and no Ray cluster is named by the environment
    variable RAY_ADDRESS; of `count` workers on Ray otherwise, each of which may take
    `call_timeout` seconds for a call.

    `make_state`, which gives each its state, must be picklable. Raises `InputError` for fewer
    workers than one, and if Ray cannot be started or the cluster not be joined.
    """
    whole("workers", count, least=1)
    if count == 1 and ADDRESS not in os.environ:
        return SerialExecutor(make_state)
    return RayExecutor(make_state, count, call_timeout)
