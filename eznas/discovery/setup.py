"""Before a run: its samples and held-out networks, how they are measured, and at what cost."""

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load_tasks
from eznas.benchmarks.own_models import own_benchmark
from eznas.benchmarks.subsets import (
    check_not_kept,
    held_out,
    of_unseen_space,
    search_networks,
    search_samples,
)
from eznas.discovery.config import Config
from eznas.discovery.records import NONE, listed_features, records_folder
from eznas.discovery.small_data import FEWEST, SMALL, fitted_to, short_where_few
from eznas.errors import InputError, unknown
from eznas.evaluation.contexts import Context, contexts_of
from eznas.evaluation.evaluator import Evaluator
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Grammar
from eznas.formulas.candidates import candidate_features
from eznas.formulas.definedness import everywhere
from eznas.formulas.expression import Expression
from eznas.formulas.parser import parse
from eznas.primitives import PRIMITIVES
from eznas.proxies.classics import CLASSICS
from eznas.proxies.files import MeasurementRecord
from eznas.proxies.loading import load
from eznas.statistics.catalogue import CATALOGUE
from eznas.system.arguments import checked, whole

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

# What an estimate assumes, from runs on two cores: the new features of a generation cost this share
# of measuring its networks, and a formula this many seconds in the driver, with fitted weights or
# without; beside the bank, a worker with its caches and Ray's helper processes take this many
# megabytes.
NEW_FEATURES, FITTED_SECONDS, RATED_SECONDS = 0.02, 0.02, 0.003
WORKER_MB, RAY_MB = 700, 900
CHECKED_NETWORKS = 3  # of each space, of which one must run before anything else is done


@dataclass(frozen=True, eq=False)
class Setup:
    """What a run needs to begin or to resume: the networks of each space to search on, all contexts
    of these, held-out networks, seed formulas, the bytes of memory that each worker may take
    (None: no limit), and the folder of feature stores (None: there are none)."""

    config: Config
    samples: Sequence[Benchmark]
    contexts: tuple[Context, ...]
    held_out: Sequence[Benchmark]
    seeds: Sequence[Expression]
    budget: int | None
    records: Path | None = None

    @property
    def listed(self) -> frozenset[str]:
        """The features that feature stores keep: those that every run looks at."""
        statistics = self.config.evolution.statistics
        return listed_features(statistics, [*self.seeds, *baselines().values()])

    @property
    def is_own(self) -> bool:
        """Whether the networks are a user's own models, all of which are searched on."""
        return any(sample.own_space is not None for sample in self.samples)

    @property
    def has_too_few(self) -> bool:
        """Whether there are too few of these to evolve a formula on."""
        return self.is_own and len(self.samples[0].architectures) < FEWEST

    @property
    def is_small(self) -> bool:
        """Whether there are so few of these that the simplest formula is better than the fittest;
        in cross-validation too, though its searches have fewer still."""
        return self.is_own and len(self.samples[0].architectures) < SMALL

    @property
    def labels(self) -> dict[str, int]:
        """Space -> the number of networks whose accuracies the search sees, in whichever table."""
        networks: dict[str, set[str]] = {}
        for sample in self.samples:
            networks.setdefault(sample.space, set()).update(sample.architectures)
        return {space: len(names) for space, names in networks.items()}

    @property
    def measured(self) -> MeasurementRecord:
        """How the networks of this run are measured, as in archives and proxy files."""
        return MeasurementRecord.of(self.contexts, self.config.measurement)


def prepare(
    config: Config,
    workers: int,
    memory: int | None,
    own: Benchmark | None = None,
    records: str | None = NONE,
) -> Setup:
    """Everything that a run needs; `memory`: megabytes for all processes together; `own`: a user's
    own models, in place of the configuration's; `records`: see `records_folder`. Raises
    `InputError` for unknown tasks, seed formulas or statistics, too few networks or too little
    memory, images or a device that are not available, and networks that cannot be run."""
    whole("workers", workers, least=1)
    if own is not None or config.models.file is not None:
        return _prepare_own(config, workers, memory, own or own_networks(config))
    searched, unseen = load_tasks(config.tasks, config.evidence.hold_out)
    evolution, test_size = config.evolution, config.evidence.networks
    sample_size = evolution.networks + evolution.champion_networks
    samples = search_samples(searched, sample_size)
    config = short_where_few(config, sum(len(sample.architectures) for sample in samples))
    evolution = config.evolution
    tests = list[Benchmark]()
    if test_size:
        for benchmark in searched:
            check_not_kept(benchmark, test_size)
        tests += [held_out(benchmark, test_size) for benchmark in searched]
        tests += [of_unseen_space(benchmark, test_size) for benchmark in unseen]
    seeds = seeds_of(evolution)
    contexts = tuple(c for sample in samples for c in contexts_for(sample, config))
    budget = None if memory is None else _worker_budget(memory, workers)
    for context in contexts:
        _check_runs(context)
    folder = records_folder(records)
    return Setup(config, samples, contexts, tests, seeds, budget, folder)


def own_networks(config: Config) -> Benchmark:
    """The models and accuracies of the configuration's file. Raises `InputError` where these cannot
    be used, and for settings that are for tasks."""
    models = config.models
    for key in ("tasks", "evidence.hold_out"):
        section, name = (config.evidence, "hold_out") if "." in key else (config, key)
        if getattr(section, name) != type(section).model_fields[name].default:
            raise InputError(f"configuration key {key!r}: not with models of your own")
    return own_benchmark(
        models.file or "", input_size=list(models.input) or None, initialisation=models.init
    )


