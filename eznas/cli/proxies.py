"""Commands around proxies: scoring models, exporting, listing."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, line, out
from eznas.cli.options import LARGEST_SEED, MEASUREMENT_OPTIONS, AsJson, given, takes
from eznas.errors import InputError
from eznas.report import tables

_SCORING = {
    "images": MEASUREMENT_OPTIONS["images"],
    "batch": MEASUREMENT_OPTIONS["sketch"],
    "device": MEASUREMENT_OPTIONS["device"],
}


@app.command()
@takes(measurement=_SCORING)
def score(
    measurement: dict[str, Any],
    proxy: Annotated[str, typer.Argument(metavar="PROXY")],
    models: Annotated[list[str], typer.Argument(metavar="MODEL...")],
    input_size: Annotated[str, typer.Option("--input", help="Channels,height,width.")] = "3,32,32",
    init: Annotated[
        str | None, typer.Option(help="keep (a model's default) or kaiming (an architecture's).")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of images and fresh parameters.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Score models, ranked: MODEL is package.module:factory, SPACE/ARCHITECTURE, or a NAS-Bench-201
    string."""
    with redirect_stdout(sys.stderr):  # what a stranger's model prints
        rows = eznas.score(
            proxy,
            models,
            input_size=_size(input_size),
            init=init,
            seed=seed,
            **given(measurement),
        )
    emit({"scores": rows}, as_json, lambda c: out.print(tables.score_table(c["scores"])))


@app.command()
def export(
    proxy: Annotated[str, typer.Argument(metavar="PROXY")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE.json")],
    as_json: AsJson = False,
) -> None:
    """Write a proxy to a file: formula, constants, how it is measured, the evidence for it."""
    content = eznas.export(proxy, str(output))
    emit(content, as_json, lambda c: line(f"{output}: {c['formula']}"))


@app.command()
def proxies(as_json: AsJson = False) -> None:
    """List the published proxies as formulas."""
    content = {"proxies": eznas.proxies()}
    emit(content, as_json, lambda c: out.print(tables.proxy_table(c["proxies"])))


def _size(text: str) -> tuple[int, int, int]:
    parts = text.split(",")
    if len(parts) != 3 or not all(p.strip().isdecimal() and int(p) > 0 for p in parts):
        raise InputError(f"input {text!r}: expected channels,height,width, as in 3,32,32")
    channels, height, width = map(int, parts)
    return channels, height, width
