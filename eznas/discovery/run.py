"""A run from beginning to end: search, choice of the champion, test; with a folder, or without.

The search itself, in `search`, touches nothing but memory and workers; what a run leaves on disk is
written by `_Recorder`.
"""

import signal
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.checkpoint import Checkpoint, Checkpoints, LogName
from eznas.discovery.config import Config
from eznas.discovery.provenance import FILE as PROVENANCE
from eznas.discovery.provenance import check_unchanged, provenance
from eznas.discovery.search import OnGeneration, gather_evidence, search_formulas
from eznas.discovery.setup import Setup, prepare
from eznas.discovery.termination import Termination, termination_of
from eznas.errors import InputError
from eznas.evolution.engine import Engine
from eznas.evolution.generation import Generation
from eznas.formulas.parser import parse
from eznas.metrics import Difference, Row
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.system.folder import CONFIG, RunFolder

RESULT = "result.json"


@dataclass(frozen=True)
class Result:
    """What a run found; `held_out` and `difference` are empty where it was interrupted. `stopped`:
    what ended the search before its last generation, "" where nothing did. `run`: the name of its
    folder, "" where it has none."""

    run: str
    champion: str
    formula: str
    seconds: float
    evaluations: int
    stopped: str = ""
    held_out: list[Row] = field(default_factory=list)
    difference: list[Difference] = field(default_factory=list)


class Outcome(BaseModel):
    """Of `result.json`: what tells whether a run is finished."""

    stopped: str = ""
    evaluations: int = 0
    held_out: list[dict[str, Any]] = []


def evolve(
    config: Config | None = None,
    *,
    workers: int = 1,
    name: str | None = None,
    seconds: float | None = None,
    memory: int | None = None,
    watcher: Callback | None = None,
    save: bool = True,
) -> Result:
    """Evolve a proxy, test it on held-out networks and return the result.

    The run has a new folder, `name` in runs/; an interrupt ends it with the best so far, and
    `resume` goes on. Without `save` nothing is written, and an interrupt is raised as any other.
    `seconds` ends the search early. `memory`: the megabytes that all processes may take together;
    measured networks beyond that lie on disk. Equal configurations give equal journals and
    champions for any number of workers and any memory (on a CPU: a GPU's chunks depend on its free
    memory), and so does a run that was cut off and resumed, however often. `InputError` for a
    configuration, name or memory with which the run cannot begin.
    """
    config = config or Config()
    setup = prepare(config, workers, memory)
    callback = watcher or NoCallback()
    termination = termination_of(config.evolution.generations, config.termination, seconds)
    if not save:
        return _in_memory(setup, workers, callback, termination)
    spaces = [sample.space for sample in setup.samples]
    stem = spaces[0] if len(spaces) == 1 else f"{len(spaces)}-spaces"
    folder = RunFolder.create(name, f"{stem}-seed{config.evolution.seed}", reserved=CLASSICS)
    with Checkpoints(folder) as checkpoints:
        folder.write(PROVENANCE, provenance(setup, workers))
        folder.write(CONFIG, config.model_dump())  # from here on it can be resumed
        recorder = _Recorder(setup, folder, checkpoints, termination)
        return recorder.run(workers, callback, None)


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

    `generations` in all: beyond those of its configuration, and beyond what else limited it.
    `previous`: from the checkpoint before the latest. `InputError` where the run is finished, where
    its files are not as they were, and, without `force`, where versions or data are others now.
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
        setup = prepare(config, workers, memory)
        check_unchanged(folder, provenance(setup, workers), force)
        recorder = _Recorder(setup, folder, checkpoints, termination)
        return recorder.run(workers, watcher or NoCallback(), checkpoint)


def _check_unfinished(
    folder: RunFolder, checkpoint: Checkpoint | None, termination: Termination
) -> None:
    """`InputError` where there is nothing to go on with."""
    if checkpoint is None or not folder.has(RESULT):
        return
    outcome, generation = folder.read(RESULT, Outcome), checkpoint.search.generation
    tested = outcome.held_out and outcome.evaluations == checkpoint.search.evaluations
    at_limit = outcome.stopped in ("evaluations", "target", "patience") and termination.configured
    if tested and (generation >= termination.last or at_limit):
        raise InputError(
            f"run {folder.name}: finished after generation {generation}; "
            "`--generations N` with another N goes on"
        )


def _in_memory(setup: Setup, workers: int, callback: Callback, termination: Termination) -> Result:
    """A run that leaves nothing behind."""
    begun = time.monotonic()
    found = search_formulas(setup, workers, callback, termination)
    rows, differences = gather_evidence(setup, found, workers, callback)
    seconds = time.monotonic() - begun
    formula = found.champion.text
    return Result(
        "", "champion", formula, seconds, found.evaluations, found.stopped, rows, differences
    )


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
        begun, earlier = time.monotonic(), 0.0 if checkpoint is None else checkpoint.seconds
        state = None if checkpoint is None else checkpoint.search
        result = Result(self.folder.name, self.folder.name, "", 0.0, 0)
        try:
            found = search_formulas(
                self.setup, workers, callback, self.termination, state, self._saver(earlier)
            )
            result = replace(result, formula=found.champion.text, stopped=found.stopped)
            rows, differences = gather_evidence(self.setup, found, workers, callback)
            result = replace(result, held_out=rows, difference=differences)
        except KeyboardInterrupt as request:
            if not self.checkpoints.exist:
                raise
            number = getattr(request, "number", signal.SIGINT)
            result = replace(result, stopped=signal.Signals(number).name)
        if not result.formula:
            archive = self.folder.read(files.ARCHIVE, files.ArchiveFile)
            result = replace(result, formula=parse(archive.formulas[0].formula).text)
        result = replace(
            result,
            seconds=earlier + time.monotonic() - begun,
            evaluations=self.checkpoints.evaluations,
        )
        self._write_champion(result)
        self.folder.write(RESULT, asdict(result))
        return result

    def _saver(self, earlier: float) -> OnGeneration:
        """What saves a checkpoint after a generation; `earlier`: seconds of search before."""

        def save(engine: Engine, report: Generation, seconds: float) -> None:
            lines: dict[LogName, Any] = {
                "journal.jsonl": asdict(report),
                "timings.jsonl": {
                    "generation": report.generation,
                    "seconds": earlier + seconds,
                },
            }
            archive = self._archive([entry.as_dict() for entry in engine.archive.ranked()])
            try:
                self.checkpoints.save(
                    lines,
                    archive,
                    engine.state(),
                    seconds=earlier + seconds,
                    last=self.termination.last,
                    configured=self.termination.configured,
                )
            except InputError as error:
                way = f"; once that is mended, `eznas resume {self.folder.name}` goes on"
                raise InputError(f"{error}{way}") from None

        return save

    def _archive(self, formulas: list[dict[str, Any]]) -> dict[str, Any]:
        return {**self.setup.measured.model_dump(), "formulas": formulas}

    def _write_champion(self, result: Result) -> None:
        """`champion.json`, a proxy file."""
        batches = self.setup.config.measurement
        proxy = Proxy(
            result.champion, parse(result.formula), batches.raw_batch, batches.sketch_batch
        )
        archive = self.folder.read(files.ARCHIVE, files.ArchiveFile)
        coverage = next((e.coverage for e in archive.formulas if e.formula == result.formula), None)
        evidence = [dict(row) for row in result.held_out if row["proxy"] == "champion"]
        content = files.described(proxy, self.setup.measured, evidence, coverage)
        files.write(Path(self.folder.path, files.CHAMPION), content)
