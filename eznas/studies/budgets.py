"""Which predictor is best, at which cost: every predictor at several numbers of labels.

After White et al., "How Powerful are Performance Predictors in Neural Architecture Search?",
NeurIPS 2021: predictors at many budgets for initialisation (networks that are trained first) and
for a query (what is spent on each further network).
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from eznas.benchmarks import Benchmark
from eznas.benchmarks.costs import training_seconds
from eznas.benchmarks.curves import Curves
from eznas.benchmarks.loading import load as load_benchmark
from eznas.benchmarks.splits import split
from eznas.benchmarks.subsets import AtMost, named_set
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.metrics.predictions import PREDICTION_METRICS, prediction_metrics
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements
from eznas.predictors.named import CHAMPION, PREDICTORS, PROXIES, load
from eznas.proxies.loading import describe
from eznas.proxies.loading import load as load_proxy
from eznas.proxies.measured import ScoringSettings, seconds_each
from eznas.studies.known_curves import curves_of
from eznas.studies.winners import Map, winners

Floats = NDArray[np.float64]
Row = dict[str, Any]

SIZES = (5, 8, 12, 18, 28, 43, 67, 104, 162, 252, 400)  # networks that are trained first
EPOCHS = (3, 9, 30)  # at which curves are read, where they are longer than one point
TESTED = 200  # networks, in each trial
TIMED = 4  # networks on which each proxy is timed


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
    tested on `TESTED` others. `split_by` "components": fitted to the search part and tested on
    the held-out part, which share no component; "networks": both by lot. `proxies` and `champion`
    take their places in named predictors. The rest is as in `correlate`.

    Raises `InputError` for an argument that cannot be used, too few networks, and where a network
    cannot be measured.
    """
    phases = watcher or NoPhases()
    benchmark = load_benchmark(space, [dataset] if dataset else [])
    first = next(iter(benchmark.datasets))
    benchmark = load_benchmark(space, [first])
    pool = named_set(benchmark, set_name, networks, seed)
    settings = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    measurements = Measurements(space, first, settings, phases)
    curves = curves_of(space, first)
    chosen = [load(text, measurements, proxies=proxies, champion=champion) for text in predictors]
    names = list(predictors)
    left_out: dict[str, str] = {}
    if not predictors:
        names, left_out = _usual(curves, measurements)
        chosen = [load(n, measurements, proxies=proxies, champion=champion) for n in names]
    trained, tested = _parts(pool, split_by)
    usable = [size for size in sizes if size <= len(trained)]
    if not usable or len(tested) < 2:
        raise InputError(
            f"{len(pool.architectures)} networks are too few: {len(trained)} to fit to and "
            f"{len(tested)} to test on"
        )
    needed = list(dict.fromkeys(p for c in chosen for p in c.requires.proxies))
    measurements.scores(needed, pool.architectures)
    seconds = _seconds(needed, pool, settings)
    plan = _Plan(pool, first, trained, tested, tuple(usable), trials, seed)
    epochs = _epochs(curves)
    jobs = [
        _Job(name, replaced, tuple(usable))
        for name, predictor in zip(names, chosen, strict=True)
        for replaced in _variants(predictor, epochs)
    ]
    rows = _run(jobs, plan, curves, workers, phases)
    times = training_seconds(space, first)
    per_epoch = None if times is None else float(times.seconds.mean() / times.epochs)
    _add_costs(rows, jobs, seconds, per_epoch, space)
    unit = "epochs" if per_epoch is None else "seconds"
    total = times.epochs if times is not None else curves.total_epochs if curves else None
    limit = (total or 0) * (per_epoch or 1)
    return Budgets(
        space,
        first,
        pool.kind,
        len(pool.architectures),
        trials,
        min(TESTED, len(tested)),
        split_by,
        unit,
        per_epoch,
        total,
        rows,
        winners(rows, usable, unit, limit),
        left_out,
    )


