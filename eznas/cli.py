"""The command line: parses and prints; everything it does goes through `eznas.api`."""

import json
import re
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from eznas import api, config
from eznas.errors import InputError
from eznas.evolution.engine import Generation
from eznas.report import tables
from eznas.runs import ROOT, plain
from eznas.workers import cores

app = typer.Typer(
    help="Discover zero-cost proxies: formulas that rank untrained networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SEEDS = 2**32 - 1  # the largest that every generator takes
_NEGATIVE = re.compile(r"-\s*(?:[\d.]+(?:[eE][+-]?\d+)?\s*[-+*/]|\(|\w+\()")
_out = Console()
_err = Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; by default the cores.")]
ImagesPath = Annotated[
    str | None,
    typer.Option("--images", help="An .npz (images, labels) or a CIFAR-10/100 folder."),
]
Device = Annotated[str, typer.Option(help="Where networks run: cpu, cuda, ...")]


class Live:
    """Shows a run on the error stream while it goes on."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._evaluations = 0
        self._best = ""
        self._task: Any = None

    def phase(self, name: str, networks: int) -> Any:
        """Begin a phase with a progress bar over its shards."""
        self.close()
        _err.print(f"[bold]{name}[/bold]: {networks} networks")
        self._begin()
        return self._shards

    def generation(self, report: Generation, seconds: float, left: float) -> None:
        """One line per generation."""
        self._evaluations += report.evaluations
        best = report.best
        self._end()
        _err.print(
            f"generation {report.generation:3}  networks {report.networks:4}  "
            f"best {best.fitness:+.4f}  median {report.median:+.4f}  valid {report.valid:4.0%}  "
            f"{self._evaluations / max(seconds, 1e-9):6.0f} formulas/s  left {left:4.0f} s  "
            f"disconnected {report.disconnected}",
            highlight=False,
        )
        if best.formula != self._best:
            _err.print(f"  {best.formula}", style="dim", markup=False, highlight=False)
        self._best = best.formula
        self._begin()

    def close(self) -> None:
        """Take the progress bar away."""
        self._end()

    def _begin(self) -> None:
        columns = (
            TextColumn("measuring"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns, console=_err, transient=True)
        self._task = None

    def _shards(self, done: int, total: int) -> None:
        if self._bar is None or total < 2:
            return
        if self._task is None:
            self._task = self._bar.add_task("", total=total)
            self._bar.start()
        if done == 1:
            self._bar.reset(self._task, total=total, start=False)
        self._bar.update(self._task, completed=done)

    def _end(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


@app.command()
def evolve(
    file: Annotated[Path | None, typer.Argument(metavar="CONFIG.toml")] = None,
    preset: Annotated[str | None, typer.Option(help="quick (default) or paper.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=SEEDS, help="Seed of the search.")] = None,
    workers: Workers = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    time: Annotated[str | None, typer.Option(help="End the search after, say, 30m.")] = None,
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
    chosen = config.read(file, preset, given)
    count = workers or cores()
    if dry_run:
        _emit(api.estimate(chosen, count), as_json, _show_estimate)
        return
    seconds = None if time is None else _seconds(time)
    live = Live()
    try:
        result = api.evolve(chosen, workers=count, name=name, seconds=seconds, watcher=live)
    finally:
        live.close()
    _emit(asdict(result), as_json, _show_result)


@app.command()
def correlate(
    proxies: Annotated[list[str], typer.Argument(metavar="PROXY...")],
    dataset: Annotated[list[str] | None, typer.Option(help="A data set; may be repeated.")] = None,
    networks: Annotated[str, typer.Option(help="How many networks, or all.")] = "1000",
    accuracy: Annotated[
        Path | None, typer.Option(help="CSV of architecture,accuracy in place of the benchmark.")
    ] = None,
    set_name: Annotated[
        str,
        typer.Option("--set", help="all, connected, reachable (no dead operations) or held-out."),
    ] = "all",
    space: Annotated[str, typer.Option(help="The search space.")] = "nasbench201",
    seed: Annotated[
        int, typer.Option(min=0, max=SEEDS, help="Seed of sample and initialisation.")
    ] = 0,
    initialisations: Annotated[int, typer.Option(min=1, help="Averaged over so many.")] = 1,
    batch: Annotated[int | None, typer.Option(min=2, help="Images for sketches.")] = None,
    images: ImagesPath = None,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Correlate proxies with trained accuracy, with 95 % bootstrap intervals."""
    live = Live()
    try:
        rows = api.correlate(
            proxies,
            space=space,
            datasets=dataset or (),
            networks=_count(networks),
            accuracy=None if accuracy is None else str(accuracy),
            set_name=set_name,
            seed=seed,
            initialisations=initialisations,
            images=images,
            batch=batch,
            device=device,
            workers=workers or cores(),
            watcher=live,
        )
    finally:
        live.close()
    _emit({"rows": rows}, as_json, lambda c: _out.print(tables.correlation_table(c["rows"])))


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
    """Score models, ranked: MODEL is package.module:factory or an architecture string."""
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
    _emit({"scores": rows}, as_json, lambda c: _out.print(tables.score_table(c["scores"])))


@app.command()
def export(
    proxy: Annotated[str, typer.Argument(metavar="PROXY")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json")],
    as_json: AsJson = False,
) -> None:
    """Write a proxy to a file: formula, constants, conditions, how it was judged."""
    content = api.export(proxy, str(output))
    said = f"{output}: {content['formula']}"
    _emit(content, as_json, lambda c: _out.print(said, markup=False, soft_wrap=True))


@app.command()
def proxies(as_json: AsJson = False) -> None:
    """List the published proxies as formulas."""
    _emit(
        {"proxies": api.proxies()}, as_json, lambda c: _out.print(tables.proxy_table(c["proxies"]))
    )


def main() -> None:
    """Run the command line; bad input is one line on the error stream and exit code 2."""
    try:
        # A blank before a formula that begins with a minus tells the parser that it is no option.
        given = [f" {a}" if _NEGATIVE.match(a) else a for a in sys.argv[1:]]
        app(given, standalone_mode=False)
    except InputError as error:
        _complain(str(error))
        sys.exit(2)
    except (typer.Exit, SystemExit) as done:
        sys.exit(getattr(done, "exit_code", getattr(done, "code", 0)))
    except (KeyboardInterrupt, typer.Abort):
        _err.print("eznas: interrupted")
        sys.exit(130)
    except Exception as error:
        if hasattr(error, "format_message"):  # usage: what typer's parser complains of
            _complain(error.format_message())
            sys.exit(2)
        raise


def _complain(problem: str) -> None:
    """One line, however wide; none where typer has said it all (help for want of a command)."""
    if line := " ".join(problem.split()):
        _err.print(f"eznas: {line}", markup=False, highlight=False, soft_wrap=True)


def _emit(content: Any, as_json: bool, show: Any) -> None:
    if as_json:
        sys.stdout.write(json.dumps(plain(content), allow_nan=False) + "\n")
    else:
        show(content)


def _show_result(result: dict[str, Any]) -> None:
    if result["held_out"]:
        _out.print(tables.correlation_table(result["held_out"]))
        _out.print(tables.difference_table("champion", result["difference"]))
    else:
        _out.print("interrupted: not judged; `eznas correlate RUN --set held-out` does it")
    _out.print(f"champion of {ROOT / result['run']}:", highlight=False)
    _out.print(f"  {result['formula']}", markup=False, highlight=False, soft_wrap=True)
    _out.print(f"{result['evaluations']} formulas in {result['seconds']:.0f} s", highlight=False)


def _show_estimate(estimate: dict[str, float]) -> None:
    _out.print(
        f"about {estimate['seconds']:.0f} s and {estimate['megabytes']:.0f} MB for "
        f"{estimate['networks']:.0f} networks with {estimate['workers']:.0f} workers",
        highlight=False,
    )


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if found is None or float(found[1]) == 0:
        raise InputError(f"time {text!r}: expected a number with s, m or h, as in 30m")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def _count(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise InputError(f"networks {text!r}: expected a number or all")
    return int(text)


def _size(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"input {text!r}: expected channels,height,width, as in 3,32,32")
    channels, height, width = map(int, parts)
    return channels, height, width
