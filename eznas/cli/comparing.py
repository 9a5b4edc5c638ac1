"""Commands that say which of two models is better, and with what probability."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, err, line, out
from eznas.cli.arguments import PROXY_HELP, Proxy, noted
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    AsJson,
    InputSize,
    Models,
    Networks,
    SpaceName,
    measurement_keywords,
    number_of_networks,
    with_options,
    without_unset,
)
from eznas.cli.progress import live_progress
from eznas.cli.proxies import FAILED, MODEL_HELP
from eznas.report import tables

DEVICE = {"device": MEASUREMENT_OPTIONS["device"]}
WORK = {name: MEASUREMENT_OPTIONS[name] for name in ("device", "workers", "records")}
Initialisations = Annotated[
    int, typer.Option(min=1, help="Draws of the parameters, each of which gives a score.")
]


@app.command()
@with_options(measurement=DEVICE)
def compare(
    measurement: dict[str, Any],
    first: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    second: Annotated[str, typer.Argument(metavar="MODEL", help="The other model.")],
    proxy: Annotated[
        str, typer.Option(metavar="PROXY", help=PROXY_HELP, callback=noted)
    ] = "default",
    input_size: InputSize = None,
    initialisations: Initialisations = 3,
    calibration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Take the probability from this file, which `eznas calibrate` wrote.",
            show_default="those in the box",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which of two models is better by a proxy, and with what probability. Exit code 1 if one
    of them has no score."""
    with redirect_stdout(sys.stderr):  # what a user's model prints
        content = eznas.compare(
            first,
            second,
            proxy,
            input_size=input_size or None,
            initialisations=initialisations,
            calibration=None if calibration is None else str(calibration),
            **without_unset(measurement),
        )

    def show(content: dict[str, Any]) -> None:
        out.print(tables.two_models_table(content))
        for text in tables.two_models_lines(content):
            out.print(text, markup=False, highlight=False)

    emit(content, as_json, show)
    for model in content["models"]:
        for note in model["notes"]:
            text = f"eznas: {model['model']}: {note}"
            err.print(text, markup=False, highlight=False, soft_wrap=True)
    if any(model["score"] is None for model in content["models"]):
        raise typer.Exit(FAILED)


@app.command()
@with_options(measurement=WORK)
def calibrate(
    measurement: dict[str, Any],
    proxy: Proxy,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE.json", help="The file to write.")
    ],
    space: SpaceName = "nasbench201",
    models: Models = None,
    input_size: InputSize = None,
    networks: Networks = "up to 500",
    initialisations: Initialisations = 3,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Learn with what probability the higher-scoring of two networks is the more accurate, from
    networks of a space's search part or models of your own; `compare` reads the file."""
    with live_progress() as progress, redirect_stdout(sys.stderr):
        content = eznas.calibrate(
            proxy,
            space=space,
            models=None if models is None else str(models),
            input_size=input_size or None,
            networks=number_of_networks(networks),
            initialisations=initialisations,
            file=str(output),
            force=force,
            watcher=progress,
            **measurement_keywords(measurement),
        )

    def show(content: dict[str, Any]) -> None:
        for text in tables.calibration_lines(content):
            line(text)
        out.print(tables.reliability_table(content))
        line(f"{output}: written")

    emit(content.model_dump(), as_json, show)
