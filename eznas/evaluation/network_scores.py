"""Scores of formulas on the networks of a benchmark."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark, Task
from eznas.evaluation.feature_table import SHARD, FeatureTable, Shard
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import IN_WORDS
from eznas.formulas.expression import Expression

Array = npt.NDArray[np.float64]


class ShardEvaluation(Protocol):
    """What evaluates features on shards: `Workers`, or `StoredWorkers` with a feature store."""

    def evaluate(self, shards: Sequence[Shard], features: Sequence[str]) -> list[FeatureValues]:
        """See `Workers.evaluate`."""


def table_of(benchmark: Benchmark, team: ShardEvaluation) -> FeatureTable:
    """An empty feature table for the networks of a benchmark, with one context for each of its
    input formats; `team` must evaluate in the same contexts (`contexts_of` gives them)."""
    contexts = len(benchmark.input_formats())
    return FeatureTable(
        [benchmark.architectures] * contexts, team.evaluate, shard_size([benchmark])
    )


def shard_size(benchmarks: Sequence[Benchmark]) -> int:
    """How many networks of some benchmarks are measured and evaluated together."""
    return 1 if any(benchmark.search_space.presented for benchmark in benchmarks) else SHARD


def network_scores(
    benchmark: Benchmark, formulas: Sequence[Expression], team: ShardEvaluation
) -> dict[str, Array]:
    """The scores of formulas for each data set of a benchmark: {data set: float64 [formulas,
    networks]}, -inf where lowest and NaN where undefined. Raises `InputError` if a network cannot
    be measured, unless the workers are lenient."""
    return table_scores(formulas, table_of(benchmark, team), benchmark.tasks())


def table_scores(
    formulas: Sequence[Expression], table: FeatureTable, tasks: Sequence[Task]
) -> dict[str, Array]:
    """The scores of formulas on all networks of a table: as those of `network_scores`, {data set of
    a task: float64 [formulas, networks]}."""
    table.fill(formulas, table.networks)

    def row(formula: Expression, context: int) -> Array:
        values = table.scores(formula, context, table.networks).values
        return values if values.size else np.full(table.networks, np.nan)

    return {
        task.dataset: np.stack([row(formula, task.context) for formula in formulas])
        for task in tasks
    }


def reasons_undefined(
    formula: Expression,
    table: FeatureTable,
    context: int,
    architectures: Sequence[str],
    networks: Sequence[int],
) -> dict[str, list[str]]:
    """Why a formula is undefined on networks (indices) of a table in a context: reason, in words ->
    the architectures of these networks. `architectures`: of all networks."""
    reasons: dict[str, list[str]] = {}
    for network in networks:
        reason = IN_WORDS[table.why_undefined(formula, context, network)]
        reasons.setdefault(reason, []).append(architectures[network])
    return reasons
