"""What each part of the search is worth: searches with other settings, by folds of a search part.

Every search sees networks of all folds but one, and its champion ranks those of that one: five
seeds, five folds. Nothing that is held out is looked at.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config, read
from eznas.discovery.search import evolved, tasks_of
from eznas.discovery.setup import Setup, contexts_for, seeds_of
from eznas.discovery.small_data import short_where_few
from eznas.discovery.termination import termination_of
from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.executors import Call, Executor, Lost
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.network_scores import table_scores
from eznas.evaluation.workers import executor_of
from eznas.evolution import randomness
from eznas.evolution.pairwise import refined
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.metrics import component_folds
from eznas.predictors.greedy_by_folds import greedy_by_folds
from eznas.studies.by_folds import fold_figures, search_part_table
from eznas.studies.records import networks_of
from eznas.studies.variants import (
    AS_IT_IS,
    BY_FOLDS,
    GREEDY,
    LEAST,
    REFINED,
    SECTIONS,
    VARIANTS,
    YARDSTICKS,
    Settings,
    checked_name,
    full_settings,
    labels_of,
    mapping,
    variant_of,
    within,
)
from eznas.system.arguments import checked, whole

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SEEDS = 5
LONGEST = 12 * 3600.0  # seconds of a search, after which it counts as hung


@dataclass(frozen=True, eq=False)
class _Folds:
    """What all searches have: a sample, a table of its features, and the fold of each network."""

    sample: Benchmark
    table: FeatureTable
    places: Integers


@dataclass(frozen=True)
class _Job:
    """A search without the networks of a fold, and yardsticks that are chosen by folds beside it or
    not: see `eznas.evaluation.executors.Job`."""

    worker: int
    config: Config
    fold: int
    yardsticks: bool
    size: int = 1

    def call(self) -> Call:
        """See `Job.call`."""
        return Call(_found, (self.config, self.fold, self.yardsticks))

    def finish(self, executor: Executor, call: Call, answer: Any) -> "_Found":
        """See `Job.finish`."""
        if isinstance(answer, Lost):
            raise InputError(f"the process of a search was lost ({answer.cause}): {answer.detail}")
        assert isinstance(answer, _Found)
        return answer


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
    of `preset` and `settings` (None: `VARIANTS`; empty: no others). All evaluate about as many
    formulas, but for those that set their generations. The first `networks` of the search part of a
    space (None: as `build_records`) are divided into as many folds of whole components as there are
    `seeds`; seed s searches without fold s, and its champion ranks that. Where the other folds have
    fewer networks than a search asks for, it has all. What is not stored of their features is
    measured. `workers` searches run at once. `records`: see `eznas.discovery.records`.

    A row has the keys space, accuracy (its kind), networks, folds, variant, settings (those that
    differ), labels (networks that a search sees), nodes, evaluations and seconds (means over
    seeds), and those of `fold_figures`. `YARDSTICKS` on the networks of the search as it is come
    second: greedy least squares as every run has it; chosen by folds
    (`eznas.predictors.greedy_by_folds`); and the latter with weights refined as those of champions
    are. Raises `InputError` for an argument that cannot be used: settings of tasks, own models,
    tests, seeds, in a variant of measurements too, and features that are not listed.
    """
    whole("seeds", seeds, 2)
    whole("workers", workers, 1)
    usual = full_settings("settings", settings or {}, (*SECTIONS, "measurement."))
    chosen = {
        checked_name(name): full_settings(f"variant {name!r}", other, SECTIONS)
        for name, other in mapping("variants", VARIANTS if variants is None else variants).items()
    }
    sample = networks_of(load_benchmark(space), "search", networks)
    places, most = _folds_of(sample, seeds)
    base = within(read(preset=preset, settings={**usual, "tasks": [space]}), most)
    base = short_where_few(base, labels_of(base))
    others = {name: within(variant_of(base, other), most) for name, other in chosen.items()}
    configs = {AS_IT_IS: base, **others}
    for config in configs.values():
        contexts_for(sample, config)  # which refuses what no search could have
    callback = watcher or NoCallback()
    with one_thread():
        features = _features(configs.values())
        table = search_part_table(sample, base, features, records, workers, callback)
        folds = partial(_Folds, sample, table.reordered(range(len(places))), places)
        pairs = enumerate(product(configs.values(), range(seeds)))
        jobs = [_Job(i, config, fold, config is base) for i, (config, fold) in pairs]
        found = _all_found(jobs, folds, workers, callback)
    by_name = {
        name: found[number * seeds : (number + 1) * seeds] for number, name in enumerate(configs)
    }
    return _rows(by_name, configs, chosen, sample, places)


