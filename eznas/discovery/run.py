"""A run from beginning to end: search, choice of the champion, judgement; resuming one."""

import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.checkpoint import Checkpoint, Checkpoints, LogName
from eznas.discovery.config import Config
from eznas.discovery.folder import Entry as ArchiveEntry
from eznas.discovery.folder import RunFolder
from eznas.discovery.provenance import environment, hold_to
from eznas.discovery.setup import BASELINES, Prepared, conditions_of, prepare
from eznas.discovery.termination import Termination, check_unfinished, termination_of
from eznas.errors import InputError
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.executors import Workers, start
from eznas.evaluation.feature_table import FeatureTable, JoinedTable, Measures
from eznas.evolution import randomness
from eznas.evolution.archive import Entry
from eznas.evolution.engine import Engine, Generation, Search
from eznas.evolution.fitness import Task, judge
from eznas.evolution.grammar import Grammar
from eznas.evolution.variation import Limits
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.ground import Ground
from eznas.metrics import Difference, Row, correlation_rows, difference_rows
from eznas.predictors.least_squares import pursue
from eznas.proxies.classics import CLASSICS
from eznas.spaces import SPACES
from eznas.system.signals import stoppable

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


def evolve(
    config: Config | None = None,
    *,
    workers: int = 1,
    name: str | None = None,
    seconds: float | None = None,
    memory: int | None = None,
    watcher: Callback | None = None,
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
    with Checkpoints(folder) as books:
        folder.write("environment.json", environment(ready, workers))
        folder.write("config.json", config.model_dump())  # from here on it can be resumed
        bounds = termination_of(config, seconds)
        return _Run(ready, folder, books, workers, watcher or NoCallback()).go_on(None, bounds)


def resume(
    run: str,
    *,
    generations: int | None = None,
    seconds: float | None = None,
    workers: int = 1,
    memory: int | None = None,
    force: bool = False,
    previous: bool = False,
    watcher: Callback | None = None,
) -> Result:
    """Go on with a run where it was cut off, to the result that it would have come to.

    `generations` in all: beyond those of its configuration, and beyond what else bounded it.
    `previous`: from the state before the last. `InputError` where the run is finished, where its
    files are not as they were, and, without `force`, where versions or data are others now.
    """
    folder = RunFolder.find(run)
    with Checkpoints(folder) as books:
        config = folder.read("config.json", Config)
        saved = books.restore(previous)
        bounds = termination_of(config, seconds, saved, generations)
        check_unfinished(folder, saved, bounds)
        ready = prepare(config, workers, memory)
        hold_to(folder, environment(ready, workers), force)
        return _Run(ready, folder, books, workers, watcher or NoCallback()).go_on(saved, bounds)


@dataclass(eq=False)
class _Run:
    """A run at work in its folder."""

    ready: Prepared
    folder: RunFolder
    books: Checkpoints
    workers: int
    watcher: Callback

    def go_on(self, saved: Checkpoint | None, bounds: Termination) -> Result:
        """Search from the state, or from the start, then choose and judge."""
        begun, earlier = time.monotonic(), 0.0 if saved is None else saved.seconds
        champion, rows, differences, stopped = None, list[Row](), list[Difference](), ""
        before = randomness.state()
        try:
            with one_thread(), stoppable():
                stopped, champion, greedy = self._searched(saved, bounds, earlier)
                rows, differences = self._judged(champion, greedy)
        except KeyboardInterrupt as asked:
            if not self.books.kept:
                raise
            stopped = signal.Signals(getattr(asked, "number", signal.SIGINT)).name
        finally:
            randomness.restore(before)
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
        self, saved: Checkpoint | None, bounds: Termination, earlier: float
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

    def _generations(self, engine: Engine, bounds: Termination, earlier: float) -> str:
        """Run the engine and keep its books; what ended the search before its last generation."""
        begun = time.monotonic()
        reached = bounds.reached(engine, 0.0) if self.books.kept else ""
        steps = engine.run(bounds.last) if not reached else ()
        for done, report in enumerate(steps, 1):
            spent = time.monotonic() - begun
            self._keep(engine, report, bounds, earlier + spent)
            self.watcher.generation(report, spent, bounds.left(report, spent, done))
            reached = bounds.reached(engine, spent)
            if reached:
                break
        return reached

    def _keep(self, engine: Engine, report: Generation, bounds: Termination, spent: float) -> None:
        lines: dict[LogName, Any] = {
            "journal.jsonl": asdict(report),
            "timings.jsonl": {"generation": report.generation, "seconds": spent},
        }
        archive = [e.as_dict() for e in engine.archive.ranked()]
        try:
            self.books.keep(
                lines, archive, engine.state(), seconds=spent, last=bounds.last, held=bounds.held
            )
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
        FeatureTable(
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
    randomness.seed(config.seed)
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
    language = Grammar(config.statistics, candidate_features(config.statistics))
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
    """Without the networks of which no formula says anything on some data set: they could not be
    measured there."""
    silent = np.logical_or.reduce([np.isnan(s).all(0) for s in scores.values()])
    if not silent.any():
        return own, scores
    return own.part(np.flatnonzero(~silent), own.name), {
        d: s[:, ~silent] for d, s in scores.items()
    }
