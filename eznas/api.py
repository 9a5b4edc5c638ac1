"""What `import eznas` offers: evolve, correlate, score, export, load; and the ground truth."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.download import fetch, verify
from eznas.benchmarks.importing import import_table, tables
from eznas.benchmarks.published import read_published
from eznas.benchmarks.splits import sample as drawn
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.discovery.config import Config
from eznas.discovery.folder import Entry, Environment, Outcome
from eznas.discovery.run import Result, evolve, resume
from eznas.discovery.setup import conditions_of, estimate
from eznas.errors import InputError, unknown
from eznas.ground import AtMost, asked, counted, given, ground, sampled, untrained
from eznas.metrics import Difference, Row, correlation_rows, difference_rows, variation
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import resolve, run_of
from eznas.proxies.proxy import RAW_BATCH, SKETCH_BATCH, Proxy, ranked
from eznas.report import plots
from eznas.spaces import SPACES
from eznas.spaces.user_models import load_model
from eznas.studies.experiments import Scored, StudySettings, agreement, score_all, seconds_each
from eznas.studies.experiments import blend as blended
from eznas.studies.experiments import words as ranked_words
from eznas.studies.speed import benchmark

Array = npt.NDArray[np.float64]
__all__ = [
    "Blend",
    "Callback",
    "Correlation",
    "Result",
    "agree",
    "benchmark",
    "blend",
    "correlate",
    "estimate",
    "evolve",
    "export",
    "fetch",
    "import_table",
    "load",
    "proxies",
    "resume",
    "score",
    "tables",
    "verify",
    "words",
]


def load(proxy: str) -> Proxy:
    """The proxy behind a name, a run, RUN#K, a .json file or a formula; `InputError` if none."""
    return resolve(proxy)


@dataclass(frozen=True)
class Correlation:
    """What `correlate` found: rows per proxy and data set, the tau and rho of one proxy less
    those of every other (where one was named), and the scores behind them."""

    rows: list[Row]
    difference: list[Difference]
    scored: Scored

    def plot(self, file: str) -> list[str]:
        """Draw score against accuracy into FILE.png and tau with its intervals into FILE-tau.png;
        the names of both."""
        path = Path(file)
        bars = path.with_name(f"{path.stem}-tau{path.suffix}")
        means = self.scored.means()
        named = {d: dict(zip(self.scored.names, rows, strict=True)) for d, rows in means.items()}
        plots.scatter_plot(path, named, self.scored.sample.accuracies)
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
    watcher: Callback | None = None,
    **how: Any,
) -> Correlation:
    """Rank correlation of proxies with accuracy on a sample of a benchmark.

    `networks`: how many, `AtMost` so many, or None for all of them. A name "classics" stands for
    all published proxies. `seed` draws the sample and is the first of the initialisation seeds; the
    scores of several initialisations are averaged, and rows say how far they vary. `accuracy` is a
    CSV file in place of the ground truth: all of its networks. `against`: the proxy that the others
    are compared with, pair by pair. `within`: the proxy (params, depth) among whose equals tau is
    told as well: what is left when size says nothing. `timed`: so many networks are measured for
    each proxy by itself, for the seconds in its rows. What is left are the fields of `StudySettings`: images,
    batches, device, workers, records.
    """
    besides = [p for p in (against, within) if p is not None]
    for proxy in besides:
        resolve(proxy)  # one proxy: "classics" is none
    named = _named([*proxies, *besides])
    found = list(named.values())
    if accuracy and set_name != "all":
        raise InputError(f"set {set_name!r}: an accuracy file holds the networks itself")
    if accuracy:
        sample = given(space, accuracy, datasets)
    else:
        sample = sampled(ground(space, datasets), set_name, networks, seed)
    chosen = StudySettings(seeds=tuple(range(seed, seed + initialisations)), **how)
    scored = score_all(found, sample, chosen, watcher or NoCallback())
    groups = None if within is None else _groups(scored, named[within.strip()].name)
    judged = sample.judge(scored.means(), replicates, scored.sizes, groups)
    rows = correlation_rows(
        scored.names, judged, set_name=sample.name, accuracy=sample.accuracy, seeds=chosen.seeds
    )
    if timed:
        seconds = dict(zip(scored.names, seconds_each(found, sample, chosen, timed), strict=True))
        for row in rows:
            row["seconds"] = seconds[row["proxy"]]
    if initialisations > 1:
        for row in rows:
            row["variation"] = _variation(row, scored)
    differences = []
    if against is not None:
        differences = difference_rows(scored.names, judged, named[against.strip()].name)
    return Correlation(rows, differences, scored)


