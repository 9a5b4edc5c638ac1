"""How well short features rank networks, each by itself and in models fitted to all of them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark, Task
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import study
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.evaluation.arithmetic import LEAST_COVERAGE
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.network_scores import table_of
from eznas.formulas.candidates import SIZES, TENSORS, candidate_features
from eznas.formulas.expression import Expression
from eznas.metrics import bootstrap_all, kendall, undefined_scores
from eznas.predictors.least_squares import FACTORS, greedy_formulas
from eznas.predictors.randomised_trees import forest_scores
from eznas.proxies.measured import ScoringSettings, team_for
from eznas.statistics.catalogue import PATHS
from eznas.statistics.config import PROXY
from eznas.system.arguments import checked
from eznas.system.files import plain

Array = npt.NDArray[np.float64]
Rows = list[dict[str, Any]]


@checked
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
    """Two lists of rows: every short feature with its tau, and the yardsticks, models that are
    fitted to all of these features.

    Features are ranked on the networks that `study` gives for fitting; a row has the keys feature
    (its text), tau (data set -> tau, None where undefined) and coverage. Tau is over the networks
    that have a score, and undefined where more than a fifth has none; how many have none stands
    under undefined (data set -> number), where there are any. The yardsticks (greedy least squares
    with and without products, randomised trees) are fitted to the same networks and tested on the
    study's others, of other components. For comparison they are also fitted and tested after the
    usual split, by lot, where networks of one component are on both sides. A row
    has the keys language (the features to choose from), features (their number), split_by, model,
    formula ("" for trees), networks (tested on) and tau: data set -> [tau, low, high]. The
    arguments are those of `correlate`.

    Raises `InputError` for a space with too few networks, and as `correlate`.
    """
    fitted, tested = study(load_benchmark(space))
    benchmark, fitted_networks = fitted.followed_by(tested), len(fitted.architectures)
    candidates = candidate_features((*TENSORS, *SIZES, *PATHS))
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurement = settings.measurement(PROXY, seed)
    callback = watcher or NoCallback()
    with team_for(benchmark, measurement, settings, callback) as team, one_thread():
        table = table_of(benchmark, team)
        table.fill(candidates, table.networks)
        tasks = benchmark.tasks()
        rows = [_feature_row(feature, table, tasks, fitted_networks) for feature in candidates]
        yardsticks = [*_yardsticks(candidates, table, benchmark, fitted_networks, "components")]
        order = sample(np.arange(table.networks), table.networks, seed)
        shuffled = benchmark.subset(order, benchmark.name)
        reordered = table.reordered(order.tolist())
        yardsticks += _yardsticks(candidates, reordered, shuffled, fitted_networks, "networks")
    return rows, yardsticks


def _feature_row(
    feature: Expression, table: FeatureTable, tasks: list[Task], networks: int
) -> dict[str, Any]:
    taus, undefined, coverage = {}, {}, 1.0
    for task in tasks:
        scores = table.scores(feature, task.context, networks)
        undefined[task.dataset] = missing = undefined_scores(scores.values)
        defined = ~missing if missing.mean() <= 1 - LEAST_COVERAGE else np.zeros_like(missing)
        taus[task.dataset] = kendall(scores.values[defined], task.accuracies[:networks][defined])
        coverage = min(coverage, scores.coverage)
    return {
        "feature": feature.text,
        "tau": plain(taus),
        "coverage": coverage,
        **_undefined(undefined),
    }


def _undefined(missing: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, dict[str, int]]:
    """On how many networks of a data set there is no score, from where: bool [networks] for each;
    nothing where there is always one."""
    counts = {dataset: int(mask.sum()) for dataset, mask in missing.items() if mask.any()}
    return {"undefined": counts} if counts else {}


def _yardsticks(
    candidates: list[Expression],
    table: FeatureTable,
    benchmark: Benchmark,
    fitted_networks: int,
    split_by: str,
) -> Iterator[dict[str, Any]]:
    """One row for each yardstick, fitted to the first networks and tested on the others."""
    tasks = benchmark.tasks()
    tested = benchmark.subset(np.arange(fitted_networks, table.networks), benchmark.name)
    of_tensors = [f for f in candidates if not set(f.statistics()) & set(PATHS)]
    of_structure = [f for f in candidates if set(f.statistics()) <= {*SIZES, *PATHS}]
    languages = {
        "tensor features": of_tensors,
        "sizes and paths": of_structure,
        "all features": candidates,
    }
    for language, features_of_language in languages.items():
        row = {"language": language, "features": len(features_of_language), "split_by": split_by}
        for model, factors in (("greedy", 0), ("greedy with products", FACTORS)):
            formula = greedy_formulas(
                features_of_language, table, tasks, fitted_networks, factors=factors
            )[-1]
            scores = [table.scores(formula, t.context, table.networks).values for t in tasks]
            row |= {"model": model, "formula": formula.text}
            yield {**row, **_test_result(tasks, scores, tested)}
        scores = forest_scores(features_of_language, table, tasks, fitted_networks)
        row |= {"model": "randomised trees", "formula": ""}
        yield {**row, **_test_result(tasks, scores, tested)}


def _test_result(tasks: list[Task], scores: Sequence[Array], tested: Benchmark) -> dict[str, Any]:
    """Tau with its interval on the tested networks, which are the last ones of each task's scores
    [networks]."""
    networks = len(tested.architectures)
    by_dataset = {
        task.dataset: of_task[None, -networks:] for task, of_task in zip(tasks, scores, strict=True)
    }
    results = bootstrap_all(by_dataset, tested.accuracies, tested.components, 1000)
    taus = {
        dataset: [float(result.values["tau"][0]), *result.interval("tau", 0)]
        for dataset, result in results.items()
    }
    missing = {dataset: undefined_scores(row[0]) for dataset, row in by_dataset.items()}
    return {"networks": networks, "tau": plain(taus), **_undefined(missing)}
