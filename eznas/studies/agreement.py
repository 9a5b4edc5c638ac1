"""Our scores of published proxies, compared with scores that others have published."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.loading import without_accuracies
from eznas.benchmarks.published import Published, read_published
from eznas.benchmarks.splits import sample
from eznas.benchmarks.subsets import AtMost, resolved_count
from eznas.discovery.callbacks import Callback, NoCallback
from eznas.errors import InputError, unknown
from eznas.metrics import spearman, undefined_scores
from eznas.proxies.classics import CLASSICS
from eznas.proxies.loading import load
from eznas.proxies.measured import Scored, ScoringSettings, score_all
from eznas.spaces import SPACES
from eznas.system.arguments import checked
from eznas.system.files import plain

Array = npt.NDArray[np.float64]


@checked
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
    """Spearman's rho between our scores and those in a CSV file: one row for each proxy, data set
    and published column.

    `file`: a CSV file, plain or gzipped, with a column "architecture" and columns of scores named
    PROXY or DATASET_PROXY. Without `proxies`, all published proxies that its columns name; without
    `datasets`, those that its columns name. `networks` are drawn from those of the file. A row has
    the keys proxy, dataset, published (the column), networks (with both scores), rho, the
    mean over our initialisations, and between_seeds, the mean rho between pairs of these (None for
    a single one). The other arguments are those of `correlate`.

    Raises `InputError` for a file without such columns or with too few networks, and as
    `correlate`.
    """
    without_accuracies(space, (), datasets)  # checks the names before the file is read
    published = read_published(file, SPACES[space])
    datasets = datasets or published.datasets(SPACES[space].datasets, file)
    names = _proxies_of(published, proxies, datasets, file)
    indices = _network_indices(published, networks, seed)
    architectures = [published.architectures[i] for i in indices]
    benchmark = without_accuracies(space, architectures, datasets)
    seeds = tuple(range(seed, seed + initialisations))
    settings = ScoringSettings(seeds, images, raw, sketch, device, workers, records)
    loaded = [load(name) for name in names]
    scored = score_all(loaded, benchmark, settings, watcher or NoCallback())
    return list(_rows(scored, published))


def _proxies_of(
    published: Published, proxies: Sequence[str], datasets: Sequence[str], file: str
) -> list[str]:
    """The names of the proxies to compare; `InputError` for one without a published column."""
    columns = {published.proxy_of(c, d) for c in published.scores for d in (*datasets, "")}
    names = list(dict.fromkeys(proxy.strip() for proxy in proxies))
    names = names or [name for name in CLASSICS if name in columns]
    if not names:
        raise InputError(f"{file}: no published proxy's scores for {', '.join(datasets)}")
    for name in names:
        if name not in columns:
            raise unknown("published column", name, columns)
    return names


def _network_indices(
    published: Published, networks: int | None, seed: int
) -> npt.NDArray[np.int64]:
    """A sample of the networks of a file."""
    available = len(published.architectures)
    count = resolved_count(networks, available)
    if not 2 <= count <= available:
        raise InputError(f"networks {count}: expected 2 to {available}, as the file has")
    return sample(np.arange(available), count, seed)


def _rows(scored: Scored, published: Published) -> Iterator[dict[str, Any]]:
    architectures = scored.benchmark.architectures
    for number, name in enumerate(scored.names):
        for dataset, scores in scored.scores.items():
            ours = scores[:, number]  # [seeds, networks]
            defined = ~undefined_scores(ours).any(0)
            for column, theirs in published.columns(name, dataset, architectures).items():
                both = np.isfinite(theirs) & defined
                rhos = [spearman(of_seed[both], theirs[both]) for of_seed in ours]
                row = {
                    "proxy": name,
                    "dataset": dataset,
                    "published": column,
                    "networks": int(both.sum()),
                    "rho": float(np.mean(rhos)),
                    "between_seeds": _between_seeds(ours[:, defined]),
                }
                yield plain(row)


def _between_seeds(scores: Array) -> float | None:
    """The mean rho between pairs of score vectors [seeds, networks]; None for a single one."""
    pairs = [(a, b) for i, a in enumerate(scores) for b in scores[i + 1 :]]
    return float(np.mean([spearman(a, b) for a, b in pairs])) if pairs else None
