"""Our scores of published proxies against scores that others published."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import without_accuracies
from eznas.benchmarks.published import read_published
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import AtMost, resolved_count
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError, unknown
from eznas.metrics import spearman
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.spaces import SPACES
from eznas.studies.measured import StudySettings, score_all
from eznas.system.files import plain

Array = npt.NDArray[np.float64]


def agreement(
    file: str,
    proxies: Sequence[str] = (),
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    networks: int | None = AtMost(500),
    seed: int = 0,
    initialisations: int = 1,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Callback | None = None,
) -> list[dict[str, Any]]:
    """Spearman's rho between our scores and those in a CSV file, one row per proxy, data set and
    published column; with several initialisations, the mean between pairs of our own beside it.

    Without `proxies`, all of the file's columns that name a published proxy; without `datasets`,
    those that its columns name. The sample is drawn from the file's networks; the rest as
    `correlate` has it. `InputError` for a file without such columns, or too few networks.
    """
    without_accuracies(space, (), datasets)  # names that are unknown come to light before reading
    published = read_published(file, SPACES[space])
    datasets = datasets or published.datasets(SPACES[space].datasets, file)
    columns = {published.proxy_of(c, d) for c in published.scores for d in (*datasets, "")}
    names = list(dict.fromkeys(p.strip() for p in proxies)) or [p for p in CLASSICS if p in columns]
    if not names:
        raise InputError(f"{file}: no published proxy's scores for {', '.join(datasets)}")
    for name in names:
        if name not in columns:
            raise unknown("published column", name, columns)
    count = resolved_count(networks, len(published.architectures))
    if not 2 <= count <= len(published.architectures):
        raise InputError(
            f"networks {count}: expected 2 to {len(published.architectures)}, as the file has"
        )
    indices = sample(np.arange(len(published.architectures)), count, seed)
    architectures = [published.architectures[i] for i in indices]
    benchmark = without_accuracies(space, architectures, datasets)
    seeds = tuple(range(seed, seed + initialisations))
    settings = StudySettings(seeds, images, raw, sketch, device, workers, records)
    loaded = [load(name) for name in names]
    scored = score_all(loaded, benchmark, settings, watcher or NoCallback())
    rows = []
    for number, name in enumerate(scored.names):
        for dataset, scores in scored.scores.items():
            ours = scores[:, number]
            for column, theirs in published.columns(name, dataset, architectures).items():
                known = np.isfinite(theirs)
                rhos = [spearman(of_seed[known], theirs[known]) for of_seed in ours]
                row = {
                    "proxy": name,
                    "dataset": dataset,
                    "published": column,
                    "networks": int(known.sum()),
                    "rho": float(np.mean(rhos)),
                    "between_seeds": _between(ours),
                }
                rows.append(plain(row))
    return rows


def _between(scores: Array) -> float | None:
    """The mean rho between pairs of score vectors [seeds, networks]; None for a single one."""
    pairs = [(a, b) for i, a in enumerate(scores) for b in scores[i + 1 :]]
    return float(np.mean([spearman(a, b) for a, b in pairs])) if pairs else None
