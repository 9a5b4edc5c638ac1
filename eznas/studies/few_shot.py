"""One-shot against few-shot supernets at equal steps: split by a proxy, and at random."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.subsets import AtMost
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.metrics import bootstrap_weights, interval, verdict
from eznas.metrics.correlations import kendall_within
from eznas.metrics.ranks import taus
from eznas.proxies.measured import ScoringSettings
from eznas.spaces import SPACES
from eznas.studies.splitting import Splitting, bare, scores_of, tree_by
from eznas.studies.supernets import (
    JOINED,
    ONE_SCALE,
    PROXY,
    SUPERNET,
    Ranked,
    Row,
    measure,
    rankings,
    sample_of,
)
from eznas.supernets import tree_file
from eznas.supernets.few_shot import Ranker, Supernets
from eznas.supernets.growing import random_tree
from eznas.supernets.parts import Allowed
from eznas.supernets.tree import Rules
from eznas.supernets.working import train_all
from eznas.system.arguments import checked
from eznas.system.folder import make_folder

ONE_SHOT, RANDOM = "one-shot", "random"
REPLICATES = 1000  # of the bootstrap
Floats = NDArray[np.float64]
Methods = dict[str, tuple[Path, Supernets]]  # method -> the folder of its supernets, what it holds


@checked
def few_shot(
    folder: str,
    supernets: Supernets,
    *,
    proxy: str = "hybrid",
    tree: str | None = None,
    leaves: int = 8,
    seeds: int = 3,
    dataset: str = "",
    networks: int | None = AtMost(400),
    set_name: str = "all",
    device: str = "cpu",
    workers: int = 1,
    scores: str | None = None,
    records: str | None = None,
    watcher: Phases | None = None,
) -> dict[str, Any]:
    """Train one-shot and few-shot supernets at equal steps, and compare how they rank networks.

    For each of `seeds` seeds, the first that of `supernets`: a supernet of the whole space for all
    epochs; and one for those that the leaves leave, whose weights the leaves of two trees go on
    with: that of the proxy (`tree`: a JSON file of one; by default its tree of so many `leaves`, by
    the scores of mixed supernets initialised from that seed), and a random one of that seed with as
    many leaves. All are kept in `folder`, where a training that was cut off goes on. The rest is as
    in `rank_supernets`.

    A dict: the settings; `supernets`, rows as `rank_supernets` gives them, named by method and with
    one_shot_within, the tau of the one-shot supernet within the same leaves; `few_shot`, a row for
    each pair of rankings that is compared: first, second, difference (of tau, the mean over seeds),
    its 95 % interval low, high (seeds and components of networks resampled), each (the difference
    for each seed) and verdict.

    Raises `InputError` for an argument that cannot be used, and as `train_all` does.
    """
    if seeds < 1 or supernets.leaves:
        raise InputError("seeds, leaves: expected 1 or more seeds, and supernets without leaves")
    phases, root, name = watcher or NoPhases(), Path(folder), bare(proxy)
    benchmark = sample_of(supernets.space, dataset, networks, set_name, 0)
    supernets.check(device)  # before anything is measured
    settings = ScoringSettings((0,), None, 0, 0, device, workers, records)
    first = next(iter(benchmark.datasets))
    drawn = range(supernets.seed, supernets.seed + seeds)
    leaves_of = partial(_leaves, name, supernets, tree, leaves, settings, first, root, phases)
    by_proxy = {seed: leaves_of(seed) for seed in drawn}
    methods = _methods(root, supernets, name, by_proxy)
    score = scores_of(name, supernets.space, first, settings, scores, phases)
    of_proxy = score(benchmark.architectures)
    work: dict[str, Any] = {"workers": workers, "device": device, "phases": phases}
    rankers = _trained(methods, name, work)
    measure(rankers, benchmark, **work)
    ranked = [_ranked(m, rankers, benchmark, name, of_proxy) for m in methods.values()]
    return _described(supernets, benchmark, len(by_proxy[supernets.seed]), ranked) | {
        "proxy": name,
        "set": set_name,
        "supernets": [row for one in ranked for row in one.rows],
        "few_shot": _compared(ranked, _pairs(name)),
    }


def _ranked(
    methods: Methods,
    rankers: Mapping[Path, Ranker],
    benchmark: Benchmark,
    proxy: str,
    of_proxy: Floats,
) -> Ranked:
    """The rankings of the methods of a seed."""
    named = {method: rankers[path] for method, (path, _) in methods.items()}
    ranked = rankings(named, benchmark, proxy, of_proxy)
    _beside_one_shot(ranked, named)
    return ranked


def _trained(
    methods: Mapping[int, Methods], proxy: str, work: Mapping[str, Any]
) -> dict[Path, Ranker]:
    """A ranker for each folder of supernets, which are trained; both trees share a parent."""
    parents = {
        folders[method_of(RANDOM)][0]: folders[method_of(proxy)][0] for folders in methods.values()
    }
    every = [pair for folders in methods.values() for pair in folders.values()]
    train_all(dict(every), parents=parents, **work)
    return {path: Ranker(path, None, work["device"]) for path, _ in every}


def _described(
    supernets: Supernets, benchmark: Benchmark, leaves: int, ranked: Sequence[Ranked]
) -> dict[str, Any]:
    """What was trained, and on which networks it is judged."""
    kept = ("space", "epochs", "leaf_epochs", "width", "cells", "size", "batch", "fair")
    return {
        **{key: getattr(supernets, key) for key in kept},
        "dataset": next(iter(benchmark.accuracies)),
        "networks": len(benchmark.architectures),
        "seeds": len(ranked),
        "leaves": leaves,
        "images": len(supernets.parts[0].labels),
        "judging": len(supernets.parts[2].labels),
    }


def _leaves(
    proxy: str,
    supernets: Supernets,
    file: str | None,
    leaves: int,
    settings: ScoringSettings,
    dataset: str,
    root: Path,
    phases: Phases,
    seed: int,
) -> tuple[Allowed, ...]:
    """The leaves of the proxy's tree of a seed, which is grown once and kept in the folder."""
    space = supernets.space
    make_folder(root)
    kept = root / f"tree-{seed}.json"
    if file is not None or kept.exists():
        name = file or str(kept)
        tree = tree_file.read_of(space, name)
        if tree.proxy != proxy:
            raise InputError(f"{name}: a tree by {tree.proxy}, expected one by {proxy}")
        if file is None and tree.rules.leaves != leaves:
            expected = f"expected {leaves}, or another folder"
            raise InputError(f"{name}: a tree grown to {tree.rules.leaves} leaves, {expected}")
        return tuple(leaf.allowed for leaf in tree.leaves)
    supernets.check_epochs(leaves)
    splitting = Splitting(rules=Rules(leaves))
    seeded = replace(settings, seeds=(seed,))
    grown = tree_by(proxy, space, splitting, seeded, dataset, phases=phases)
    tree_file.write(str(kept), grown)
    return tuple(leaf.allowed for leaf in grown.leaves)


