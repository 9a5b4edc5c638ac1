"""Which predictor is best, at which cost: every predictor at several numbers of labels.

After White et al., "How Powerful are Performance Predictors in Neural Architecture Search?",
NeurIPS 2021: predictors at many budgets for initialisation (networks that are trained first) and
for a query (what is spent on each further network).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.curves import Curves
from eznas.benchmarks.loading import from_accuracy_file
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.readers.curve_csv import check_percent, has_curves, read_curves
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.errors import InputError, unknown
from eznas.evaluation.executors import NoPhases, Phases
from eznas.predictors.base import TARGETS, Predictor
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PREDICTORS, PROXIES, load
from eznas.proxies.measured import ScoringSettings
from eznas.spaces import SPACES
from eznas.studies.known_curves import curves_of
from eznas.studies.known_scores import networks_with_scores
from eznas.studies.prices import Price, add_costs, proxy_seconds
from eznas.studies.trials import TESTED, Job, Plan, run
from eznas.studies.winners import Map, winners
from eznas.system.arguments import checked

Row = dict[str, Any]

SIZES = (5, 8, 12, 18, 28, 43, 67, 104, 162, 252, 400)  # networks that are trained first
EPOCHS = (3, 9, 30)  # at which curves are read, where they are longer than one point


@dataclass(frozen=True)
class Budgets:
    """The result of `budgets`.

    `rows`: one for each predictor, number of training networks and epoch: predictor, features,
    regressor, training (networks fitted to), champion_labels (networks of this space that the
    search behind a discovered formula in it has seen; None: not known), epochs, the means over
    trials of `PREDICTION_METRICS` (NaN: undefined in some trial; networks without a prediction rank
    last, and equal predictions have a tau of 0), tau_error (its standard error),
    taus of the trials, fit_seconds, proxy_seconds and predict_seconds a network, query (what a
    network costs, in `unit`; see `eznas.studies.prices.add_costs`);
    `maps`: the winners, see `eznas.studies.winners`, with champions' labels free and counted;
    `unit` of queries: "seconds", or "epochs" where training times are not known; `epoch_seconds`
    of a mean network's epoch; `split`: "components" or "networks"; `target`: what was fitted to;
    `left_out`: predictors that were not tried, and why.
    """

    space: str
    dataset: str
    accuracy: str
    networks: int
    trials: int
    tested: int
    split: str
    target: str
    unit: str
    epoch_seconds: float | None
    total_epochs: int | None
    rows: list[Row]
    maps: list[Map]
    left_out: dict[str, str]


@checked
def budgets(
    predictors: Sequence[str] = (),
    *,
    space: str = "nasbench201",
    dataset: str = "",
    accuracy: str | None = None,
    set_name: str = "all",
    networks: int | None = AtMost(1000),
    sizes: Sequence[int] = (),
    trials: int = 30,
    split_by: str = "components",
    proxies: Sequence[str] = PROXIES,
    champion: str = CHAMPION,
    target: str = TARGETS[0],
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
    a second and need no more than there is). `networks` of the set are the pool, without those that
    are not in a file of scores which a predictor reads (`scores`, or a feature `table:FILE.csv`).
    `accuracy`: a CSV file of networks and accuracies in percent in place of the space's, with their
    learning curves where it has any, in columns as `eznas.studies.prediction.predict` reads them.
    In each trial the predictors are fitted to the first of them in random order, as many as each of
    `sizes` says (none: those of `SIZES` that there are networks for), and tested on `TESTED`
    others. `split_by` "components": fitted to the search part and tested on the held-out part,
    which share no component; "networks": both by lot.

    `proxies`, `champion` and `target`: see `eznas.predictors.load`. `scores`: a CSV file of scores
    that are known, see `Measurements` (their proxies are timed all the same). `seed` of the
    networks, the trials, the initialisations and the regressors. The rest is as in `correlate`.

    Raises `InputError` for what cannot be used, and where a network cannot be measured.
    """
    phases = watcher or NoPhases()
    pool = _pool(space, dataset, accuracy, set_name, networks, seed)
    [dataset] = pool.datasets
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurements = Measurements(space, dataset, settings, phases, scores)
    curves = _curves(space, dataset, accuracy)
    left_out = {} if predictors else _left_out(curves, measurements)
    names = [name for name in predictors or PREDICTORS if name not in left_out]
    load_named = partial(load, proxies=proxies, champion=champion, target=target, seed=seed)
    jobs = [*_jobs({name: load_named(name, measurements) for name in names}, curves)]
    pool = _in_tables(pool, jobs, measurements)
    plan = _plan(pool, split_by, sizes, trials, seed)
    measurements.scores(_proxies(jobs), pool.architectures)  # of all networks at once
    rows = run(jobs, plan, curves, workers, phases)
    price = Price.of(space, dataset, curves)
    seconds = proxy_seconds(_proxies(jobs), pool, settings, phases)
    add_costs(rows, jobs, seconds, price.epoch_seconds, space)
    return _result(plan, {"split": split_by, "target": target}, rows, price, left_out)


