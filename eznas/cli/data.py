"""Commands for ground truth: what is here, where it can be had, how it is taken in."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from eznas.benchmarks import download
from eznas.benchmarks.importing import import_table
from eznas.benchmarks.importing import tables as tables_here
from eznas.cli.app import app, emit, err, line, out
from eznas.cli.options import AsJson
from eznas.report import tables

data = typer.Typer(help="Ground truth: what is here, and what can be had.", no_args_is_help=True)
app.add_typer(data, name="data")

Space = Annotated[str, typer.Argument(metavar="SPACE")]
Replace = Annotated[bool, typer.Option("--replace", help="In place of what is here.")]


@data.command("list")
def list_tables(as_json: AsJson = False) -> None:
    """List the search spaces: which have ground truth here, and where the official files are."""

    def show(content: dict[str, Any]) -> None:
        out.print(tables.data_table(content["tables"]))
        for text in tables.source_lines(content["tables"]):
            line(f"  {text}")

    emit({"tables": tables_here()}, as_json, show)


@data.command()
def fetch(space: Space, replace: Replace = False, as_json: AsJson = False) -> None:
    """Download the official file of a space, compare its checksum and import it."""
    with _bar() as progress:
        found = download.fetch(space, progress, replace)
    emit(found, as_json, _show_imported)


@data.command()
def verify(
    space: Annotated[str | None, typer.Argument(metavar="[SPACE]")] = None, as_json: AsJson = False
) -> None:
    """Read all ground truth that is here; exit code 2 where something is damaged."""
    rows = download.verify(space)

    def show(content: dict[str, Any]) -> None:
        for row in content["verified"]:
            said = f"{row['what']}: {row['problem'] or 'ok'}"
            line(said)

    emit({"verified": rows}, as_json, show)
    if any(row["problem"] for row in rows):
        sys.exit(2)


@data.command("import")
def import_file(
    space: Space,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Official, or a CSV (.csv[.gz]).")],
    kind: Annotated[
        str | None, typer.Option(help="Of a CSV: validation (default), test or surrogate.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Of a CSV; by default the first of the space.")
    ] = None,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Take in ground truth: an official file, or a CSV of architecture,accuracy in percent."""
    emit(import_table(space, file, kind, dataset, replace), as_json, _show_imported)


def _show_imported(content: dict[str, Any]) -> None:
    said = f"{content['space']}: {tables.imported(content)}"
    line(said)


@contextmanager
def _bar() -> Iterator[Any]:
    """A progress bar on the error stream of a terminal, once the first bytes are here."""
    bar = Progress(
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    task = bar.add_task("", total=None)
    said = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal said
        bar.start()
        bar.update(task, completed=done, total=total)
        tenth = 10 * done // total if total else 0
        if bar.disable and tenth > said:
            said = tenth
            err.print(f"downloaded {tenth}0 % of {total} bytes", highlight=False)

    try:
        yield progress
    finally:
        bar.stop()
