"""Trees by several proxies, beside random trees and that of the true accuracies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.proxies.loading import load
from eznas.proxies.measured import ScoringSettings
from eznas.spaces import SPACES
from eznas.studies.splitting import Scores, Splitting, bare, scores_of, tree_by
from eznas.supernets.cuts import ByScore
from eznas.supernets.growing import grow, random_tree
from eznas.supernets.members import MemberRanks
from eznas.supernets.quality import Quality
from eznas.supernets.tree import Tree, qualities
from eznas.system.arguments import checked

Floats = NDArray[np.float64]

RANDOM, TRUE = "random", "true accuracy"  # makers of trees that are no proxies
DIGITS = 6  # of the numbers in rows


@checked
def compare_splits(
    proxies: Sequence[str],
    splitting: Splitting | None = None,
    *,
    space: str = "nasbench201",
    datasets: Sequence[str] = (),
    set_name: str = "all",
    networks: int | None = AtMost(1000),
    seed: int = 0,
    initialisations: int = 3,
    random_trees: int = 20,
    scores: str | None = None,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> dict[str, Any]:
    """What lies in the leaves of the trees of several proxies, by the accuracies of the benchmark.

    Each proxy makes a tree with each of `initialisations` seeds, the first of which is `seed` (by
    members there is one, with that seed). Beside them stand `random_trees`, and for each data set
    the tree by its true accuracies, split as the splitting says. Supernets see images of the first
    data set. Each proxy is scored on `networks` of the set as well (see `correlate`), among which
    members are ranked; those for which a file or a feature store has scores are not measured.

    Returns a dict: `splits`, a row for each tree and data set (see `Quality`), and how they were
    made. Raises `InputError` for an argument that cannot be used, and where something cannot be
    measured.
    """
    how, phases = splitting or Splitting(), watcher or NoPhases()
    if initialisations < 1 or random_trees < 0:
        raise InputError("initialisations and random trees: expected 1 or more, and 0 or more")
    how.check(space)
    names = list(dict.fromkeys(map(bare, proxies)))
    for name in names:
        load(name)
    benchmark = load_benchmark(space, datasets)
    scored = named_set(benchmark, set_name, networks, seed).architectures
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    first = next(iter(benchmark.accuracies))
    count = initialisations if how.by == "supernet" else 1
    rows: list[dict[str, Any]] = []
    for name in names:
        known = scores_of(name, space, first, replace(settings, raw=0, sketch=0), scores, phases)
        on_sample = _Sampled(known, scored)
        for number in range(seed, seed + count):
            seeded = replace(settings, seeds=(number,))
            tree = tree_by(name, space, how, seeded, first, known, scored, phases)
            rows += _rows(tree, name, number, qualities(tree, benchmark, on_sample))
    rows += _random_rows(benchmark, how, random_trees)
    rows += _true_rows(benchmark, how)
    counts = {"networks": len(benchmark.architectures), "scored": len(scored)}
    return {"space": space, **asdict(how), **counts, "splits": rows}


@dataclass(frozen=True)
class _Sampled:
    """Scores of the networks of a sample, float64 [networks]; those of all others are NaN."""

    score: Scores
    sample: Sequence[str]

    def __call__(self, architectures: Sequence[str]) -> Floats:
        of = dict(zip(self.sample, self.score(self.sample).tolist(), strict=True))
        return np.array([of.get(a, np.nan) for a in architectures])


@dataclass(frozen=True)
class _Known:
    """Accuracies as scores, float64 [networks]."""

    of: Mapping[str, float]

    def __call__(self, architectures: Sequence[str]) -> Floats:
        return np.array([self.of[a] for a in architectures])


def _random_rows(benchmark: Benchmark, how: Splitting, trees: int) -> Iterator[dict[str, Any]]:
    for number in range(trees):
        root = random_tree(SPACES[benchmark.space], how.rules.leaves, number)
        tree = Tree(benchmark.space, RANDOM, root, how.by, how.rules)
        yield from _rows(tree, RANDOM, number, qualities(tree, benchmark))


def _true_rows(benchmark: Benchmark, how: Splitting) -> Iterator[dict[str, Any]]:
    """The tree of each data set by the mean ranks of its accuracies, and what lies in it there."""
    space = SPACES[benchmark.space]
    for dataset, accuracies in benchmark.accuracies.items():
        pairs = zip(benchmark.architectures, accuracies.tolist(), strict=True)
        of = {a: accuracy for a, accuracy in pairs if not np.isnan(accuracy)}
        score = MemberRanks(space, _Known(of), tuple(of), seed=None)
        root = grow(space, ByScore(score, how.reference), score, how.rules)
        tree = Tree(benchmark.space, TRUE, root, "members", how.rules)
        alone = replace(benchmark, accuracies={dataset: accuracies})
        yield from _rows(tree, TRUE, 0, qualities(tree, alone))


def _rows(tree: Tree, maker: str, seed: int, rows: Sequence[Quality]) -> Iterator[dict[str, Any]]:
    """The tree's row for each data set, its leaves with their allowed options and scores; numbers
    are rounded to `DIGITS`."""
    for row in rows:
        described = asdict(row)
        for leaf, node, size in zip(described["leaves"], tree.leaves, tree.sizes, strict=True):
            leaf |= {"allowed": node.allowed, "size": size, "score": node.score}
        yield rounded({"proxy": maker, "seed": seed, **described})


def rounded(content: Any) -> Any:
    """Content of dicts and sequences with its floats rounded to `DIGITS`."""
    if isinstance(content, float):
        return float(f"{content:.{DIGITS}g}")
    if isinstance(content, Mapping):
        return {key: rounded(value) for key, value in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [rounded(value) for value in content]
    return content
