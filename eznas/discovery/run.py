"""A run from beginning to end: search, choice of the champion, test; with a folder, or without.

The search itself is in `search` and writes no file; `_Recorder` writes what a run leaves on disk.
"""

import signal
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.checkpoint import Checkpoint, Checkpoints, LogName
from eznas.discovery.config import Config, command_of
from eznas.discovery.evidence import CHAMPION, gather_evidence
from eznas.discovery.own_models import cross_validate, not_ahead_of, recommend
from eznas.discovery.provenance import FILE as PROVENANCE
from eznas.discovery.provenance import check_unchanged, provenance
from eznas.discovery.records import NONE
from eznas.discovery.result import RESULT, Outcome, Result
from eznas.discovery.search import OnGeneration, SearchResult, search_formulas
from eznas.discovery.setup import Setup, prepare
from eznas.discovery.termination import Termination, termination_of
from eznas.errors import InputError
from eznas.evolution.engine import Engine
from eznas.evolution.generation import Generation
from eznas.formulas.parser import parse
from eznas.proxies import files
from eznas.proxies.loading import NAMES
from eznas.proxies.proxy import Proxy
from eznas.report.run_page import run_page
from eznas.system.arguments import checked
from eznas.system.files import write_whole
from eznas.system.folder import CONFIG, RunFolder

PAGE = "README.md"


@checked
def evolve(
    config: Config | None = None,
    *,
    workers: int = 1,
    name: str | None = None,
    seconds: float | None = None,
    memory: int | None = None,
    records: str | None = None,
    watcher: Callback | None = None,
    save: bool = True,
) -> Result:
    """Evolve a proxy, test it on held-out networks and return the result.

    The run gets a new folder runs/`name` (without a name: one after its space and seed). After a
    `KeyboardInterrupt` it ends with the best formula so far, and `resume` goes on with it; before
    its first generation is complete the interrupt is raised. Without `save` there is no folder, no
    feature store unless one is named, and an interrupt is always raised.

    `seconds` ends the search early. `memory`: megabytes that all processes may take together;
    measured networks beyond that go to temporary files. `records`: a folder of feature stores, see
    `eznas.discovery.records`. `watcher` is called as the run makes progress. Equal configurations
    give equal journals and champions for any number of workers, any memory and any records, and so
    does a run that was cut off and resumed, however often (on a CPU: a GPU's results depend on its
    free memory in their last bits).

    `InputError` for a configuration with which the run cannot begin (an unknown task, statistic or
    seed formula, too few networks, ...), a name that is taken, too little memory, and a folder that
    cannot be written.
    """
    config = config or Config()
    setup = prepare(config, workers, memory, records=records if save else records or NONE)
    config, callback = setup.config, watcher or NoCallback()
    termination = termination_of(config.evolution.generations, config.termination, seconds)
    if not save:
        return _in_memory(setup, workers, callback, termination)
    spaces = [sample.space for sample in setup.samples]
    stem = spaces[0] if len(spaces) == 1 else f"{len(spaces)}-spaces"
    folder = RunFolder.create(name, f"{stem}-seed{config.evolution.seed}", reserved=NAMES)
    with Checkpoints(folder) as checkpoints:
        folder.write(PROVENANCE, provenance(setup, workers))
        folder.write(CONFIG, config.model_dump())  # from here on it can be resumed
        recorder = _Recorder(setup, folder, checkpoints, termination)
        return recorder.run(workers, callback, None)


