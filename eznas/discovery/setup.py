"""Before a run: its samples and judges, how they are measured, and what that takes."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from eznas.discovery.config import Config
from eznas.errors import InputError, unknown
from eznas.evaluation.evaluator import Evaluator, Place
from eznas.formulas.candidates import candidate_features
from eznas.formulas.expression import Expression
from eznas.ground import Ground, grounds, held_out, searched, unseen
from eznas.proxies.loading import resolve
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.measuring import measure

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

# What a dry run assumes, read off quick runs on two cores: the new measures of a generation cost
# this share of measuring their networks, a formula this much in the driver; a worker with its
# caches, and the driver with Ray's helpers, take this much memory beside the bank.
NEW_MEASURES, FORMULA_SECONDS = 0.02, 0.005
WORKER_MB, RAY_MB = 700, 900
TRIED = 3  # networks of each space that a run is tried on before it begins


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a run needs to begin or to go on: samples to search on with their places, judges, seeds,
    and the bytes that each worker may take."""

    config: Config
    samples: Sequence[Ground]
    places: tuple[Place, ...]
    judges: Sequence[Ground]
    seeds: Sequence[Expression]
    budget: int | None


def prepare(config: Config, workers: int, memory: int | None) -> Prepared:
    """Everything that a run needs; `InputError` where it could not begin."""
    wholes, others = grounds(config.tasks, config.hold_out)
    samples = [searched(w, config.networks + config.choice, config.seed) for w in wholes]
    judges = [held_out(w, config.judged) for w in wholes]
    judges += [unseen(w, config.judged) for w in others]
    seeds = [resolve(s).formula for s in config.seeds]
    places = [Place(SPACES[s.space], conditions_of(s, config)) for s in samples]
    budget = None if memory is None else _share(memory, workers)
    for sample, place in zip(samples, places, strict=True):
        _runs(sample.architectures[:TRIED], place)
    return Prepared(config, samples, tuple(places), judges, seeds, budget)


def estimate(config: Config, workers: int = 1, networks: int = 4) -> dict[str, float]:
    """Seconds and megabytes that a run will take, from measuring a few of its networks here."""
    wholes, others = grounds(config.tasks, config.hold_out)
    seeds = [resolve(s).formula for s in config.seeds]
    asked = [*seeds, *candidate_features(config.statistics)]
    baselines = [resolve(b).formula for b in BASELINES]
    sample = config.networks + config.choice
    for whole in wholes:
        searched(whole, sample, config.seed)  # a run that could not begin takes no time
    seconds, bank, count = 0.0, 0.0, 0
    for whole in (*wholes, *others):
        part = searched(whole, networks, config.seed)
        judging, _ = _timed(part, config, (), baselines)
        judges = min(config.judged, len(whole.architectures))
        seconds, count = seconds + judging / networks * judges, count + judges
        if whole in wholes:
            each, kept = (n / networks for n in _timed(part, config, config.statistics, asked))
            new = config.networks * NEW_MEASURES * config.generations
            seconds, bank, count = (
                seconds + each * (sample + new),
                bank + kept * sample,
                count + sample,
            )
    driver = FORMULA_SECONDS * config.offspring * config.generations
    return {
        "seconds": round(seconds / workers + driver),
        "megabytes": round(bank / 2**20 + WORKER_MB * workers + RAY_MB * (workers > 1)),
        "networks": count,
        "workers": workers,
    }


def _runs(architectures: Sequence[str], place: Place) -> None:
    """`InputError` where none of a few networks of the space can run at one of the input sizes."""
    for conditions in place.settings:
        for left, architecture in enumerate(architectures, 1 - len(architectures)):
            model = place.space.build(architecture, conditions.classes)
            try:
                measure(model, conditions, [CATALOGUE["params"]])
                break
            except InputError:
                if not left:
                    raise


def _share(memory: int, workers: int) -> int:
    """Bytes for each worker of the megabytes for all; `InputError` where they are too few."""
    helpers = RAY_MB * (workers > 1)
    least = WORKER_MB * workers + helpers
    if memory < least:
        raise InputError(f"memory {memory} MB: expected at least {least} for {workers} workers")
    return (memory - helpers) * 2**20 // workers


def conditions_of(where: Ground, config: Config) -> tuple[MeasurementConfig, ...]:
    """The conditions that a configuration asks for on some networks."""
    for statistic in config.statistics:
        if statistic not in CATALOGUE:
            raise unknown("statistic", statistic, CATALOGUE)
    return where.conditions(
        raw=config.raw_batch,
        sketch=config.sketch_batch,
        seed=config.initialisation_seed,
        images=config.images,
        device=config.device,
        storage=config.storage,
    )


def _timed(
    part: Ground, config: Config, statistics: tuple[str, ...], formulas: Sequence[Expression]
) -> tuple[float, float]:
    """Seconds for the formulas on a few networks, and bytes that were kept."""
    evaluator = Evaluator((Place(SPACES[part.space], conditions_of(part, config)),), statistics)
    texts = list(dict.fromkeys(m.text for f in formulas for m in f.features()))
    begun = time.perf_counter()
    evaluator.evaluate((0, part.architectures), texts)
    return time.perf_counter() - begun, float(evaluator.nbytes)
