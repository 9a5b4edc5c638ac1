"""Accuracies of a user's networks predicted from those of others."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers.curve_csv import read_curves
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import COLUMNS, csv_text, read_accuracies
from eznas.errors import InputError
from eznas.evaluation.executors import Phases
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PROXIES, load
from eznas.proxies.measured import ScoringSettings
from eznas.proxies.proxy import ranked
from eznas.spaces import Space
from eznas.studies.known_curves import curves_of

SAMPLED = 1000  # networks that are predicted where none are named


def predict(
    predictor: str,
    train: str,
    candidates: str | None = None,
    *,
    space: str = "nasbench201",
    dataset: str = "",
    sample: int | None = None,
    proxies: Sequence[str] = PROXIES,
    champion: str = CHAMPION,
    scores: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> list[dict[str, Any]]:
    """Predictions for networks of a space, the best first: dicts with the keys architecture and
    prediction, None where a proxy by itself has no score.

    `predictor`: a text as `eznas.predictors.load` takes it, with `proxies` and `champion` in the
    places that it keeps for them. `train`: a CSV file with the columns architecture and accuracy,
    to fit to. `candidates`: a file with an architecture a line, or a CSV file with a column
    architecture; without it, `sample` networks of the space that are not in `train` (at most 1000,
    by default all of a smaller space).

    A predictor that reads learning curves finds them in columns accuracy_1, accuracy_2, ... or
    loss_1, loss_2, ... of both files (candidates' may end earlier), or else takes the published
    ones of the space; `epochs`: read them up to this one. `dataset` says at which input size
    proxies are measured; `scores`: a CSV file of scores that are known, as `Measurements` takes it;
    the rest is as in `correlate`.

    Raises `InputError` for an argument or a file that cannot be used, and where a network cannot be
    measured.
    """
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurements = Measurements(space, dataset, settings, watcher, scores)
    loaded = load(
        predictor, measurements, proxies=proxies, champion=champion, epochs=epochs, seed=seed
    )
    architectures, accuracies = read_accuracies(train, measurements.space)
    names = _candidates(measurements.space, candidates, sample, architectures, seed)
    curves = None
    if loaded.requires.curve:
        curves, loaded = _with_curves(loaded, train, candidates, measurements)
    loaded.fit(architectures, accuracies, curves)
    predictions = np.asarray(loaded.predict(names), dtype=float)
    order = ranked(predictions.tolist())
    finite = np.isfinite(predictions)
    return [
        {"architecture": names[i], "prediction": float(predictions[i]) if finite[i] else None}
        for i in order
    ]


def _candidates(
    space: Space,
    file: str | None,
    sample: int | None,
    known: Sequence[str],
    seed: int,
) -> list[str]:
    """The networks to predict, in canonical spelling, each once."""
    if file is not None and sample is not None:
        raise InputError(f"{file} and a sample of {sample}: expected one of the two")
    if file is not None:
        return list(dict.fromkeys(_read(Path(file), space)))
    fitted = set(known)
    wanted = SAMPLED if sample is None else sample
    for size in (wanted + len(fitted), wanted):  # enough even if all of `known` are drawn
        try:
            drawn = space.sample(size, seed)
        except InputError:
            continue
        return [a for a in drawn if a not in fitted][:wanted]
    if sample is not None:
        raise InputError(f"space {space.name}: cannot sample {sample} different architectures")
    return [a for a in space.architectures() if a not in fitted]


def _read(path: Path, space: Space) -> Iterator[str]:
    """The architectures of a file: its column of that name, or else one on each line."""
    with csv_text(path) as text:
        lines = text.read().splitlines()
    header = [name.strip() for name in lines[0].split(",")] if lines else []
    column = next((name for name in COLUMNS["architecture"] if name in header), None)
    texts = lines if column is None else [row[column] or "" for row in csv.DictReader(lines)]
    first = 1 if column is None else 2
    for number, spelling in enumerate(texts, first):
        if spelling.strip():
            with located(f"{path}:{number}"):
                yield space.canonical(spelling.strip())


def _with_curves(
    predictor: Predictor, train: str, candidates: str | None, measurements: Measurements
) -> tuple[Curves, Predictor]:
    """Curves of all networks, and the predictor that reads them as far as all of them go."""
    space = measurements.space
    published = curves_of(space.name, measurements.dataset)
    if not _has_curves(train):
        if published is None:
            raise InputError(
                f"{train}: expected columns accuracy_1, accuracy_2, ... or loss_1, loss_2, ...: "
                f"this predictor reads learning curves, and there are none of {space.name} here"
            )
        return published, predictor
    curves = read_curves(train, space)
    if candidates is not None and _has_curves(candidates):
        curves = joined(curves, read_curves(candidates, space, with_accuracy=False))
    last = int(curves.epochs[-1])
    parameters = predictor.get_params(deep=False)
    return curves, Predictor(**parameters | {"epochs": min(predictor.epochs or last, last)})


def _has_curves(path: str) -> bool:
    with csv_text(Path(path)) as text:
        header = text.readline().split(",")
    return any(name.strip().startswith(("accuracy_", "loss_")) for name in header)


def joined(first: Curves, second: Curves) -> Curves:
    """The curves of the networks of both, at the epochs that both have; those of `first` count
    where a network is in both. Raises `InputError` where they have none in common."""
    epochs = np.intersect1d(first.epochs, second.epochs)
    kinds = [kind for kind in first.values if kind in second.values]
    if not len(epochs) or not kinds:
        raise InputError(f"{first.name} and {second.name}: no epochs and values in common")
    new = [i for i, a in enumerate(second.architectures) if a not in set(first.architectures)]
    one, two = (np.isin(curves.epochs, epochs) for curves in (first, second))
    return replace(
        first,
        architectures=first.architectures + tuple(second.architectures[i] for i in new),
        epochs=epochs,
        values={
            kind: np.concatenate([first.values[kind][:, one], second.values[kind][new][:, two]])
            for kind in kinds
        },
        accuracies=np.concatenate([first.accuracies, second.accuracies[new]]),
    )