@checked
def resume(
    run: str,
    *,
    generations: int | None = None,
    seconds: float | None = None,
    workers: int = 1,
    memory: int | None = None,
    records: str | None = None,
    force: bool = False,
    previous: bool = False,
    watcher: Callback | None = None,
) -> Result:
    """Go on with a run that was cut off, to the result that it would have had.

    `run`: the name or path of its folder. `generations`: go on to this generation instead of that
    of the configuration, past all its limits. `previous`: from the checkpoint before the latest.
    `force`: on other versions or data too. The rest is as in `evolve`.

    `InputError` for an unknown or finished run, files that are damaged or changed, and, without
    `force`, versions or data that are not those the run began with.
    """
    folder = RunFolder.find(run)
    with Checkpoints(folder) as checkpoints:
        config = folder.read(CONFIG, Config)
        checkpoint = checkpoints.restore(previous)
        last = generations
        if last is None and checkpoint is not None and not checkpoint.configured:
            last = checkpoint.last
        termination = termination_of(
            config.evolution.generations, config.termination, seconds, last
        )
        _check_unfinished(folder, checkpoint, termination)
        setup = prepare(config, workers, memory, records=records)
        check_unchanged(folder, provenance(setup, workers), force)
        recorder = _Recorder(setup, folder, checkpoints, termination)
        return recorder.run(workers, watcher or NoCallback(), checkpoint)


def page_of(folder: RunFolder) -> str:
    """The page of a run that has ended, made from the files in its folder; `InputError` for one
    that is missing or damaged."""
    config = folder.read(CONFIG, Config)
    return run_page(
        folder.read(RESULT, dict[str, Any]),
        config.model_dump(),
        folder.read(PROVENANCE, dict[str, Any]),
        command_of(config),
    )


def _check_unfinished(
    folder: RunFolder, checkpoint: Checkpoint | None, termination: Termination
) -> None:
    """`InputError` where the run has its final result."""
    if checkpoint is None or not folder.has(RESULT):
        return
    outcome, generation = folder.read(RESULT, Outcome), checkpoint.search.generation
    tested = (
        outcome.held_out or outcome.untested
    ) and outcome.evaluations == checkpoint.search.evaluations
    at_limit = outcome.stopped in ("evaluations", "target", "patience") and termination.configured
    if tested and (generation >= termination.last or at_limit):
        raise InputError(
            f"run {folder.name}: finished after generation {generation}; "
            "`--generations N` with another N goes on"
        )


def _in_memory(setup: Setup, workers: int, callback: Callback, termination: Termination) -> Result:
    """A run without a folder."""
    start_time = time.monotonic()
    evidence: dict[str, Any]
    if setup.has_too_few:
        recommended, search, (rows, differences) = recommend(setup, workers, callback)
        evidence = {"held_out": rows, "difference": differences, "recommended": recommended}
    else:
        search = search_formulas(setup, workers, callback, termination)
        evidence = _tested(setup, search, workers, callback)
    return Result(
        run="",
        champion="champion",
        formula=search.champion.text,
        seconds=time.monotonic() - start_time,
        evaluations=search.evaluations,
        stopped=search.stopped,
        **evidence,
    )


def _tested(setup: Setup, search: SearchResult, workers: int, callback: Callback) -> dict[str, Any]:
    """What a result has of the test of a champion and of the greedy formula beside it: on networks
    held out, by cross-validation, or that there was none."""
    greedy = "" if search.greedy is None else search.greedy.text
    if not setup.config.evidence.networks:
        return {"greedy": greedy, "untested": True}
    test = cross_validate if setup.is_own else gather_evidence
    rows, differences = test(setup, search, workers, callback)
    figures = {"greedy": greedy, "held_out": rows, "difference": differences}
    return figures | {"recommended": not_ahead_of(rows) if setup.is_own else ""}


