"""Training supernets and ranking by them as jobs, in this process or shared out among several.

A supernet is trained some epochs a job, from and to its file; so a job that is lost costs no more,
and people see how far the work is. Results are the same for any number of workers.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.evaluation.executors import Call, Executor, Lost, NoPhases, Phases
from eznas.evaluation.workers import executor_of
from eznas.supernets.few_shot import (
    SETTINGS,
    WHOLE,
    Ranker,
    Supernets,
    leaf_file,
    read_supernets,
)
from eznas.supernets.parts import everything
from eznas.supernets.training import load_weights, train
from eznas.system.files import write_whole
from eznas.system.folder import locked, make_folder
from eznas.system.tensors import read_state, write_state

EPOCHS, NETWORKS = 4, 20  # of a job
TRIES = 2  # of a call whose worker was lost
HUNG = 24 * 3600.0  # seconds after which a worker that trains some epochs counts as hung
Floats = NDArray[np.float64]


@dataclass
class _State:
    """What a worker keeps between jobs, by folder."""

    device: str
    supernets: dict[str, Supernets] = field(default_factory=dict)
    rankers: dict[str, Ranker] = field(default_factory=dict)


@dataclass(frozen=True)
class _Job:
    """A call for one worker; those of one supernet have the same `worker`, and keep their order."""

    worker: int
    request: Call
    size: int = 1

    def call(self) -> Call:
        return self.request

    def finish(self, executor: Executor, call: Call, answer: Any | Lost) -> Any:
        if isinstance(answer, Lost):
            answer = executor.attempt(self.worker, call, TRIES)
        if isinstance(answer, Lost):
            raise InputError(f"supernets: a worker was lost {TRIES + 1} times: {answer.detail}")
        return answer


def train_all(
    folders: Mapping[Path, Supernets],
    *,
    parents: Mapping[Path, Path] | None = None,
    workers: int = 1,
    device: str = "cpu",
    phases: Phases | None = None,
) -> None:
    """Train supernets in folders that are made or gone on with: first those of whole spaces, then
    those of leaves from their weights. `kill -9` loses an epoch of each at most.

    `parents`: folder -> another one, whose supernet of the whole space is the same and is taken
    instead of training it again. `workers`: processes (Ray actors beyond 1), all of which write
    into the folders. Raises `InputError` for a folder of another training, for parents that are not
    the same, and for images, a device or a space that cannot be used.
    """
    parents, phases = parents or {}, phases or NoPhases()
    for supernets in folders.values():
        supernets.check(device)  # before anything is written
    for parent in parents.values():
        if parent not in folders and not (parent / WHOLE).exists():
            raise InputError(f"{parent}: no {WHOLE}: expected a supernet that is trained")
    with ExitStack() as cleanup:
        for folder, supernets in folders.items():
            make_folder(folder)
            cleanup.enter_context(locked(folder))
            _claim(folder, supernets)
        executor = workers_of(workers, device)
        cleanup.callback(executor.close)
        wholes = {f: supernets for f, supernets in folders.items() if f not in parents}
        epochs = [supernets.parent_epochs for supernets in wholes.values()]
        title = f"training supernets: {_counted(wholes)}, {sum(epochs)} epochs"
        tasks = [(folder, -1, n) for folder, n in zip(wholes, epochs, strict=True)]
        _run(executor, tasks, phases, title)
        for folder, parent in parents.items():
            _take_over(folder, parent, folders[folder], device)
        tasks = [(f, k, s.leaf_epochs) for f, s in folders.items() for k in range(len(s.leaves))]
        if tasks:
            title = f"training leaves: {len(tasks)}, {sum(n for *_, n in tasks)} epochs"
            _run(executor, tasks, phases, title)


def measure_all(
    rankers: Mapping[Path, Ranker],
    architectures: Sequence[str],
    purposes: Mapping[Path, Sequence[str]],
    *,
    workers: int = 1,
    device: str = "cpu",
    phases: Phases | None = None,
) -> None:
    """Let rankers of folders find out the accuracies of architectures, on the images of the
    `purposes` of each folder; see `Ranker.accuracies`, which then knows them. Raises `InputError`
    as `Ranker` does."""
    parts = [architectures[i : i + NETWORKS] for i in range(0, len(architectures), NETWORKS)]
    keys = [(f, purpose, part) for f in rankers for purpose in purposes[f] for part in parts]
    jobs = []
    for number, (folder, purpose, part) in enumerate(keys):
        images = rankers[folder].supernets.images
        call = Call(_measure, (str(folder), images, list(part), purpose))
        jobs.append(_Job(number, call, len(part)))
    title = f"ranking {len(architectures)} networks by supernets in {_counted(rankers)}"
    progress = (phases or NoPhases()).phase(title, len(architectures))
    executor = workers_of(workers, device)
    try:
        answers = executor.run(jobs, progress)
    finally:
        executor.close()
    for (folder, purpose, part), answer in zip(keys, answers, strict=True):
        rankers[folder].add(part, purpose, np.array(answer))


def workers_of(count: int, device: str) -> Executor:
    """Workers for jobs of supernets. Raises `InputError` where Ray cannot be started."""
    return executor_of(partial(_State, device), count, HUNG)


def _run(
    executor: Executor, tasks: Sequence[tuple[Path, int, int]], phases: Phases, title: str
) -> None:
    """Train supernets, given by folder, leaf (-1: the whole space) and epochs, in turns."""
    jobs = [
        (until, _Job(number, Call(_train, (str(folder), leaf, min(until, epochs)))))
        for number, (folder, leaf, epochs) in enumerate(tasks)
        for until in range(EPOCHS, epochs + EPOCHS, EPOCHS)
    ]
    jobs.sort(key=lambda pair: pair[0])  # stable: those of one supernet stay in order
    executor.run([job for _, job in jobs], phases.phase(title, len(tasks)))


def _train(state: _State, folder: str, leaf: int, until: int) -> None:
    """Train one supernet of a folder up to an epoch, where it is not that far yet."""
    if folder not in state.supernets:
        state.supernets[folder] = read_supernets(Path(folder))
    supernets = state.supernets[folder]
    supernet = supernets.fresh(state.device)
    allowed, file = everything(supernet.space), Path(folder) / WHOLE
    recipe = supernets.recipe(leaf=False)
    if leaf >= 0:
        load_weights(supernet, file, supernets.parent_epochs)
        allowed, file = supernets.leaves[leaf], leaf_file(Path(folder), leaf)
        recipe = supernets.recipe(leaf=True)
    train(supernet, allowed, supernets.parts[0], recipe, [supernets.seed, leaf + 1], file, until)


def _measure(
    state: _State, folder: str, images: str, architectures: Sequence[str], purpose: str
) -> list[float]:
    if folder not in state.rankers:
        state.rankers[folder] = Ranker(Path(folder), images, state.device)
    return [float(a) for a in state.rankers[folder].accuracies(architectures, purpose)]


def _take_over(folder: Path, parent: Path, supernets: Supernets, device: str) -> None:
    """Copy the supernet of the whole space of another folder, if it is the one to train here."""
    if not (folder / WHOLE).exists():
        supernet = supernets.fresh(device)
        load_weights(supernet, parent / WHOLE, supernets.parent_epochs)
        allowed, recipe = everything(supernet.space), supernets.recipe(leaf=False)
        seed = [supernets.seed, 0]
        # It is trained to the end: this raises where it is another, and changes nothing else.
        train(supernet, allowed, supernets.parts[0], recipe, seed, parent / WHOLE)
        write_state(folder / WHOLE, read_state(parent / WHOLE))
    _train(_State(device), str(folder), -1, supernets.parent_epochs)  # raises where it is another


def _claim(folder: Path, supernets: Supernets) -> None:
    """Write what the folder is to hold; `InputError` where it holds something else."""
    if not (folder / SETTINGS).exists():
        write_whole(folder / SETTINGS, json.dumps(asdict(supernets), indent=2) + "\n")
    elif read_supernets(folder) != supernets:
        raise InputError(f"{folder}: holds supernets of other settings; expected another folder")


def _counted(folders: Mapping[Path, Any]) -> str:
    return f"{len(folders)} folder" + ("s" if len(folders) != 1 else "")