def _folds_of(sample: Benchmark, seeds: int) -> tuple[Integers, int]:
    """The fold of each network, and how many networks every search can see. `InputError` where
    these are too few."""
    places = component_folds(sample.components, seeds)
    sizes = np.bincount(places, minlength=seeds)
    most = int(len(places) - sizes.max())
    if sizes.min() < 2 or most < LEAST:
        raise InputError(
            f"seeds {seeds}: too many folds for {len(places)} networks of {sample.space}"
        )
    return places, most


def _all_found(
    jobs: Sequence[_Job], folds: Callable[[], _Folds], workers: int, callback: Callback
) -> list[_Found]:
    """What all searches find, so many of them at once."""
    progress = callback.phase("searches", len(jobs))
    executor = executor_of(folds, workers, LONGEST)
    try:
        return executor.run(jobs, progress)
    finally:
        executor.close()


def _features(configs: Iterable[Config]) -> list[Expression]:
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


def _found(folds: _Folds, config: Config, fold: int, yardsticks: bool) -> _Found:
    """Do the search whose seed is that of a fold, on networks of the others, and choose greedy sums
    by folds beside it if `yardsticks`. The global random state is restored in the end."""
    others, tested = (np.flatnonzero(part) for part in (folds.places != fold, folds.places == fold))
    evolution = config.evolution.model_copy(update={"seed": fold + 1})
    config = config.model_copy(update={"evolution": evolution})
    searched = labels_of(config)
    order = np.concatenate([others[:searched], tested])
    table = folds.table.reordered(order.tolist())
    samples = [folds.sample.subset(order, "fold")]
    setup = Setup(config, samples, (), (), seeds_of(evolution), None)  # nothing is measured
    start, random_state = time.monotonic(), randomness.state()
    try:
        with one_thread():
            end = termination_of(evolution.generations, config.termination, None)
            result = evolved(setup, table, NoCallback(), end)
    finally:
        randomness.restore(random_state)
    seconds = time.monotonic() - start
    formulas = {AS_IT_IS: result.champion, GREEDY: result.greedy}
    tasks = tasks_of(setup)
    if yardsticks:
        components = samples[0].components
        with one_thread():
            greedy = greedy_by_folds(_features([config]), table, tasks, components, searched)
            formulas[BY_FOLDS] = greedy
            formulas[REFINED] = greedy and refined(greedy, table, tasks, searched)
    found = {name: formula for name, formula in formulas.items() if formula is not None}
    by_task = np.stack([*table_scores([*found.values()], table, tasks).values()])
    scores = {name: by_task[:, row, searched:] for row, name in enumerate(found)}
    nodes = {name: formula.size for name, formula in found.items()}
    return _Found(scores, nodes, result.evaluations, seconds)


def _rows(
    by_name: Mapping[str, Sequence[_Found]],
    configs: Mapping[str, Config],
    chosen: Mapping[str, Settings],
    sample: Benchmark,
    places: Integers,
) -> list[dict[str, Any]]:
    """A row for each search, and one for each yardstick; `by_name`: what the searches of each
    name found, by fold."""
    rows, scores = list[dict[str, Any]](), list[Array]()
    common: dict[str, Any] = {"space": sample.source, "accuracy": sample.kind}
    common |= {"networks": len(places), "folds": int(places.max()) + 1}
    for name, found in by_name.items():
        described = common | {"variant": name, "settings": dict(chosen.get(name, {}))}
        described["labels"] = labels_of(configs[name])
        of_search = {
            "nodes": float(np.mean([f.nodes[AS_IT_IS] for f in found])),
            "evaluations": round(np.mean([f.evaluations for f in found])),
            "seconds": float(np.mean([f.seconds for f in found])),
        }
        rows.append(described | of_search)
        scores.append(_together(found, AS_IT_IS, places))
        for greedy in YARDSTICKS if name == AS_IT_IS else ():
            if nodes := [f.nodes[greedy] for f in found if greedy in f.nodes]:
                of_greedy = {"nodes": float(np.mean(nodes)), "evaluations": None, "seconds": None}
                rows.append(described | {"variant": greedy} | of_greedy)
                scores.append(_together(found, greedy, places))
    figures = fold_figures(scores, sample, places, paired=True)
    return [row | of_row for row, of_row in zip(rows, figures, strict=True)]


def _together(found: Sequence[_Found], name: str, places: Integers) -> Array:
    """The scores of a formula of each fold on the networks there, [tasks, networks]; NaN where a
    fold has none."""
    tasks = len(found[0].scores[AS_IT_IS])
    values = np.full((tasks, len(places)), np.nan)
    for fold, of_fold in enumerate(found):
        if name in of_fold.scores:
            values[:, places == fold] = of_fold.scores[name]
    return values
