"""Commands that search a space for its most accurate networks, one for each method."""

from functools import partial
from typing import Annotated, Any

import typer

from eznas.cli.app import app, check_plot, line, out
from eznas.cli.options import (
    LARGEST_SEED,
    MEASUREMENT_OPTIONS,
    AsJson,
    Group,
    Plot,
    Scores,
    SpaceName,
    option,
    with_options,
    without_unset,
)
from eznas.cli.predictors import Proxies
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, plotted, target_of
from eznas.proxies.loading import separated
from eznas.report import tables
from eznas.search import METHODS
from eznas.search.acquisition import ACQUISITIONS
from eznas.search.as_json import described
from eznas.studies import search_comparison
from eznas.studies.search import PREDICTOR, plot, search_architectures
from eznas.system.machine import cores

search = typer.Typer(
    help="Search a space for its most accurate networks, with few looks at accuracies.",
    no_args_is_help=True,
)
app.add_typer(search, name="search")


def _limit(of: str) -> Any:
    return Annotated[
        float | None,
        typer.Option(metavar="N", help=f"Query no network of more {of}.", show_default="no limit"),
    ]


COMMON: Group = {  # keyword of a search -> option
    "space": option("space", SpaceName, "nasbench201"),
    "dataset": option(
        "dataset",
        Annotated[
            str | None,
            typer.Option(
                help="The data set, as DATASET or DATASET@SIZE.", show_default="the space's first"
            ),
        ],
    ),
    "labels": option(
        "labels",
        Annotated[
            str | None,
            typer.Option(
                metavar="FILE.csv",
                help="Search among the networks of this file, which has the columns "
                "architecture,accuracy.",
                show_default="those of the benchmark",
            ),
        ],
    ),
    "within": option(
        "within",
        Annotated[
            str | None,
            typer.Option(
                metavar="TREE.json#K",
                help="Search in leaf K of a tree that `eznas split --save` wrote.",
                show_default="the whole space",
            ),
        ],
    ),
    "queries": option(
        "queries",
        Annotated[int, typer.Option(min=1, help="How many accuracies a search may look up.")],
        150,
    ),
    "repeats": option(
        "repeats", Annotated[int, typer.Option(min=1, help="How often it is repeated.")], 1
    ),
    "seed": option(
        "seed",
        Annotated[
            int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of all that a search draws.")
        ],
        0,
    ),
    "max_params": option("max_params", _limit("parameters")),
    "max_flops": option("max_flops", _limit("multiply-adds for one image")),
    "max_seconds": option(
        "max_seconds", _limit("seconds for a forward pass of one image on one thread here")
    ),
}
MEASURED: Group = {key: MEASUREMENT_OPTIONS[key] for key in MEASUREMENT_OPTIONS if key != "sketch"}
OUTPUT: Group = {
    "plot": option("plot", Plot),
    "save": option("save", Save),
    "as_json": option("as_json", AsJson, False),
}
Saved = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE.json",
        help="Files that --save wrote, of searches that differ in the method and its options only.",
    ),
]
Pool = Annotated[int, typer.Option(min=1, help="Networks that are considered at a time.")]


def _run(method: str, common: dict[str, Any], output: dict[str, Any], **options: Any) -> None:
    """Search, draw and save the result where that is asked for, and print it."""
    check_plot(output["plot"])
    target = target_of(output["save"], method)
    with live_progress() as progress:
        result = search_architectures(
            method, watcher=progress, **without_unset(common), **without_unset(options)
        )
    files = plotted(partial(plot, result), output["plot"], target)
    deliver({**described(result), "plots": files}, target, output["as_json"], _show)


def _show(content: dict[str, Any]) -> None:
    line(tables.search_title(content))
    out.print(tables.search_table(content))
    out.print(tables.front_table(content))
    line(tables.best_line(content))


@search.command("random", help=f"Query {METHODS['random'].meaning} ({METHODS['random'].source}).")
@with_options(common=COMMON, output=OUTPUT)
def random_search(common: dict[str, Any], output: dict[str, Any]) -> None:
    """See `METHODS`."""
    _run("random", common, output)


@search.command(help=f"Query {METHODS['evolution'].meaning} ({METHODS['evolution'].source}).")
@with_options(common=COMMON, output=OUTPUT)
def evolution(common: dict[str, Any], output: dict[str, Any]) -> None:
    """See `METHODS`."""
    _run("evolution", common, output)


@search.command(help=f"Query {METHODS['guided'].meaning} ({METHODS['guided'].source}).")
@with_options(common=COMMON, measurement=MEASURED, output=OUTPUT)
def guided(
    common: dict[str, Any],
    measurement: dict[str, Any],
    output: dict[str, Any],
    predictor: Annotated[
        str, typer.Option(help="What guesses accuracies (`eznas predictors` lists them).")
    ] = PREDICTOR,
    acquisition: Annotated[
        str,
        typer.Option(
            help="What a network is worth, given the guess and its deviation: "
            + ", ".join(ACQUISITIONS)
            + "."
        ),
    ] = "ucb",
    batch: Annotated[
        int, typer.Option(min=1, help="Queries between two fits of the predictor.")
    ] = 10,
    warm_start: Annotated[
        str | None,
        typer.Option(
            metavar="PROXY,...",
            help="Query first what these proxies rank among the top 5 % of a random pool.",
            show_default="random networks",
        ),
    ] = None,
    proxies: Proxies = None,
    scores: Scores = None,
    pool: Pool = 200,
) -> None:
    """See `METHODS`."""
    chosen = {"predictor": predictor, "acquisition": acquisition, "batch": batch, "pool": pool}
    chosen |= {"warm_start": separated(warm_start or ""), "proxies": separated(proxies or "")}
    _run("guided", common, output, scores=scores, **chosen, **measurement)


@search.command(help=f"Query {METHODS['proxies'].meaning} ({METHODS['proxies'].source}).")
@with_options(common=COMMON, measurement=MEASURED, output=OUTPUT)
def proxies(
    common: dict[str, Any],
    measurement: dict[str, Any],
    output: dict[str, Any],
    proxies: Annotated[
        str,
        typer.Option(
            metavar="PROXY,...",
            help="Proxies (`eznas proxies` lists the published ones), runs or formulas.",
        ),
    ],
    scores: Scores = None,
    pool: Pool = 1000,
) -> None:
    """See `METHODS`."""
    chosen = {"proxies": separated(proxies), "scores": scores, "pool": pool}
    measured = {"workers": cores()} | without_unset(measurement)
    _run("proxies", common, output, **chosen, **measured)


@search.command()
@with_options(output=OUTPUT)
def compare(output: dict[str, Any], files: Saved) -> None:
    """Compare saved searches, in pairs of repeats, with the first of them."""
    check_plot(output["plot"])
    target = target_of(output["save"], "comparison")
    content = search_comparison.compare_saved(files)
    drawn = plotted(partial(search_comparison.plot, content), output["plot"], target)
    deliver({**content, "plots": drawn}, target, output["as_json"], _show_comparison)


def _show_comparison(content: dict[str, Any]) -> None:
    line(tables.comparison_title(content))
    out.print(tables.comparison_table(content))
