"""Before a run: its samples and held-out networks, how they are measured, and what that takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load_tasks
from eznas.benchmarks.subsets import held_out, of_unseen_space, search_sample
from eznas.discovery.config import Config
from eznas.errors import InputError, unknown
from eznas.evaluation.contexts import Context, contexts_of
from eznas.evaluation.evaluator import Evaluator
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.proxies.files import Measured
from eznas.proxies.loading import load
from eznas.statistics.catalogue import CATALOGUE

BASELINES = (
    "hybrid",
    "logsynflow",
    "naswot",
    "params",
    "live_params",
    "flops",
    "depth",
    "jacob_cov_x_params",
)

# What a dry run assumes, from quick runs on two cores: the new features of a generation cost
# this share of measuring their networks, a formula this much in the driver; a worker with its
# caches, and the driver with Ray's helpers, take this much memory beside the bank.
NEW_FEATURES, FORMULA_SECONDS = 0.02, 0.005
WORKER_MB, RAY_MB = 700, 900
TRIED = 3  # networks of each space that a run is tried on before it begins


@dataclass(frozen=True, eq=False)
class Setup:
    """What a run needs to begin or to go on: samples to search on, the contexts of each, held-out
    networks, seed formulas, and the bytes that each worker may take (None: no limit)."""

    config: Config
    samples: Sequence[Benchmark]
    contexts: Sequence[tuple[Context, ...]]
    held_out: Sequence[Benchmark]
    seeds: Sequence[Expression]
    budget: int | None

    @property
    def all_contexts(self) -> tuple[Context, ...]:
        """The contexts of all samples, in one list."""
        return tuple(context for of_sample in self.contexts for context in of_sample)

    @property
    def measured(self) -> Measured:
        """How formulas of this run are measured, as archives and proxy files say it."""
        configs = [context.measurement for context in self.all_contexts]
        return Measured(
            measurement=[config.describe() for config in configs],
            fingerprint=[config.fingerprint for config in configs],
            raw_batch=self.config.measurement.raw_batch,
            sketch_batch=self.config.measurement.sketch_batch,
        )


def prepare(config: Config, workers: int, memory: int | None) -> Setup:
    """Everything that a run needs; `memory` in megabytes, of all processes together. `InputError`
    where it could not begin."""
    searched, unseen = load_tasks(config.tasks, config.evidence.hold_out)
    evolution, tested = config.evolution, config.evidence.networks
    count = evolution.networks + evolution.champion_networks
    samples = [search_sample(benchmark, count, evolution.seed) for benchmark in searched]
    tests = [held_out(benchmark, tested) for benchmark in searched]
    tests += [of_unseen_space(benchmark, tested) for benchmark in unseen]
    seeds = [load(seed).formula for seed in evolution.seed_formulas]
    contexts = [contexts_for(sample, config) for sample in samples]
    budget = None if memory is None else _share(memory, workers)
    for sample, of_sample in zip(samples, contexts, strict=True):
        _check_runs(sample.architectures[:TRIED], of_sample)
    return Setup(config, samples, contexts, tests, seeds, budget)


def contexts_for(benchmark: Benchmark, config: Config) -> tuple[Context, ...]:
    """The contexts that a configuration asks for on some networks; `InputError` where they cannot
    be, and for an unknown statistic."""
    for statistic in config.evolution.statistics:
        if statistic not in CATALOGUE:
            raise unknown("statistic", statistic, CATALOGUE)
    return contexts_of(benchmark, config.measurement)


def estimate(config: Config, workers: int = 1, networks: int = 4) -> dict[str, float]:
    """Seconds and megabytes that a run will take, from measuring a few of its networks here.
    `InputError` where the run could not begin."""
    searched, unseen = load_tasks(config.tasks, config.evidence.hold_out)
    evolution = config.evolution
    seeds = [load(seed).formula for seed in evolution.seed_formulas]
    features = [*seeds, *candidate_features(evolution.statistics)]
    baselines = [load(baseline).formula for baseline in BASELINES]
    sample_size = evolution.networks + evolution.champion_networks
    for benchmark in searched:
        search_sample(benchmark, sample_size, evolution.seed)  # there may be too few
    seconds, bank_bytes, count = 0.0, 0.0, 0
    for benchmark in (*searched, *unseen):
        part = search_sample(benchmark, networks, evolution.seed)
        testing, _ = _timed(part, config, (), baselines)
        tested = min(config.evidence.networks, len(benchmark.architectures))
        seconds, count = seconds + testing / networks * tested, count + tested
        if benchmark in searched:
            measuring, kept_bytes = _timed(part, config, evolution.statistics, features)
            later = evolution.networks * NEW_FEATURES * evolution.generations
            seconds += measuring / networks * (sample_size + later)
            bank_bytes += kept_bytes / networks * sample_size
            count += sample_size
    driver = FORMULA_SECONDS * evolution.offspring * evolution.generations
    return {
        "seconds": round(seconds / workers + driver),
        "megabytes": round(bank_bytes / 2**20 + WORKER_MB * workers + RAY_MB * (workers > 1)),
        "networks": count,
        "workers": workers,
    }


def _check_runs(architectures: Sequence[str], contexts: tuple[Context, ...]) -> None:
    """`InputError` where none of a few networks of the space can run at one of the input sizes."""
    evaluator = Evaluator(contexts)
    for context in range(len(contexts)):
        for remaining, architecture in enumerate(architectures, 1 - len(architectures)):
            try:
                evaluator.measure((context, 0), [architecture], ["params"])
                break
            except InputError:
                if not remaining:
                    raise


def _share(memory: int, workers: int) -> int:
    """Bytes for each worker of the megabytes for all; `InputError` where they are too few."""
    helpers = RAY_MB * (workers > 1)
    least = WORKER_MB * workers + helpers
    if memory < least:
        raise InputError(f"memory {memory} MB: expected at least {least} for {workers} workers")
    return (memory - helpers) * 2**20 // workers


def _timed(
    part: Benchmark, config: Config, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, float]:
    """Seconds for the formulas on a few networks, and bytes of what was measured and kept."""
    contexts = contexts_for(part, config)
    evaluator = Evaluator(contexts, statistics)
    texts = list(dict.fromkeys(f.text for formula in formulas for f in formula.features()))
    begun = time.perf_counter()
    for context in range(len(contexts)):
        evaluator.evaluate((context, 0), part.architectures, texts)
    return time.perf_counter() - begun, float(evaluator.nbytes)
