"""Commands for feature stores: filling them, and formulas and models compared from them."""

from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, line, out
from eznas.cli.arguments import Proxies
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    AsJson,
    SpaceName,
    Workers,
    measurement_keywords,
    with_options,
)
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, target_of
from eznas.errors import InputError
from eznas.report import tables
from eznas.report.cells import duration
from eznas.studies.arena import MEASURED
from eznas.studies.definedness import definedness as measured_definedness
from eznas.studies.records import PARTS
from eznas.studies.yardsticks import FOLDS, LABELS

records = typer.Typer(
    help="Feature stores: measured values of short features, so that no network is measured twice.",
    no_args_is_help=True,
)
app.add_typer(records, name="records")

Folder = Annotated[
    str | None,
    typer.Option(
        "--records",
        metavar="FOLDER",
        help="Where the stores are, a folder for each space.",
        show_default="features in the data folder",
    ),
]

PartNetworks = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="At most so many networks of the search part.",
        show_default="as `eznas records build`",
    ),
]


@records.command()
@with_options(measurement={"device": MEASUREMENT_OPTIONS["device"]})
def build(
    measurement: dict[str, Any],
    spaces: Annotated[
        list[str],
        typer.Argument(metavar="SPACE...", help="Search spaces with accuracies here."),
    ],
    networks: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Networks of the search part, in the order in which searches take them.",
            show_default="2000 of nasbench201, 600 of nasbench-macro, 1000 of others",
        ),
    ] = None,
    part: Annotated[
        str,
        typer.Option(help=f"One of {', '.join(PARTS)}; held-out: those that runs are tested on."),
    ] = "search",
    workers: Workers = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Measure the short features that searches look at; an interrupted command goes on where it
    stopped."""
    with live_progress() as progress:
        rows = eznas.build_records(
            spaces,
            networks=networks,
            part=part,
            records=folder,
            watcher=progress,
            **measurement_keywords({**measurement, "workers": workers}),
        )

    def show(content: dict[str, Any]) -> None:
        for row in content["built"]:
            sizes = " and ".join(map(str, row["inputs"]))
            line(
                f"{row['space']}, {row['part']} part: {row['features']} features of "
                f"{row['networks']} networks at {sizes} pixels in {row['folder']} "
                f"({duration(row['seconds'])})"
            )

    emit({"built": rows}, as_json, show)


@records.command()
def definedness(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Small models and spaces.", show_default="all"),
    ] = None,
    workers: Workers = None,
) -> None:
    """Measure on which networks the short features of the default statistics have a finite score:
    two of every space, and small models of other kinds. The table that ships was made by this."""
    with live_progress() as progress:
        keywords = measurement_keywords({"workers": workers})
        table = measured_definedness(names or (), watcher=progress, **keywords)
    line(table.as_text().rstrip())


@app.command()
@with_options(measurement={"device": MEASUREMENT_OPTIONS["device"]})
def arena(
    measurement: dict[str, Any],
    formulas: Proxies,
    spaces: Annotated[
        list[str] | None,
        typer.Option(
            "--space",
            help="A search space. May be repeated.",
            show_default="all with accuracies here",
        ),
    ] = None,
    networks: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="At most so many networks of each search part.",
            show_default="as `eznas records build`",
        ),
    ] = None,
    measured: Annotated[
        int,
        typer.Option(
            "--measure",
            min=2,
            help="Networks of a space to measure where the features of fewer are stored.",
        ),
    ] = MEASURED,
    workers: Workers = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Show the tau of formulas on every space with accuracies here, beside published proxies, from
    the stored features of search parts (see `eznas records build`)."""
    with live_progress() as progress:
        rows = eznas.arena(
            formulas,
            spaces=spaces or (),
            networks=networks,
            measured=measured,
            records=folder,
            watcher=progress,
            **measurement_keywords({**measurement, "workers": workers}),
        )
    emit({"rows": rows}, as_json, lambda c: out.print(tables.arena_table(c["rows"], out.width)))


ALL = "all"


@app.command()
@with_options(measurement={"device": MEASUREMENT_OPTIONS["device"]})
def yardsticks(
    measurement: dict[str, Any],
    space: SpaceName = "nasbench201",
    networks: PartNetworks = None,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            metavar=f"NUMBER|{ALL}",
            help=f"Networks that models are fitted to, or {ALL} that are not ranked. May be "
            "repeated.",
            show_default=" and ".join(ALL if count is None else str(count) for count in LABELS),
        ),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of whole components.")] = FOLDS,
    held_out: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="In place of folds: fit to the search part, and rank the first so many held-out "
            "networks.",
            show_default="by folds",
        ),
    ] = None,
    initialisations: Annotated[
        int,
        typer.Option(min=1, help="Rows of each network that models are fitted to, with one label."),
    ] = 1,
    workers: Workers = None,
    folder: Folder = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Test what models of stored short features reach on networks that they were not fitted to, by
    folds of the search part: greedy least squares with and without interactions, randomised trees
    and kernel ridge regression."""
    target = target_of(save, "yardsticks")
    counts = LABELS if labels is None else tuple(_labels(text) for text in labels)
    with live_progress() as progress:
        rows = eznas.yardsticks(
            space,
            networks=networks,
            labels=counts,
            folds=folds,
            held_out=held_out,
            initialisations=initialisations,
            records=folder,
            watcher=progress,
            **measurement_keywords({**measurement, "workers": workers}),
        )
    content = {"by_folds": rows}
    deliver(
        content, target, as_json, lambda c: out.print(tables.folds_table(c["by_folds"], out.width))
    )


def _labels(text: str) -> int | None:
    """The number that a text names; None for all."""
    if text == ALL:
        return None
    if not text.isdecimal():
        raise InputError(f"--labels {text!r}: expected a number or {ALL}")
    return int(text)
