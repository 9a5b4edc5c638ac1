"""Commands that train supernets, rank networks by them, and compare one-shot with few-shot."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from eznas.cli.app import app, check_plot, emit, line, out
from eznas.cli.arguments import PROXY_HELP
from eznas.cli.options import (
    LARGEST_SEED,
    MEASUREMENT_OPTIONS,
    AsJson,
    Group,
    Plot,
    Scores,
    SetName,
    SpaceName,
    option,
    sample_keywords,
    with_options,
    without_unset,
)
from eznas.cli.options import Networks as NetworksText
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, plotted, target_of
from eznas.report import tables
from eznas.studies.few_shot import few_shot
from eznas.studies.supernets import plot as plot_rankings
from eznas.studies.supernets import rank_supernets, train_supernets
from eznas.supernets import tree_file
from eznas.supernets.few_shot import Supernets

supernet = typer.Typer(
    help="Train networks that share their weights, and rank a space's networks by them.",
    no_args_is_help=True,
)
app.add_typer(supernet, name="supernet")


def _whole(text: str, least: int = 1, **keywords: Any) -> Any:
    return Annotated[int, typer.Option(min=least, help=text, **keywords)]


TRAINING: Group = {  # field of `Supernets` -> option
    "space": option("space", SpaceName, "nasbench201"),
    "images": option(
        "images",
        Annotated[
            str,
            typer.Option(
                metavar="PATH",
                help="Labelled images: an .npz file with images and labels, or a CIFAR folder.",
            ),
        ],
        ...,
    ),
    "validation": option(
        "validation",
        Annotated[
            str,
            typer.Option(
                metavar="PATH",
                help="Images that choose leaves and rank networks; then all of --images train.",
                show_default="a fifth of --images",
            ),
        ],
        "",
    ),
    "size": option("size", _whole("Pixels of a side that images are shrunk to.", 8), 16),
    "width": option("width", _whole("Channels of the first stage."), 8),
    "cells": option("cells", _whole("Cells of a stage, where the space stacks cells."), 1),
    "epochs": option("epochs", _whole("Passes over the training images, in all."), 110),
    "leaf_epochs": option(
        "leaf_epochs", _whole("How many of the epochs each leaf of a tree gets."), 7
    ),
    "batch": option("batch", _whole("Images of a step.", 2), 128),
    "fair": option(
        "fair",
        Annotated[
            bool,
            typer.Option("--fair", help="Take every option of a choice once in so many steps."),
        ],
        False,
    ),
    "seed": option("seed", _whole("Seed of all that is drawn.", 0, max=LARGEST_SEED), 0),
}
WORK: Group = {key: MEASUREMENT_OPTIONS[key] for key in ("workers", "device")}
ProxyOption = Annotated[
    str | None,
    typer.Option(metavar="PROXY", help=f"Rank by a proxy as well, and by both. {PROXY_HELP}"),
]
DatasetOption = Annotated[
    str, typer.Option(help="The data set of the accuracies.", show_default="the space's first")
]
Folders = Annotated[
    list[str],
    typer.Argument(metavar="FOLDER", help="Folders that `eznas supernet train` has filled."),
]


@supernet.command()
@with_options(training=TRAINING, work=WORK)
def train(
    training: dict[str, Any],
    work: dict[str, Any],
    save: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Keep the supernets here; a training that was cut off goes on.",
        ),
    ],
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="TREE.json",
            help="Train a supernet for each leaf of this tree, of `eznas split --save`, from the "
            "weights of that of the whole space; epochs stay the same in all.",
            show_default="one supernet",
        ),
    ] = None,
    parent: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Take the whole space's supernet from here, if it is the same."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train the supernet of a space, one path a step, or those of the leaves of a tree."""
    supernets = _supernets(training, split)
    with live_progress() as progress:
        train_supernets(
            str(save),
            supernets,
            parent=None if parent is None else str(parent),
            watcher=progress,
            **without_unset(work),
        )
    steps = supernets.epochs * (len(supernets.parts[0].labels) // supernets.batch)
    content = {
        "folder": str(save),
        "space": supernets.space,
        "seed": supernets.seed,
        "epochs": supernets.epochs,
        "steps": steps,
        "leaves": len(supernets.leaves),
    }
    emit(content, as_json, _show_training)


@supernet.command()
@with_options(work=WORK)
def rank(
    work: dict[str, Any],
    folders: Folders,
    proxy: ProxyOption = None,
    dataset: DatasetOption = "",
    networks: NetworksText = "up to 400",
    set_name: SetName = "all",
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of the sample of networks.")
    ] = 0,
    images: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The images, if their file has moved."),
    ] = None,
    scores: Scores = None,
    plot: Plot = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Rank networks by trained supernets, against their trained accuracies."""
    check_plot(plot)
    target = target_of(save, "supernets")
    sample = sample_keywords({"datasets": (), "networks": networks})
    with live_progress() as progress:
        content = rank_supernets(
            folders,
            proxy=proxy,
            dataset=dataset,
            networks=sample["networks"],
            set_name=set_name,
            seed=seed,
            images=images,
            scores=scores,
            watcher=progress,
            **without_unset(work),
        )
    drawn = plotted(partial(plot_rankings, content), plot, target)
    deliver({**content, "plots": drawn}, target, as_json, _show_rankings)


@supernet.command()
@with_options(training=TRAINING, work=WORK)
def compare(
    training: dict[str, Any],
    work: dict[str, Any],
    folder: Annotated[
        Path,
        typer.Argument(help="Keep the supernets here; a comparison that was cut off goes on."),
    ],
    proxy: Annotated[str, typer.Option(metavar="PROXY", help=PROXY_HELP)] = "hybrid",
    split: Annotated[
        Path | None,
        typer.Option(
            metavar="TREE.json",
            help="The proxy's tree.",
            show_default="grown by the scores of mixed supernets",
        ),
    ] = None,
    leaves: Annotated[int, typer.Option(min=2, help="Leaves of the proxy's tree.")] = 8,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, from --seed on.")] = 3,
    dataset: DatasetOption = "",
    networks: NetworksText = "up to 400",
    set_name: SetName = "all",
    scores: Scores = None,
    plot: Plot = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Compare one-shot with few-shot, split by a proxy and at random, at equal steps."""
    check_plot(plot)
    target = target_of(save, "few-shot")
    sample = sample_keywords({"datasets": (), "networks": networks})
    with live_progress() as progress:
        content = few_shot(
            str(folder),
            Supernets(**training),
            proxy=proxy,
            tree=None if split is None else str(split),
            leaves=leaves,
            seeds=seeds,
            dataset=dataset,
            networks=sample["networks"],
            set_name=set_name,
            scores=scores,
            watcher=progress,
            **without_unset(work),
        )
    drawn = plotted(partial(plot_rankings, content), plot, target)
    deliver({**content, "plots": drawn}, target, as_json, _show_comparison)


def _supernets(training: dict[str, Any], split: Path | None) -> Supernets:
    """The supernets that options describe; without a tree, no leaf takes epochs."""
    if split is None:
        return Supernets(**training | {"leaf_epochs": 0})
    tree = tree_file.read_of(training["space"], str(split))
    leaves = tuple(leaf.allowed for leaf in tree.leaves)
    return Supernets(**training, leaves=leaves)


def _show_training(content: dict[str, Any]) -> None:
    leaves = f", {content['leaves']} leaves" if content["leaves"] else ""
    line(
        f"{content['folder']}: {content['space']}, seed {content['seed']}, {content['epochs']} "
        f"epochs, {content['steps']:,} steps{leaves}"
    )
    line(f"eznas supernet rank {content['folder']} --proxy hybrid   # against trained accuracies")


def _show_rankings(content: dict[str, Any]) -> None:
    out.print(tables.supernet_table(content, out.width))


def _show_comparison(content: dict[str, Any]) -> None:
    out.print(tables.supernet_table(content, out.width))
    out.print(tables.few_shot_table(content, out.width))