def _groups(scored: Scored, proxy: str) -> Array:
    """The scores of a proxy on the first data set, which make networks equals."""
    first: Array = next(iter(scored.means().values()))[scored.names.index(proxy)]
    return first


def _named(proxies: Sequence[str]) -> dict[str, Proxy]:
    """The proxies by what they were called, those of all published ones in place of "classics";
    where two would have one name, both are named as they were called."""
    texts = [p.strip() for p in proxies]
    every = [n for t in texts for n in (CLASSICS if t == "classics" else [t])]
    found = {text: resolve(text) for text in every}
    names = Counter(p.name for p in found.values())
    return {t: replace(p, name=t) if names[p.name] > 1 else p for t, p in found.items()}


def _variation(row: Row, scored: Scored) -> dict[str, float | None]:
    """How the tau of a row varies over initialisations, and how far those agree."""
    at, accuracies = scored.names.index(row["proxy"]), scored.sample.accuracies[row["dataset"]]
    found = variation(scored.scores[row["dataset"]][:, at], accuracies)
    return {k: None if math.isnan(v) else v for k, v in found._asdict().items()}


def agree(
    file: str,
    proxies: Sequence[str] = (),
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = AtMost(500),
    seed: int = 0,
    initialisations: int = 1,
    watcher: Callback | None = None,
    **how: Any,
) -> list[dict[str, Any]]:
    """Spearman's rho between our scores and those that others published in a CSV file.

    Without `proxies`, all of the file's columns that name a published proxy; without `datasets`,
    those that its columns name. The sample is drawn from the file's networks; what is left are
    the fields of `StudySettings`.
    """
    untrained(space, (), datasets)
    published = read_published(file, SPACES[space])
    datasets = datasets or published.datasets(SPACES[space].datasets, file)
    named = {published.proxy_of(c, d) for c in published.scores for d in (*datasets, "")}
    chosen = list(dict.fromkeys(p.strip() for p in proxies)) or [p for p in CLASSICS if p in named]
    if not chosen:
        raise InputError(f"{file}: no published proxy's scores for {', '.join(datasets)}")
    for proxy in chosen:
        if proxy not in named:
            raise unknown("published column", proxy, named)
    there = published.architectures
    count = counted(networks, len(there))
    if not 2 <= count <= len(there):
        raise InputError(f"networks {count}: expected 2 to {len(there)}, as the file has")
    chosen_at = drawn(np.arange(len(there)), count, seed)
    sample = untrained(space, [there[i] for i in chosen_at], datasets)
    seeds = tuple(range(seed, seed + initialisations))
    found = [resolve(p) for p in chosen]
    return agreement(
        published, found, sample, StudySettings(seeds=seeds, **how), watcher or NoCallback()
    )


@dataclass(frozen=True)
class Blend:
    """Tau of a weighted sum of two proxies, for each weight of the first: data set -> [weights],
    None where undefined."""

    first: str
    second: str
    weights: list[float]
    tau: dict[str, list[float | None]]

    def plot(self, file: str) -> list[str]:
        """Draw tau against the weight; the name of the file."""
        curves = {d: np.array(taus, np.float64) for d, taus in self.tau.items()}
        x = f"weight of {self.first} (the rest: {self.second}), each over its largest score"
        plots.line_plot(Path(file), self.weights, curves, x, "Kendall's tau")
        return [file]


def blend(
    first: str,
    second: str,
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = AtMost(1000),
    set_name: str = "all",
    seed: int = 0,
    steps: int = 20,
    watcher: Callback | None = None,
    **how: Any,
) -> Blend:
    """Tau of w times one proxy plus 1 - w times another, for w from 0 to 1 in `steps`."""
    found = [resolve(first), resolve(second)]
    sample = sampled(ground(space, datasets), set_name, networks, seed)
    scored = score_all(found, sample, StudySettings(seeds=(seed,), **how), watcher or NoCallback())
    weights = [i / steps for i in range(steps + 1)]
    return Blend(found[0].name, found[1].name, weights, blended(scored, 0, 1, weights))


