"""Commands that measure how good proxies and features are, and how fast they are evaluated."""

import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.benchmarks.subsets import FITTED, FRESH
from eznas.cli.app import app, check_plot, emit, line, out
from eznas.cli.arguments import Proxies, Proxy, noted
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    SAMPLE_OPTIONS,
    Accuracy,
    AsJson,
    Init,
    Initialisations,
    InputSize,
    Models,
    Networks,
    Plot,
    Seed,
    SetName,
    SpaceName,
    measurement_keywords,
    option,
    sample_keywords,
    with_options,
)
from eznas.cli.progress import live_progress
from eznas.report import tables
from eznas.studies import saving
from eznas.system.folder import make_folder

Against = Annotated[
    str | None,
    typer.Option(
        metavar="PROXY",
        help="Also give the tau and rho of this proxy minus those of every other, paired.",
        callback=noted,
    ),
]
Within = Annotated[
    str | None,
    typer.Option(
        metavar="PROXY",
        help="Also give tau among networks for which this proxy (params, depth, ...) has the "
        "same score.",
    ),
]
Save = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Write the rows (JSON), a README.md and the plots into this folder; FOLDER/NAME.json "
        "names the file of the rows.",
    ),
]


def target_of(save: Path | None, name: str) -> Path | None:
    """The file that rows are to be saved in; `InputError` for one that cannot be written, before
    hours of measuring."""
    return None if save is None else saving.target_in(save, name, _command())


def plotted(draw: Callable[[str], list[str]], plot: Path | None, target: Path | None) -> list[str]:
    """Draw into the file `plot` and beside the saved rows, where these are given; the names of all
    that was drawn. `draw` takes a file and gives the names of those that it drew."""
    files = [] if plot is None else draw(str(plot))
    if target is not None:
        make_folder(target.parent)
        files += draw(str(target.with_suffix(".png")))
    return files


def deliver(
    content: dict[str, Any], target: Path | None, as_json: bool, show: Callable[[Any], None]
) -> None:
    """Save what a study found where it is to be saved, and print it."""
    if target is not None:
        saving.save(target, content, _command())
    emit(content, as_json, show)


def _command() -> str:
    """The command as it was typed, without `--save`."""
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--save":
            next(words, None)
        elif not word.startswith("--save="):
            kept.append(word)
    return shlex.join(["eznas", *kept])


@app.command()
@with_options(sample=SAMPLE_OPTIONS, measurement=MEASUREMENT_OPTIONS)
def correlate(
    sample: dict[str, Any],
    measurement: dict[str, Any],
    proxies: Proxies,
    models: Models = None,
    input_size: InputSize = None,
    init: Init = None,
    accuracy: Accuracy = None,
    set_name: SetName = "all",
    initialisations: Initialisations = 1,
    against: Against = None,
    within: Within = None,
    timed: Annotated[
        int, typer.Option(min=0, help="Time every proxy by itself on this many networks.")
    ] = 0,
    plot: Plot = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Correlate proxies with trained accuracy, with 95 % bootstrap intervals."""
    check_plot(plot)
    target = target_of(save, "rows")
    # what a user's model prints is no result
    with live_progress() as progress:
        correlation = eznas.correlate(
            proxies,
            models=None if models is None else str(models),
            input_size=input_size or None,
            init=init,
            accuracy=None if accuracy is None else str(accuracy),
            set_name=set_name,
            initialisations=initialisations,
            against=against,
            within=within,
            timed=timed,
            watcher=progress,
            **sample_keywords(sample),
            **measurement_keywords(measurement),
        )
    files = plotted(correlation.plot, plot, target)
    content = {"rows": correlation.rows, "difference": correlation.difference, "plots": files}
    deliver(content, target, as_json, partial(_show_correlation, str(against)))


def _show_correlation(against: str, content: dict[str, Any]) -> None:
    out.print(tables.correlation_table(content["rows"], out.width))
    if content["difference"]:
        line("")
        out.print(tables.difference_table(against, content["difference"], out.width))


@app.command()
@with_options(
    sample=SAMPLE_OPTIONS | {"networks": option("networks", Networks, "up to 500")},
    measurement=MEASUREMENT_OPTIONS,
)
def agreement(
    sample: dict[str, Any],
    measurement: dict[str, Any],
    published: Annotated[
        Path,
        typer.Argument(
            metavar="SCORES.csv",
            help="A column architecture, and a column of scores named PROXY or DATASET_PROXY for "
            "each proxy; may be gzipped.",
        ),
    ],
    proxies: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROXY",
            help="Names of published proxies.",
            show_default="all that the file has scores of",
        ),
    ] = None,
    initialisations: Initialisations = 1,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Compare our scores of published proxies with scores that others have published."""
    target = target_of(save, "agreement")
    with live_progress() as progress:
        rows = eznas.agreement(
            str(published),
            proxies or (),
            initialisations=initialisations,
            watcher=progress,
            **sample_keywords(sample),
            **measurement_keywords(measurement),
        )
    deliver({"rows": rows}, target, as_json, lambda c: out.print(tables.agreement_table(c["rows"])))


@app.command()
@with_options(sample=SAMPLE_OPTIONS, measurement=MEASUREMENT_OPTIONS)
def combine(
    sample: dict[str, Any],
    measurement: dict[str, Any],
    first: Proxy,
    second: Annotated[
        str, typer.Argument(metavar="PROXY", help="The other proxy.", callback=noted)
    ],
    set_name: SetName = "all",
    steps: Annotated[
        int, typer.Option(min=1, max=1000, help="Steps of the weight from 0 to 1.")
    ] = 20,
    plot: Plot = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Give the tau of a weighted sum of two proxies, for each weight of the first."""
    check_plot(plot)
    target = target_of(save, "combine")
    with live_progress() as progress:
        combination = eznas.combine(
            first,
            second,
            set_name=set_name,
            steps=steps,
            watcher=progress,
            **sample_keywords(sample),
            **measurement_keywords(measurement),
        )
    files = plotted(combination.plot, plot, target)
    content = {**asdict(combination), "plots": files}
    deliver(content, target, as_json, lambda c: out.print(tables.combine_table(c)))


@app.command()
@with_options(measurement=MEASUREMENT_OPTIONS)
def features(
    measurement: dict[str, Any],
    space: SpaceName = "nasbench201",
    seed: Seed = 0,
    top: Annotated[int, typer.Option(min=1, help="How many features to show.")] = 40,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Rank some 2,000 short features by tau, and test models that are fitted to all of them."""
    target = target_of(save, "features")
    with live_progress() as progress:
        ranking, yardsticks = eznas.features(
            space=space, seed=seed, watcher=progress, **measurement_keywords(measurement)
        )

    def show(content: dict[str, Any]) -> None:
        count = len(content["features"])
        title = f"{count} features by tau on {FITTED} networks, the first {top}"
        out.print(tables.feature_ranking_table(content["features"], title, top))
        tested = f"yardsticks fitted to those, tested on {FRESH} other networks"
        out.print(tables.yardstick_table(content["yardsticks"], tested))

    deliver({"features": ranking, "yardsticks": yardsticks}, target, as_json, show)