def _prepare_own(config: Config, workers: int, memory: int | None, networks: Benchmark) -> Setup:
    """`prepare` for a user's own models: all are searched on, none are held out, and each of them
    must run."""
    config = fitted_to(config, len(networks.architectures))
    seeds = seeds_of(config.evolution)
    contexts = contexts_for(networks, config)
    budget = None if memory is None else _worker_budget(memory, workers)
    for context in contexts:
        for architecture in context.architectures:
            Evaluator((context,)).measure((0, 0), [architecture], ["params"])
    return Setup(config, [networks], contexts, (), seeds, budget)


def seeds_of(evolution: EvolutionConfig) -> list[Expression]:
    """The seed formulas. Raises `InputError` for one that is none, and with `anywhere` for seeds
    and statistics that are not known to be defined on all kinds of networks."""
    seeds = {seed: load(seed).formula for seed in evolution.seed_formulas}
    if evolution.anywhere:
        known = "known to be defined on all kinds of networks (evolution.anywhere)"
        for name, seed in seeds.items():
            for feature in seed.features():
                if not everywhere([feature]):
                    raise InputError(f"seed formula {name!r}: {feature.text} is not {known}")
        for name in evolution.statistics:
            if name in CATALOGUE and not everywhere(candidate_features([name])):
                raise InputError(f"statistic {name!r}: none of its features is {known}")
    return list(seeds.values())


def baselines() -> dict[str, Expression]:
    """The formulas of the published proxies that stand beside every champion, by name."""
    return {name: parse(CLASSICS[name].formula) for name in BASELINES}


def contexts_for(benchmark: Benchmark, config: Config) -> tuple[Context, ...]:
    """The contexts in which a run measures the networks of a benchmark; raises `InputError` for an
    unknown statistic or primitive, for some that make no formula, and for images or a device that
    are not available."""
    evolution = config.evolution
    words: list[tuple[str, Iterable[str], Collection[str]]] = [
        ("statistic", evolution.statistics, CATALOGUE),
        ("primitive", evolution.primitives, PRIMITIVES),
        ("primitive or statistic", evolution.complexity, [*PRIMITIVES, *CATALOGUE]),
    ]
    for kind, names, known in words:
        for name in names:
            if name not in known:
                raise unknown(kind, name, known)
    Grammar(evolution.statistics, primitives=evolution.primitives)
    return contexts_of(benchmark, config.measurement)


@checked
def estimate(config: Config, workers: int = 1, networks: int = 4) -> dict[str, float]:
    """What a run will take, from measuring a few of its `networks` now: "seconds", "megabytes" of
    all processes, "networks" to be measured, and "workers". Raises `InputError` if the run could
    not begin: see `prepare`."""
    if config.models.file is not None:
        raise InputError("an estimate is for tasks; models of your own are searched in minutes")
    searched, unseen = load_tasks(config.tasks, config.evidence.hold_out)
    evolution = config.evolution
    seeds = seeds_of(evolution)
    features = [*seeds, *candidate_features(evolution.statistics)]
    new_features = 0.0 if evolution.features_are_listed else NEW_FEATURES
    baselines = [load(baseline).formula for baseline in BASELINES]
    sample_size = evolution.networks + evolution.champion_networks
    samples = search_samples(searched, sample_size)  # raises where there are too few
    config = short_where_few(config, sum(len(sample.architectures) for sample in samples))
    evolution = config.evolution
    for benchmark in searched:
        check_not_kept(benchmark, config.evidence.networks)
    seconds, bank_bytes, measured = 0.0, 0.0, 0
    for benchmark in (*searched, *(unseen if config.evidence.networks else ())):
        sample = search_networks(benchmark, networks)
        test_seconds, _ = _timed(sample, config, (), baselines)
        test_size = min(config.evidence.networks, len(benchmark.architectures))
        seconds += test_seconds / networks * test_size
        measured += test_size
        if benchmark in searched:
            search_seconds, sample_bytes = _timed(sample, config, evolution.statistics, features)
            size = min(sample_size, len(benchmark.split.search))
            measured_again = min(evolution.networks, size) * new_features * evolution.generations
            seconds += search_seconds / networks * (size + measured_again)
            bank_bytes += sample_bytes / networks * size
            measured += size
    formula_seconds = FITTED_SECONDS if evolution.fit else RATED_SECONDS
    driver_seconds = formula_seconds * evolution.offspring * evolution.generations
    return {
        "seconds": round(seconds / workers + driver_seconds),
        "megabytes": round(bank_bytes / 2**20 + WORKER_MB * workers + RAY_MB * (workers > 1)),
        "networks": measured,
        "workers": workers,
    }


def _check_runs(context: Context) -> None:
    """Raises `InputError` if none of the first few networks of a context can run in it."""
    evaluator, architectures = Evaluator((context,)), context.architectures[:CHECKED_NETWORKS]
    for remaining, architecture in enumerate(architectures, 1 - len(architectures)):
        try:
            evaluator.measure((0, 0), [architecture], ["params"])
            break
        except InputError:
            if not remaining:
                raise


def _worker_budget(memory: int, workers: int) -> int:
    """Bytes for each worker, from the megabytes for all processes; raises `InputError` for too
    few."""
    ray = RAY_MB * (workers > 1)
    least = WORKER_MB * workers + ray
    if memory < least:
        raise InputError(f"memory {memory} MB: expected at least {least} for {workers} workers")
    return (memory - ray) * 2**20 // workers


def _timed(
    sample: Benchmark, config: Config, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, int]:
    """Seconds for the formulas on a few networks, and bytes of the statistics that are kept."""
    contexts = contexts_for(sample, config)
    evaluator = Evaluator(contexts, statistics)
    texts = list(dict.fromkeys(f.text for formula in formulas for f in formula.features()))
    start_time = time.perf_counter()
    for context in range(len(contexts)):
        evaluator.evaluate((context, 0), sample.architectures, texts)
    return time.perf_counter() - start_time, evaluator.nbytes
