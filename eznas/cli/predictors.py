"""Commands around predictors: list them, predict accuracies, compare them by budget."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from eznas.cli.app import app, check_plot, emit, line, out
from eznas.cli.options import (
    LARGEST_SEED,
    MEASUREMENT_OPTIONS,
    SAMPLE_OPTIONS,
    Accuracy,
    AsJson,
    Plot,
    Scores,
    SetName,
    SpaceName,
    measurement_keywords,
    sample_keywords,
    with_options,
    without_unset,
)
from eznas.cli.progress import live_progress
from eznas.cli.studies import Save, deliver, target_of
from eznas.errors import InputError
from eznas.proxies.loading import separated
from eznas.report import tables
from eznas.system.folder import make_folder

SHOWN = 20  # predictions

Proxies = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="The proxies that stand for `proxies` among a predictor's features; "
        "table:FILE.csv takes the scores in a file.",
        show_default="22 that take less than a second",
    ),
]
Champion = Annotated[
    str | None,
    typer.Option(
        metavar="PROXY",
        help="The proxy that stands for `champion` among a predictor's features.",
        show_default="nasbench201-a",
    ),
]
PredictorText = Annotated[
    str,
    typer.Argument(
        metavar="PREDICTOR",
        help="A name (`eznas predictors` lists them), REGRESSOR[FEATURE; FEATURE; ...], "
        "supernet:FOLDER (trained supernets), supernet:FOLDER+PROXY, or any proxy.",
    ),
]
Train = Annotated[
    Path,
    typer.Argument(
        metavar="TRAIN.csv", help="The networks to fit to: columns architecture,accuracy."
    ),
]
Candidates = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE",
        help="The networks to predict: an architecture a line, or a CSV with that column.",
        show_default="a sample of the space",
    ),
]
Sampled = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Predict so many networks of the space.",
        show_default="1000, or 100 where proxies are measured",
    ),
]
TotalEpochs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Epochs of the whole training, at whose end the accuracy is predicted.",
        show_default="the last in TRAIN.csv",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Read curves up to this epoch.", show_default="as far as they go"),
]
PredictorTexts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PREDICTOR",
        help="Predictors as `eznas predict` takes them.",
        show_default="all named ones that fit within a second",
    ),
]
Sizes = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Numbers of networks to fit to.",
        show_default="11 from 5 to 400",
    ),
]
SplitBy = Annotated[
    str,
    typer.Option(help="components (fitted and tested networks share none) or networks (by lot)."),
]
Target = Annotated[
    str,
    typer.Option(help="What is fitted to: normal_scores of the accuracies, or the accuracies."),
]


@app.command()
def predictors(as_json: AsJson = False) -> None:
    """List the named predictors of accuracy: their features, and the regressor behind them."""
    from eznas.predictors.named import list_predictors

    emit(
        {"predictors": list_predictors()},
        as_json,
        lambda c: out.print(tables.predictor_table(c["predictors"])),
    )


@app.command()
@with_options(measurement=MEASUREMENT_OPTIONS)
def predict(
    measurement: dict[str, Any],
    predictor: PredictorText,
    train: Train,
    candidates: Candidates = None,
    space: SpaceName = "nasbench201",
    dataset: Annotated[
        str,
        typer.Option(
            help="The data set at whose input size proxies are measured.",
            show_default="the space's first",
        ),
    ] = "",
    sample: Sampled = None,
    proxies: Proxies = None,
    champion: Champion = None,
    scores: Scores = None,
    epochs: Epochs = None,
    total_epochs: TotalEpochs = None,
    seed: Annotated[
        int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of sample, measuring and fit.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Predict the accuracies of networks from those of others; the best comes first."""
    from eznas.studies.prediction import predict as predict_accuracies

    with live_progress() as progress:
        rows = predict_accuracies(
            predictor,
            str(train),
            None if candidates is None else str(candidates),
            space=space,
            dataset=dataset,
            sample=sample,
            epochs=epochs,
            total_epochs=total_epochs,
            seed=seed,
            watcher=progress,
            **_places(proxies, champion, scores),
            **measurement_keywords(measurement),
        )

    def show(content: dict[str, Any]) -> None:
        found = content["predictions"]
        title = f"{len(found)} networks by {predictor}, fitted to {train.name}"
        out.print(tables.prediction_table(found, title, SHOWN))
        if len(found) > SHOWN:
            line(f"the first {SHOWN}; --json gives all")
        for note in _notes([row["prediction"] for row in found]):
            line(note)

    emit({"predictions": rows}, as_json, show)