def words(
    *, space: str = "nasbench201", seed: int = 0, watcher: Callback | None = None, **how: Any
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every word by its tau, and the yardsticks: see `eznas.studies.experiments.words`."""
    chosen = StudySettings(seeds=(seed,), **how)
    batches = chosen.raw or RAW_BATCH, chosen.sketch or SKETCH_BATCH
    return ranked_words(space, chosen, batches, watcher or NoCallback())


def score(
    proxy: str,
    models: Sequence[str],
    *,
    input_size: tuple[int, int, int] = (3, 32, 32),
    batch: int | None = None,
    images: str | None = None,
    device: str = "cpu",
    init: str | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Score models by one proxy, highest first: dicts of model, proxy, score, seconds, reason.

    A model is "package.module:factory" (scored as it is unless `init` says otherwise) or an
    architecture of a search space (fresh Kaiming parameters unless `init` says otherwise).
    """
    found = resolve(proxy)
    made = [(name, *load_model(name, seed)) for name in models]  # all of them before any is scored
    rows = []
    for name, model, usual in made:
        conditions = found.conditions(input_size, batch, images, device, init or usual, seed)
        try:
            scored = found.measured(model, conditions)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        value = scored.value if math.isfinite(scored.value) else None
        lowest = "lowest" if scored.value == -math.inf else scored.reason
        rows.append(
            {
                "model": name,
                "proxy": found.name,
                "score": value,
                "seconds": scored.seconds,
                "reason": lowest,
            }
        )
    order = [math.nan if r["score"] is None and r["reason"] != "lowest" else _key(r) for r in rows]
    return [rows[i] for i in ranked(order)]


def export(proxy: str, file: str) -> dict[str, Any]:
    """Write a proxy to a JSON file: formula, constants, conditions, how it was judged."""
    if not file.endswith(".json"):
        raise InputError(f"file {file!r}: expected a name that ends in .json, as PROXY does")
    proxy = proxy.strip()
    content = files.read(Path(proxy))[1] if proxy.endswith(".json") else _described(proxy)
    files.write(Path(file), content)
    return content.model_dump()


def proxies() -> list[dict[str, str]]:
    """Name, formula, source and, where it differs from its authors' code, note of every published
    proxy."""
    return [
        {"proxy": c.name, "formula": c.formula, "source": c.source, "note": c.note}
        for c in CLASSICS.values()
    ]


def _described(proxy: str) -> files.ProxyFile:
    """What a proxy file says of a proxy that is in none yet."""
    found, run = resolve(proxy), run_of(proxy)
    config = Config(raw_batch=found.raw_batch, sketch_batch=found.sketch_batch)
    judged: list[Any] = []
    coverage = None
    if run is not None:
        config = run.read("config.json", Config)
        own = (e for e in run.read("archive.json", list[Entry]) if e.formula == found.formula.text)
        coverage = next((e.coverage for e in own), None)
        if (run.path / "result.json").is_file():
            result = run.read("result.json", Outcome)
            if result.formula == found.formula.text:
                judged = [r for r in result.held_out if r.get("proxy") == "champion"]
    told = Environment() if run is None else run.read("environment.json", Environment)
    conditions, fingerprints = told.conditions, told.fingerprints
    if not conditions:
        grounds = [untrained(space, (), d) for space, d in asked(config.tasks).items()]
        given = [c for own in grounds for c in conditions_of(own, config)]
        conditions, fingerprints = [c.describe() for c in given], [c.fingerprint for c in given]
    return files.ProxyFile(
        name=found.name,
        formula=found.formula.text,
        constants=found.formula.constants(),
        statistics=found.formula.statistics(),
        conditions=conditions,
        fingerprint=fingerprints,
        raw_batch=found.raw_batch,
        sketch_batch=found.sketch_batch,
        judged=judged,
        coverage=coverage,
    )


def _key(row: dict[str, Any]) -> float:
    return -math.inf if row["score"] is None else float(row["score"])
