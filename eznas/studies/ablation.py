"""What each part of the search is worth: searches with other settings, by folds of a search part.

Every search sees networks of all folds but one, and its champion ranks those of that one: five
seeds, five folds. Nothing that is held out is looked at.
"""

import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import PRESETS, Config, full_key, read
from eznas.discovery.search import evolved, tasks_of
from eznas.discovery.setup import Setup, seeds_of
from eznas.discovery.small_data import short_where_few
from eznas.discovery.termination import termination_of
from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution import randomness
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.metrics import component_folds
from eznas.studies.by_folds import fold_figures, search_part_table
from eznas.studies.records import networks_of
from eznas.system.arguments import checked, whole

Array = npt.NDArray[np.float64]
Settings = Mapping[str, Any]

AS_IT_IS = "as it is"
GREEDY = "greedy least squares"
SEEDS = 5
_AS_RATED = {  # formulas as they are, rated by tau, of no more than selection and chance
    "evolution.fit": False,
    "evolution.stepwise": 0.0,
    "evolution.tuned": 0,
    "evolution.greedy_terms": 0,
    "evolution.refine": False,
}
_ORIGINAL = {key: PRESETS["paper"][f"evolution.{key}"] for key in ("population", "offspring")}
VARIANTS: Mapping[str, Settings] = {
    "without interactions": {"evolution.interactions": False},
    "without crossover and merging": {"evolution.crossover": 0.0},
    "without exchange of terms": {"evolution.exchange": 0.0},
    "without refined weights": {"evolution.refine": False},
    "parents by lexicase": {"evolution.selection": "lexicase"},
    "40 nodes, rated by tau": {
        key: value for key, value in PRESETS["short"].items() if key != "evolution.generations"
    },
    "EZNAS's scheme": _AS_RATED
    | {f"evolution.{key}": value for key, value in _ORIGINAL.items()}
    | {"evolution.max_nodes": 60, "evolution.max_depth": 14},
    "random formulas": _AS_RATED
    | {"evolution.fresh": 1.0, "evolution.max_nodes": 60, "evolution.max_depth": 14},
}


@dataclass(frozen=True, eq=False)
class _Search:
    """One search: on the first `searched` networks of a table, in the order of the samples."""

    setup: Setup
    table: FeatureTable
    searched: int


@dataclass(frozen=True, eq=False)
class _Found:
    """What a search found: the scores of its formulas (champion, and greedy where there is one) on
    the networks behind those that it saw, [tasks, networks] each, their nodes, how many formulas it
    evaluated, and in how many seconds."""

    scores: Mapping[str, Array]
    nodes: Mapping[str, int]
    evaluations: int
    seconds: float