def _pool(
    space: str,
    dataset: str,
    accuracy: str | None,
    set_name: str,
    networks: int | None,
    seed: int,
) -> Benchmark:
    """The networks of a set with their accuracies on one data set, by default the first: those of
    an accuracy file where there is one."""
    if accuracy is None:
        first = dataset or next(iter(load_benchmark(space).datasets))
        return named_set(load_benchmark(space, [first]), set_name, networks, seed)
    if set_name != "all":
        raise InputError(f"set {set_name!r}: expected 'all' with an accuracy file")
    if space not in SPACES:
        raise unknown("space", space, SPACES)
    pool = from_accuracy_file(space, accuracy, [dataset or SPACES[space].datasets[0]])
    check_percent(accuracy, next(iter(pool.accuracies.values())))
    return named_set(pool, set_name, networks, seed)


def _curves(space: str, dataset: str, accuracy: str | None) -> Curves | None:
    """The learning curves in an accuracy file, or else those that were imported; None: none."""
    if accuracy is not None and has_curves(accuracy):
        return read_curves(accuracy, SPACES[space])
    return curves_of(space, dataset)


def _in_tables(pool: Benchmark, jobs: Sequence[Job], measurements: Measurements) -> Benchmark:
    """The networks that stand in every file of scores that some predictor reads."""
    known = networks_with_scores([job.predictor for job in jobs], measurements)
    if known is None:
        return pool
    indices = [i for i, a in enumerate(pool.architectures) if a in known]
    return pool.subset(np.array(indices, dtype=np.int64), pool.name)


def _proxies(jobs: Sequence[Job]) -> list[str]:
    """Every proxy that some job needs, once."""
    return list(dict.fromkeys(p for job in jobs for p in job.predictor.requires.proxies))


def _plan(pool: Benchmark, split_by: str, sizes: Sequence[int], trials: int, seed: int) -> Plan:
    """The networks of all trials; `InputError` where there are too few, and for a size or a number
    of trials that cannot be."""
    if trials < 1:
        raise InputError(f"trials {trials}: expected 1 or more")
    trained, tested = _parts(pool, split_by)
    most = len(trained) - (TESTED if split_by == "networks" else 0)
    usable = tuple(sorted(set(sizes))) or tuple(size for size in SIZES if size <= most)
    if not usable or len(tested) < 2:
        raise InputError(
            f"{len(pool.architectures)} networks are too few: {max(most, 0)} to fit to and "
            f"{len(tested)} to test on"
        )
    for size in usable:
        if not 1 <= size <= most:
            raise InputError(f"size {size}: expected 1 to {max(most, 0)}, the networks to fit to")
    return Plan(pool, next(iter(pool.datasets)), trained, tested, usable, trials, seed)


def _left_out(curves: Curves | None, measurements: Measurements) -> dict[str, str]:
    """Why some named predictors are not tried unless they are named."""
    reasons = dict[str, str]()
    for name, row in PREDICTORS.items():
        try:
            lacking = _lacking(load(name, measurements), curves)
        except InputError as error:
            reasons[name] = str(error)
            continue
        if row.slow:
            reasons[name] = "a fit takes seconds: name it to have it tried"
        elif lacking:
            reasons[name] = lacking
        elif name in _SLOW_PROXIES:
            reasons[name] = "takes seconds a network: name it to have it tried"
    return reasons


_SLOW_PROXIES = ("grasp", "vkdnw_entropy")


def _lacking(predictor: Predictor, curves: Curves | None) -> str:
    """What a predictor reads of learning curves that is not here, "" where all is."""
    reads = predictor.requires.curve
    if not reads or (curves is not None and (reads == "all" or reads in curves.values)):
        return ""
    what = {"accuracy": " of accuracy", "train_loss": " of the training loss"}
    return f"it reads learning curves{what.get(reads, '')}, and there are none here"


def _parts(pool: Benchmark, split_by: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the networks that may be fitted to, and of those to test on: one array for both
    where they are drawn by lot."""
    if split_by == "networks":
        everything = np.arange(len(pool.architectures))
        return everything, everything
    if split_by != "components":
        raise InputError(f"split {split_by!r}: expected components or networks")
    parts = pool.split
    return parts.search, parts.held_out


def _jobs(predictors: Mapping[str, Predictor], curves: Curves | None) -> Iterator[Job]:
    """A job for each predictor, or for each epoch up to which one reads curves; `InputError` where
    there are none of what it reads."""
    for name, predictor in predictors.items():
        if lacking := _lacking(predictor, curves):
            raise InputError(f"predictor {name}: {lacking}")
        if curves is None or not predictor.requires.curve:
            yield Job(name, predictor)
            continue
        for epoch in _epochs(curves):
            parameters = predictor.get_params(deep=False) | {"epochs": epoch}
            yield Job(name, Predictor(**parameters))


def _epochs(curves: Curves) -> list[int]:
    """The epochs up to which curves are read."""
    last = int(curves.epochs[-1])
    return [e for e in EPOCHS if curves.epochs[0] <= e < last] or [last]


def _result(
    plan: Plan, how: Mapping[str, str], rows: list[Row], price: Price, left_out: dict[str, str]
) -> Budgets:
    """The result of trials; `how`: its fields `split` and `target`."""
    return Budgets(
        space=plan.pool.space,
        dataset=plan.dataset,
        accuracy=plan.pool.kind,
        networks=len(plan.pool.architectures),
        trials=plan.trials,
        tested=plan.test_size,
        **how,
        unit=price.unit,
        epoch_seconds=price.epoch_seconds,
        total_epochs=price.total_epochs,
        rows=rows,
        maps=winners(rows, plan.sizes, price.unit, price.dearest),
        left_out=left_out,
    )
