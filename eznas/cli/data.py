"""Commands for ground truth: list what is here, download, verify and import tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from eznas.benchmarks import download
from eznas.benchmarks.curve_importing import curve_tables
from eznas.benchmarks.importing import import_file as import_named
from eznas.benchmarks.importing import tables as available_tables
from eznas.cli.app import app, emit, err, line, out
from eznas.cli.options import AsJson
from eznas.report import tables

data = typer.Typer(
    help="Ground truth (trained accuracies, learning curves): list, download, verify and import.",
    no_args_is_help=True,
)
app.add_typer(data, name="data")

Space = Annotated[
    str, typer.Argument(metavar="SPACE", help="A search space (`eznas data list` lists them).")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace a table that was imported before.")
]


@data.command("list")
def list_tables(as_json: AsJson = False) -> None:
    """List the search spaces and the learning curves: which have ground truth here, and where
    official files are found."""

    def show(content: dict[str, Any]) -> None:
        out.print(tables.data_table(content["tables"]))
        out.print(tables.curve_table(content["curves"]))
        for text in tables.source_lines([*content["tables"], *content["curves"]]):
            line(f"  {text}")

    emit({"tables": available_tables(), "curves": curve_tables()}, as_json, show)


@data.command()
def fetch(space: Space, replace: Replace = False, as_json: AsJson = False) -> None:
    """Download the official file of a space, compare its checksum and import it."""
    with _download_bar() as progress:
        summary = download.fetch(space, progress, replace)
    emit(summary, as_json, _show_imported)


@data.command()
def verify(
    space: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Only what is here of this space, of SPACE:NAME, or of these curves.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check the tables and curves that are here by reading them; exit code 2 if one is damaged."""
    rows = download.verify(space)

    def show(content: dict[str, Any]) -> None:
        for row in content["verified"]:
            line(f"{row['what']}: {row['problem'] or 'ok'}")

    emit({"verified": rows}, as_json, show)
    if any(row["problem"] for row in rows):
        sys.exit(2)


@data.command("import")
def import_file(
    space: Annotated[
        str,
        typer.Argument(
            metavar="SPACE",
            help="A search space, or learning curves (`eznas data list` lists both).",
        ),
    ],
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="The official file or folder, or a CSV (.csv or .csv.gz)."
        ),
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            help="Kind of a CSV's accuracies: validation, test or surrogate.",
            show_default="validation",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="Data set of a CSV's accuracies.", show_default="the space's first"),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            help="Keep the table under this name beside the usual one: SPACE:NAME in other "
            "commands.",
            show_default="the space's usual table",
        ),
    ] = None,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Import an official file, or a CSV with the columns architecture,accuracy (in percent)."""
    emit(import_named(space, file, kind, dataset, replace, name), as_json, _show_imported)


def _show_imported(content: dict[str, Any]) -> None:
    if "kind" in content:
        line(f"{content['space']}: {tables.imported(content)}")
    curves = content.get("curves", content if "points" in content else None)
    if curves:
        line(f"{curves['name']}: {tables.imported_curves(curves)}")


@contextmanager
def _download_bar() -> Iterator[Any]:
    """Progress of a download on the error stream, from its first bytes on: a bar in a terminal, a
    line for every tenth elsewhere."""
    bar = Progress(
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    task = bar.add_task("", total=None)
    tenths_printed = 0

    def progress(done: int, total: int | None) -> None:
        nonlocal tenths_printed
        bar.start()
        bar.update(task, completed=done, total=total)
        tenths = 10 * done // total if total else 0
        if bar.disable and tenths > tenths_printed:
            tenths_printed = tenths
            err.print(f"downloaded {tenths}0 % of {total} bytes", highlight=False)

    try:
        yield progress
    finally:
        bar.stop()
