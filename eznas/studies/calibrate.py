"""A proxy calibrated: with what probability the higher-scoring of two networks is more accurate."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.own_models import own_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError
from eznas.evaluation.contexts import contexts_of
from eznas.metrics.calibration import FEWEST, cross_validated, fit_curve, reliability
from eznas.proxies import calibrations
from eznas.proxies.calibrations import CalibratedDataset, Calibration
from eznas.proxies.classics import SIZES
from eznas.proxies.loading import USUAL_SPACE, describe, load
from eznas.proxies.measured import ScoringSettings, score_all
from eznas.proxies.proxy import Proxy
from eznas.statistics.drawn import USUAL_CLASSES
from eznas.system.arguments import checked, whole
from eznas.system.files import check_new

MOST = 2000  # networks: memory grows with the pairs, their square
SEEN = 0.05  # share of the networks whose accuracies a search may have seen


@checked
def calibrate(
    proxy: str,
    *,
    space: str = USUAL_SPACE,
    models: str | Sequence[Any] | None = None,
    accuracies: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    input_size: Any = None,
    networks: int | None = AtMost(500),
    initialisations: int = 3,
    file: str | None = None,
    force: bool = False,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> Calibration:
    """A calibration of a proxy, which `compare` reads, from networks with known accuracies.

    The networks are `networks` (`AtMost` so many, or None for all) of the search part of a space,
    with their accuracies on the data sets that have the input of the space's first one; or a user's
    own `models` and `accuracies`, see `eznas.benchmarks.own_models`, which get inputs of
    `input_size`. Each is scored with so many `initialisations`. `file`: where it is written; one
    that exists is replaced only with `force`. `device` to `records`: see `ScoringSettings`.

    Raises `InputError` for an argument that cannot be used, for a proxy whose search has seen the
    accuracies of more than a twentieth of the search part, for more than 2,000 networks, and for
    fewer than 20 with a finite score.
    """
    if file is not None:
        check_new(Path(file), force)  # before minutes of measuring
    loaded, seeds = load(proxy), tuple(range(whole("initialisations", initialisations, 1)))
    if models is None:
        benchmark = _search_part(proxy, space, networks)
    else:
        benchmark = own_benchmark(models, accuracies, input_size=input_size)
    if len(benchmark.architectures) > MOST:
        raise InputError(f"{len(benchmark.architectures)} networks, expected at most {MOST}")
    settings = ScoringSettings(seeds, device=device, workers=workers, records=records)
    scored = score_all([loaded], benchmark, settings, watcher or NoCallback())
    scores = next(iter(scored.scores.values()))[:, 0]
    content = _content(loaded, benchmark, scores, scored.sizes, _inputs(loaded, benchmark))
    content.source = models if isinstance(models, str) else ""
    if file is not None:
        calibrations.write(Path(file), content)
    return content


def _search_part(proxy: str, space: str, networks: int | None) -> Benchmark:
    """Networks of a space's search part, with the data sets whose input is that of its first."""
    benchmark = load_benchmark(space)
    first = next(iter(benchmark.datasets.values()))
    if first.classes != USUAL_CLASSES:
        raise InputError(
            f"space {space}: networks with {first.classes} classes; models that are compared have "
            f"{USUAL_CLASSES}"
        )
    datasets = {name: d for name, d in benchmark.datasets.items() if d == first}
    accuracies = {name: benchmark.accuracies[name] for name in datasets}
    benchmark = replace(benchmark, datasets=datasets, accuracies=accuracies)
    available = len(benchmark.split.search)
    labels = describe(proxy).labels
    if labels is None:
        raise InputError(
            f"proxy {proxy}: how many accuracies its search has seen is not recorded; calibrate it "
            "on networks of your own (--models)"
        )
    seen = labels.get(benchmark.space, 0)
    if seen > SEEN * available:
        raise InputError(
            f"proxy {proxy}: its search has seen {seen} of the {available} accuracies of {space}'s "
            "search part, on which it would look better than it is; calibrate it on other networks "
            "(--models)"
        )
    return named_set(benchmark, "search", networks, seed=0)


def _inputs(proxy: Proxy, benchmark: Benchmark) -> list[list[Any]]:
    """What goes into the networks of a benchmark, each form once."""
    [context] = contexts_of(benchmark, ScoringSettings().measurement(proxy, 0))
    forms = [config.images.form.describe() for config in context.measurements()]
    return [form for index, form in enumerate(forms) if form not in forms[:index]]


def _content(
    proxy: Proxy,
    benchmark: Benchmark,
    scores: NDArray[np.float64],
    sizes: NDArray[np.float64],
    inputs: list[list[Any]],
) -> Calibration:
    """The calibration from scores [initialisations, networks] and sizes [sizes, networks]."""
    finite = np.isfinite(np.vstack([scores, *benchmark.accuracies.values()]))
    indices = np.flatnonzero(finite.all(axis=0))
    if len(indices) < FEWEST:
        raise InputError(
            f"{len(indices)} networks with a finite score of {proxy.name} and an accuracy, "
            f"expected at least {FEWEST}"
        )
    part, scores, sizes = benchmark.subset(indices, ""), scores[:, indices], sizes[:, indices]
    curves = {d: fit_curve(scores, a, part.components) for d, a in part.accuracies.items()}
    curve = next(iter(curves.values()))  # knots are those of the scores, alike for all
    return Calibration(
        proxy=proxy.name,
        formula=proxy.formula.text,
        raw_batch=proxy.raw_batch,
        sketch_batch=proxy.sketch_batch,
        space="" if benchmark.own_space else benchmark.space,
        source="",
        accuracy=benchmark.kind,
        networks=len(indices),
        left_out=len(benchmark.architectures) - len(indices),
        initialisations=len(scores),
        inputs=inputs,
        sizes={
            name: (float(row.min()), float(row.max()))
            for name, row in zip(SIZES, sizes, strict=True)
        },
        scores=curve.scores.tolist(),
        shares=curve.shares.tolist(),
        datasets={
            dataset: _dataset(scores, part, dataset, curves[dataset].utilities.tolist())
            for dataset in part.accuracies
        },
    )


def _dataset(
    scores: NDArray[np.float64], benchmark: Benchmark, dataset: str, utilities: list[float]
) -> CalibratedDataset:
    """What cross-validation over components says of scores [initialisations, networks]."""
    tested = cross_validated(scores, benchmark.accuracies[dataset], benchmark.components)
    means = scores.mean(0)
    parts = {"all": np.ones(means.size, bool), "upper half": means > np.median(means)}
    rows = [
        {"networks": name, **asdict(row)}
        for name, networks in parts.items()
        for row in reliability(tested, benchmark.components, networks)
    ]
    return CalibratedDataset.model_validate(
        {"utilities": utilities, "brier": tested.brier(), "reliability": rows}
    )
