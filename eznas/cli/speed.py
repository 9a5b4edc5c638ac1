"""The command that measures speed."""

from typing import Annotated, Any

import typer

from eznas.cli.app import app, out
from eznas.cli.options import MEASUREMENT_OPTIONS, AsJson, with_options, without_unset
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, target_of
from eznas.errors import InputError
from eznas.proxies.loading import separated
from eznas.report import tables
from eznas.studies.scoring_time import scoring_times
from eznas.studies.search_speed import search_speed
from eznas.studies.speed import speed as measure_speed


@app.command()
@with_options(measurement={"device": MEASUREMENT_OPTIONS["device"]})
def speed(
    measurement: dict[str, Any],
    networks: Annotated[int, typer.Option(min=8, max=256, help="Networks to score.")] = 16,
    scores: Annotated[
        str | None,
        typer.Option(
            metavar="PROXY,...|all",
            help="Only measure how long these proxies take to score a network of NAS-Bench-201 and "
            "a ResNet-18 at 224 pixels, over their bare passes.",
        ),
    ] = None,
    search: Annotated[
        int | None,
        typer.Option(
            metavar="NETWORKS",
            min=16,
            help="Only measure how many formulas of up to 25 nodes a search rates in a second, on "
            "so many networks of NAS-Bench-201 (900 ship with their features), on this processor.",
        ),
    ] = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Measure how fast formulas are evaluated, beside EZNAS's original way; takes minutes."""
    if scores is not None and search is not None:
        raise InputError("--scores and --search: expected one of them")
    if search is not None and without_unset(measurement):
        raise InputError("--device: not with --search, which measures this processor")
    asked = {"scoring": scores, "search": search}
    target = target_of(save, next((n for n, value in asked.items() if value is not None), "speed"))
    content: dict[str, Any]
    with live_progress() as progress:
        if search is not None:
            content = {"search_speed": search_speed(search, watcher=progress)}
            show = tables.search_speed_table
        elif scores is not None:
            names = () if scores == "all" else separated(scores)
            rows = scoring_times(names, watcher=progress, **without_unset(measurement))
            content, show = {"scoring_times": rows}, tables.scoring_table
        else:
            content = measure_speed(networks, watcher=progress, **without_unset(measurement))
            show = tables.speed_table
    deliver(content, target, as_json, lambda c: out.print(show(c)))
