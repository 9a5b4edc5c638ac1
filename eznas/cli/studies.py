"""Commands that measure what proxies and words are worth."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eznas import api
from eznas.cli.shared import (
    AsJson,
    Batch,
    Datasets,
    Device,
    ImagesPath,
    Initialisations,
    Networks,
    Plot,
    RecordsPath,
    Seed,
    SetName,
    SpaceName,
    Workers,
    app,
    count,
    drawable,
    emit,
    how,
    live,
    out,
)
from eznas.ground import FITTED, FRESH
from eznas.report import tables


@app.command()
def correlate(
    proxies: Annotated[
        list[str], typer.Argument(metavar="PROXY...", help="`classics` stands for all of them.")
    ],
    dataset: Datasets = None,
    networks: Networks = "up to 1000",
    accuracy: Annotated[
        Path | None,
        typer.Option(help="CSV of architecture,accuracy, all of it, in place of the benchmark."),
    ] = None,
    set_name: SetName = "all",
    space: SpaceName = "nasbench201",
    seed: Seed = 0,
    initialisations: Initialisations = 1,
    against: Annotated[
        str | None, typer.Option(metavar="PROXY", help="Its tau and rho less the others', paired.")
    ] = None,
    within: Annotated[
        str | None,
        typer.Option(metavar="PROXY", help="Tau among its equals as well: params, depth, ..."),
    ] = None,
    timed: Annotated[
        int, typer.Option(min=0, help="Time every proxy by itself on so many networks.")
    ] = 0,
    plot: Plot = None,
    batch: Batch = None,
    images: ImagesPath = None,
    records: RecordsPath = None,
    device: Device = "cpu",
    storage: Annotated[
        str, typer.Option(help="Of raw features: single, or half the bytes (half).")
    ] = "single",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Correlate proxies with trained accuracy, with 95 % bootstrap intervals."""
    drawable(plot)
    with live() as shown:
        found = api.correlate(
            proxies,
            space=space,
            datasets=dataset or (),
            networks=count(networks),
            accuracy=None if accuracy is None else str(accuracy),
            set_name=set_name,
            seed=seed,
            initialisations=initialisations,
            against=against,
            within=within,
            timed=timed,
            watcher=shown,
            storage=storage,
            **how(images, batch, device, workers, records),
        )
    drawn = [] if plot is None else found.plot(str(plot))
    content = {"rows": found.rows, "difference": found.difference, "plots": drawn}

    def show(content: dict[str, Any]) -> None:
        out.print(tables.correlation_table(content["rows"]))
        if content["difference"]:
            out.print(tables.difference_table(str(against), content["difference"]))

    emit(content, as_json, show)


@app.command()
def agree(
    published: Annotated[Path, typer.Argument(metavar="SCORES.csv", help="May be gzipped.")],
    proxies: Annotated[
        list[str] | None, typer.Argument(metavar="[PROXY...]", help="Default: all it names.")
    ] = None,
    dataset: Datasets = None,
    networks: Networks = "up to 500",
    space: SpaceName = "nasbench201",
    seed: Seed = 0,
    initialisations: Initialisations = 1,
    batch: Batch = None,
    images: ImagesPath = None,
    records: RecordsPath = None,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Compare our scores of published proxies with scores that others published."""
    with live() as shown:
        rows = api.agree(
            str(published),
            proxies or (),
            space=space,
            datasets=dataset or (),
            networks=count(networks),
            seed=seed,
            initialisations=initialisations,
            watcher=shown,
            **how(images, batch, device, workers, records),
        )
    emit({"rows": rows}, as_json, lambda c: out.print(tables.agreement_table(c["rows"])))


@app.command()
def blend(
    first: Annotated[str, typer.Argument(metavar="PROXY")],
    second: Annotated[str, typer.Argument(metavar="PROXY")],
    dataset: Datasets = None,
    networks: Networks = "up to 1000",
    set_name: SetName = "all",
    space: SpaceName = "nasbench201",
    seed: Seed = 0,
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Weights between 0 and 1.")] = 20,
    plot: Plot = None,
    batch: Batch = None,
    images: ImagesPath = None,
    records: RecordsPath = None,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Tau of a weighted sum of two proxies, for each weight of the first."""
    drawable(plot)
    with live() as shown:
        found = api.blend(
            first,
            second,
            space=space,
            datasets=dataset or (),
            networks=count(networks),
            set_name=set_name,
            seed=seed,
            steps=steps,
            watcher=shown,
            **how(images, batch, device, workers, records),
        )
    drawn = [] if plot is None else found.plot(str(plot))
    emit({**asdict(found), "plots": drawn}, as_json, lambda c: out.print(tables.combine_table(c)))


@app.command()
def words(
    space: SpaceName = "nasbench201",
    seed: Seed = 0,
    top: Annotated[int, typer.Option(min=1, help="How many words to show.")] = 40,
    batch: Batch = None,
    images: ImagesPath = None,
    records: RecordsPath = None,
    device: Device = "cpu",
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Rank short words, each with every aggregation, and show what they can do together."""
    with live() as shown:
        ranking, yardsticks = api.words(
            space=space,
            seed=seed,
            watcher=shown,
            **how(images, batch, device, workers, records),
        )

    def show(content: dict[str, Any]) -> None:
        title = f"{len(content['words'])} words by tau on {FITTED} networks, the first {top}"
        out.print(tables.feature_ranking_table(content["words"], title, top))
        judged = f"yardsticks fitted to those, judged on {FRESH} other networks"
        out.print(tables.yardstick_table(content["yardsticks"], judged))

    emit({"words": ranking, "yardsticks": yardsticks}, as_json, show)


@app.command()
def benchmark(
    networks: Annotated[int, typer.Option(min=8, max=256, help="Networks to score.")] = 16,
    device: Device = "cpu",
    as_json: AsJson = False,
) -> None:
    """Measure how fast recorded formulas are scored, beside the original way; takes minutes."""
    with live() as shown:
        found = api.benchmark(networks, device, shown)
    emit(found, as_json, lambda c: out.print(tables.speed_table(c)))
