"""The command that compares searches with other settings."""

from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, out
from eznas.cli.options import AsJson, SpaceName, Workers, measurement_keywords
from eznas.cli.progress import live_progress
from eznas.cli.records import Folder, PartNetworks
from eznas.cli.studies import Save, deliver, target_of
from eznas.discovery.config import PRESETS, setting
from eznas.errors import InputError
from eznas.report import tables
from eznas.studies.ablation import SEEDS


@app.command()
def ablation(
    variants: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="['KEY=VALUE ...']...",
            help="Settings that one search has otherwise, as 'crossover=0.8 exchange=0'; values "
            "without blanks.",
            show_default="eight parts of the search, one left out or other at a time",
        ),
    ] = None,
    alone: Annotated[
        bool,
        typer.Option("--alone", help="The search as it is and greedy least squares, no others."),
    ] = False,
    space: SpaceName = "nasbench201",
    preset: Annotated[
        str | None,
        typer.Option(
            help="The search as it is: " + " or ".join(PRESETS) + ".", show_default="quick"
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of all searches, repeatable."),
    ] = None,
    networks: PartNetworks = None,
    seeds: Annotated[
        int, typer.Option(min=2, help="Searches of each kind, each without a fold of its own.")
    ] = SEEDS,
    workers: Workers = None,
    folder: Folder = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Test what parts of the search are worth: searches with other settings and about as many
    formulas, by folds of the search part. Takes a minute or two for each search, of 45 by
    default."""
    if alone and variants:
        raise InputError(f"--alone: not with settings of others, got {variants[0]!r}")
    target = target_of(save, "ablation")
    chosen = {text: dict(map(setting, text.split())) for text in variants or ()}
    with live_progress() as progress:
        rows = eznas.ablation(
            chosen if chosen or alone else None,
            space=space,
            preset=preset,
            settings=dict(map(setting, settings or ())),
            networks=networks,
            seeds=seeds,
            records=folder,
            watcher=progress,
            **measurement_keywords({"workers": workers}),
        )

    def show(content: dict[str, Any]) -> None:
        out.print(tables.ablation_table(content["variants"], out.width))

    deliver({"variants": rows}, target, as_json, show)
