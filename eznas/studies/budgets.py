"""Which predictor is best, at which cost: every predictor at several numbers of labels.

After White et al., "How Powerful are Performance Predictors in Neural Architecture Search?",
NeurIPS 2021: predictors at many budgets for initialisation (networks that are trained first) and
for a query (what is spent on each further network).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.curves import Curves
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import split
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PREDICTORS, PROXIES, load
from eznas.proxies.measured import ScoringSettings
from eznas.studies.known_curves import curves_of
from eznas.studies.prices import Price, add_costs, proxy_seconds
from eznas.studies.trials import TESTED, Job, Plan, run
from eznas.studies.winners import Map, winners

Row = dict[str, Any]

SIZES = (5, 8, 12, 18, 28, 43, 67, 104, 162, 252, 400)  # networks that are trained first
EPOCHS = (3, 9, 30)  # at which curves are read, where they are longer than one point


@dataclass(frozen=True)
class Budgets:
    """The result of `budgets`.

    `rows`: one for each predictor, number of training networks and epoch: predictor, features,
    regressor, training (networks fitted to), champion_labels (what the discovered formulas in it
    have seen of this space; None: not known), epochs, the means over trials of
    `PREDICTION_METRICS`, tau_error (its standard error), taus of the trials, fit_seconds,
    proxy_seconds and predict_seconds a network, query (what a network costs, in `unit`);
    `maps`: the winners, see `eznas.studies.winners`, with champions' labels free and counted;
    `unit` of queries: "seconds", or "epochs" where training times are not known; `epoch_seconds`
    of a mean network's epoch; `split`: "components" or "networks"; `left_out`: predictors that were
    not tried, and why.
    """

    space: str
    dataset: str
    accuracy: str
    networks: int
    trials: int
    tested: int
    split: str
    unit: str
    epoch_seconds: float | None
    total_epochs: int | None
    rows: list[Row]
    maps: list[Map]
    left_out: dict[str, str]


def budgets(
    predictors: Sequence[str] = (),
    *,
    space: str = "nasbench201",
    dataset: str = "",
    set_name: str = "all",
    networks: int | None = AtMost(1000),
    sizes: Sequence[int] = SIZES,
    trials: int = 30,
    split_by: str = "components",
    proxies: Sequence[str] = PROXIES,
    champion: str = CHAMPION,
    scores: str | None = None,
    seed: int = 0,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> Budgets:
    """Fit predictors to few networks and test them on others, at many budgets.

    `predictors`: texts as `eznas.predictors.load` takes them (none: all named ones that fit within
    a second and need no more than there is). `networks` of the set are the pool; in each trial the
    predictors are fitted to the first of them in random order, as many as each of `sizes` says, and
    tested on `TESTED` others. `split_by` "components": fitted to the search part and tested on the
    held-out part, which share none; "networks": both by lot. `proxies` and `champion` take their
    places; `scores`: see `Measurements` (they are timed all the same). Else as in `correlate`.

    Raises `InputError` for bad arguments, too few networks, and one that cannot be measured.
    """
    phases = watcher or NoPhases()
    pool = _pool(space, dataset, set_name, networks, seed)
    [dataset] = pool.datasets
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurements = Measurements(space, dataset, settings, phases, scores)
    curves = curves_of(space, dataset)
    jobs, left_out = _jobs(predictors, measurements, curves, proxies, champion)
    plan = _plan(pool, split_by, sizes, trials, seed)
    needed = _measured(jobs, measurements, pool)
    rows = run(jobs, plan, curves, workers, phases)
    price = Price.of(space, dataset, curves)
    add_costs(rows, jobs, proxy_seconds(needed, pool, settings), price.epoch_seconds, space)
    return Budgets(
        space=space,
        dataset=dataset,
        accuracy=pool.kind,
        networks=len(pool.architectures),
        trials=trials,
        tested=min(TESTED, len(plan.tested)),
        split=split_by,
        unit=price.unit,
        epoch_seconds=price.epoch_seconds,
        total_epochs=price.total_epochs,
        rows=rows,
        maps=winners(rows, plan.sizes, price.unit, price.dearest),
        left_out=left_out,
    )


def _pool(space: str, dataset: str, set_name: str, networks: int | None, seed: int) -> Benchmark:
    """The networks of a set with their accuracies on one data set, by default the first."""
    first = dataset or next(iter(load_benchmark(space).datasets))
    return named_set(load_benchmark(space, [first]), set_name, networks, seed)


def _plan(pool: Benchmark, split_by: str, sizes: Sequence[int], trials: int, seed: int) -> Plan:
    """The networks of all trials; `InputError` where there are too few."""
    trained, tested = _parts(pool, split_by)
    most = len(trained) - (TESTED if split_by == "networks" else 0)
    usable = tuple(size for size in sizes if size <= most)
    if not usable or len(tested) < 2:
        raise InputError(
            f"{len(pool.architectures)} networks are too few: {most} to fit to and "
            f"{len(tested)} to test on"
        )
    return Plan(pool, next(iter(pool.datasets)), trained, tested, usable, trials, seed)


def _measured(jobs: Sequence[Job], measurements: Measurements, pool: Benchmark) -> list[str]:
    """Measure every proxy that some job needs, on all networks; returns them."""
    needed = list(dict.fromkeys(p for job in jobs for p in job.predictor.requires.proxies))
    measurements.scores(needed, pool.architectures)
    return needed


def _jobs(
    predictors: Sequence[str],
    measurements: Measurements,
    curves: Curves | None,
    proxies: Sequence[str],
    champion: str,
) -> tuple[list[Job], dict[str, str]]:
    """A job for each predictor and epoch at which it reads curves, and why named ones are left
    out where none were asked for."""
    names, left_out = list(predictors), dict[str, str]()
    if not names:
        names, left_out = _usual(curves, measurements)
    epochs = _epochs(curves)
    jobs = [
        Job(name, variant)
        for name in names
        for variant in _variants(
            name, load(name, measurements, proxies=proxies, champion=champion), epochs
        )
    ]
    return jobs, left_out


def _usual(curves: Curves | None, measurements: Measurements) -> tuple[list[str], dict[str, str]]:
    """The named predictors that are tried unless others are named, and why others are not."""
    names, left_out = list[str](), dict[str, str]()
    for name, row in PREDICTORS.items():
        try:
            predictor = load(name, measurements)
        except InputError as error:
            left_out[name] = str(error)
            continue
        reads = predictor.requires.curve
        has = () if curves is None else tuple(curves.values)
        if row.slow:
            left_out[name] = "a fit takes seconds: name it to have it tried"
        elif reads and (curves is None or (reads != "all" and reads not in has)):
            left_out[name] = f"no curves with {reads} of space {measurements.space.name}"
        elif name in _SLOW_PROXIES:
            left_out[name] = "takes seconds a network"
        else:
            names.append(name)
    return names, left_out


_SLOW_PROXIES = ("grasp", "vkdnw_entropy")


def _parts(pool: Benchmark, split_by: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the networks that may be fitted to, and of those to test on: one array for both
    where they are drawn by lot."""
    if split_by == "networks":
        everything = np.arange(len(pool.architectures))
        return everything, everything
    if split_by != "components":
        raise InputError(f"split {split_by!r}: expected components or networks")
    whole = load_benchmark(pool.space, list(pool.datasets))
    held_out = {whole.architectures[i] for i in split(whole.components).held_out}
    is_held_out = np.array([a in held_out for a in pool.architectures])
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _epochs(curves: Curves | None) -> list[int]:
    if curves is None:
        return []
    last = int(curves.epochs[-1])
    return [last] if len(curves.epochs) == 1 else [e for e in EPOCHS if e < last]


def _variants(name: str, predictor: Predictor, epochs: Sequence[int]) -> Iterator[Predictor]:
    """The predictor once, or once for each epoch if it reads curves; `InputError` where there are
    none."""
    if not predictor.requires.curve:
        yield predictor
    elif not epochs:
        raise InputError(f"predictor {name}: reads learning curves, and there are none here")
    for epoch in epochs if predictor.requires.curve else ():
        yield Predictor(**predictor.get_params(deep=False) | {"epochs": epoch})
