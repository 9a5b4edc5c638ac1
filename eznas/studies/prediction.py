"""Accuracies of a user's networks predicted from those of others."""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from eznas.benchmarks.curves import Curves
from eznas.benchmarks.readers.curve_csv import has_curves, read_curves
from eznas.benchmarks.readers.entries import located
from eznas.benchmarks.readers.plain_csv import (
    COLUMNS,
    column_of,
    csv_text,
    read_accuracies,
    table_rows,
)
from eznas.errors import InputError
from eznas.evaluation.executors import Phases
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PROXIES, check_used, load
from eznas.proxies.measured import ScoringSettings
from eznas.proxies.proxy import ranked
from eznas.spaces import Space
from eznas.studies.known_curves import curves_of
from eznas.studies.known_scores import networks_with_scores
from eznas.system.arguments import checked

SAMPLED, MEASURED = 1000, 100  # networks that are predicted where none are named; with proxies


@checked
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
    total_epochs: int | None = None,
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
    architecture; without it, `sample` networks of the space (of a file of scores, where one is
    read) that are not in `train` (by default 1000, 100 where proxies are measured, or all).

    A predictor that reads learning curves finds them in columns accuracy_1, accuracy_2, ... or
    loss_1, loss_2, ... of both files (candidates' may end earlier), or else takes the published
    ones of the space; `epochs`: read them up to this one; `total_epochs` of the whole training: the
    last in `train` unless given. `dataset` says at which input size proxies are measured; `scores`:
    a CSV file of scores that are known, as `Measurements` takes it; the rest is as in `correlate`.

    Raises `InputError` for what cannot be used, also a keyword that this predictor does not read;
    for a network that a file of scores lacks, and where one cannot be measured.
    """
    check_used(predictor, proxies, champion)
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurements = Measurements(space, dataset, settings, watcher, scores)
    load_seeded = partial(load, epochs=epochs, seed=seed)
    loaded = load_seeded(predictor, measurements, proxies=proxies, champion=champion)
    architectures, accuracies = read_accuracies(train, measurements.space)
    usual = MEASURED if loaded.requires.proxies else SAMPLED
    scored = networks_with_scores([loaded], measurements)
    if loaded.requires.labels:
        _check_scored(architectures, scored, train)
    names = _candidates(measurements.space, candidates, sample, usual, architectures, scored, seed)
    curves = None
    if loaded.requires.curve:
        curves = _curves(train, candidates, measurements, total_epochs)
        _check_known(names, curves, train)
        last = int(curves.epochs[-1])
        loaded.set_params(epochs=min(epochs or last, last))
    elif epochs or total_epochs:
        raise InputError(f"predictor {predictor}: reads no learning curves, expected no epochs")
    return _rows(names, loaded.fit(architectures, accuracies, curves).predict(names))


def _rows(names: Sequence[str], predictions: Sequence[float]) -> list[dict[str, Any]]:
    """Architectures with their predictions, the best first; None for one that is not finite."""
    values = [float(value) for value in predictions]
    return [
        {"architecture": names[i], "prediction": values[i] if math.isfinite(values[i]) else None}
        for i in ranked(values)
    ]


def _candidates(
    space: Space,
    file: str | None,
    sample: int | None,
    usual: int,
    known: Sequence[str],
    scored: frozenset[str] | None,
    seed: int,
) -> list[str]:
    """The networks to predict, in canonical spelling, each once: those of the file, or a sample, of
    the `usual` size unless another is given; all among those `scored`, where these are not all."""
    if file is not None and sample is not None:
        raise InputError(f"{file} and a sample of {sample}: expected one of the two")
    if file is not None:
        names = _read(Path(file), space)
        _check_scored(names, scored, file)
        return names
    if sample is not None and sample < 1:
        raise InputError(f"sample {sample}: expected 1 or more networks")
    fitted, wanted = set(known), sample or usual
    if scored is None:
        drawn = _drawn(space, wanted + len(fitted), seed)
    else:
        drawn = _mixed(sorted(scored), seed)
    others = [a for a in drawn if a not in fitted]
    if not others or len(others) < (sample or 0):
        among = f"space {space.name} has" if scored is None else "the files of scores have"
        raise InputError(f"sample {wanted}: {among} {len(others)} networks that are not fitted to")
    return others[:wanted]


def _drawn(space: Space, count: int, seed: int) -> Sequence[str]:
    """At least `count` architectures in random order, or all of a small space."""
    if math.prod(map(len, space.positions)) > 10 * count:
        return space.sample(count, seed)
    return _mixed(space.architectures(), seed)


def _mixed(architectures: Sequence[str], seed: int) -> list[str]:
    """All of them, in random order."""
    order = np.random.default_rng(seed).permutation(len(architectures))
    return [architectures[i] for i in order]


def _check_scored(architectures: Sequence[str], scored: frozenset[str] | None, file: str) -> None:
    """`InputError` where networks of a file have no row in the files of scores: what a predictor
    made of nothing would look like a prediction."""
    missing = [] if scored is None else [a for a in architectures if a not in scored]
    if missing:
        raise InputError(
            f"{file}: {len(missing)} of {len(architectures)} networks are not in the file of scores"
            f", expected all; the first is {missing[0]}"
        )


def _read(path: Path, space: Space) -> list[str]:
    """The architectures of a file in canonical spelling, each once."""
    architectures = dict[str, None]()
    for line, spelling in _spellings(path):
        if spelling.strip():
            with located(f"{path}:{line}"):
                architectures[space.canonical(spelling.strip())] = None
    if not architectures:
        raise InputError(f"{path}: expected an architecture a line, found none")
    return list(architectures)


def _spellings(path: Path) -> Iterator[tuple[int, str]]:
    """Line numbers and texts: those of the column architecture, or else all lines."""
    with csv_text(path) as file:
        lines = list(file)
        header = [name.strip() for name in next(csv.reader(lines, skipinitialspace=True), [])]
        column = column_of(header, COLUMNS["architecture"], path)
        if column is None:
            yield from enumerate(lines, 1)
        else:
            yield from ((line, row[column]) for line, row in table_rows(lines, path)[1])


def _curves(
    train: str, candidates: str | None, measurements: Measurements, total_epochs: int | None
) -> Curves:
    """The curves in the files, or else the published ones of the space."""
    space = measurements.space
    if has_curves(train):
        curves = read_curves(train, space, total_epochs=total_epochs)
        if candidates is not None and has_curves(candidates):
            return joined(curves, read_curves(candidates, space, with_accuracy=False))
        return curves
    published = curves_of(space.name, measurements.dataset)
    if published is None:
        raise InputError(
            f"{train}: expected columns {_CURVE_COLUMNS}: this predictor reads learning curves, "
            f"and there are none of {space.name} here"
        )
    return published


_CURVE_COLUMNS = "accuracy_1, accuracy_2, ... or loss_1, loss_2, ..."


def _check_known(names: Sequence[str], curves: Curves, train: str) -> None:
    """`InputError` where a network that is to be predicted has no curve."""
    known = set(curves.architectures)
    for name in names:
        if name not in known:
            raise InputError(
                f"this predictor reads learning curves, and network {name} has none: expected a "
                f"file of candidates with columns {_CURVE_COLUMNS}, as in {train}"
            )


def joined(first: Curves, second: Curves) -> Curves:
    """The curves of the networks of both, at the epochs that both have; those of `first` count
    where a network is in both. Raises `InputError` where they have none in common."""
    epochs = np.intersect1d(first.epochs, second.epochs)
    kinds = [kind for kind in first.values if kind in second.values]
    if not len(epochs) or not kinds:
        raise InputError(
            f"{first.name} and {second.name}: expected accuracies or losses at common epochs"
        )
    known = set(first.architectures)
    new = [i for i, a in enumerate(second.architectures) if a not in known]
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