def _methods(
    root: Path, supernets: Supernets, proxy: str, by_proxy: Mapping[int, tuple[Allowed, ...]]
) -> dict[int, Methods]:
    """The methods of each seed, for which the leaves of the proxy's tree are given."""
    space, methods = SPACES[supernets.space], dict[int, Methods]()
    for seed, leaves in by_proxy.items():
        drawn = random_tree(space, len(leaves), seed).leaves()
        at_random = tuple(leaf.allowed for leaf in drawn)
        plan = replace(supernets, seed=seed)
        methods[seed] = {
            ONE_SHOT: (root / f"one-shot-{seed}", replace(plan, leaf_epochs=0)),
            method_of(proxy): (root / f"proxy-{seed}", replace(plan, leaves=leaves)),
            method_of(RANDOM): (root / f"random-{seed}", replace(plan, leaves=at_random)),
        }
    return methods


def method_of(maker: str) -> str:
    """The name of few-shot supernets split by a proxy or at random."""
    return f"few-shot, {maker} tree"


def _beside_one_shot(ranked: Ranked, rankers: Mapping[str, Ranker]) -> None:
    """Add to the rows of leaves the tau of the one-shot supernet within the same leaves."""
    accuracies = next(iter(ranked.benchmark.accuracies.values()))
    for row in ranked.rows:
        if "within" in row:
            leaf_of = rankers[row["supernets"]].leaves(ranked.benchmark.architectures)
            scores = ranked.scores[ONE_SHOT, SUPERNET]
            row["one_shot_within"] = float(kendall_within(scores, accuracies, leaf_of))


def _pairs(proxy: str) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """The rankings that are compared, the first of each pair with the second."""
    one_shot, own, random = (ONE_SHOT, SUPERNET), method_of(proxy), method_of(RANDOM)
    return [
        ((own, SUPERNET), one_shot),
        ((random, SUPERNET), one_shot),
        ((own, SUPERNET), (random, SUPERNET)),
        ((own, ONE_SCALE), one_shot),
        ((random, ONE_SCALE), one_shot),
        ((own, ONE_SCALE), (own, SUPERNET)),
        ((ONE_SHOT, JOINED), (proxy, PROXY)),
        ((own, JOINED), (proxy, PROXY)),
        ((own, JOINED), (ONE_SHOT, JOINED)),
    ]


def _compared(
    ranked: Sequence[Ranked], pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]]
) -> list[Row]:
    """The paired differences of tau of rankings, over seeds and networks."""
    benchmark = ranked[0].benchmark
    accuracies = next(iter(benchmark.accuracies.values()))
    weights = bootstrap_weights(benchmark.components, REPLICATES).astype(float)
    ones = np.ones((1, len(accuracies)))
    keys = list(dict.fromkeys(key for pair in pairs for key in pair))
    matrices = [np.stack([one.scores[key] for key in keys]) for one in ranked]
    value = np.stack([taus(matrix, accuracies, ones)[:, 0] for matrix in matrices])
    replicates = np.stack([taus(matrix, accuracies, weights) for matrix in matrices])
    drawn = np.random.default_rng(0).integers(len(ranked), size=(REPLICATES, len(ranked)))
    rows = []
    for first, second in pairs:
        a, b = keys.index(first), keys.index(second)
        each = value[:, a] - value[:, b]  # [seeds]
        resampled = replicates[:, a] - replicates[:, b]  # [seeds, replicates]
        low, high = interval(resampled[drawn, np.arange(REPLICATES)[:, None]].mean(1))
        rows.append(
            {
                **{"first": first[0], "first_by": first[1]},
                **{"second": second[0], "second_by": second[1]},
                **{"difference": float(each.mean()), "low": low, "high": high},
                **{"each": each.tolist(), "verdict": verdict(low, high)},
            }
        )
    return rows
