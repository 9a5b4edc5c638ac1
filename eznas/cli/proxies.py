"""Commands around proxies: scoring models, exporting, listing."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

import eznas
from eznas.cli.app import app, emit, err, line, out
from eznas.cli.arguments import Proxy
from eznas.cli.options import (
    LARGEST_SEED,
    MEASUREMENT_OPTIONS,
    AsJson,
    Init,
    InputSize,
    with_options,
    without_unset,
)
from eznas.formulas import vocabulary
from eznas.proxies.listing import list_aliases
from eznas.proxies.loading import untested
from eznas.report import tables

MODEL_HELP = (
    "package.module:factory (a function that returns a torch module; with literal arguments: "
    "mine:net(8)), timm:NAME, torchvision:NAME, SPACE/ARCHITECTURE, or the string of a "
    "NAS-Bench-201 architecture."
)
FAILED = 1  # exit code: some of the models have no score
_SCORING_OPTIONS = {
    "images": MEASUREMENT_OPTIONS["images"],
    "batch": MEASUREMENT_OPTIONS["sketch"],
    "device": MEASUREMENT_OPTIONS["device"],
}


@app.command()
@with_options(measurement=_SCORING_OPTIONS)
def score(
    measurement: dict[str, Any],
    proxy: Proxy,
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL",
            help=MODEL_HELP,
        ),
    ],
    input_size: InputSize = None,
    init: Init = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of images and fresh parameters.")
    ] = 0,
    output: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which of the model's outputs are the logits: a name or a position, with dots "
            "where outputs are nested.",
            show_default="by the rule in `eznas guide score`",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score models with a proxy; the best one comes first. One that fails comes last, with exit
    code 1."""
    with redirect_stdout(sys.stderr):  # what a user's model prints
        rows = eznas.score(
            proxy,
            models,
            input_size=input_size or None,
            init=init,
            seed=seed,
            output=output,
            **without_unset(measurement),
        )

    emit({"scores": rows}, as_json, _show_scores)
    of_all = [note for note in rows[0]["notes"] if all(note in row["notes"] for row in rows)]
    of_one = [f"{r['model']}: {note}" for r in rows for note in r["notes"] if note not in of_all]
    notes = of_all + of_one if len(rows) > 1 else [f"{rows[0]['model']}: {n}" for n in of_all]
    if untested(proxy):
        notes.append(f"the run {proxy} is not finished: its best formula so far, not yet tested")
    for note in notes:
        err.print(f"eznas: {note}", markup=False, highlight=False, soft_wrap=True)
    if any(row["failed"] for row in rows):
        raise typer.Exit(FAILED)


@app.command()
def export(
    proxy: Proxy,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="The file to write."),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="json (a proxy file), python (one file that needs torch alone), latex, sympy or "
            "png.",
            show_default="by the file's ending: .json, .py, .tex, .txt, .png",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a proxy to a file, for eznas, for Python, for a paper or for a slide."""
    content = eznas.export(proxy, str(output), to, force)
    emit(content, as_json, lambda c: line(f"{output}: {c['formula']}"))


@app.command()
def proxies(as_json: AsJson = False) -> None:
    """List the discovered proxies with their evidence, the published ones as formulas with their
    sources, and the aliases of both."""
    content = {
        "discovered": eznas.discovered_proxies(),
        "proxies": eznas.proxies(),
        "aliases": list_aliases(),
    }

    def show(content: dict[str, Any]) -> None:
        out.print(tables.proxy_table(content["proxies"]))
        for text in tables.discovered_lines(content["discovered"]):
            line(text)
        line("aliases:")
        for row in content["aliases"]:
            text = f"{row['alias']} is {row['proxy']}: {row['why']}"
            out.print(text, markup=False, highlight=False)

    emit(content, as_json, show)


@app.command("vocabulary")
def words(
    part: Annotated[
        str, typer.Argument(help="Only words with this text in their name or meaning.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List the words of formulas: statistics of a network, and primitives that take them."""
    content = {"words": vocabulary.words(part)}
    emit(content, as_json, lambda c: out.print(tables.word_table(c["words"])))


def _show_scores(content: dict[str, Any]) -> None:
    out.print(tables.score_table(content["scores"]))
    for reason in tables.reason_lines(content["scores"]):
        line(f"  {reason}")
