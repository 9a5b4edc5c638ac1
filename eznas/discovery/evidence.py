"""What a champion is worth: its correlations beside those of baselines, on held-out networks."""

from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.discovery.callbacks import Callback
from eznas.discovery.config import Config
from eznas.discovery.records import stores_for
from eznas.discovery.search import SearchResult
from eznas.discovery.setup import Setup, baselines, contexts_for
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.network_scores import reasons_undefined, table_of, table_scores
from eznas.evaluation.stored_workers import Measuring, started
from eznas.formulas.expression import Expression
from eznas.metrics import (
    Difference,
    Row,
    add_undefined,
    bootstrap_all,
    correlation_rows,
    difference_rows,
)
from eznas.metrics.rows import Why
from eznas.proxies.classics import SIZES

Array = npt.NDArray[np.float64]
Evidence = tuple[list[Row], list[Difference]]
CHAMPION = "champion"


def gather_evidence(
    setup: Setup, search: SearchResult, workers: int, callback: Callback
) -> Evidence:
    """The correlations of champion, baselines and greedy formula on held-out networks, and the
    differences between the champion and each of the others, space by space. `InputError` where a
    worker dies again and again."""
    formulas = {CHAMPION: search.champion} | baselines()
    if search.greedy is not None:
        formulas["greedy"] = search.greedy
    rows, differences = list[Row](), list[Difference]()
    for benchmark in setup.held_out:
        of_space = _tested(formulas, benchmark, setup, workers, callback)
        rows, differences = rows + of_space[0], differences + of_space[1]
    return rows, differences


def figures(
    scores: Mapping[str, Array],
    names: list[str],
    benchmark: Benchmark,
    config: Config,
    set_name: str,
    why: Why,
) -> Evidence:
    """Correlations by data set, and the differences between the champion and each of the others
    where it is the first of `names`.

    `scores`: data set -> [formulas, networks], `names` [formulas], among them those of `SIZES`.
    """
    replicates = config.evidence.replicates
    sizes = next(iter(scores.values()))[[names.index(size) for size in SIZES]]
    results = bootstrap_all(
        scores, benchmark.accuracies, benchmark.components, replicates, sizes=sizes
    )
    rows = correlation_rows(
        names,
        results,
        set_name=set_name,
        accuracy=benchmark.kind,
        seeds=[config.measurement.seed],
    )
    add_undefined(rows, names, scores, why)
    return rows, difference_rows(names, results, CHAMPION) if names[0] == CHAMPION else []


def _tested(
    formulas: Mapping[str, Expression],
    benchmark: Benchmark,
    setup: Setup,
    workers: int,
    callback: Callback,
) -> Evidence:
    """The evidence on the held-out networks of one space."""
    count, architectures = len(benchmark.architectures), benchmark.architectures
    contexts = contexts_for(benchmark, setup.config)
    team = started(
        partial(Evaluator, contexts, keep=False, lenient=True),
        workers,
        contexts,
        stores_for(contexts, setup.records),
        Measuring(f"testing on {count} networks of {benchmark.source}", count, callback),
        lenient=True,
        listed=setup.listed,
    )
    tasks = benchmark.tasks()
    try:
        with one_thread():
            table = table_of(benchmark, team)
            scores = table_scores(list(formulas.values()), table, tasks)
    finally:
        team.close()
    context_of = {task.dataset: task.context for task in tasks}

    def why(name: str, dataset: str, networks: tuple[int, ...]) -> dict[str, list[str]]:
        context = context_of[dataset]
        return reasons_undefined(formulas[name], table, context, architectures, networks)

    return figures(scores, list(formulas), benchmark, setup.config, benchmark.name, why)
