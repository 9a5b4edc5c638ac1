"""Proxies against trained accuracy: rank correlation and its companions, with intervals."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError
from eznas.metrics import (
    Difference,
    Row,
    bootstrap_all,
    correlation_rows,
    difference_rows,
    variation,
)
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.proxies.proxy import Proxy
from eznas.report import plots
from eznas.studies.measured import Scored, StudySettings, score_all, seconds_each

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Correlation:
    """What `correlate` gives: rows per proxy and data set, the tau and rho of one proxy less
    those of every other (where one was named), and the scores behind them."""

    rows: list[Row]
    difference: list[Difference]
    scored: Scored

    def plot(self, file: str) -> list[str]:
        """Draw score against accuracy into FILE.png and tau with its intervals into FILE-tau.png;
        the names of both. `InputError` where they cannot be written."""
        path = Path(file)
        bars = path.with_name(f"{path.stem}-tau{path.suffix}")
        scores = {
            dataset: dict(zip(self.scored.names, rows, strict=True))
            for dataset, rows in self.scored.means().items()
        }
        plots.scatter_plot(path, scores, self.scored.benchmark.accuracies)
        plots.bar_plot(bars, self.rows)
        return [str(path), str(bars)]


def correlate(
    proxies: Sequence[str],
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = AtMost(1000),
    accuracy: str | None = None,
    set_name: str = "all",
    seed: int = 0,
    initialisations: int = 1,
    replicates: int = 1000,
    against: str | None = None,
    within: str | None = None,
    timed: int = 0,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> Correlation:
    """Rank correlation of proxies with accuracy on a sample of a benchmark.

    `networks`: how many, `AtMost` so many, or None for all of them. A name "classics" stands for
    all published proxies. `seed` draws the sample and is the first of the initialisation seeds; the
    scores of several initialisations are averaged, and rows say how far they vary. `accuracy` is a
    CSV file in place of the benchmark: all of its networks. `against`: the proxy that the others
    are compared with, pair by pair. `within`: the proxy (params, depth) among whose equals tau is
    given as well: what is left when size says nothing. `timed`: so many networks are measured for
    each proxy by itself, for the seconds in its rows. `images` (a file), `raw` and `sketch`
    (batches; 0: the proxy's own), `device` and `workers`: how networks are measured; `records`: the
    folder of a feature store to look into and to add to. `InputError` for whatever of these cannot
    be had, and where a network cannot be measured.
    """
    compared = [p for p in (against, within) if p is not None]
    for proxy in compared:
        load(proxy)  # one proxy: "classics" is none
    by_text = _by_text([*proxies, *compared])
    loaded = list(by_text.values())
    if accuracy and set_name != "all":
        raise InputError(f"set {set_name!r}: an accuracy file holds the networks itself")
    if accuracy:
        benchmark = from_accuracy_file(space, accuracy, datasets)
    else:
        benchmark = named_set(load_benchmark(space, datasets), set_name, networks, seed)
    seeds = tuple(range(seed, seed + initialisations))
    settings = StudySettings(seeds, images, raw, sketch, device, workers, records)
    scored = score_all(loaded, benchmark, settings, watcher or NoCallback())
    groups = None if within is None else _first_scores(scored, by_text[within.strip()].name)
    results = bootstrap_all(
        scored.means(),
        benchmark.accuracies,
        benchmark.components,
        replicates,
        sizes=scored.sizes,
        groups=groups,
    )
    rows = correlation_rows(
        scored.names, results, set_name=benchmark.name, accuracy=benchmark.kind, seeds=seeds
    )
    if timed:
        seconds = seconds_each(loaded, benchmark, settings, timed)
        by_name = dict(zip(scored.names, seconds, strict=True))
        for row in rows:
            row["seconds"] = by_name[row["proxy"]]
    if initialisations > 1:
        for row in rows:
            row["variation"] = _variation(row, scored)
    differences = []
    if against is not None:
        differences = difference_rows(scored.names, results, by_text[against.strip()].name)
    return Correlation(rows, differences, scored)


def _first_scores(scored: Scored, proxy: str) -> Array:
    """The scores of a proxy on the first data set: networks that it scores alike are equals."""
    first: Array = next(iter(scored.means().values()))[scored.names.index(proxy)]
    return first


def _by_text(proxies: Sequence[str]) -> dict[str, Proxy]:
    """The proxies by the texts that name them, those of all published ones in place of "classics";
    where two would have one name, both are named by their texts."""
    texts = [name for p in proxies for name in (CLASSICS if p.strip() == "classics" else [p])]
    loaded = {text.strip(): load(text) for text in texts}
    names = Counter(proxy.name for proxy in loaded.values())
    return {t: replace(p, name=t) if names[p.name] > 1 else p for t, p in loaded.items()}


def _variation(row: Row, scored: Scored) -> dict[str, float | None]:
    """How the tau of a row varies over initialisations, and how far those agree."""
    number = scored.names.index(row["proxy"])
    accuracies = scored.benchmark.accuracies[row["dataset"]]
    result = variation(scored.scores[row["dataset"]][:, number], accuracies)
    return {k: None if math.isnan(v) else v for k, v in result._asdict().items()}
