"""Proxies scored on the networks of a benchmark, with or without a feature store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import nn

from eznas.benchmarks import Benchmark
from eznas.evaluation.contexts import Context, contexts_of
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.executors import Phases
from eznas.evaluation.feature_store import FeatureStore
from eznas.evaluation.network_scores import ShardEvaluation, network_scores
from eznas.evaluation.status import IN_WORDS
from eznas.evaluation.stored_workers import Measuring, started
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS, SIZES
from eznas.proxies.proxy import Proxy
from eznas.statistics.config import MeasurementSettings
from eznas.statistics.surroundings import seeded

Array = npt.NDArray[np.float64]

EXPLAINED = 8  # networks on which the reason for an undefined score is looked into


@dataclass(frozen=True)
class ScoringSettings:
    """How proxies are scored on networks.

    `seeds` of the initialisations; `images`, a path (None: generated ones); `raw` and `sketch`, the
    images for statistics that keep tensors and for those that condense them (0: the proxy's own);
    `device` and `workers`, where and in how many processes; `records`, the folder of a feature
    store whose values are used and which new ones are added to (None: no store).
    """

    seeds: tuple[int, ...] = (0,)
    images: str | None = None
    raw: int = 0
    sketch: int = 0
    device: str = "cpu"
    workers: int = 1
    records: str | None = None

    def measurement(self, batches: Proxy | MeasurementSettings, seed: int) -> MeasurementSettings:
        """How networks are measured with one initialisation seed; where no batches are set,
        those of a proxy or of other settings are taken."""
        return MeasurementSettings(
            images=self.images,
            raw_batch=self.raw or batches.raw_batch,
            sketch_batch=self.sketch or batches.sketch_batch,
            seed=seed,
            device=self.device,
        )


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of proxies on the networks of a benchmark.

    `names` of the proxies; `scores`: data set -> float64 [seeds, proxies, networks], -inf or NaN
    where a score is lowest or undefined; `sizes`: float64 [sizes, networks], the networks' sizes by
    `SIZES` at the input size of the first data set.
    """

    benchmark: Benchmark
    names: list[str]
    seeds: tuple[int, ...]
    scores: dict[str, Array]
    sizes: Array

    def means(self) -> dict[str, Array]:
        """The scores averaged over initialisations: data set -> float64 [proxies, networks]."""
        return {dataset: scores.mean(0) for dataset, scores in self.scores.items()}


def score_all(
    proxies: Sequence[Proxy], benchmark: Benchmark, settings: ScoringSettings, callback: Phases
) -> Scored:
    """Scores of the proxies on every network of a benchmark.

    Proxies of the same batches are scored together. Raises `InputError` where a network cannot be
    measured, and for images, a device or a feature store that cannot be used.
    """
    size_formulas = [parse(CLASSICS[name].formula) for name in SIZES]
    shape = (len(settings.seeds), len(proxies), len(benchmark.architectures))
    scores = {dataset: np.empty(shape) for dataset in benchmark.accuracies}
    sizes = np.empty((len(size_formulas), shape[2]))
    batches = [(settings.raw or p.raw_batch, settings.sketch or p.sketch_batch) for p in proxies]
    for batch in dict.fromkeys(batches):
        indices = [i for i, batch_of_proxy in enumerate(batches) if batch_of_proxy == batch]
        formulas = [*(proxies[i].formula for i in indices), *size_formulas]
        for seed_index, seed in enumerate(settings.seeds):
            measurement = settings.measurement(proxies[indices[0]], seed)
            with team_for(benchmark, measurement, settings, callback) as team:
                by_dataset = network_scores(benchmark, formulas, team)
            for dataset, values in by_dataset.items():
                scores[dataset][seed_index, indices] = values[: len(indices)]
            sizes = next(iter(by_dataset.values()))[len(indices) :]
    return Scored(benchmark, [p.name for p in proxies], settings.seeds, scores, sizes)


def seconds_each(
    proxies: Sequence[Proxy], benchmark: Benchmark, settings: ScoringSettings, networks: int
) -> list[float]:
    """Seconds per network that each proxy takes by itself, measuring included, on one thread: the
    mean over the first `networks` networks, at the largest input size.

    Raises `InputError` where a network cannot be measured.
    """
    models: dict[str, nn.Module] = {}
    seconds = []
    for proxy in proxies:
        contexts = contexts_of(benchmark, settings.measurement(proxy, settings.seeds[0]))
        context = max(contexts, key=lambda context: context.measurement.size)
        for architecture in benchmark.architectures[: 0 if models else networks]:
            with seeded(context.measurement.seed):
                models[architecture] = context.space.build(
                    architecture, context.measurement.classes
                )
        with one_thread():
            start_time = time.perf_counter()
            for architecture, model in models.items():
                proxy.evaluate(model, context.measurement_of(architecture))
        seconds.append((time.perf_counter() - start_time) / len(models))
    return seconds


def why_undefined(
    proxy: Proxy, benchmark: Benchmark, settings: ScoringSettings, networks: Sequence[int]
) -> dict[str, list[str]]:
    """Why a proxy is undefined on some networks (their indices): reason -> names of networks.

    The first `EXPLAINED` of them are measured once more, each by itself; the reason of all others
    is "not looked into". Raises `InputError` where a network cannot be measured.
    """
    measurement = settings.measurement(proxy, settings.seeds[0])
    reasons: dict[str, list[str]] = {}
    for position, index in enumerate(networks):
        architecture, reason = benchmark.architectures[index], "not looked into"
        if position < EXPLAINED:
            reason = _reason(proxy, contexts_of(benchmark, measurement), architecture)
        reasons.setdefault(reason, []).append(architecture)
    return reasons


def _reason(proxy: Proxy, contexts: Sequence[Context], architecture: str) -> str:
    """Why a proxy is undefined on a network, in the first context where it is."""
    reason = ""
    for context in contexts:
        config = context.measurement_of(architecture)
        with seeded(config.seed):
            model = context.space.build(architecture, config.classes)
        with one_thread():
            reason = proxy.evaluate(model, config).reason
        if reason:
            break
    return IN_WORDS.get(reason, reason) or "undefined with some of the initialisations"


@contextmanager
def team_for(
    benchmark: Benchmark,
    measurement: MeasurementSettings,
    settings: ScoringSettings,
    callback: Phases,
) -> Iterator[ShardEvaluation]:
    """Workers for the networks of a benchmark, closed at the end of the context.

    Where the settings name a feature store, its values are used, and new ones are added to it.
    Raises `InputError` for images, a device or a store that cannot be used.
    """
    contexts = contexts_of(benchmark, measurement)
    with ExitStack() as cleanup:
        stores = {}
        if settings.records is not None:
            store = FeatureStore(Path(settings.records), benchmark.space)
            cleanup.callback(store.close)
            store.claim([context.measurement for context in contexts])
            stores = dict.fromkeys(range(len(contexts)), store)
        count, images = len(benchmark.architectures), measurement.sketch_batch
        title = f"measuring {count} networks with {images} images, seed {measurement.seed}"
        make_evaluator = partial(Evaluator, contexts, keep=False)
        measuring = Measuring(title, count, callback)
        team = started(make_evaluator, settings.workers, contexts, stores, measuring)
        cleanup.callback(team.close)
        yield team
