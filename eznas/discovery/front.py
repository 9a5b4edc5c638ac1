"""The front of a search: formulas by size, each fitter than all smaller ones, and which to take."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load_tasks
from eznas.benchmarks.subsets import (
    SearchOrder,
    not_searched,
    search_networks,
    search_sample,
    search_samples,
)
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.provenance import FILE as PROVENANCE
from eznas.discovery.setup import contexts_for, own_networks
from eznas.errors import InputError
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.feature_values import Array
from eznas.evaluation.network_scores import network_scores
from eznas.evaluation.workers import start
from eznas.evolution.simplest import (
    REPLICATES,
    Counts,
    fitness_replicates,
    simplest_within_error,
    taus_where_defined,
)
from eznas.formulas.parser import parse
from eznas.metrics import bootstrap_weights, interval, undefined_scores
from eznas.proxies import files
from eznas.system.arguments import checked, whole
from eznas.system.files import plain
from eznas.system.folder import CONFIG, RunFolder

SAVED = "front.json"  # in the folder of a run
Row = dict[str, Any]


@dataclass(frozen=True)
class Front:
    """Formulas of a run by size, each fitter than all smaller ones on the networks searched on; and
    the champion.

    `rows`, the smallest formula first: dicts with the keys number (RUN#number), formula, size
    (as `EvolutionConfig.size_of`), searched (fitness on the networks searched on); fitness, low and
    high (on other networks, with a 95 % bootstrap interval), tau (data set -> tau there), undefined
    (how many of these networks have no score in some data set: they do not count, and a formula
    that lacks more than a fifth of them is undefined; fronts of earlier versions lack this key);
    champion and recommended (whether it is that one). What is undefined is None. Recommended is the
    smallest formula whose fitness is within one standard error, `error`, of the highest.

    `sets`: what these networks are, for each space a dict with the keys space, networks, set and
    accuracy. `at_most`: how many of each space they might have been.
    """

    run: str
    rows: list[Row]
    sets: list[dict[str, Any]]
    error: float
    at_most: int


@checked
def front(
    run: str,
    *,
    networks: int = 200,
    workers: int = 1,
    again: bool = False,
    watcher: Callback | None = None,
) -> Front:
    """The front of a run: size against fitness on networks that its search did not use.

    `run`: the name or path of its folder. From each of its spaces up to `networks` networks of the
    search part are measured, none of which shares a component with the search's sample. The
    held-out part is not looked at. A user's own models are all searched on, and it is these that
    fitness is on: expect less on others.

    The front is kept in the run's folder, in `front.json`, and taken from there as long as the
    archive stays as it is, unless `again` is set. Raises `InputError` for an unknown run, one
    without a formula, spaces whose search parts have all been used up, a network that cannot be
    measured, and a folder that cannot be written.
    """
    folder, at_most = RunFolder.find(run), whole("networks", networks, 2)
    entries, saved = front_in(folder), saved_front(folder)
    if saved is not None and saved.at_most == at_most and not again:
        return saved
    config: Config = folder.read(CONFIG, Config)
    benchmarks = other_networks(folder, at_most)
    rows, error = evaluated(entries, benchmarks, config, workers, watcher or NoCallback())
    sets = [
        {"space": b.source, "networks": len(b.architectures), "set": b.name, "accuracy": b.kind}
        for b in benchmarks
    ]
    result = Front(folder.name, rows, sets, error, at_most)
    folder.write(SAVED, asdict(result))
    return result


def saved_front(folder: RunFolder) -> Front | None:
    """The front that was kept in a run's folder; None where there is none, or the archive has
    changed since. Raises `InputError` for a file that is damaged, and where there is no formula."""
    if not folder.has(SAVED):
        return None
    saved: Front = folder.read(SAVED, Front)
    keys = ("number", "formula", "size", "champion")
    is_current = _picked(saved.rows, keys) == _picked(front_in(folder), keys)
    return replace(saved, run=folder.name) if is_current else None


def numbered(entries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The entries of an archive (formula, size, fitness) in their order, with their number."""
    return [
        {"number": n, "formula": e["formula"], "size": e["size"], "searched": e["fitness"]}
        for n, e in enumerate(entries, 1)
    ]


def front_of(entries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The entries of an archive (formula, size, fitness) that are fitter than all smaller ones, the
    smallest first, each with its number in the archive, from 1, and its fitness as `searched`."""
    rows: list[Row] = []
    for row in sorted(numbered(entries), key=lambda row: (row["size"], -row["searched"])):
        if not rows or row["searched"] > rows[-1]["searched"]:
            rows.append(row)
    return rows


def evaluated(
    entries: Sequence[Row],
    benchmarks: Sequence[Benchmark],
    config: Config,
    workers: int,
    callback: Callback,
) -> tuple[list[Row], float]:
    """The entries of `front_of` as rows of `Front`, evaluated on networks, and the standard error
    of the fittest. Raises `InputError` where a worker dies again and again."""
    formulas = [parse(entry["formula"]) for entry in entries]
    scores, accuracies, weights = dict[str, Array](), dict[str, Array](), dict[str, Counts]()
    undefined = np.zeros(len(formulas), dtype=np.int64)  # networks without a score
    for benchmark in benchmarks:
        count = len(benchmark.architectures)
        progress = callback.phase(f"measuring {count} networks of {benchmark.source}", count)
        contexts = contexts_for(benchmark, config)
        team = start(
            partial(Evaluator, contexts, keep=False, lenient=True),
            workers,
            lenient=True,
            progress=progress,
        )
        try:
            with one_thread():
                of_space = network_scores(benchmark, formulas, team)
        finally:
            team.close()
        drawn = bootstrap_weights(benchmark.components, REPLICATES)
        for dataset, values in of_space.items():
            scores[dataset], weights[dataset] = values, drawn
            accuracies[dataset] = benchmark.accuracies[dataset]
        undefined += undefined_scores([*of_space.values()]).any(0).sum(1)
    rows, error = _with_figures(entries, scores, accuracies, weights)
    counts = undefined.tolist()
    return [row | {"undefined": n} for row, n in zip(rows, counts, strict=True)], error


def _with_figures(
    entries: Sequence[Row],
    scores: Mapping[str, Array],
    accuracies: Mapping[str, Array],
    weights: Mapping[str, Counts],
) -> tuple[list[Row], float]:
    """Rows and the standard error, from scores [formulas, networks], accuracies [networks] and
    weights [replicates, networks] by data set."""
    tau = {
        dataset: taus_where_defined(scores[dataset], target, np.ones((1, target.size)))[:, 0]
        for dataset, target in accuracies.items()
    }
    fitness, replicates = fitness_replicates(
        [*scores.values()], [*accuracies.values()], [*weights.values()]
    )
    recommended, error = simplest_within_error(fitness, replicates, [e["size"] for e in entries])
    rows = []
    for index, entry in enumerate(entries):
        low, high = interval(replicates[index])
        figures = {
            "fitness": float(fitness[index]),
            "low": low,
            "high": high,
            "tau": {dataset: float(values[index]) for dataset, values in tau.items()},
        }
        rows.append({**entry, **plain(figures), "recommended": index == recommended})
    return rows, error


def front_in(folder: RunFolder) -> list[Row]:
    """The front of the archive in a run's folder, and the champion, which is marked (where its
    weights were refined, as it was in the search): the rows of `Front`, without fitness on other
    networks. Raises `InputError` where there is no formula."""
    if not folder.has(files.ARCHIVE):
        raise InputError(f"run {folder.name} ended before it had a formula: it has no front")
    archive: files.ArchiveFile = folder.read(files.ARCHIVE, files.ArchiveFile)
    evolution = folder.read(CONFIG, Config).evolution
    entries = [
        {
            "formula": formula.text,
            "size": evolution.size_of(formula),
            "fitness": entry.fitness,
        }
        for entry in archive.formulas
        for formula in [parse(entry.formula)]
    ]
    if any(entry["fitness"] is None for entry in entries):
        raise InputError(f"run {folder.name} evolved no formula (too few models): it has no front")
    champion = ""
    if folder.has(files.CHAMPION):
        entry = archive.entry_of(files.read(folder.path / files.CHAMPION)[0].formula)
        champion = "" if entry is None else parse(entry.formula).text
    rows = front_of(entries)
    if champion not in [row["formula"] for row in rows]:
        rows += [row for row in numbered(entries) if row["formula"] == champion]
    marked = [{**row, "champion": row["formula"] == champion} for row in rows]
    return sorted(marked, key=lambda row: row["size"])


def other_networks(run: RunFolder, at_most: int) -> list[Benchmark]:
    """Up to so many networks of each space of a run that its search did not use; of a user's own
    models all. A space that the search has used up is left out. Raises `InputError` where it has
    used up all, and where what it used is not known."""
    config: Config = run.read(CONFIG, Config)
    if config.models.file is not None:
        return [replace(own_networks(config), name="all, which the search used")]
    evolution, (searched, _) = config.evolution, load_tasks(config.tasks, config.evidence.hold_out)
    used = evolution.networks, evolution.champion_networks
    order = _order_of(run, searched, sum(used), evolution.seed)
    subsets, errors = list[Benchmark](), list[InputError]()
    for benchmark in searched:
        others = [b for b in searched if b.space == benchmark.space and b is not benchmark]
        try:
            subsets.append(not_searched(benchmark, *used, at_most, order, others=others))
        except InputError as error:
            errors.append(error)
    if not subsets:
        raise errors[0]
    return subsets


def _order_of(run: RunFolder, searched: Sequence[Benchmark], count: int, seed: int) -> SearchOrder:
    """The order in which a run took so many networks of each space: that of every run, or, in
    earlier versions, a random one, of the run's own seed at first. Raises `InputError` where its
    folder has the digests of neither, as after a change of data or of their split: then what it
    searched is not known."""
    if not run.has(PROVENANCE):
        return search_networks
    digests = run.read(PROVENANCE, dict[str, Any]).get("samples")
    for order in (search_networks, search_sample, partial(search_sample, seed=seed)):
        if digests == [sample.digest() for sample in search_samples(searched, count, order)]:
            return order
    raise InputError(
        f"run {run.name}: data or their split have changed since ({PROVENANCE} has other samples), "
        "so which networks it searched on is not known"
    )


def _picked(rows: Sequence[Row], keys: Sequence[str]) -> list[list[Any]]:
    """The values of some keys in each row."""
    return [[row.get(key) for key in keys] for row in rows]
