"""Commands that evolve proxies: a new run, and one that is resumed."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, err, line
from eznas.cli.arguments import Run
from eznas.cli.options import EVOLUTION_OPTIONS, AsJson, Workers, with_options, without_unset
from eznas.cli.progress import live_progress
from eznas.cli.results import show_result
from eznas.discovery import config
from eznas.discovery.callbacks import Callback, CallbackList, TensorBoard
from eznas.discovery.config import SEEDS
from eznas.errors import InputError
from eznas.evaluation.ray_executor import ADDRESS
from eznas.report.cells import duration
from eznas.system.folder import CONFIG, ROOT, RunFolder
from eznas.system.machine import cores
from eznas.system.signals import Stopped, stoppable

Name = Annotated[
    str | None,
    typer.Option(help=f"Name of the run, a new folder in {ROOT}/.", show_default="SPACE-seedN-K"),
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="End the search after this time, as in 90s, 30m or 2h; generation 0 is completed, and "
        "the champion is tested after it.",
        show_default="no limit",
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Memory for all processes together, as in 800M or 4G; measured networks that do not "
        "fit go to disk.",
        show_default="no limit",
    ),
]
Board = Annotated[
    str | None,
    typer.Option(
        "--tensorboard",
        metavar="FOLDER",
        help="Write how the search goes on into a folder that TensorBoard shows (needs "
        "eznas\\[tensorboard]).",
        show_default="none",
    ),
]
Records = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|none",
        help="Feature stores, a folder for each space in it: values in them are not measured "
        "again, and those of short features are added.",
        show_default="features in the data folder",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="The Ray cluster to work on.",
        show_default="one on this machine",
    ),
]


@app.command()
@with_options(options=EVOLUTION_OPTIONS)
def evolve(
    options: dict[str, Any],
    file: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG.toml", help="Settings that differ from the preset's."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="Default settings: " + " or ".join(config.PRESETS) + ".", show_default="quick"
        ),
    ] = None,
    workers: Workers = None,
    name: Name = None,
    time: Time = None,
    memory: Memory = None,
    records: Records = None,
    address: Address = None,
    tensorboard: Board = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only estimate the run's time and memory.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting of the configuration, as in generations=30 or "
            "evidence.networks=200. May be repeated.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evolve a proxy, and test it on networks that the search did not use (--test-networks 0: do
    not test it yet).

    Settings come from the preset, CONFIG.toml, --set and the other options; the later of these win.
    The defaults shown are those of the preset quick.
    """
    configuration = config.read(file, preset, _settings(settings or [], options))
    processes = workers or cores()
    if dry_run:
        emit(eznas.estimate(configuration, processes), as_json, _show_estimate)
        return
    seconds, megabytes = _limits(time, memory, address)
    own = configuration.models.file is not None  # how long the search is depends on their number
    last = -1 if own else configuration.evolution.generations
    with _watcher(last, tensorboard) as watcher, _stoppable_command():
        result = eznas.evolve(
            configuration,
            workers=processes,
            name=name,
            seconds=seconds,
            memory=megabytes,
            records=records,
            watcher=watcher,
        )
    _end(result, as_json)


@app.command()
def resume(
    run: Run,
    generations: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Go on to this generation, whatever other limits the run had.",
            show_default="the run's own limits",
        ),
    ] = None,
    time: Time = None,
    workers: Workers = None,
    memory: Memory = None,
    records: Records = None,
    address: Address = None,
    tensorboard: Board = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on even if packages or data have changed.")
    ] = False,
    previous: Annotated[
        bool, typer.Option("--previous", help="Go on from the checkpoint before the latest one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was interrupted, to the same result as without the interruption."""
    seconds, megabytes = _limits(time, memory, address)
    last = _last_generation(run) if generations is None else generations
    with _watcher(last, tensorboard) as watcher, _stoppable_command():
        result = eznas.resume(
            run,
            generations=generations,
            seconds=seconds,
            workers=workers or cores(),
            memory=megabytes,
            records=records,
            force=force,
            previous=previous,
            watcher=watcher,
        )
    _end(result, as_json)


@contextmanager
def _watcher(last: int, tensorboard: str | None) -> Iterator[Callback]:
    """What shows a run of so many generations on the error stream and, with a folder, in
    TensorBoard."""
    with live_progress(last) as progress:
        if tensorboard is None:
            yield progress
            return
        with closing(TensorBoard(tensorboard)) as board:
            yield CallbackList(progress, board)


@contextmanager
def _stoppable_command() -> Iterator[None]:
    """A request to end that the run did not answer with a result ends the command as the signal
    would have."""
    with stoppable():
        try:
            yield
        except Stopped as request:
            for note in getattr(request, "__notes__", ()):
                err.print(f"eznas: {note}", markup=False, highlight=False)
            if request.number == signal.SIGINT:
                raise
            raise typer.Exit(128 + request.number) from None


def _limits(
    time: str | None, memory: str | None, address: str | None
) -> tuple[float | None, int | None]:
    """Seconds and megabytes, None for no limit; tells Ray the address of its cluster."""
    if address is not None:
        os.environ[ADDRESS] = address
    return (
        None if time is None else _seconds(time),
        None if memory is None else _megabytes(memory),
    )


def _last_generation(run: str) -> int:
    """The last generation of a run by its configuration."""
    configuration: config.Config = RunFolder.find(run).read(CONFIG, config.Config)
    return configuration.evolution.generations


def _end(result: eznas.Result, as_json: bool) -> None:
    """Show a result; after an interrupt, say how to go on, and exit with the signal's code."""
    emit(asdict(result), as_json, show_result)
    if result.stopped.startswith("SIG"):
        err.print(f"eznas: stopped; `eznas resume {result.run}` goes on", highlight=False)
        raise SystemExit(128 + signal.Signals[result.stopped])


def _settings(texts: list[str], options: dict[str, Any]) -> dict[str, Any]:
    """Settings from texts KEY=VALUE, and from options, which come before these."""
    if options[SEEDS]:
        options = {**options, SEEDS: [f"+{proxy}" for proxy in options[SEEDS]]}
    return dict(map(config.setting, texts)) | without_unset(options)


def _show_estimate(estimate: dict[str, float]) -> None:
    line(
        f"about {duration(estimate['seconds'])} and {estimate['megabytes']:.0f} MB for "
        f"{estimate['networks']:.0f} networks with {estimate['workers']:.0f} "
        f"worker{'s' * (estimate['workers'] > 1)}"
    )


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text.strip())
    if match is None or float(match[1]) == 0:
        raise InputError(f"time {text!r}: expected a number with s, m or h, as in 30m")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


def _megabytes(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MG])B?", text.strip(), re.IGNORECASE)
    if match is None or float(match[1]) == 0:
        raise InputError(f"memory {text!r}: expected a number with M or G, as in 4G")
    return round(float(match[1]) * {"M": 1, "G": 1024}[match[2].upper()])