def _notes(predictions: list[float | None]) -> Iterator[str]:
    """What could be taken for a result and is none."""
    known = [p for p in predictions if p is not None]
    if len(known) < len(predictions):
        without = len(predictions) - len(known)
        yield f"without a prediction: {without}, whose score is lowest or undefined"
    if len(known) > 1 and min(known) == max(known):
        yield "all predictions are equal: from these features, the predictor learnt nothing"


@app.command()
@with_options(sample=SAMPLE_OPTIONS, measurement=MEASUREMENT_OPTIONS)
def budgets(
    sample: dict[str, Any],
    measurement: dict[str, Any],
    names: PredictorTexts = None,
    accuracy: Accuracy = None,
    set_name: SetName = "all",
    sizes: Sizes = None,
    trials: Annotated[
        int, typer.Option(min=1, help="Draws of networks to fit to and to test on.")
    ] = 30,
    split: SplitBy = "components",
    proxies: Proxies = None,
    champion: Champion = None,
    target: Target = "normal_scores",
    scores: Scores = None,
    plot: Plot = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Compare predictors of accuracy at many budgets: labels first, then the cost of a query."""
    from eznas.report.winner_map import winner_map
    from eznas.studies.budgets import budgets as compare

    check_plot(plot)
    saved = target_of(save, "budgets")
    keywords = sample_keywords(sample)
    chosen = keywords.pop("datasets")
    if len(chosen) > 1:
        raise InputError(f"dataset {', '.join(chosen)}: expected one")
    with live_progress() as progress:
        result = compare(
            names or (),
            dataset=next(iter(chosen), ""),
            accuracy=None if accuracy is None else str(accuracy),
            set_name=set_name,
            trials=trials,
            split_by=split,
            watcher=progress,
            target=target,
            sizes=() if sizes is None else _numbers(sizes),
            **_places(proxies, champion, scores),
            **keywords,
            **measurement_keywords(measurement),
        )
    content = asdict(result)
    files = [plot] if plot else []
    if saved is not None:
        make_folder(saved.parent)
        files.append(saved.with_suffix(".png"))
    for file in files:
        winner_map(file, result.maps)
    deliver(content | {"plots": list(map(str, files))}, saved, as_json, _show_budgets)


def _show_budgets(content: dict[str, Any]) -> None:
    title = (
        f"tau on {content['tested']} networks of {content['space']} ({content['dataset']}), mean "
        f"of {content['trials']} trials, split by {content['split']}"
    )
    line(title)
    out.print(tables.budget_table(content, out.width))
    for winners in content["maps"]:
        line("")
        out.print(tables.winner_table(winners))
    for name, reason in content["left_out"].items():
        line(f"left out: {name}: {reason}")


def _places(proxies: str | None, champion: str | None, scores: str | None) -> dict[str, Any]:
    """The keywords for what takes the places of `proxies` and `champion`, and for known scores."""
    named = None if proxies is None else tuple(separated(proxies))
    if named == ():
        raise InputError(f"proxies {proxies!r}: expected one or more, as in naswot,zen")
    return without_unset({"proxies": named, "champion": champion, "scores": scores})


def _numbers(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise InputError(f"sizes {text!r}: expected numbers of networks, as in 25,100,400")
    return tuple(sorted({int(part) for part in parts}))
