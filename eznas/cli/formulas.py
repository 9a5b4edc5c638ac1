"""Commands around the formulas of proxies: showing one, explaining it, the front of a run, a report
on it."""

import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, line, out
from eznas.cli.arguments import Proxy, Run
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    AsJson,
    Init,
    InputSize,
    Models,
    Seed,
    Workers,
    measurement_keywords,
    with_options,
)
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, target_of
from eznas.errors import InputError, unknown
from eznas.report import tables
from eznas.report.formula_views import VIEWS
from eznas.studies.run_report import REPORT
from eznas.system.machine import cores

PNG = "png"  # the view that is a file


@app.command()
def show(
    proxy: Proxy,
    view: Annotated[
        str,
        typer.Option(
            "--as", metavar="VIEW", help=f"One of {', '.join(VIEWS)}, or {PNG} (with -o)."
        ),
    ] = "text",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE.png", help=f"Where --as {PNG} draws it."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the formula of a proxy; `export` writes it to a file in these and other forms."""
    if view not in (*VIEWS, PNG):
        raise unknown("view", view, [*VIEWS, PNG])
    if view == PNG and output is None:
        raise InputError(f"view {PNG!r}: expected -o FILE.png, the file to draw it in")
    if view != PNG and output is not None:
        raise InputError(f"-o {output}: with --as {PNG} alone; `eznas export` writes other files")
    if output is not None:
        content = eznas.export(proxy, str(output), PNG, force)
        emit(content, as_json, lambda c: line(str(output)))
        return
    loaded = eznas.load(proxy)
    lines = VIEWS[view](loaded.formula)
    content = {"proxy": loaded.name, "view": view, "lines": lines}
    emit(content, as_json, lambda c: line("\n".join(c["lines"])))


@app.command()
def front(
    run: Run,
    networks: Annotated[
        int, typer.Option(min=20, help="Up to so many networks of each space.")
    ] = 200,
    workers: Workers = None,
    again: Annotated[
        bool, typer.Option("--again", help="Measure again what the run's folder has already.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the front of a run: size against fitness on networks that its search did not use, and
    the simplest formula that is as good as the best."""
    with live_progress() as progress, redirect_stdout(sys.stderr):
        result = eznas.front(
            run, networks=networks, workers=workers or cores(), again=again, watcher=progress
        )
    emit(asdict(result), as_json, _show_front)


@app.command()
def report(
    run: Run,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE.html",
            help="The file to write.",
            show_default=f"{REPORT} in the run's folder",
        ),
    ] = None,
    networks: Annotated[
        int,
        typer.Option(
            min=0,
            help="Measure the formulas on up to so many networks of each space; 0: show only what "
            "the run's folder has.",
        ),
    ] = 200,
    workers: Workers = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a report on a run as one HTML file that opens without a network: its formula as a tree
    and in LaTeX, what its parts are worth, baselines, front, search, environment."""
    with live_progress() as progress, redirect_stdout(sys.stderr):
        result = eznas.write_report(
            run,
            None if output is None else str(output),
            networks=networks,
            workers=workers or cores(),
            force=force,
            watcher=progress,
        )
    emit(asdict(result), as_json, lambda c: line(f"{c['file']} ({c['bytes'] / 1000:.0f} kB)"))


@app.command()
@with_options(measurement=MEASUREMENT_OPTIONS)
def explain(
    measurement: dict[str, Any],
    proxy: Proxy,
    models: Models = None,
    input_size: InputSize = None,
    init: Init = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="The search space of the networks.",
            show_default="those of the run that the proxy is from, else nasbench201",
        ),
    ] = None,
    networks: Annotated[int, typer.Option(min=2, help="Up to so many of its search part.")] = 200,
    seed: Seed = 0,
    everything: Annotated[
        bool, typer.Option("--all", help="Show all parts, not only those that matter most.")
    ] = False,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Say what a proxy computes: its parts in words, what share of the score's spread each one is,
    and how much tau is lost without it, on networks with known accuracies."""
    target = target_of(save, "explanation")
    with live_progress() as progress, redirect_stdout(sys.stderr):
        result = eznas.explain(
            proxy,
            models=None if models is None else str(models),
            input_size=input_size or None,
            init=init,
            space=space,
            networks=networks,
            seed=seed,
            watcher=progress,
            **measurement_keywords(measurement),
        )
    show = partial(tables.explanation_lines, width=out.width, everything=everything)
    deliver(asdict(result), target, as_json, lambda content: line("\n".join(show(content))))


def _show_front(content: dict[str, Any]) -> None:
    out.print(tables.formula_front_table(content, out.width))
    for text in tables.formula_front_lines(content):
        line(text)
