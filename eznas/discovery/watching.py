"""Runs seen from outside, living and finished, as their folders tell: what there is, and following
one."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from eznas.discovery.callbacks import Callback
from eznas.discovery.config import Config
from eznas.discovery.result import RESULT, Outcome
from eznas.errors import InputError
from eznas.evolution.generation import Generation
from eznas.system.folder import CONFIG, ROOT, RunFolder, run_names

JOURNAL, TIMINGS = "journal.jsonl", "timings.jsonl"
POLL = 0.5  # seconds between two looks at a run that is watched


@dataclass(frozen=True)
class RunState:
    """How far a run is.

    `state`: running, finished or interrupted, or damaged where its files cannot be read;
    `searched`: the spaces that it searches on, or the file of a user's own models; `generation`:
    the last that is complete (None: none is), of the configuration's `generations`; `best`: the
    highest fitness; `age`: seconds since it was begun; `untested`: whether it ended without a test,
    as it was to.
    """

    name: str
    state: Literal["running", "finished", "interrupted", "damaged"]
    searched: str
    generation: int | None
    generations: int
    best: float | None
    age: float
    untested: bool = False


def runs(root: Path = ROOT) -> list[RunState]:
    """All runs in a folder of runs, the newest first."""
    states = []
    for name in run_names(root):
        folder = RunFolder(root / name)
        try:
            states.append(state_of(folder))
        except InputError:
            states.append(RunState(name, "damaged", "", None, 0, None, _age(folder, CONFIG)))
    return sorted(states, key=lambda state: state.age)


def state_of(folder: RunFolder) -> RunState:
    """How far a run is. `InputError` for files that are damaged."""
    config: Config = folder.read(CONFIG, Config)
    is_locked = folder.is_locked()  # looked at first: a run that ends now has then written all
    journal = journal_of(folder)
    return RunState(
        name=folder.name,
        state="running" if is_locked else _ended(folder, journal),
        searched=_searched(config),
        generation=journal[-1].generation if journal else None,
        generations=max(config.evolution.generations, journal[-1].generation if journal else 0),
        best=journal[-1].best.fitness if journal else None,
        age=_age(folder, CONFIG),
        untested=folder.has(RESULT) and folder.read(RESULT, Outcome).untested,
    )


def journal_of(folder: RunFolder) -> list[Generation]:
    """The generations of a run that are complete. `InputError` for a journal that is damaged."""
    try:
        lines = [_with_undefined(line) for line in folder.lines(JOURNAL)]
        return TypeAdapter(list[Generation]).validate_python(lines)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise InputError(f"{folder.path / JOURNAL}: {key}: {problem['msg']}") from None


def _with_undefined(line: Any) -> Any:
    """A line of a journal with NaN for the taus that are null: of a formula that ties all networks
    of a task."""
    match line:
        case {"best": {"taus": [*taus], **best}}:
            defined = [math.nan if tau is None else tau for tau in taus]
            return line | {"best": best | {"taus": defined}}
    return line


def watch(run: str, watcher: Callback, poll: float = POLL) -> RunState:
    """Follow a run to its end, and return what it has come to.

    `watcher.generation` is called for every generation, those of the past first, which have no
    time left. `InputError` for an unknown run and for files that are damaged.
    """
    folder, shown = RunFolder.find(run), 0
    while True:
        state = state_of(folder)
        journal = journal_of(folder)
        seconds = [line["seconds"] for line in folder.lines(TIMINGS)]
        for number, report in enumerate(journal[shown:], shown):
            left, so_far = 0.0, seconds[min(number, len(seconds) - 1)] if seconds else 0.0
            if state.state == "running" and report is journal[-1]:
                remaining = max(0, state.generations - report.generation)
                left = so_far / len(journal) * remaining - _age(folder, JOURNAL)
            watcher.generation(report, so_far, left)
        shown = len(journal)
        if state.state != "running":
            return state
        time.sleep(poll)


def _ended(folder: RunFolder, journal: list[Generation]) -> Literal["finished", "interrupted"]:
    """Whether a run that no process is at work on is finished: its result is that of its last
    generation, and no interrupt's."""
    if not folder.has(RESULT):
        return "interrupted"
    outcome: Outcome = folder.read(RESULT, Outcome)
    evaluations = sum(report.evaluations for report in journal)
    is_last = not journal or outcome.evaluations == evaluations
    return "finished" if is_last and not outcome.stopped.startswith("SIG") else "interrupted"


def _searched(config: Config) -> str:
    if config.models.file is not None:
        return str(config.models.file)
    return ", ".join(dict.fromkeys(task.partition("/")[0] for task in config.tasks))


def _age(folder: RunFolder, file: str) -> float:
    """Seconds since a file of a run was written."""
    return max(0.0, time.time() - (folder.path / file).stat().st_mtime)
