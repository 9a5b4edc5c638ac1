"""Commands that split a space into parts by a proxy, and compare what lies in the parts."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

import eznas
from eznas.cli.app import app, check_plot, emit, line, out
from eznas.cli.arguments import PROXY_HELP, Proxy
from eznas.cli.options import (
    MEASUREMENT_OPTIONS,
    SAMPLE_OPTIONS,
    AsJson,
    Group,
    Scores,
    Seed,
    SetName,
    SpaceName,
    measurement_keywords,
    option,
    sample_keywords,
    with_options,
)
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, target_of
from eznas.errors import InputError
from eznas.report import tables
from eznas.studies.split_comparison import compare_splits
from eznas.studies.splitting import BY, SIMILARITY, Splitting, plot
from eznas.supernets import tree_file
from eznas.supernets.cuts import GROUPS
from eznas.supernets.mixed import CELLS, WIDTH
from eznas.supernets.tree import EDGES, NEXT, Rules

SPLITTING: Group = {  # field of `Splitting` or of its `Rules` -> option
    "leaves": option(
        "leaves", Annotated[int, typer.Option(min=1, help="How many parts, at most.")], 8
    ),
    "by": option(
        "by",
        Annotated[
            str,
            typer.Option(
                help=f"What a proxy scores of a part ({' or '.join(BY)}): its mixed supernet, or "
                "the mean rank of its members."
            ),
        ],
        BY[0],
    ),
    "edges": option(
        "edges",
        Annotated[
            str,
            typer.Option(
                help=f"Which choice is cut ({', '.join(EDGES)}): level by level in a given or "
                "random order, or in each part the one whose cut is widest."
            ),
        ],
        EDGES[0],
    ),
    "positions": option(
        "positions",
        Annotated[
            str,
            typer.Option(
                metavar="N,N,...",
                help="The order in which choices are cut; the first is 0.",
                show_default="all, from 0",
            ),
        ],
        "",
    ),
    "groups": option(
        "groups",
        Annotated[
            str,
            typer.Option(help=f"Groups of options ({', '.join(GROUPS)}): of any or of like sizes."),
        ],
        GROUPS[0],
    ),
    "next": option(
        "next_leaf",
        Annotated[
            str,
            typer.Option(
                "--next",
                help=f"Which leaf is split next ({', '.join(NEXT)}): the highest, the one with the "
                "widest cut, or the one with the best score.",
            ),
        ],
        NEXT[0],
    ),
    "stop": option(
        "stop",
        Annotated[
            float,
            typer.Option(
                min=0, max=1, help="Make no cut of less than this share of the first one's value."
            ),
        ],
        0.0,
    ),
    "similarity": option(
        "similarity",
        Annotated[
            str,
            typer.Option(
                help=f"How options are compared ({', '.join(SIMILARITY)}): by the scores of their "
                "parts, or by the gradients of their supernets."
            ),
        ],
        SIMILARITY[0],
    ),
    "reference": option(
        "reference",
        Annotated[
            bool, typer.Option("--reference", help="Divide differences by the score of the whole.")
        ],
        False,
    ),
    "width": option(
        "width", Annotated[int, typer.Option(min=1, help="Channels of a supernet.")], WIDTH
    ),
    "cells": option(
        "cells", Annotated[int, typer.Option(min=1, help="Cells of a stage of a supernet.")], CELLS
    ),
}
TreeFile = Annotated[
    Path | None,
    typer.Option(metavar="TREE.json", help="Write the tree into this file, for --within."),
]


@app.command()
@with_options(splitting=SPLITTING, measurement=MEASUREMENT_OPTIONS)
def split(
    splitting: dict[str, Any],
    measurement: dict[str, Any],
    proxy: Proxy,
    space: SpaceName = "nasbench201",
    dataset: Annotated[
        str,
        typer.Option(
            help="The data set whose images' size supernets see.",
            show_default="the space's first",
        ),
    ] = "",
    members: Annotated[
        int | None,
        typer.Option(min=2, help="By members: rank parts by so many networks.", show_default="all"),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, help="Initialisations; says how often the tree is the same.")
    ] = 1,
    seed: Seed = 0,
    scores: Scores = None,
    plot_file: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.png", help="Draw the tree as well.")
    ] = None,
    save: TreeFile = None,
    as_json: AsJson = False,
) -> None:
    """Split a space into parts by a proxy; a part is a space for `eznas search --within`."""
    check_plot(plot_file)
    if save is not None:
        tree_file.check_name(str(save))
    keywords = {**splitting, "positions": _positions(splitting["positions"])}
    keywords["next_leaf"] = keywords.pop("next")
    with live_progress() as progress:
        trees = [
            eznas.split(
                proxy,
                space=space,
                members=members,
                dataset=dataset,
                seed=seed + number,
                scores=scores,
                watcher=progress,
                **keywords,
                **measurement_keywords(measurement),
            )
            for number in range(seeds)
        ]
    first = trees[0]
    same = sum(tree.partition == first.partition for tree in trees)
    files = [] if plot_file is None else plot(first, str(plot_file))
    if save is not None:
        tree_file.write(str(save), first)
    content = tree_file.as_json(first) | {"seeds": seeds, "same": same, "plots": files}
    emit(content, as_json, _show_tree)


def _show_tree(content: dict[str, Any]) -> None:
    for text in tables.tree_lines(content):
        out.print(Text(text), soft_wrap=True)
    if content["seeds"] > 1:
        line(f"the same parts with {content['same']} of {content['seeds']} initialisations")


@app.command("split-quality")
@with_options(splitting=SPLITTING, sample=SAMPLE_OPTIONS, measurement=MEASUREMENT_OPTIONS)
def split_quality(
    splitting: dict[str, Any],
    sample: dict[str, Any],
    measurement: dict[str, Any],
    proxies: Annotated[list[str], typer.Argument(metavar="PROXY", help=PROXY_HELP)],
    set_name: SetName = "all",
    initialisations: Annotated[
        int, typer.Option(min=1, help="Trees of each proxy, each with another initialisation.")
    ] = 3,
    random_trees: Annotated[int, typer.Option(min=0, help="Random trees beside them.")] = 20,
    scores: Scores = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Compare what lies in the parts of trees by several proxies, by the true accuracies."""
    target = target_of(save, "splits")
    fields = dict(splitting)
    rules = {key: fields.pop(key) for key in ("leaves", "edges", "groups", "next", "stop")}
    rules["positions"] = _positions(fields.pop("positions"))
    with live_progress() as progress:
        content = compare_splits(
            proxies,
            Splitting(rules=Rules(**rules), **fields),
            set_name=set_name,
            initialisations=initialisations,
            random_trees=random_trees,
            scores=scores,
            watcher=progress,
            **sample_keywords(sample),
            **measurement_keywords(measurement),
        )
    deliver(content, target, as_json, _show_comparison)


def _show_comparison(content: dict[str, Any]) -> None:
    line(tables.split_title(content))
    out.print(tables.split_table(content, out.width))


def _positions(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not all(part.isdecimal() for part in parts):
        raise InputError(f"positions {text!r}: expected numbers, as in 0,5,2")
    return tuple(map(int, parts))
