"""How well trained supernets rank networks, by themselves and beside a proxy."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.metrics import kendall, kendall_within, spearman
from eznas.proxies.measured import ScoringSettings
from eznas.report import plots
from eznas.studies.splitting import bare, scores_of
from eznas.supernets.few_shot import Ranker, Supernets
from eznas.supernets.ranking import joined, means_of_leaves, on_one_scale
from eznas.supernets.working import measure_all, train_all
from eznas.system.arguments import checked
from eznas.system.files import plain

Floats = NDArray[np.float64]
Row = dict[str, Any]
PROXY, SUPERNET, LEAVES, ONE_SCALE, JOINED = (  # what networks are ranked by
    *("proxy", "supernet", "leaf's mean proxy", "leaf's mean proxy + supernet"),
    "proxy + supernet",
)


@dataclass(frozen=True, eq=False)
class Ranked:
    """What some trained supernets make of the networks of a sample.

    `rows`: what there is to say of each ranking, see `rank_supernets`; `scores`: by (name of the
    supernets, what ranks) the scores float64 [networks]; `benchmark`: the networks.
    """

    rows: list[Row]
    scores: Mapping[tuple[str, str], Floats]
    benchmark: Benchmark


@checked
def train_supernets(
    folder: str,
    supernets: Supernets,
    *,
    parent: str | None = None,
    device: str = "cpu",
    workers: int = 1,
    watcher: Phases | None = None,
) -> None:
    """Train the supernet of a space in a folder, or those of the leaves of a tree from its weights;
    a training that was cut off goes on.

    `supernets`: what is trained, and how; `leaves=tuple(leaf.allowed for leaf in tree.leaves)` are
    those of a tree. `parent`: a folder whose supernet of the whole space is the same and is taken
    instead of training it again. Raises `InputError` as `working.train_all` does.
    """
    parents = {} if parent is None else {Path(folder): Path(parent)}
    work: dict[str, Any] = {"workers": workers, "device": device, "phases": watcher}
    train_all({Path(folder): supernets}, parents=parents, **work)


@checked
def rank_supernets(
    folders: Sequence[str],
    *,
    proxy: str | None = None,
    dataset: str = "",
    networks: int | None = AtMost(400),
    set_name: str = "all",
    seed: int = 0,
    images: str | None = None,
    device: str = "cpu",
    workers: int = 1,
    scores: str | None = None,
    records: str | None = None,
    watcher: Phases | None = None,
) -> dict[str, Any]:
    """How the supernets in folders rank networks of their space, against the trained accuracies on
    a data set ("": the space's first): a dict with `supernets`, a row for each ranking.

    `proxy`: one to rank beside the supernets, and to bring leaves to one scale with. `networks` of
    the set named `set_name`, drawn with `seed`; `images`: the file in place of that the supernets
    were trained with; `scores`: a CSV file of scores of the proxy; the rest is as in `correlate`.

    A row has the keys supernets (the folder), space, dataset, networks, epochs (of all supernets
    together), leaves, seed, ranked_by, tau, rho, found (the accuracy of the network that is ranked
    first) and regret (how far it is below the best); for leaves also within (tau among networks of
    the same leaf), and in the ranking by the supernets alone chosen (the number of the leaf with
    the highest mean accuracy on images that judge no network), chosen_networks, chosen_found (the
    accuracy of the network ranked first in it), chosen_best (of the best network in it) and
    chosen_regret (how far that is below the best of all).

    Raises `InputError` for folders that hold no trained supernets or those of several spaces, and
    for a proxy, networks, a data set, images or a device that cannot be used.
    """
    if not folders:
        raise InputError("expected one or more folders of supernets")
    phases = watcher or NoPhases()
    rankers = {folder: Ranker(Path(folder), images, device) for folder in folders}
    spaces = {ranker.space.name for ranker in rankers.values()}
    if len(spaces) > 1:
        raise InputError(
            f"supernets of {' and '.join(sorted(spaces))}: expected those of one space"
        )
    benchmark = sample_of(spaces.pop(), dataset, networks, set_name, seed)
    proxy_scores = None
    if proxy is not None:
        settings = ScoringSettings((seed,), None, 0, 0, device, workers, records)
        first = next(iter(benchmark.datasets))
        score = scores_of(bare(proxy), benchmark.space, first, settings, scores, phases)
        proxy_scores = score(benchmark.architectures)
    by_folder = {Path(folder): ranker for folder, ranker in rankers.items()}
    measure(by_folder, benchmark, workers, device, phases)
    ranked = rankings(rankers, benchmark, proxy, proxy_scores)
    return {"space": benchmark.space, "proxy": proxy, "set": set_name, "supernets": ranked.rows}


def sample_of(
    space: str, dataset: str, networks: int | None, set_name: str, seed: int
) -> Benchmark:
    """Networks of a set of a space with their accuracies on one data set. Raises `InputError` for a
    space, data set, set or number of networks that there is not."""
    benchmark = load_benchmark(space, [dataset] if dataset else [])
    first = next(iter(benchmark.datasets))
    return named_set(load_benchmark(space, [first]), set_name, networks, seed)


def measure(
    rankers: Mapping[Path, Ranker],
    benchmark: Benchmark,
    workers: int,
    device: str,
    phases: Phases,
) -> None:
    """Let rankers, by their folders, find out all accuracies that `rankings` needs. Raises
    `InputError` as `rank_supernets` does."""
    purposes = {
        folder: ("judging", "choosing") if ranker.supernets.leaves else ("judging",)
        for folder, ranker in rankers.items()
    }
    names = benchmark.architectures
    measure_all(rankers, names, purposes, workers=workers, device=device, phases=phases)


def rankings(
    rankers: Mapping[str, Ranker],
    benchmark: Benchmark,
    proxy: str | None,
    proxy_scores: Floats | None,
) -> Ranked:
    """The networks of a benchmark of one data set ranked by supernets, by their names, and by a
    proxy's scores float64 [networks]. Raises `InputError` as `rank_supernets` does."""
    rows: list[Row] = []
    scores: dict[tuple[str, str], Floats] = {}
    if proxy is not None and proxy_scores is not None:
        scores[proxy, PROXY] = proxy_scores
        rows.append(_row(proxy, PROXY, benchmark, proxy_scores))
    for name, ranker in rankers.items():
        supernets = ranker.supernets
        own = ranker.accuracies(benchmark.architectures)
        described = {
            "epochs": supernets.epochs,
            "leaves": len(supernets.leaves),
            "seed": supernets.seed,
        }
        by: dict[str, Floats] = {SUPERNET: own}
        leaf_of = ranker.leaves(benchmark.architectures)
        if proxy_scores is not None:
            by[JOINED] = joined(proxy_scores, own)
            if supernets.leaves:
                by[LEAVES] = means_of_leaves(proxy_scores, leaf_of)
                by[ONE_SCALE] = on_one_scale(proxy_scores, own, leaf_of)
        for what, values in by.items():
            row = _row(name, what, benchmark, values) | described
            if supernets.leaves and what == SUPERNET:
                choosing = ranker.accuracies(benchmark.architectures, "choosing")
                row |= _in_leaves(benchmark, own, choosing, leaf_of)
            rows.append(row)
            scores[name, what] = values
    return Ranked(rows, scores, benchmark)


def plot(content: Mapping[str, Any], file: str) -> list[str]:
    """Draw tau of each ranking into a PNG file, and return its name in a list. Raises `InputError`
    where it cannot be written."""
    rows = [
        {
            **row,
            "proxy": label(row),
            "accuracy": row["kind"],
            "set": content["set"],
            "tau_low": None,
            "tau_high": None,
            "seeds": [row.get("seed", 0)],
        }
        for row in content["supernets"]
    ]
    plots.bar_plot(Path(file), rows)
    return [file]


def label(row: Mapping[str, Any]) -> str:
    """What a row ranks by, in words: the supernets, and what else."""
    name, by = str(row["supernets"]), str(row["ranked_by"])
    return name if by in (SUPERNET, PROXY) else f"{name}: {by}"


def _row(name: str, ranked_by: str, benchmark: Benchmark, scores: Floats) -> Row:
    dataset, accuracies = next(iter(benchmark.accuracies.items()))
    first = float(accuracies[int(np.argmax(np.where(np.isnan(scores), -math.inf, scores)))])
    return {
        "supernets": name,
        "ranked_by": ranked_by,
        "space": benchmark.space,
        "dataset": dataset,
        "kind": benchmark.kind,
        "networks": len(accuracies),
        "tau": plain(float(kendall(scores, accuracies))),
        "rho": plain(float(spearman(scores, accuracies))),
        "found": first,
        "regret": float(accuracies.max()) - first,
    }


def _in_leaves(
    benchmark: Benchmark, judged: Floats, choosing: Floats, leaf_of: NDArray[np.int64]
) -> Row:
    """Tau within leaves, the leaf of the highest mean accuracy on the images that choose, and what
    is found in it; `judged` and `choosing` [networks], `leaf_of` [networks]."""
    accuracies = next(iter(benchmark.accuracies.values()))
    means = {leaf: float(choosing[leaf_of == leaf].mean()) for leaf in np.unique(leaf_of).tolist()}
    chosen = max(means, key=lambda leaf: means[leaf])
    members = np.flatnonzero(leaf_of == chosen)
    return {
        "within": plain(float(kendall_within(judged, accuracies, leaf_of))),
        "chosen": chosen + 1,
        "chosen_networks": len(members),
        "chosen_found": float(accuracies[members[int(judged[members].argmax())]]),
        "chosen_best": float(accuracies[members].max()),
        "chosen_regret": float(accuracies.max() - accuracies[members].max()),
    }
