"""Proxies compared with trained accuracy: rank correlation and related figures, with intervals."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.own_models import own_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError
from eznas.metrics import (
    Difference,
    Row,
    add_undefined,
    bootstrap_all,
    correlation_rows,
    difference_rows,
    undefined_scores,
    variation,
)
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import USUAL_SPACE, load
from eznas.proxies.measured import Scored, ScoringSettings, score_all, seconds_each, why_undefined
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
    models: str | Sequence[Any] | None = None,
    accuracies: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    input_size: Any = None,
    init: str | None = None,
    space: str = USUAL_SPACE,
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

    `proxies`: texts as `load` takes them, or "classics" for all published ones. `models`,
    `accuracies`, `input_size`, `init`: a user's own, see `eznas.benchmarks.own_models`, in place of
    a benchmark's networks. `networks`: how many of the set, `AtMost` so many, or None for all.
    `accuracy`: a CSV file whose networks and accuracies replace the benchmark's. `seed` draws the
    sample and is the first initialisation seed; scores are averaged over `initialisations`, and
    rows then say how much they vary. `against`: a proxy that is compared with each other one,
    paired. `within`: a proxy; rows also give tau among networks for which it has the same score.
    `timed`: on so many networks each proxy is timed by itself. `images` to `records`: see
    `ScoringSettings`.

    A proxy that is undefined on some networks is compared on the others; its rows say on how many
    it is undefined, and why. Raises `InputError` for an argument that cannot be used, and where a
    network cannot be measured.
    """
    by_text = proxies_by_text([*proxies, *_compared(against, within)])
    if models is not None:
        _check_own(space, accuracy, set_name, records)
        benchmark = _own_networks(models, accuracies, datasets, networks, seed, input_size, init)
    else:
        benchmark = _benchmark(space, datasets, accuracy, set_name, networks, seed)
    seeds = tuple(range(seed, seed + initialisations))
    settings = ScoringSettings(seeds, images, raw, sketch, device, workers, records)
    loaded = list(by_text.values())
    names = [by_text[text.strip()].name if text else None for text in (against, within)]
    callback = watcher or NoCallback()
    result = correlated(loaded, benchmark, settings, replicates, *names, callback=callback)
    if timed:
        _add_seconds(result.rows, loaded, seconds_each(loaded, benchmark, settings, timed))
    if initialisations > 1:
        _add_variation(result.rows, result.scored)
    return result


def correlated(
    proxies: Sequence[Proxy],
    benchmark: Benchmark,
    settings: ScoringSettings,
    replicates: int,
    against: str | None = None,
    within: str | None = None,
    *,
    callback: Callback,
) -> Correlation:
    """The correlation of loaded proxies with the accuracies of a benchmark's networks; `against`
    and `within`: names of two of them, as in `correlate`. Raises `InputError` where a network
    cannot be measured, and for images, a device or a feature store that cannot be used."""
    scored = score_all(proxies, benchmark, settings, callback)
    rows, differences = _figures(scored, replicates, against, within)
    _add_undefined(rows, scored, proxies, settings)
    return Correlation(rows, differences, scored)


def _compared(against: str | None, within: str | None) -> list[str]:
    """The proxies that others are compared with; `InputError` for one that is unknown."""
    compared = [proxy for proxy in (against, within) if proxy is not None]
    for proxy in compared:
        load(proxy)  # "classics" is refused here: it is not a single proxy
    return compared


def _check_own(space: str, accuracy: str | None, set_name: str, records: str | None) -> None:
    """Raises `InputError` for what is for networks of a benchmark alone."""
    given = {
        "space": space != USUAL_SPACE,
        "accuracy": accuracy is not None,
        "set": set_name != "all",
        "records": records is not None,
    }
    for name, is_given in given.items():
        if is_given:
            reason = " (a model's scores change with its code)" if name == "records" else ""
            raise InputError(f"{name}: not with models of your own{reason}")


def _own_networks(
    models: str | Sequence[Any],
    accuracies: Any,
    datasets: Sequence[str],
    networks: int | None,
    seed: int,
    input_size: Any,
    init: str | None,
) -> Benchmark:
    """A user's own models, or as many of them as a number of networks says."""
    benchmark = own_benchmark(
        models, accuracies, datasets=datasets, input_size=input_size, initialisation=init
    )
    count = None if isinstance(networks, AtMost) else networks
    return named_set(benchmark, "all", count, seed)


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


def _figures(
    scored: Scored, replicates: int, against: str | None, within: str | None
) -> tuple[list[Row], list[Difference]]:
    """The figures of all proxies by data set, and the differences of `against` from the others;
    with a proxy `within`, also tau among the networks that it scores alike on the first data
    set."""
    benchmark, means = scored.benchmark, scored.means()
    groups = None if within is None else next(iter(means.values()))[scored.names.index(within)]
    results = bootstrap_all(
        means,
        benchmark.accuracies,
        benchmark.components,
        replicates,
        sizes=scored.sizes,
        groups=groups,
    )
    rows = correlation_rows(
        scored.names, results, set_name=benchmark.name, accuracy=benchmark.kind, seeds=scored.seeds
    )
    return rows, [] if against is None else difference_rows(scored.names, results, against)


def proxies_by_text(proxies: Sequence[str]) -> dict[str, Proxy]:
    """Text -> the proxy that it names, those of all published ones in place of "classics"; where
    two proxies would have one name, each is named by its text. Raises `InputError` for a text that
    names none."""
    texts = [name for p in proxies for name in (CLASSICS if p.strip() == "classics" else [p])]
    loaded = {text.strip(): load(text) for text in texts}
    names = Counter(proxy.name for proxy in loaded.values())
    return {t: replace(p, name=t) if names[p.name] > 1 else p for t, p in loaded.items()}


def _add_undefined(
    rows: list[Row], scored: Scored, proxies: Sequence[Proxy], settings: ScoringSettings
) -> None:
    """Add to each row of a proxy that is undefined on some networks how many and why."""
    by_name = {proxy.name: proxy for proxy in proxies}

    @cache  # data sets of one input size share their scores
    def why(name: str, networks: tuple[int, ...]) -> dict[str, list[str]]:
        return why_undefined(by_name[name], scored.benchmark, settings, networks)

    add_undefined(rows, scored.names, scored.means(), lambda name, _, networks: why(name, networks))


def _add_seconds(rows: list[Row], proxies: Sequence[Proxy], seconds: Sequence[float]) -> None:
    """Add to each row the seconds per network of its proxy."""
    by_name = {proxy.name: s for proxy, s in zip(proxies, seconds, strict=True)}
    for row in rows:
        row["seconds"] = by_name[row["proxy"]]


def _add_variation(rows: list[Row], scored: Scored) -> None:
    """Add to each row how its tau varies over initialisations, and how far these agree, on the
    networks that have a score with all of them."""
    for row in rows:
        scores = scored.scores[row["dataset"]][:, scored.names.index(row["proxy"])]
        defined = ~undefined_scores(scores).any(0)
        accuracies = scored.benchmark.accuracies[row["dataset"]]
        result = variation(scores[:, defined], accuracies[defined])
        row["variation"] = {k: None if math.isnan(v) else v for k, v in result._asdict().items()}