@dataclass(frozen=True, eq=False)
class _Plan:
    """The networks of all trials: `trained` and `tested` are indices into the pool."""

    pool: Benchmark
    dataset: str
    trained: NDArray[np.int64]
    tested: NDArray[np.int64]
    sizes: tuple[int, ...]
    trials: int
    seed: int

    def trial(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the networks to fit to, in order, and to test on, of a trial."""
        generator = np.random.default_rng([self.seed, number])
        if self.trained is self.tested:  # by lot
            order = generator.permutation(self.trained)
            return order[TESTED:], order[:TESTED]
        return generator.permutation(self.trained), generator.permutation(self.tested)[:TESTED]


@dataclass(frozen=True, eq=False)
class _Job:
    """A predictor, at one epoch, to be fitted to several numbers of networks."""

    name: str
    predictor: Predictor
    sizes: tuple[int, ...]


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


def _seconds(
    proxies: Sequence[str], pool: Benchmark, settings: ScoringSettings
) -> dict[str, float]:
    """Seconds a network that each proxy takes by itself."""
    loaded = [load_proxy(proxy) for proxy in proxies]
    times = seconds_each(loaded, pool, settings, TIMED) if loaded else []
    return dict(zip(proxies, times, strict=True))


def _epochs(curves: Curves | None) -> list[int]:
    if curves is None:
        return []
    last = int(curves.epochs[-1])
    return [last] if len(curves.epochs) == 1 else [e for e in EPOCHS if e < last]


def _variants(predictor: Predictor, epochs: Sequence[int]) -> Iterator[Predictor]:
    """The predictor once, or once for each epoch if it reads curves."""
    if not predictor.requires.curve:
        yield predictor
        return
    for epoch in epochs:
        parameters = predictor.get_params(deep=False) | {"epochs": epoch}
        yield Predictor(**parameters)


def _run(
    jobs: Sequence[_Job], plan: _Plan, curves: Curves | None, workers: int, phases: Phases
) -> list[Row]:
    """A row for each job and number of training networks, means over the trials."""
    pairs = [(job, trial) for trial in range(plan.trials) for job in jobs]
    progress = phases.phase(f"fitting {len(jobs)} predictors {plan.trials} times", len(pairs))
    parallel = Parallel(n_jobs=workers, return_as="generator", batch_size="auto")
    results: dict[int, list[list[Row]]] = {id(job): [] for job in jobs}
    answers = parallel(delayed(_trial)(job, plan, trial, curves) for job, trial in pairs)
    for done, ((job, _), rows) in enumerate(zip(pairs, answers, strict=True), 1):
        results[id(job)].append(rows)
        if progress is not None:
            progress(done, len(pairs))
    return [
        _mean([rows[i] for rows in results[id(job)]])
        for job in jobs
        for i in range(len(results[id(job)][0]))
    ]


def _trial(job: _Job, plan: _Plan, trial: int, curves: Curves | None) -> list[Row]:
    """A row for each number of training networks (a single one without labels) of one trial."""
    fitted, tested = plan.trial(trial)
    accuracies = plan.pool.accuracies[plan.dataset]
    names = plan.pool.architectures
    test_names, test_accuracies = [names[i] for i in tested], accuracies[tested]
    needs_labels = job.predictor.requires.labels
    rows = []
    for size in job.sizes if needs_labels else (0,):
        chosen = fitted[:size]
        if len(chosen) < size:
            continue
        start = time.perf_counter()
        job.predictor.fit([names[i] for i in chosen], accuracies[chosen], curves)
        middle = time.perf_counter()
        predictions = job.predictor.predict(test_names)
        end = time.perf_counter()
        metrics = prediction_metrics(predictions, test_accuracies, job.predictor.in_percent)
        rows.append(
            {
                "predictor": job.name,
                "features": list(job.predictor.features),
                "training": size,
                "epochs": job.predictor.epochs or 0,
                **metrics,
                "fit_seconds": (middle - start) if needs_labels else 0.0,
                "predict_seconds": (end - middle) / len(tested),
            }
        )
    return rows


def _mean(rows: Sequence[Row]) -> Row:
    """The mean of rows of one predictor over trials, with the spread of tau."""
    numbers = [*PREDICTION_METRICS, "fit_seconds", "predict_seconds"]
    taus = np.array([row["tau"] for row in rows])
    means = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    error = float(taus.std(ddof=1) / len(taus) ** 0.5) if len(taus) > 1 else float("nan")
    return {**rows[0], **means, "tau_error": error, "taus": taus.tolist()}


def _add_costs(
    rows: Sequence[Row],
    jobs: Sequence[_Job],
    seconds: dict[str, float],
    per_epoch: float | None,
    space: str,
) -> None:
    """Add to each row what its proxies and a query cost, and the labels of its champions."""
    for row in rows:
        job = next(j for j in jobs if j.name == row["predictor"])
        proxies = job.predictor.requires.proxies
        row["regressor"] = _regressor_name(job.predictor)
        row["proxy_seconds"] = sum(seconds[proxy] for proxy in proxies)
        row["champion_labels"] = _labels(proxies, space)
        if per_epoch is None:
            row["query"] = float(row["epochs"])
        else:
            row["query"] = row["epochs"] * per_epoch + row["proxy_seconds"] + row["predict_seconds"]


def _labels(proxies: Sequence[str], space: str) -> int | None:
    """Networks of the space whose accuracies the proxies' searches have seen; None: not known."""
    seen = [describe(proxy).labels for proxy in proxies]
    if any(labels is None for labels in seen):
        return None
    return max((labels.get(space, 0) for labels in seen if labels is not None), default=0)


def _regressor_name(predictor: Predictor) -> str:
    named = predictor.regressor
    return "" if named is None else named if isinstance(named, str) else type(named).__name__
