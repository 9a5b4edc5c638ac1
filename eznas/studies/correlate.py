"""Proxies compared with trained accuracy: rank correlation and related figures, with intervals."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError
from eznas.metrics import (
    Bootstrap,
    Difference,
    Row,
    bootstrap_all,
    correlation_rows,
    difference_rows,
    variation,
)
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.proxies.measured import Scored, ScoringSettings, score_all, seconds_each
from eznas.proxies.proxy import Proxy
from eznas.report import plots
from eznas.system.arguments import checked


@dataclass(frozen=True)
class Correlation:
    """The result of `correlate`.

    `rows`: one for each proxy and data set; `difference`: one for each data set and other proxy,
    the tau and rho of the proxy `against` minus the other's (empty without `against`); `scored`:
    the scores behind them.
    """

    rows: list[Row]
    difference: list[Difference]
    scored: Scored

    def plot(self, file: str) -> list[str]:
        """Draw score against accuracy into FILE.png and tau with its intervals into FILE-tau.png,
        and return both names. Raises `InputError` where they cannot be written."""
        path = Path(file)
        bar_path = path.with_name(f"{path.stem}-tau{path.suffix}")
        scores = {
            dataset: dict(zip(self.scored.names, rows, strict=True))
            for dataset, rows in self.scored.means().items()
        }
        plots.scatter_plot(path, scores, self.scored.benchmark.accuracies)
        plots.bar_plot(bar_path, self.rows)
        return [str(path), str(bar_path)]


@checked
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
    """Rank correlation of proxies with trained accuracy, with 95 % bootstrap intervals.

    `proxies`: texts as `load` takes them, or "classics" for all published ones. `networks`: how
    many of the set, `AtMost` so many, or None for all. `accuracy`: a CSV file whose networks and
    accuracies replace the benchmark's. `seed` draws the sample and is the first initialisation
    seed; scores are averaged over `initialisations`, and rows then say how much they vary.
    `against`: a proxy that is compared with each other one, paired. `within`: a proxy; rows also
    give tau among networks for which it has the same score. `timed`: on so many networks each
    proxy is timed by itself. `images` to `records`: see `ScoringSettings`.

    Raises `InputError` for an argument that cannot be used, and where a network cannot be measured.
    """
    compared = [proxy for proxy in (against, within) if proxy is not None]
    for proxy in compared:
        load(proxy)  # "classics" is refused here: it is not a single proxy
    by_text = _by_text([*proxies, *compared])
    loaded = list(by_text.values())
    benchmark = _benchmark(space, datasets, accuracy, set_name, networks, seed)
    seeds = tuple(range(seed, seed + initialisations))
    settings = ScoringSettings(seeds, images, raw, sketch, device, workers, records)
    scored = score_all(loaded, benchmark, settings, watcher or NoCallback())
    within_name = None if within is None else by_text[within.strip()].name
    results = _bootstrap(scored, replicates, within_name)
    rows = correlation_rows(
        scored.names, results, set_name=benchmark.name, accuracy=benchmark.kind, seeds=seeds
    )
    if timed:
        _add_seconds(rows, loaded, seconds_each(loaded, benchmark, settings, timed))
    if initialisations > 1:
        _add_variation(rows, scored)
    differences = []
    if against is not None:
        differences = difference_rows(scored.names, results, by_text[against.strip()].name)
    return Correlation(rows, differences, scored)


def _benchmark(
    space: str,
    datasets: Sequence[str],
    accuracy_file: str | None,
    set_name: str,
    networks: int | None,
    seed: int,
) -> Benchmark:
    """The networks of an accuracy file where there is one, else a sample of the space's."""
    if not accuracy_file:
        return named_set(load_benchmark(space, datasets), set_name, networks, seed)
    if set_name != "all":
        raise InputError(f"set {set_name!r}: expected 'all' with an accuracy file")
    return from_accuracy_file(space, accuracy_file, datasets)


def _bootstrap(scored: Scored, replicates: int, within: str | None) -> dict[str, Bootstrap]:
    """The figures of all proxies by data set; with a proxy `within`, also tau among the networks
    that it scores alike on the first data set."""
    benchmark, means = scored.benchmark, scored.means()
    groups = None if within is None else next(iter(means.values()))[scored.names.index(within)]
    return bootstrap_all(
        means,
        benchmark.accuracies,
        benchmark.components,
        replicates,
        sizes=scored.sizes,
        groups=groups,
    )


def _by_text(proxies: Sequence[str]) -> dict[str, Proxy]:
    """Text -> the proxy that it names, those of all published ones in place of "classics"; where
    two proxies would have one name, each is named by its text."""
    texts = [name for p in proxies for name in (CLASSICS if p.strip() == "classics" else [p])]
    loaded = {text.strip(): load(text) for text in texts}
    names = Counter(proxy.name for proxy in loaded.values())
    return {t: replace(p, name=t) if names[p.name] > 1 else p for t, p in loaded.items()}


def _add_seconds(rows: list[Row], proxies: Sequence[Proxy], seconds: Sequence[float]) -> None:
    """Add to each row the seconds per network of its proxy."""
    by_name = {proxy.name: s for proxy, s in zip(proxies, seconds, strict=True)}
    for row in rows:
        row["seconds"] = by_name[row["proxy"]]


def _add_variation(rows: list[Row], scored: Scored) -> None:
    """Add to each row how its tau varies over initialisations, and how far these agree."""
    for row in rows:
        scores = scored.scores[row["dataset"]][:, scored.names.index(row["proxy"])]
        result = variation(scores, scored.benchmark.accuracies[row["dataset"]])
        row["variation"] = {k: None if math.isnan(v) else v for k, v in result._asdict().items()}
