"""What the studies share: proxies scored on a benchmark's networks, with a feature store or not."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from eznas.benchmarks import Benchmark
from eznas.discovery.callbacks import Callback
from eznas.evaluation.contexts import contexts_of
from eznas.evaluation.evaluator import Evaluator, one_thread
from eznas.evaluation.feature_store import FeatureStore, StoredWorkers
from eznas.evaluation.network_scores import ShardEvaluation, network_scores
from eznas.evaluation.workers import start
from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.proxies.proxy import Proxy
from eznas.spaces import SPACES
from eznas.statistics.config import MeasurementSettings

Array = npt.NDArray[np.float64]
SIZE_FORMULAS = ("live_params", "flops")  # what partial correlations hold fixed


@dataclass(frozen=True)
class StudySettings:
    """How a study measures: initialisation seeds, images, batches of raw tensors and of sketches
    (0: the proxy's own), device, workers, and the folder of a feature store to look into and to
    add to."""

    seeds: tuple[int, ...] = (0,)
    images: str | None = None
    raw: int = 0
    sketch: int = 0
    device: str = "cpu"
    workers: int = 1
    records: str | None = None

    def measurement(self, proxy: Proxy, seed: int) -> MeasurementSettings:
        """The settings under which a proxy is measured with an initialisation seed."""
        return MeasurementSettings(
            images=self.images,
            raw_batch=self.raw or proxy.raw_batch,
            sketch_batch=self.sketch or proxy.sketch_batch,
            seed=seed,
            device=self.device,
        )


@dataclass(frozen=True, eq=False)
class Scored:
    """Scores of proxies on networks: data set -> float64 [seeds, proxies, networks]; `sizes`
    [sizes, networks] by `SIZE_FORMULAS`, at the input of the first data set."""

    benchmark: Benchmark
    names: list[str]
    seeds: tuple[int, ...]
    scores: dict[str, Array]
    sizes: Array

    def means(self) -> dict[str, Array]:
        """The scores averaged over initialisations: data set -> [proxies, networks]."""
        return {dataset: scores.mean(0) for dataset, scores in self.scores.items()}


def score_all(
    proxies: Sequence[Proxy], benchmark: Benchmark, settings: StudySettings, callback: Callback
) -> Scored:
    """Scores of the proxies on every network of a benchmark. `InputError` where a network cannot be
    measured, and for images, a device or a feature store that cannot be used."""
    sizes = [parse(CLASSICS[name].formula) for name in SIZE_FORMULAS]
    shape = (len(settings.seeds), len(proxies), len(benchmark.architectures))
    scores = {dataset: np.empty(shape) for dataset in benchmark.accuracies}
    network_sizes = np.empty((len(sizes), shape[2]))
    batches = [(settings.raw or p.raw_batch, settings.sketch or p.sketch_batch) for p in proxies]
    for batch in dict.fromkeys(batches):
        numbers = [i for i, b in enumerate(batches) if b == batch]
        formulas = [*(proxies[i].formula for i in numbers), *sizes]
        for row, seed in enumerate(settings.seeds):
            measurement = settings.measurement(proxies[numbers[0]], seed)
            with team_for(benchmark, measurement, settings, callback) as team:
                by_dataset = network_scores(benchmark, formulas, team)
            for dataset, values in by_dataset.items():
                scores[dataset][row, numbers] = values[: len(numbers)]
            network_sizes = next(iter(by_dataset.values()))[len(numbers) :]
    return Scored(benchmark, [p.name for p in proxies], settings.seeds, scores, network_sizes)


def seconds_each(
    proxies: Sequence[Proxy], benchmark: Benchmark, settings: StudySettings, networks: int
) -> list[float]:
    """Seconds per network of each proxy by itself, measuring included, on one thread: the mean
    over the first `networks`, at the largest input."""
    space = SPACES[benchmark.space]
    largest = max(benchmark.input_formats(), key=lambda dataset: dataset.input_size)
    models = [space.build(a, largest.classes) for a in benchmark.architectures[:networks]]
    seconds = []
    for proxy in proxies:
        config = proxy.measurement_config(
            (3, largest.input_size, largest.input_size),
            settings.sketch or proxy.sketch_batch,
            settings.images,
            settings.device,
            "kaiming",
        )
        with one_thread():
            begun = time.perf_counter()
            for model in models:
                proxy.evaluate(model, config)
        seconds.append((time.perf_counter() - begun) / len(models))
    return seconds


@contextmanager
def team_for(
    benchmark: Benchmark,
    measurement: MeasurementSettings,
    settings: StudySettings,
    callback: Callback,
) -> Iterator[ShardEvaluation]:
    """Workers for a benchmark's networks, which look into the feature store first where there is
    one; it is compacted in the end."""
    contexts = contexts_of(benchmark, measurement)
    with ExitStack() as opened:
        store = None
        if settings.records is not None:
            store = FeatureStore(Path(settings.records), benchmark.space)
            opened.callback(store.close)
            store.claim([context.measurement for context in contexts])
        title = f"seed {measurement.seed}, {measurement.sketch_batch} images"
        progress = callback.phase(title, len(benchmark.architectures))
        workers = start(partial(Evaluator, contexts), settings.workers, progress=progress)
        opened.callback(workers.close)
        yield workers if store is None else StoredWorkers(workers, store, contexts)
        if store is not None:
            store.compact()
