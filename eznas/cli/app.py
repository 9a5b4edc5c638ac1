"""The commands around a run, and the way in: bad input is one line and exit code 2."""

import os
import re
import signal
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eznas import api
from eznas.api import Result
from eznas.cli.checks import examine
from eznas.cli.shared import SEEDS, AsJson, Device, ImagesPath, Workers, app, emit, err, live, out
from eznas.discovery import config
from eznas.discovery.folder import ROOT
from eznas.errors import InputError, one_line
from eznas.evaluation.executors import ADDRESS
from eznas.report import tables
from eznas.system.machine import cores

FAULT = 1  # the exit code where `doctor` finds one
Time = Annotated[str | None, typer.Option(help="End the search after, say, 30m.")]
Memory = Annotated[
    str | None, typer.Option(help="What all processes may take, say 4G: more goes to disk.")
]
Address = Annotated[str | None, typer.Option(help="A Ray cluster to work on, as HOST:PORT.")]
INTERRUPTED = 130  # the exit code for Ctrl-C
_NEGATIVE = re.compile(r"-\s*(?:[\d.]+(?:[eE][+-]?\d+)?\s*[-+*/]|\(|\w+\()")


@app.command()
def evolve(
    file: Annotated[Path | None, typer.Argument(metavar="CONFIG.toml")] = None,
    preset: Annotated[str | None, typer.Option(help="quick (default) or paper.")] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(metavar="SPACE[/DATASET]", help="What to rank; may be repeated."),
    ] = None,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(metavar="SPACE", help="Judge on a space that the search never sees."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=SEEDS, help="Seed of the search.")] = None,
    workers: Workers = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    time: Time = None,
    max_evals: Annotated[
        int | None, typer.Option(min=1, help="End the search after so many formulas.")
    ] = None,
    target: Annotated[
        float | None, typer.Option(min=-1, max=1, help="End the search at this fitness.")
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="End it after so many generations without progress.")
    ] = None,
    memory: Memory = None,
    address: Address = None,
    dry_run: Annotated[bool, typer.Option(help="Estimate time and memory, run nothing.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A single setting.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evolve a proxy and judge it on networks that took no part."""
    given = dict(config.setting(s) for s in settings or [])
    if seed is not None:
        given["seed"] = seed
    given |= {k: v for k, v in (("tasks", tasks), ("hold_out", hold_out)) if v}
    bounds = {"max_evals": max_evals, "target": target, "patience": patience}
    given |= {k: v for k, v in bounds.items() if v is not None}
    chosen = config.read(file, preset, given)
    processes = workers or cores()
    if dry_run:
        emit(api.estimate(chosen, processes), as_json, _show_estimate)
        return
    seconds, megabytes = _given(time, memory, address)
    with live() as shown:
        result = api.evolve(
            chosen,
            workers=processes,
            name=name,
            seconds=seconds,
            memory=megabytes,
            watcher=shown,
        )
    _end(result, as_json)


@app.command()
def resume(
    run: Annotated[str, typer.Argument(metavar="RUN")],
    generations: Annotated[
        int | None, typer.Option(min=0, help="Go on to this generation, past what ended the run.")
    ] = None,
    time: Time = None,
    workers: Workers = None,
    memory: Memory = None,
    address: Address = None,
    force: Annotated[bool, typer.Option(help="On other versions or data as well.")] = False,
    previous: Annotated[bool, typer.Option(help="From the state before the last one.")] = False,
    as_json: AsJson = False,
) -> None:
    """Go on with a run that was cut off."""
    seconds, megabytes = _given(time, memory, address)
    with live() as shown:
        result = api.resume(
            run,
            generations=generations,
            seconds=seconds,
            workers=workers or cores(),
            memory=megabytes,
            force=force,
            previous=previous,
            watcher=shown,
        )
    _end(result, as_json)


@app.command()
def score(
    proxy: Annotated[str, typer.Argument(metavar="PROXY")],
    models: Annotated[list[str], typer.Argument(metavar="MODEL...")],
    input_size: Annotated[str, typer.Option("--input", help="Channels,height,width.")] = "3,32,32",
    batch: Annotated[int | None, typer.Option(help="Images for sketches.")] = None,
    images: ImagesPath = None,
    device: Device = "cpu",
    init: Annotated[
        str | None, typer.Option(help="keep (a model's default) or kaiming (an architecture's).")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=SEEDS, help="Seed of images and fresh parameters.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Score models, ranked: MODEL is package.module:factory, SPACE/ARCHITECTURE, or a NAS-Bench-201
    string."""
    with redirect_stdout(sys.stderr):  # what a stranger's model prints
        rows = api.score(
            proxy,
            models,
            input_size=_size(input_size),
            batch=batch,
            images=images,
            device=device,
            init=init,
            seed=seed,
        )
    emit({"scores": rows}, as_json, lambda c: out.print(tables.score_table(c["scores"])))


@app.command()
def export(
    proxy: Annotated[str, typer.Argument(metavar="PROXY")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json")],
    as_json: AsJson = False,
) -> None:
    """Write a proxy to a file: formula, constants, conditions, how it was judged."""
    content = api.export(proxy, str(output))
    said = f"{output}: {content['formula']}"
    emit(content, as_json, lambda c: out.print(said, markup=False, soft_wrap=True))


@app.command()
def proxies(as_json: AsJson = False) -> None:
    """List the published proxies as formulas."""
    emit({"proxies": api.proxies()}, as_json, lambda c: out.print(tables.proxy_table(c["proxies"])))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check whether this machine is fit to run eznas; exit code 1 where something is at fault."""
    checks = examine()

    def show(content: dict[str, Any]) -> None:
        out.print(tables.check_table(content["checks"]))
        for line in tables.remedy_lines(content["checks"]):
            out.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)

    emit({"checks": [asdict(check) for check in checks]}, as_json, show)
    if any(check.state == "fault" for check in checks):
        sys.exit(FAULT)


def main() -> None:
    """Run the command line; bad input is one line on the error stream and exit code 2."""
    try:
        # A blank before a formula that begins with a minus tells the parser that it is no option.
        given = [f" {a}" if _NEGATIVE.match(a) else a for a in sys.argv[1:]]
        code = app(given, standalone_mode=False)
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except (typer.Exit, SystemExit) as done:
        sys.exit(getattr(done, "exit_code", getattr(done, "code", 0)))
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except Exception as error:
        if hasattr(error, "format_message"):  # usage: what typer's parser complains of
            _complain(error.format_message())
            sys.exit(2)
        raise
    if code == INTERRUPTED:  # which typer returns where it caught the interrupt itself
        err.print("eznas: interrupted")
    if code:
        sys.exit(code)


def _complain(problem: str) -> None:
    """One line, however wide; none where typer has said it all (help for want of a command)."""
    if line := one_line(" ".join(problem.split())):
        err.print(f"eznas: {line}", markup=False, highlight=False, soft_wrap=True)


def _given(
    time: str | None, memory: str | None, address: str | None
) -> tuple[float | None, int | None]:
    """Seconds and megabytes; the cluster is named to Ray."""
    if address is not None:
        os.environ[ADDRESS] = address
    return (
        None if time is None else _seconds(time),
        None if memory is None else _megabytes(memory),
    )


def _end(result: Result, as_json: bool) -> None:
    """Show a result; one that was interrupted says how to go on, and ends as signals end."""
    emit(asdict(result), as_json, _show_result)
    if result.stopped.startswith("SIG"):
        err.print(f"eznas: stopped; `eznas resume {result.run}` goes on", highlight=False)
        raise typer.Exit(128 + signal.Signals[result.stopped])


def _show_result(result: dict[str, Any]) -> None:
    if result["held_out"]:
        out.print(tables.correlation_table(result["held_out"]))
        out.print(tables.difference_table("champion", result["difference"]))
    out.print(f"champion of {ROOT / result['run']}:", highlight=False)
    out.print(f"  {result['formula']}", markup=False, highlight=False, soft_wrap=True)
    out.print(f"{result['evaluations']} formulas in {result['seconds']:.0f} s", highlight=False)


def _show_estimate(estimate: dict[str, float]) -> None:
    out.print(
        f"about {estimate['seconds']:.0f} s and {estimate['megabytes']:.0f} MB for "
        f"{estimate['networks']:.0f} networks with {estimate['workers']:.0f} workers",
        highlight=False,
    )


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if found is None or float(found[1]) == 0:
        raise InputError(f"time {text!r}: expected a number with s, m or h, as in 30m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def _megabytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([MG])B?", text.strip(), re.IGNORECASE)
    if found is None or float(found[1]) == 0:
        raise InputError(f"memory {text!r}: expected a number with M or G, as in 4G")
    return round(float(found[1]) * {"M": 1, "G": 1024}[found[2].upper()])


def _size(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"input {text!r}: expected channels,height,width, as in 3,32,32")
    channels, height, width = map(int, parts)
    return channels, height, width