@checked
def ablation(
    variants: Mapping[str, Settings] | None = None,
    *,
    space: str = "nasbench201",
    preset: str | None = None,
    settings: Settings | None = None,
    networks: int | None = None,
    seeds: int = SEEDS,
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """What searches with other settings find: rows, of which the first is the search as it is.

    `variants`: name -> settings (SECTION.KEY, or KEY as in a configuration) that differ from those
    of `preset` and `settings` (None: `VARIANTS`). All evaluate equally many formulas, but for those
    that set their generations. The first `networks` of the search part of a space (None: as
    `build_records`) are divided into as many folds of whole components as there are `seeds`; seed s
    searches without fold s, and its champion ranks that. What is not stored of their features is
    measured. `workers` searches run at once. `records`: see `eznas.discovery.records`.

    A row has the keys space, accuracy (its kind), networks, folds, variant, labels (networks that a
    search sees), nodes, evaluations and seconds (means over seeds), and those of `fold_figures`.
    One of greedy least squares, on the networks of the search as it is, comes second. Raises
    `InputError` for an argument that cannot be used, and for settings of other networks, tests or
    measurements, or with features that are not listed.
    """
    whole("seeds", seeds, 2)
    whole("workers", workers, 1)
    base = read(preset=preset, settings={**(settings or {}), "tasks": [space]})
    chosen = VARIANTS if variants is None else variants
    configs = {AS_IT_IS: base}
    for name, other in chosen.items():
        configs[name] = _variant(base, preset, {**(settings or {}), "tasks": [space]}, other)
    sample = networks_of(load_benchmark(space), "search", networks)
    places = component_folds(sample.components, seeds)
    callback = watcher or NoCallback()
    with one_thread():
        features = _features(configs.values())
        table = search_part_table(sample, base, features, records, workers, callback)
        jobs = [
            (name, fold, _search(config, sample, table, places, fold))
            for name, config in configs.items()
            for fold in range(seeds)
        ]
        progress, found = callback.phase("searches", len(jobs)), list[_Found]()
        for result in _all_found([search for *_, search in jobs], workers):
            found.append(result)
            if progress is not None:
                progress(len(found), len(jobs))
    by_name: dict[str, list[tuple[int, _Found]]] = {}
    for (name, fold, _), result in zip(jobs, found, strict=True):
        by_name.setdefault(name, []).append((fold, result))
    return _rows(by_name, configs, sample, places)


def _variant(base: Config, preset: str | None, settings: Settings, other: Settings) -> Config:
    """The configuration with other settings, and as many generations as give equally many
    formulas. `InputError` for settings that a search by folds cannot have."""
    full = {full_key(key): value for key, value in other.items()}
    for key in full:
        if not key.startswith(("evolution.", "termination.")):
            raise InputError(f"setting {key}: expected one of evolution or termination here")
    config = read(preset=preset, settings={**settings, **full})
    if "evolution.generations" in full:
        return config
    usual, own = base.evolution, config.evolution
    formulas = usual.population + usual.generations * usual.offspring
    generations = max(0, round((formulas - own.population) / own.offspring))
    return read(preset=preset, settings={**settings, **full, "evolution.generations": generations})


def _features(configs: Sequence[Config] | Any) -> list[Expression]:
    """The features that searches of these configurations look at. `InputError` where one may invent
    others."""
    features = dict[Expression, None]()
    for config in configs:
        evolution = config.evolution
        if not evolution.features_are_listed:
            raise InputError("setting evolution.new_features: expected false here")
        listed = candidate_features(evolution.statistics)
        seeds = [f for seed in seeds_of(evolution) for f in seed.features()]
        features |= dict.fromkeys([*listed, *seeds])
    return list(features)


def _search(
    config: Config, sample: Benchmark, table: FeatureTable, places: npt.NDArray[np.int64], fold: int
) -> _Search:
    """The search whose seed is that of a fold, on networks of the others."""
    others, tested = (np.flatnonzero(part) for part in (places != fold, places == fold))
    evolution = config.evolution
    searched = min(evolution.networks + evolution.champion_networks, len(others))
    networks = searched - evolution.champion_networks
    if networks < evolution.first_networks:
        raise InputError(
            f"networks {len(places)}: too few for evolution.first_networks = "
            f"{evolution.first_networks} of each search"
        )
    update = {"networks": networks, "seed": fold + 1}
    config = config.model_copy(update={"evolution": evolution.model_copy(update=update)})
    config = short_where_few(config, searched)
    order = np.concatenate([others[:searched], tested])
    samples = [sample.subset(order, "fold")]
    setup = Setup(config, samples, (), (), seeds_of(evolution), None)  # nothing is measured
    return _Search(setup, table.reordered(order.tolist()), searched)


def _all_found(searches: Sequence[_Search], workers: int) -> Iterator[_Found]:
    """What searches find, in their order, so many of them at once."""
    if workers == 1:
        yield from map(_found, searches)
        return
    # A process that is forked from one with threads may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(searches)), context) as pool:
        try:
            yield from pool.map(_found, searches)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _found(search: _Search) -> _Found:
    """Do a search. The global random state is restored in the end."""
    setup, table = search.setup, search.table
    evolution, limits = setup.config.evolution, setup.config.termination
    start, random_state = time.monotonic(), randomness.state()
    try:
        with one_thread():
            end = termination_of(evolution.generations, limits, None)
            result = evolved(setup, table, NoCallback(), end)
    finally:
        randomness.restore(random_state)
    seconds = time.monotonic() - start
    formulas = {AS_IT_IS: result.champion, GREEDY: result.greedy}
    found = {name: formula for name, formula in formulas.items() if formula is not None}
    scores = {
        name: np.stack([_scores(formula, task.context, search) for task in tasks_of(setup)])
        for name, formula in found.items()
    }
    nodes = {name: formula.size for name, formula in found.items()}
    return _Found(scores, nodes, result.evaluations, seconds)


def _scores(formula: Expression, context: int, search: _Search) -> Array:
    """The scores of a formula on the networks that a search did not see; NaN for one that names no
    statistic."""
    table = search.table
    values = table.scores(formula, context, table.networks).values
    values = values if values.size else np.full(table.networks, np.nan)
    return values[search.searched :]


def _rows(
    by_name: Mapping[str, Sequence[tuple[int, _Found]]],
    configs: Mapping[str, Config],
    sample: Benchmark,
    places: npt.NDArray[np.int64],
) -> list[dict[str, Any]]:
    tasks, rows, scores = len(sample.datasets), list[dict[str, Any]](), list[Array]()
    folds = int(places.max()) + 1
    for name, found in by_name.items():
        for formula in (AS_IT_IS, GREEDY) if name == AS_IT_IS else (AS_IT_IS,):
            of_formula = [(fold, f) for fold, f in found if formula in f.scores]
            if not of_formula:
                continue
            values = np.full((tasks, len(places)), np.nan)
            for fold, result in of_formula:
                values[:, places == fold] = result.scores[formula]
            is_search = formula == AS_IT_IS
            evaluations = [result.evaluations for _, result in of_formula]
            evolution = configs[name].evolution
            labels = evolution.networks + evolution.champion_networks
            scores.append(values)
            rows.append(
                {
                    "space": sample.source,
                    "accuracy": sample.kind,
                    "networks": len(places),
                    "folds": folds,
                    "variant": name if is_search else GREEDY,
                    "labels": labels,
                    "nodes": float(np.mean([f.nodes[formula] for _, f in of_formula])),
                    "evaluations": round(np.mean(evaluations)) if is_search else None,
                    "seconds": float(np.mean([f.seconds for _, f in of_formula]))
                    if is_search
                    else None,
                }
            )
    figures = fold_figures(scores, sample, places, paired=True)
    return [row | of_row for row, of_row in zip(rows, figures, strict=True)]
