"""Studies: proxies and words against ground truth, against published scores, against each other."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eznas.benchmarks.published import Published
from eznas.benchmarks.splits import sample as drawn
from eznas.discovery.callbacks import Callback
from eznas.evaluation.evaluator import one_thread
from eznas.evaluation.executors import Workers
from eznas.evaluation.feature_store import FeatureStore, StoredWorkers
from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.fitness import Task
from eznas.formulas.candidates import SIZES, TENSORS, candidate_features
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.ground import Ground, ground, joined, study
from eznas.metrics import interval, kendall, spearman
from eznas.predictors.least_squares import FACTORS, pursue
from eznas.predictors.randomised_trees import forest_scores
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES
from eznas.statistics.catalogue import PATHS
from eznas.system.files import plain

Array = npt.NDArray[np.float64]
SIZE_FORMULAS = ("live_params", "flops")  # what partial correlations hold fixed


@dataclass(frozen=True)
class StudySettings:
    """How networks are measured: initialisation seeds, images, batches of raw tensors and of
    sketches (0: the proxy's own), device, storage (see `MeasurementConfig`), workers, and a folder of
    records to look into and to add to."""

    seeds: tuple[int, ...] = (0,)
    images: str | None = None
    raw: int = 0
    sketch: int = 0
    device: str = "cpu"
    storage: str = "single"
    workers: int = 1
    records: str | None = None

    def batches(self, proxy: Proxy) -> tuple[int, int]:
        """Images for raw tensors and for sketches."""
        return self.raw or proxy.raw_batch, self.sketch or proxy.sketch_batch


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of proxies on a sample: data set -> float64 [seeds, proxies, networks]; `sizes`
    [sizes, networks] by `SIZE_FORMULAS`, at the input of the first data set."""

    sample: Ground
    names: list[str]
    seeds: tuple[int, ...]
    scores: dict[str, Array]
    sizes: Array

    def means(self) -> dict[str, Array]:
        """The scores averaged over initialisations: data set -> [proxies, networks]."""
        return {d: s.mean(0) for d, s in self.scores.items()}


def score_all(
    proxies: Sequence[Proxy], sample: Ground, how: StudySettings, watcher: Callback
) -> Scored:
    """Scores of the proxies on every network of the sample."""
    sizes = [parse(CLASSICS[name].formula) for name in SIZE_FORMULAS]
    shape = (len(how.seeds), len(proxies), len(sample.architectures))
    scores = {d: np.empty(shape) for d in sample.accuracies}
    batches = [how.batches(p) for p in proxies]
    measured_sizes = np.empty((len(sizes), shape[2]))
    for raw, sketch in dict.fromkeys(batches):
        own = [i for i, b in enumerate(batches) if b == (raw, sketch)]
        formulas = [*(proxies[i].formula for i in own), *sizes]
        for number, seed in enumerate(how.seeds):
            with _team(sample, how, raw, sketch, seed, watcher) as team:
                rows = sample.scores(formulas, team)
            for dataset, values in rows.items():
                scores[dataset][number, own] = values[: len(own)]
            measured_sizes = next(iter(rows.values()))[len(own) :]
    return Scored(sample, [p.name for p in proxies], how.seeds, scores, measured_sizes)


def seconds_each(
    proxies: Sequence[Proxy], sample: Ground, how: StudySettings, networks: int
) -> list[float]:
    """Seconds per network of each proxy by itself, measuring included, on one thread: the mean
    over the first networks of the sample, at its largest input."""
    space = SPACES[sample.space]
    setting = max(sample.distinct_settings(), key=lambda s: s.input_size)
    models = [space.build(a, setting.classes) for a in sample.architectures[:networks]]
    found = []
    for proxy in proxies:
        size = (3, setting.input_size, setting.input_size)
        _, sketch = how.batches(proxy)
        given = proxy.conditions(size, sketch, how.images, how.device, "kaiming")
        with one_thread():
            begun = time.perf_counter()
            for model in models:
                proxy.measured(model, given)
        found.append((time.perf_counter() - begun) / len(models))
    return found


def agreement(
    published: Published,
    proxies: Sequence[Proxy],
    sample: Ground,
    how: StudySettings,
    watcher: Callback,
) -> list[dict[str, Any]]:
    """Spearman's rho of our scores with the published ones, one row per proxy, data set and
    published column; with several seeds, the mean between pairs of our own beside it."""
    scored = score_all(proxies, sample, how, watcher)
    rows = []
    for at, name in enumerate(scored.names):
        for dataset, scores in scored.scores.items():
            for column, theirs in published.columns(name, dataset, sample.architectures).items():
                known = np.isfinite(theirs)
                rhos = [spearman(s[at][known], theirs[known]) for s in scores]
                row = {
                    "proxy": name,
                    "dataset": dataset,
                    "published": column,
                    "networks": int(known.sum()),
                    "rho": float(np.mean(rhos)),
                    "between_seeds": _between([s[at] for s in scores]),
                }
                rows.append(plain(row))
    return rows


def blend(
    scored: Scored, first: int, second: int, weights: Sequence[float]
) -> dict[str, list[float | None]]:
    """Tau of w times the first proxy plus 1 - w times the second, each over its largest finite
    score, for each weight w: data set -> [weights], None where undefined."""
    found = {}
    for dataset, means in scored.means().items():
        parts = [_scaled(means[i]) for i in (first, second)]
        accuracies = scored.sample.accuracies[dataset]
        found[dataset] = [plain(kendall(_weighed(w, *parts), accuracies)) for w in weights]
    return found


def words(
    space: str, how: StudySettings, batches: tuple[int, int], watcher: Callback
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The short measures by the tau of their scores, and the yardsticks: two lists of rows.

    The yardsticks (greedy least squares with and without products, randomised trees) are fitted
    to some networks of the study, on which words are ranked, and judged on the others: once as
    the study parts them, so that no component is on both sides, and once parted by lot, as is
    usual, so that networks are judged that others of their component were fitted to.
    """
    fitted, judged = study(ground(space))
    both, split = joined(fitted, judged), len(fitted.architectures)
    candidates = candidate_features((*TENSORS, *SIZES, *PATHS))
    with _team(both, how, *batches, how.seeds[0], watcher) as team, one_thread():
        table = FeatureTable(both.architectures, team.evaluate)
        table.fill(candidates, table.networks)
        rows = [_word(c, table, both.tasks(), split) for c in candidates]
        found = [*_yardsticks(candidates, table, both, split, "components")]
        lot = drawn(np.arange(table.networks), table.networks, how.seeds[0])
        shuffled = both.part(lot, both.name)
        found += _yardsticks(candidates, table.taking(lot.tolist()), shuffled, split, "networks")
    return rows, found


def _word(
    word: Expression, table: FeatureTable, tasks: list[Task], networks: int
) -> dict[str, Any]:
    taus, coverage = {}, 1.0
    for task in tasks:
        scores = table.scores(word, task.setting, networks)
        taus[task.dataset] = kendall(scores.values, task.accuracies[:networks])
        coverage = min(coverage, scores.coverage)
    return {"word": word.text, "tau": plain(taus), "coverage": coverage}


def _yardsticks(
    candidates: list[Expression], table: FeatureTable, both: Ground, split: int, parted: str
) -> Iterator[dict[str, Any]]:
    """One row for each yardstick, fitted to the first networks and judged on the rest."""
    tasks = both.tasks()
    judged = both.part(np.arange(split, table.networks), both.name)
    languages = {
        "tensor words": [c for c in candidates if not set(c.statistics()) & set(PATHS)],
        "sizes and paths": [c for c in candidates if set(c.statistics()) <= {*SIZES, *PATHS}],
        "all words": candidates,
    }
    for language, some in languages.items():
        about = {"language": language, "words": len(some), "parted": parted}
        for model, factors in (("greedy", 0), ("greedy with products", FACTORS)):
            formula = pursue(some, table, tasks, split, factors=factors)[-1]
            found = [table.scores(formula, t.setting, table.networks).values for t in tasks]
            about |= {"model": model, "formula": formula.text}
            yield {**about, **_judged(tasks, found, judged, split)}
        found = forest_scores(some, table, tasks, split)
        about |= {"model": "randomised trees", "formula": ""}
        yield {**about, **_judged(tasks, found, judged, split)}


def _judged(
    tasks: list[Task], scores: Sequence[Array], judged: Ground, split: int
) -> dict[str, Any]:
    own = {t.dataset: s[None, split:] for t, s in zip(tasks, scores, strict=True)}
    boot = judged.judge(own, 1000)
    taus = {d: [float(b.tau[0]), *interval(b.taus[0])] for d, b in boot.items()}
    return {"networks": len(judged.architectures), "tau": plain(taus)}


@contextmanager
def _team(
    sample: Ground, how: StudySettings, raw: int, sketch: int, seed: int, watcher: Callback
) -> Iterator[Workers]:
    """Workers for the sample, which look into the records first where there are some."""
    conditions = sample.conditions(
        raw=raw,
        sketch=sketch,
        seed=seed,
        images=how.images,
        device=how.device,
        storage=how.storage,
    )
    with ExitStack() as opened:
        records = None if how.records is None else FeatureStore(Path(how.records), sample.space)
        if records is not None:
            opened.callback(records.close)
            records.about(conditions)
        title = f"seed {seed}, {sketch} images"
        progress = watcher.phase(title, len(sample.architectures))
        team = sample.workers(conditions, how.workers, progress=progress)
        opened.callback(team.close)
        yield team if records is None else StoredWorkers(team, records, conditions)
        if records is not None:
            records.compact()


def _scaled(scores: Array) -> Array:
    """Over the largest finite one."""
    largest = np.abs(scores[np.isfinite(scores)]).max(initial=0)
    return scores / largest if largest > 0 else scores


def _weighed(weight: float, first: Array, second: Array) -> Array:
    """-inf where either is, even at weight 0; NaN where either is."""
    lowest = np.isneginf(first) | np.isneginf(second)
    a, b = np.where(lowest, 0, first), np.where(lowest, 0, second)
    both = np.where(lowest, -np.inf, weight * a + (1 - weight) * b)
    return np.where(np.isnan(first) | np.isnan(second), np.nan, both)


def _between(scores: list[Array]) -> float | None:
    """The mean rho between pairs of score vectors; None for a single one."""
    pairs = [(a, b) for i, a in enumerate(scores) for b in scores[i + 1 :]]
    return float(np.mean([spearman(a, b) for a, b in pairs])) if pairs else None
