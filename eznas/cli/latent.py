"""Commands that search a latent space of architectures by gradient, without accuracies."""

from typing import Annotated, Any

import typer

from eznas.cli.app import check_plot, emit, line, out
from eznas.cli.options import (
    LARGEST_SEED,
    Group,
    Scores,
    SpaceName,
    option,
    with_options,
    without_unset,
)
from eznas.cli.progress import live_progress
from eznas.cli.search import MEASURED, OUTPUT, search
from eznas.cli.studies import Save, deliver, target_of
from eznas.proxies.loading import separated
from eznas.report import tables
from eznas.search.latent.autoencoder import ENCODERS
from eznas.search.latent.methods import METHODS
from eznas.search.latent.weights import WAYS
from eznas.studies.autoencoding import autoencoding
from eznas.studies.latent_comparison import COMPARED, latent_compare
from eznas.studies.latent_result import check_drawable, described, plot
from eznas.studies.latent_search import PROXIES, latent_search
from eznas.system.machine import cores

AUTOENCODED = ("nasbench201", "nasbench101", "nasbench-macro", "nds-darts")
Encoder = Annotated[
    str,
    typer.Option(help="What the autoencoder reads: " + ", ".join(ENCODERS) + "."),
]


def _count(help_text: str, least: int = 1) -> Any:
    return Annotated[int, typer.Option(min=least, help=help_text)]


LATENT: Group = {  # keyword of a search -> option
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
    "proxies": option(
        "proxies",
        Annotated[
            str,
            typer.Option(
                metavar="PROXY,...",
                help="Proxies whose weighted sum is searched for: published ones, runs (run:NAME) "
                "or formulas.",
            ),
        ],
        ",".join(PROXIES),
    ),
    "weights": option(
        "weights",
        Annotated[
            str | None,
            typer.Option(
                metavar="WAY",
                help="; ".join(f"{way.name}: {way.meaning}" for way in WAYS.values())
                + "; or PROXY=NUMBER,... for each proxy.",
                show_default="ridge with labels, else equal",
            ),
        ],
    ),
    "labels": option(
        "labels",
        Annotated[
            str | None,
            typer.Option(
                metavar="FILE.csv|N",
                help="Networks with accuracies that ridge and tpe fit weights to: a file of "
                "columns architecture,accuracy, or N networks of the benchmark's search part.",
                show_default="none",
            ),
        ],
    ),
    "train": option(
        "train", _count("How many networks are measured beside those of --top.", 40), 1000
    ),
    "rounds": option(
        "rounds",
        _count("How many ascents; with 1, as published, all but the last networks are random."),
        5,
    ),
    "starts": option("starts", _count("From how many networks an ascent starts."), 64),
    "steps": option("steps", _count("How many steps each start goes."), 150),
    "top": option("top", _count("How many networks are answered."), 10),
    "seed": option(
        "seed",
        Annotated[
            int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of all that a search draws.")
        ],
        0,
    ),
    "encoder": option("encoder", Encoder, ENCODERS[0]),
    "joint": option(
        "joint",
        Annotated[bool, typer.Option("--joint", help="Train the encoder together with the heads.")],
        False,
    ),
    "scores": option("scores", Scores),
}
PRINTED: Group = {key: OUTPUT[key] for key in ("plot", "as_json")}
JSON: Group = {"as_json": OUTPUT["as_json"]}


@search.command()
@with_options(latent=LATENT, measurement=MEASURED, output=PRINTED)
def latent(
    latent: dict[str, Any],
    measurement: dict[str, Any],
    output: dict[str, Any],
    method: Annotated[
        str,
        typer.Option(help="Or another that measures as many networks: " + ", ".join(METHODS) + "."),
    ] = METHODS[0],
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder for the search: what is measured is kept, and the same command goes on "
            "where it ended.",
        ),
    ] = None,
) -> None:
    """Climb, by gradient, to the networks that several proxies together score highest; of
    accuracies, only --labels are looked at (UP-NAS: Huang et al., 2024)."""
    check_plot(output["plot"])
    if output["plot"] is not None:
        check_drawable(method)
    with live_progress() as progress:
        result = latent_search(
            method=method, save=save, watcher=progress, **_keywords(latent, measurement)
        )
    files = [] if output["plot"] is None else plot(result, str(output["plot"]))
    emit({**described(result), "plots": files}, output["as_json"], _show)


@search.command("latent-compare")
@with_options(latent=LATENT, measurement=MEASURED, output=JSON)
def compare_latent(
    latent: dict[str, Any],
    measurement: dict[str, Any],
    output: dict[str, Any],
    methods: Annotated[
        str,
        typer.Option(
            metavar="METHOD,...",
            help="Of " + ", ".join(METHODS) + "; the first is what the others are compared with.",
        ),
    ] = ",".join(COMPARED),
    also: Annotated[
        str | None,
        typer.Option(
            metavar="PROXY", help="Climb with this proxy among the others too, and by its terms."
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=2, help="With how many seeds.")] = 10,
    judged: Annotated[
        int,
        typer.Option(
            min=0,
            help="How many held-out networks with accuracies are measured, to tell what the "
            "unified score is worth; with exhaustive, all are.",
        ),
    ] = 0,
    save: Save = None,
) -> None:
    """Compare what methods find for the same unified score and number of networks, over seeds."""
    target = target_of(save, "latent-comparison")
    with live_progress() as progress:
        content = latent_compare(
            methods=[name.strip() for name in methods.split(",")],
            also=also,
            repeats=repeats,
            judged=judged,
            watcher=progress,
            **_keywords(latent, measurement),
        )
    deliver(content, target, output["as_json"], _show_comparison)


@search.command()
@with_options(output=JSON)
def autoencode(
    output: dict[str, Any],
    spaces: Annotated[
        list[str] | None, typer.Argument(metavar="[SPACE]...", show_default=", ".join(AUTOENCODED))
    ] = None,
    encoder: Encoder = ENCODERS[0],
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="The first seed.")] = 0,
    repeats: Annotated[int, typer.Option(min=1, help="With how many seeds.")] = 1,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How long to train.", show_default="by the space")
    ] = None,
    save: Save = None,
) -> None:
    """Measure how exactly autoencoders decode architectures that they were not trained on."""
    target = target_of(save, "autoencoders")
    with live_progress() as progress:
        rows = autoencoding(
            spaces or AUTOENCODED,
            encoder=encoder,
            seed=seed,
            repeats=repeats,
            epochs=epochs,
            watcher=progress,
        )
    deliver(
        {"rows": rows},
        target,
        output["as_json"],
        lambda content: out.print(tables.autoencoding_table(content["rows"])),
    )


def _keywords(latent: dict[str, Any], measurement: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a search for the options of a command."""
    labels = latent["labels"] or "0"
    chosen = {
        "proxies": separated(latent["proxies"]),
        "labels": int(labels) if labels.isdecimal() else labels,
    }
    return {**without_unset({**latent, **chosen}), "workers": cores()} | without_unset(measurement)


def _show(content: dict[str, Any]) -> None:
    line(tables.latent_title(content))
    out.print(tables.answer_table(content))
    out.print(tables.weight_table(content))
    for text in tables.latent_lines(content):
        line(text)


def _show_comparison(content: dict[str, Any]) -> None:
    line(tables.latent_comparison_title(content))
    out.print(tables.latent_comparison_table(content))
