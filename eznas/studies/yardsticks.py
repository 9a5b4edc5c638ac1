"""Yardsticks of a search: how well models of stored short features rank networks that they were
not fitted to: those of another fold of whole components, or held-out ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.benchmarks import Benchmark, Task
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import held_out as held_out_networks
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.errors import InputError
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.feature_table import FeatureTable
from eznas.formulas.candidates import SIZES, candidate_features
from eznas.formulas.expression import Expression
from eznas.metrics import component_folds
from eznas.metrics.normal import normal_scores
from eznas.predictors.feature_models import FeatureModel, kernel_ridge, predictions
from eznas.predictors.interactions import INTERACTIONS
from eznas.predictors.least_squares import (
    RegressionData,
    fitted_formula,
    forward_selection,
    regression_data_of,
    score_columns,
    with_interactions,
)
from eznas.predictors.randomised_trees import randomised_trees
from eznas.statistics.catalogue import PATHS
from eznas.studies.by_folds import fold_figures, search_part_table
from eznas.studies.records import networks_of
from eznas.system.arguments import checked, whole

Array = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LABELS = (500, None)  # networks that models are fitted to; None: all that are not ranked
FOLDS = 5
FITTED_ALONE = -1  # the fold of networks that are not ranked
LINEAR = "linear"
GREEDY = {LINEAR: (6, 12, 24), **dict.fromkeys(INTERACTIONS, (12, 24))}  # -> numbers of terms
FACTORS = 60  # features that interactions are formed of
TREES = 100
OTHERS: Mapping[str, FeatureModel] = {
    "randomised trees": partial(randomised_trees, trees=TREES),
    "kernel ridge": kernel_ridge,
}


@dataclass(eq=False)
class _Outcome:
    """What a model gave for networks of folds that it was not fitted to: `scores` [tasks,
    networks], NaN where it gave none; `nodes` of its formulas and numbers of `labels`, by fold."""

    scores: Array
    nodes: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Language:
    """The features that models choose from, and their `scores` [initialisations, tasks, networks,
    features]; those of the first, which `table` has, rank networks."""

    features: Sequence[Expression]
    table: FeatureTable
    tasks: Sequence[Task]
    scores: Tensor


Key = tuple[str, int | None, str, int | None]  # language, labels, model, terms
Model = tuple[str, int | None]  # its name, and terms where it is a formula
Ranked = tuple[Model, Array, int | None]  # a model, its scores [tasks, ranked networks], nodes


@checked
def yardsticks(
    space: str = "nasbench201",
    *,
    networks: int | None = None,
    labels: Sequence[int | None] = LABELS,
    folds: int = FOLDS,
    held_out: int | None = None,
    initialisations: int = 1,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """Kendall's tau that models of short features reach on networks of a space which they were not
    fitted to: a row for each set of features, number of labels and model.

    Components are divided into `folds`. For each fold all models are fitted to the first so many
    (`labels`; None, or more than there are: all) networks of the other folds, and rank those of the
    fold. Greedy least squares ("linear", and with the interactions "products", "min and max" or
    "hinges") is fitted to all data sets together and gives a formula; randomised trees and kernel
    ridge regression are fitted to each by itself.
    `networks`: the first of the search part, at most (None: as `build_records`). With `held_out`
    there are no folds: models are fitted to the search part and rank the first so many held-out
    networks, on which runs are tested. With more `initialisations` models are fitted to as many
    rows of each network, with one label; networks are ranked by one. What is not stored of their
    features is measured, as a search measures. `records`: see `eznas.discovery.records`.

    A row has the keys space, accuracy (its kind), networks (that are ranked), folds (None with
    `held_out`), initialisations, language (the features to choose from), features (their number),
    labels (mean over folds), model, terms and nodes of its formulas (the latter a mean over folds;
    None where there is none), tau (data set -> [tau, low, high], a mean over folds with a 95 %
    interval from a bootstrap of components, the same draws for all rows) and mean, the same over
    data sets. Where a model gives networks no score, tau is over the others, and their number
    stands under undefined (data set -> number). Raises `InputError` for an argument that cannot be
    used.
    """
    sample, places = _divided(load_benchmark(space), networks, folds, held_out)
    is_ranked = places != FITTED_ALONE
    tested = sample.subset(np.flatnonzero(is_ranked), sample.name)
    labels = _distinct(labels, len(places) - int(np.bincount(places[is_ranked]).min()))
    seeds = range(whole("initialisations", initialisations, 1))
    measurements = [{"device": device, "seed": seed} for seed in seeds]
    configs = [Config.model_validate({"measurement": m}) for m in measurements]
    candidates = candidate_features(configs[0].evolution.statistics)
    of_structure = [f for f in candidates if set(f.statistics()) <= {*SIZES, *PATHS}]
    languages = {"all features": candidates, "sizes and paths": of_structure}
    callback = watcher or NoCallback()
    with one_thread():
        how = candidates, records, workers, callback
        tables = [search_part_table(sample, config, *how) for config in configs]
        outcomes = _outcomes(languages, tables, sample.tasks(), places, labels, callback)
        scores = [outcome.scores[:, is_ranked] for outcome in outcomes.values()]
        figures = fold_figures(scores, tested, places[is_ranked])
    common: dict[str, Any] = {"space": sample.source, "accuracy": sample.kind}
    common |= {"networks": len(tested.architectures), "folds": None if held_out else folds}
    common |= {"initialisations": initialisations}
    return [
        common | {"features": len(languages[key[0]])} | _described(key, outcome) | of_model
        for (key, outcome), of_model in zip(outcomes.items(), figures, strict=True)
    ]


def _distinct(labels: Sequence[int | None], most: int) -> list[int | None]:
    """Numbers of labels, each once, None for all where it is at least `most`: some fold leaves no
    more. Raises `InputError` for one that is too small, and for none."""
    if not labels:
        raise InputError("labels: expected one number or more")
    for count in labels:
        if count is not None:
            whole("labels", count, 2)
    return list(dict.fromkeys(n if n is not None and n < most else None for n in labels))


def _divided(
    benchmark: Benchmark, networks: int | None, folds: int, held_out: int | None
) -> tuple[Benchmark, Integers]:
    """The networks that models are fitted to and rank, and the fold of each. Raises `InputError`
    where a fold has less than 2, there are fewer held-out ones, or both are asked for."""
    search = networks_of(benchmark, "search", networks)
    if held_out is None:
        whole("folds", folds, 2)
        places = component_folds(search.components, folds)
        if np.bincount(places, minlength=folds).min() < 2:
            total = f"{benchmark.source} has {len(places)}"
            raise InputError(f"folds {folds}: each needs 2 networks, {total}")
        return search, places
    if folds != FOLDS:
        raise InputError(f"folds {folds}: not with held_out, where there are none")
    tested = held_out_networks(benchmark, whole("held_out", held_out, 2))
    if len(tested.architectures) < held_out:
        most = f"{benchmark.source} has {len(tested.architectures)} to test on"
        raise InputError(f"held_out {held_out}: {most}")
    index_of = {name: index for index, name in enumerate(benchmark.architectures)}
    names = [*search.architectures, *tested.architectures]
    places = np.repeat([FITTED_ALONE, 0], [len(search.architectures), len(tested.architectures)])
    return benchmark.subset(np.array([index_of[name] for name in names]), tested.name), places


def _outcomes(
    languages: Mapping[str, Sequence[Expression]],
    tables: Sequence[FeatureTable],
    tasks: Sequence[Task],
    places: Integers,
    labels: Sequence[int | None],
    callback: Callback,
) -> dict[Key, _Outcome]:
    """What all models gave; `tables`: one for each initialisation; `places`: the fold of each
    network [networks]."""
    outcomes: dict[Key, _Outcome] = {}
    steps = len(languages) * len(labels) * int((places != FITTED_ALONE).sum())
    progress, done = callback.phase("fitting models", steps), 0
    for name, features in languages.items():
        columns = [score_columns(features, table, tasks, len(places)) for table in tables]
        scores = torch.stack(columns).view(len(tables), len(tasks), len(places), len(features))
        language = _Language(features, tables[0], tasks, scores)
        for count in labels:
            for fold in range(int(places.max()) + 1):
                fitted, ranked = np.flatnonzero(places != fold)[:count], places == fold
                for (model, terms), ranks, nodes in _ranked(language, fitted, ranked.nonzero()[0]):
                    missing = np.full((len(tasks), len(places)), np.nan)
                    key = (name, count, model, terms)
                    outcome = outcomes.setdefault(key, _Outcome(missing))
                    outcome.scores[:, ranked] = ranks
                    outcome.labels.append(len(fitted))
                    outcome.nodes += [] if nodes is None else [nodes]
                done += int(ranked.sum())
                if progress is not None:
                    progress(done, steps)
    return outcomes


def _ranked(language: _Language, fitted: Integers, ranked: Integers) -> Iterator[Ranked]:
    """All models, fitted to some networks (indices), and their scores of others."""
    tasks = [Task(t.dataset, t.context, t.accuracies[fitted]) for t in language.tasks]
    count = len(language.scores)  # of initialisations
    scores = language.scores[:, :, fitted].flatten(0, 2)
    data = regression_data_of(scores, language.features, tasks * count, len(fitted))
    for form, numbers_of_terms in GREEDY.items():
        formulas = {} if data is None else _formulas(data, form, numbers_of_terms)
        for terms in numbers_of_terms:
            formula = formulas.get(terms)
            if formula is None:
                yield (form, terms), np.full((len(tasks), len(ranked)), np.nan), None
                continue
            values = [
                language.table.scores(formula, task.context, language.table.networks).values[ranked]
                for task in tasks
            ]
            yield (form, terms), np.stack(values), formula.size
    by_task = torch.cat(
        [
            language.scores[:, :, fitted].transpose(0, 1).flatten(1, 2),
            language.scores[0][:, ranked],
        ],
        1,
    ).numpy()
    for name, model in OTHERS.items():
        values = [
            predictions(model, of_task, np.tile(normal_scores(task.accuracies), count))
            for task, of_task in zip(tasks, by_task, strict=True)
        ]
        yield (name, None), np.stack(values)[:, -len(ranked) :], None


def _formulas(
    data: RegressionData, form: str, numbers_of_terms: Sequence[int]
) -> dict[int, Expression]:
    """Number of terms -> the greedy formula with so many, or with fewer where there are no more."""
    if form != LINEAR:
        data = with_interactions(data, form, FACTORS)
    columns = forward_selection(data.x, data.y, max(numbers_of_terms))
    return {n: fitted_formula(data, columns[:n]) for n in numbers_of_terms if columns}


def _described(key: Key, outcome: _Outcome) -> dict[str, Any]:
    language, _, model, terms = key
    nodes = float(np.mean(outcome.nodes)) if outcome.nodes else None
    labels = round(float(np.mean(outcome.labels)))
    of_model = {"model": model, "terms": terms, "nodes": nodes}
    return {"language": language, "labels": labels, **of_model}
