"""The application that commands register with, and how they print."""

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from eznas.errors import InputError
from eznas.report import plots
from eznas.system.files import plain

app = typer.Typer(
    help="Discover zero-cost proxies: formulas that rank untrained neural networks.\n\n"
    "New here: `eznas guide first-hour`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
notes: dict[str, None] = {}  # on the arguments of the command that runs, each once, in order
NARROWEST = 40  # characters in which a table can still be read; lines break in narrower windows
# A name such as my_models:a: is no emoji.
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)
out.width = max(out.width, NARROWEST)


def _show_version(asked: bool) -> None:
    if asked:
        line(f"eznas {version('eznas')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """What every command takes."""


def emit(content: Any, as_json: bool, show: Callable[[Any], None]) -> None:
    """Print the content as one JSON object, or have `show` print it for people; then, on the error
    stream, what there is to note of the command's arguments."""
    if as_json:
        # Flushed here, where a reader that is gone and a disk that is full are dealt with.
        print(json.dumps(plain(content), allow_nan=False), flush=True)
    else:
        show(content)
    for note in notes:
        err.print(f"eznas: {note}", markup=False, highlight=False, soft_wrap=True)


def line(text: str) -> None:
    """Print a text as it is, never broken over lines."""
    out.print(text, markup=False, highlight=False, soft_wrap=True)


def check_plot(plot: Path | None) -> None:
    """`InputError` for a plot that could not be written; called before hours of measuring."""
    if plot is not None:
        plots.check(plot)
        if not plot.parent.is_dir():
            raise InputError(f"{plot}: cannot write: no folder {plot.parent}")
