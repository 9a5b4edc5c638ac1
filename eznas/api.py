"""What `import eznas` offers: evolve, correlate, score, export, load."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eznas.config import Config
from eznas.discovery import Result, Silent, Watcher, conditions_of, estimate, evolve
from eznas.errors import InputError
from eznas.ground import given, ground, sampled
from eznas.metrics import Row, correlation_rows
from eznas.models import model_of
from eznas.proxies import files
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy, ranked
from eznas.resolve import resolve, run_of

__all__ = [
    "Result",
    "Watcher",
    "correlate",
    "estimate",
    "evolve",
    "export",
    "load",
    "proxies",
    "score",
]


def load(proxy: str) -> Proxy:
    """The proxy behind a name, a run, RUN#K, a .json file or a formula; `InputError` if none."""
    return resolve(proxy)


def correlate(
    proxies: Sequence[str],
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = 1000,
    accuracy: str | None = None,
    set_name: str = "all",
    seed: int = 0,
    initialisations: int = 1,
    images: str | None = None,
    batch: int | None = None,
    device: str = "cpu",
    replicates: int = 1000,
    workers: int = 1,
    watcher: Watcher | None = None,
) -> list[Row]:
    """Rank correlation of proxies with accuracy on a sample of a benchmark (None: all of it).

    `seed` draws the sample and is the first of the initialisation seeds; the scores of several
    initialisations are averaged. `accuracy` is a CSV file in place of the ground truth: all of
    its networks. Every proxy is measured at its own batches unless `batch` replaces that of
    sketches.
    """
    found = [resolve(p) for p in proxies]
    whole = ground(space, datasets)
    sample = given(whole, accuracy) if accuracy else sampled(whole, set_name, networks, seed)
    seeds = list(range(seed, seed + initialisations))
    watcher = watcher or Silent()
    scores = {d: np.empty((len(found), len(sample.architectures))) for d in sample.accuracies}
    for raw, sketch in dict.fromkeys((p.raw_batch, batch or p.sketch_batch) for p in found):
        own = [
            i
            for i, p in enumerate(found)
            if (p.raw_batch, batch or p.sketch_batch) == (raw, sketch)
        ]
        totals = []
        for initial in seeds:
            conditions = sample.conditions(
                raw=raw, sketch=sketch, seed=initial, images=images, device=device
            )
            progress = watcher.phase(f"seed {initial}, batch {sketch}", len(sample.architectures))
            team = sample.workers(conditions, workers, progress=progress)
            try:
                totals.append(sample.scores([found[i].formula for i in own], team))
            finally:
                team.close()
        for dataset, rows in scores.items():
            rows[own] = np.mean([t[dataset] for t in totals], axis=0)
    judged = sample.judge(scores, replicates)
    names = [p.name for p in found]
    return correlation_rows(
        names, judged, set_name=sample.name, accuracy=sample.accuracy, seeds=seeds
    )


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
    made = [(name, *model_of(name, seed)) for name in models]  # all of them before any is scored
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
    """Name, formula and source of every published proxy."""
    return [{"proxy": c.name, "formula": c.formula, "source": c.source} for c in CLASSICS.values()]


def _described(proxy: str) -> files.ProxyFile:
    """What a proxy file says of a proxy that is in none yet."""
    found, run = resolve(proxy), run_of(proxy)
    config = Config(raw_batch=found.raw_batch, sketch_batch=found.sketch_batch)
    judged: list[Any] = []
    coverage = None
    if run is not None:
        config = Config(**run.read("config.json"))
        own = (e for e in run.read("archive.json") if e["formula"] == found.formula.text)
        coverage = next((e["coverage"] for e in own), None)
        if (run.path / "result.json").is_file():
            result = run.read("result.json")
            if result["formula"] == found.formula.text:
                judged = [r for r in result["held_out"] if r["proxy"] == "champion"]
    conditions = conditions_of(ground(config.space, config.datasets), config)
    return files.ProxyFile(
        name=found.name,
        formula=found.formula.text,
        constants=found.formula.constants(),
        statistics=found.formula.statistics(),
        conditions=[c.describe() for c in conditions],
        fingerprint=[c.fingerprint for c in conditions],
        raw_batch=found.raw_batch,
        sketch_batch=found.sketch_batch,
        judged=judged,
        coverage=coverage,
    )


def _key(row: dict[str, Any]) -> float:
    return -math.inf if row["score"] is None else float(row["score"])
