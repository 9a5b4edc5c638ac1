"""An arena: formulas beside each other on every space with accuracies here, from stored features.

Only search parts are looked at, never what is held out.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.loading import tables_here
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.records import records_folder, stores_for
from eznas.discovery.setup import BASELINES, contexts_for
from eznas.errors import InputError
from eznas.evaluation.contexts import Context
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.feature_store import FeatureStore
from eznas.evaluation.network_scores import table_of, table_scores
from eznas.evaluation.stored_workers import Measuring, started
from eznas.formulas.expression import Expression
from eznas.formulas.simplify import simplified
from eznas.metrics import bootstrap_weights, interval, undefined_scores
from eznas.metrics.ranks import taus
from eznas.spaces import SPACES
from eznas.studies.correlate import proxies_by_text
from eznas.studies.records import ALSO_SHOWN, networks_of, usual_formulas
from eznas.system.arguments import checked, whole
from eznas.system.files import plain

Array = npt.NDArray[np.float64]
YARDSTICKS = (*BASELINES, *ALSO_SHOWN)
REPLICATES = 200  # of the bootstrap behind an interval
KEPT = ("nds-darts",)  # its few networks are for last figures: shown where it is named
MEASURED = 100  # networks of a space of which features are measured, where too few are stored


@checked
def arena(
    formulas: Sequence[str],
    *,
    spaces: Sequence[str] = (),
    networks: int | None = None,
    measured: int = MEASURED,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """Kendall's tau of formulas, and of published proxies beside them, with accuracies of networks
    of the search parts of spaces: a row for each formula and data set.

    `formulas`: texts as `load` takes them. `spaces`: none for all of `with_accuracies`.
    `networks`: the first of each search part, at most (None: as `eznas.studies.records`); those of
    which all features are stored are taken. Where they are fewer than `measured`, the first so many
    networks are, and what is not stored is measured. All formulas are measured as a search measures
    (4 and 32 images), whatever batches a proxy has. `records`: see `eznas.discovery.records`.

    A row has the keys formula, space, dataset, accuracy (its kind), networks, undefined (how many
    of these have no score; tau is over the others), tau, low and high (a 95 % interval from a
    bootstrap of components). What is undefined is None. Raises `InputError` for an argument that
    cannot be used, and where no space has accuracies.
    """
    loaded = {p.name: p.formula for p in proxies_by_text([*formulas, *YARDSTICKS]).values()}
    whole("measured", measured, 2)
    settings = Config.model_validate({"measurement": {"device": device}})
    folder, callback = records_folder(records), watcher or NoCallback()
    rows = []
    for space in spaces or with_accuracies():
        benchmark = networks_of(load_benchmark(space), "search", networks)
        rows += _rows(loaded, benchmark, settings, folder, measured, workers, callback)
    return rows


def with_accuracies() -> list[str]:
    """The spaces that have accuracies here, but for `KEPT`; SPACE:NAME, the tables of a name, where
    a space has no usual one. `InputError` where none has accuracies."""
    found = []
    for space in SPACES:
        if space not in KEPT:
            tables = tables_here(space)
            found += [space] if space in tables else tables
    if not found:
        raise InputError("no space has accuracies here: `eznas data list` says where to get them")
    return found


def _rows(
    formulas: Mapping[str, Expression],
    benchmark: Benchmark,
    config: Config,
    folder: Path | None,
    measured: int,
    workers: int,
    callback: Callback,
) -> list[dict[str, Any]]:
    """The rows of one space."""
    contexts = contexts_for(benchmark, config)
    stores = stores_for(contexts, folder)
    stored = np.flatnonzero(_is_stored(list(formulas.values()), benchmark, contexts, stores))
    count = min(measured, len(benchmark.architectures))
    chosen = stored if len(stored) >= count else np.arange(count)
    sample = benchmark.subset(chosen, benchmark.name)
    title = f"measuring up to {len(chosen)} networks of {benchmark.source}"
    listed = frozenset(
        simplified(f).text
        for formula in (*usual_formulas(config), *formulas.values())
        for f in formula.features()
    )
    team = started(
        partial(Evaluator, contexts, keep=False, lenient=True),
        workers,
        contexts,
        stores,
        Measuring(title, len(chosen), callback),
        lenient=True,
        listed=listed,
    )
    try:
        with one_thread():
            scores = table_scores(list(formulas.values()), table_of(sample, team), sample.tasks())
    finally:
        team.close()
    weights = bootstrap_weights(sample.components, REPLICATES)
    return [
        {
            "formula": name,
            "space": sample.source,
            "dataset": dataset,
            "accuracy": sample.kind,
            "networks": len(chosen),
            **_figures(scores[dataset][number], accuracies, weights),
        }
        for number, name in enumerate(formulas)
        for dataset, accuracies in sample.accuracies.items()
    ]


def _is_stored(
    formulas: Sequence[Expression],
    benchmark: Benchmark,
    contexts: Sequence[Context],
    stores: Mapping[int, FeatureStore],
) -> npt.NDArray[np.bool_]:
    """Of which networks of a benchmark all features of formulas are stored: bool [networks]."""
    features = [*{simplified(f).text: None for formula in formulas for f in formula.features()}]
    is_stored = np.full(len(benchmark.architectures), bool(stores))
    for number, store in stores.items():
        key = contexts[number].measurement.key
        is_stored &= store.find(key, features, benchmark.architectures)[1].all(0)
    return is_stored


def _figures(scores: Array, accuracies: Array, weights: npt.NDArray[Any]) -> dict[str, Any]:
    """Tau of scores [networks] with its interval from weights [replicates, networks], over the
    networks that have a score."""
    missing = undefined_scores(scores)
    counts = np.vstack([np.ones(weights.shape[1]), weights])[:, ~missing].astype(np.float64)
    drawn = taus(scores[None, ~missing], accuracies[~missing], counts)[0]
    low, high = interval(drawn[1:])
    figures = {"undefined": int(missing.sum()), "tau": float(drawn[0]), "low": low, "high": high}
    return plain(figures)  # type: ignore[no-any-return]