@dataclass(eq=False)
class _Recorder:
    """Writes a run into its folder as it goes on."""

    setup: Setup
    folder: RunFolder
    checkpoints: Checkpoints
    termination: Termination

    def run(self, workers: int, callback: Callback, checkpoint: Checkpoint | None) -> Result:
        """Search from the checkpoint, or from the start, then choose the champion and test it. An
        interrupt ends it with the best so far, where there is a checkpoint to go on from."""
        start_time = time.monotonic()
        earlier_seconds = 0.0 if checkpoint is None else checkpoint.seconds
        state = None if checkpoint is None else checkpoint.search
        save = self._saver(earlier_seconds)
        result = Result(self.folder.name, self.folder.name, "", 0.0, 0)
        try:
            if self.setup.has_too_few:
                return self._recommended(result, workers, callback, start_time)
            search = search_formulas(self.setup, workers, callback, self.termination, state, save)
            result = replace(result, formula=search.champion.text, stopped=search.stopped)
            result = replace(result, **_tested(self.setup, search, workers, callback))
        except KeyboardInterrupt as interrupt:
            if not self.checkpoints.exist:
                advice = f"no formula yet; `eznas resume {self.folder.name}` begins the search anew"
                interrupt.add_note(advice)
                raise
            number = getattr(interrupt, "number", signal.SIGINT)
            result = replace(result, stopped=signal.Signals(number).name)
        if not result.formula:
            archive = self.folder.read(files.ARCHIVE, files.ArchiveFile)
            result = replace(result, formula=parse(archive.formulas[0].formula).text)
        result = replace(
            result,
            seconds=earlier_seconds + time.monotonic() - start_time,
            evaluations=self.checkpoints.evaluations,
        )
        return self._finished(result)

    def _finished(self, result: Result) -> Result:
        """The result, written into the folder with all that is made of it."""
        tested = result.recommended if self.setup.has_too_few else CHAMPION
        self._write_proxy(files.CHAMPION, result.champion, result.formula, tested, result)
        self.folder.remove(files.GREEDY)  # of an earlier end
        if formula := result.greedy:
            self._write_proxy(files.GREEDY, f"{result.run}-greedy", formula, "greedy", result)
        self.folder.write(RESULT, asdict(result))
        write_whole(self.folder.path / PAGE, page_of(self.folder))
        return result

    def _recommended(
        self, result: Result, workers: int, callback: Callback, start_time: float
    ) -> Result:
        """The result where networks are too few to search on: a published proxy."""
        name, search, (rows, _) = recommend(self.setup, workers, callback)
        formula = search.champion.text
        self.folder.write(files.ARCHIVE, self._archive([{"formula": formula}]))
        return self._finished(
            replace(
                result,
                formula=formula,
                seconds=time.monotonic() - start_time,
                evaluations=search.evaluations,
                stopped=search.stopped,
                held_out=rows,
                recommended=name,
            )
        )

    def _saver(self, earlier_seconds: float) -> OnGeneration:
        """A function that saves a checkpoint after a generation; `earlier_seconds`: how long
        earlier processes searched."""

        def save(engine: Engine, report: Generation, seconds: float) -> None:
            lines: dict[LogName, Any] = {
                "journal.jsonl": asdict(report),
                "timings.jsonl": {
                    "generation": report.generation,
                    "seconds": earlier_seconds + seconds,
                },
            }
            archive = self._archive([entry.as_dict() for entry in engine.shipped()])
            try:
                self.checkpoints.save(
                    lines,
                    archive,
                    engine.state(),
                    seconds=earlier_seconds + seconds,
                    last=self.termination.last,
                    configured=self.termination.configured,
                )
            except InputError as error:
                advice = f"once that is mended, `eznas resume {self.folder.name}` goes on"
                raise InputError(f"{error}; {advice}") from None

        return save

    def _archive(self, formulas: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self.setup.measured.model_dump(), "formulas": formulas}

    def _write_proxy(self, file: str, name: str, formula: str, tested: str, result: Result) -> None:
        """Write a formula of the run as a proxy file, with the rows of what was `tested` under
        that name."""
        batches = self.setup.config.measurement
        proxy = Proxy(name, parse(formula), batches.raw_batch, batches.sketch_batch)
        archive = self.folder.read(files.ARCHIVE, files.ArchiveFile)
        entry = archive.entry_of(proxy.formula)
        evidence = [dict(row) for row in result.held_out if row["proxy"] == tested]
        coverage = None if entry is None else entry.coverage
        content = files.to_proxy_file(
            proxy, self.setup.measured, evidence, coverage, self.setup.labels, result.untested
        )
        files.write(Path(self.folder.path, file), content)
