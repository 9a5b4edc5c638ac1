"""The command for final figures, which counts its own calls."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from eznas.cli.app import app, emit, line, out
from eznas.cli.arguments import Proxies
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    SAMPLE_OPTIONS,
    AsJson,
    Networks,
    measurement_keywords,
    number_of_networks,
    option,
    with_options,
)
from eznas.cli.progress import live_progress
from eznas.cli.studies import Against
from eznas.report import tables
from eznas.studies.final import LOOKS
from eznas.studies.final import final as look_at

_SAMPLE = {key: SAMPLE_OPTIONS[key] for key in ("space", "datasets")}


@app.command()
@with_options(
    sample=_SAMPLE | {"networks": option("networks", Networks, "all")},
    measurement=MEASUREMENT_OPTIONS,
)
def final(
    sample: dict[str, Any],
    measurement: dict[str, Any],
    proxies: Proxies,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Who looks, and what for: it is written down.")
    ],
    whole_space: Annotated[
        bool,
        typer.Option("--whole-space", help="All networks, of a space that no search has used."),
    ] = False,
    against: Against = None,
    as_json: AsJson = False,
) -> None:
    """Give the final figures of formulas, on networks that no run is tested on; counts its calls.

    On NAS-Bench-201 these are the held-out networks beyond the first 1,500, on which runs and
    studies are tested; elsewhere the held-out part. Every call adds a line to runs/LOOKS.jsonl
    and to its page, which are to be committed: choose nothing by what you see here.
    """
    with live_progress() as progress:
        look = look_at(
            proxies,
            reason=reason,
            space=sample["space"],
            datasets=sample["datasets"] or (),
            networks=number_of_networks(sample["networks"]),
            whole_space=whole_space,
            against=against,
            watcher=progress,
            **measurement_keywords(measurement),
        )
    emit(asdict(look), as_json, _show)


def _show(look: dict[str, Any]) -> None:
    out.print(tables.final_table(look, out.width))
    if look["difference"]:
        line("")
        out.print(tables.difference_table(look["against"], look["difference"], out.width))
    line("")
    line(tables.look_line(look))
    line(f"written to {LOOKS} and its page, which are to be committed")
