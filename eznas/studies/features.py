"""What short features are worth, each by itself and all together."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark, Task
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import study
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.network_scores import table_of
from eznas.formulas.candidates import SIZES, TENSORS, candidate_features
from eznas.formulas.expression import Expression
from eznas.metrics import bootstrap_all, kendall
from eznas.predictors.least_squares import FACTORS, greedy_formulas
from eznas.predictors.randomised_trees import forest_scores
from eznas.statistics.catalogue import PATHS
from eznas.statistics.config import PROXY
from eznas.studies.measured import StudySettings, team_for
from eznas.system.files import plain

Array = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]


def features(
    *,
    space: str = "nasbench201",
    seed: int = 0,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> tuple[Rows, Rows]:
    """The short features by the tau of their scores, and the yardsticks: two lists of rows.

    The yardsticks (greedy least squares with and without products, randomised trees) are fitted
    to some networks of the study, on which features are ranked, and tested on the others: once as
    the study splits them, so that no component is on both sides, and once split by lot, as is
    usual, so that networks are tested that others of their component were fitted to. Settings as
    in `correlate`; `InputError` for a space with too few networks.
    """
    fitted, tested = study(load_benchmark(space))
    both, split = fitted.followed_by(tested), len(fitted.architectures)
    candidates = candidate_features((*TENSORS, *SIZES, *PATHS))
    settings = StudySettings((seed,), images, raw, sketch, device, workers, records)
    updates = {"images": images, "seed": seed, "device": device}
    updates |= {k: v for k, v in (("raw_batch", raw), ("sketch_batch", sketch)) if v}
    measurement = PROXY.model_copy(update=updates)
    with (
        team_for(both, measurement, settings, watcher or NoCallback()) as team,
        one_thread(),
    ):
        table = table_of(both, team)
        table.fill(candidates, table.networks)
        rows = [_feature_row(c, table, both.tasks(), split) for c in candidates]
        yardsticks = [*_yardsticks(candidates, table, both, split, "components")]
        order = sample(np.arange(table.networks), table.networks, seed)
        shuffled, reordered = both.subset(order, both.name), table.reordered(order.tolist())
        yardsticks += _yardsticks(candidates, reordered, shuffled, split, "networks")
    return rows, yardsticks


def _feature_row(
    feature: Expression, table: FeatureTable, tasks: list[Task], networks: int
) -> dict[str, Any]:
    taus, coverage = {}, 1.0
    for task in tasks:
        scores = table.scores(feature, task.context, networks)
        taus[task.dataset] = kendall(scores.values, task.accuracies[:networks])
        coverage = min(coverage, scores.coverage)
    return {"feature": feature.text, "tau": plain(taus), "coverage": coverage}


def _yardsticks(
    candidates: list[Expression],
    table: FeatureTable,
    benchmark: Benchmark,
    split: int,
    split_by: str,
) -> Iterator[dict[str, Any]]:
    """One row for each yardstick, fitted to the first networks and tested on the rest."""
    tasks = benchmark.tasks()
    tested = benchmark.subset(np.arange(split, table.networks), benchmark.name)
    of_tensors = [c for c in candidates if not set(c.statistics()) & set(PATHS)]
    of_structure = [c for c in candidates if set(c.statistics()) <= {*SIZES, *PATHS}]
    languages = {
        "tensor features": of_tensors,
        "sizes and paths": of_structure,
        "all features": candidates,
    }
    for language, some in languages.items():
        row = {"language": language, "features": len(some), "split_by": split_by}
        for model, factors in (("greedy", 0), ("greedy with products", FACTORS)):
            formula = greedy_formulas(some, table, tasks, split, factors=factors)[-1]
            scores = [table.scores(formula, t.context, table.networks).values for t in tasks]
            row |= {"model": model, "formula": formula.text}
            yield {**row, **_tested(tasks, scores, tested, split)}
        scores = forest_scores(some, table, tasks, split)
        row |= {"model": "randomised trees", "formula": ""}
        yield {**row, **_tested(tasks, scores, tested, split)}


def _tested(
    tasks: list[Task], scores: Sequence[Array], tested: Benchmark, split: int
) -> dict[str, Any]:
    by_dataset = {t.dataset: s[None, split:] for t, s in zip(tasks, scores, strict=True)}
    results = bootstrap_all(by_dataset, tested.accuracies, tested.components, 1000)
    taus = {d: [float(b.values["tau"][0]), *b.interval("tau", 0)] for d, b in results.items()}
    return {"networks": len(tested.architectures), "tau": plain(taus)}
