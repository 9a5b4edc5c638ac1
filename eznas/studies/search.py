"""Architectures searched for the highest accuracy by one of `METHODS`."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from eznas.errors import InputError, unknown
from eznas.evaluation.executors import NoPhases, Phases, Progress
from eznas.proxies.loading import load as load_proxy
from eznas.proxies.measured import ScoringSettings
from eznas.report import plots
from eznas.search import METHODS, MethodRow, Settings
from eznas.search.acquisition import ACQUISITIONS
from eznas.search.base import Predictor
from eznas.search.candidates import Candidates
from eznas.search.costs import Costs, Limits
from eznas.search.loop import run
from eznas.search.result import Query, SearchResult
from eznas.studies.search_task import Task, task_of, with_scores
from eznas.system.arguments import checked

PREDICTOR = "extra_trees"  # of a guided search, unless another is named
TRIED = 300  # networks whose costs are measured to find the best within the limits, at most
ANNOUNCED = 100  # networks whose measuring is shown as a phase of its own, at least


@checked
def search_architectures(
    method: str,
    *,
    space: str = "nasbench201",
    dataset: str | None = None,
    queries: int = 150,
    repeats: int = 1,
    seed: int = 0,
    labels: str | None = None,
    within: str | None = None,
    max_params: float | None = None,
    max_flops: float | None = None,
    max_seconds: float | None = None,
    predictor: str | Predictor = PREDICTOR,
    acquisition: str = "ucb",
    batch: int = 10,
    pool: int = 200,
    warm_start: Sequence[str] = (),
    proxies: Sequence[str] = (),
    scores: str | None = None,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> SearchResult:
    """Search a space for its most accurate networks, with `queries` looks at accuracies.

    `method`: a name of `eznas.search.METHODS`. `dataset`: the space's first unless named; `labels`:
    a CSV file whose networks and accuracies replace the benchmark's: only these are queried;
    `within`: a leaf of a tree, as `FILE.json#3`, outside of which none is. Regret stays that to the
    best network of all. A search is repeated `repeats` times; the same `seed` gives the same
    queries, unless a limit on seconds is set. `max_params`, `max_flops` (multiply-adds for one
    image) and `max_seconds` (of a forward pass here, on one thread with one image): no network
    above is queried.

    Of `guided`: `predictor`, a name of `eznas.predictors` or an object with its methods;
    `acquisition`, a name of `ACQUISITIONS`; `batch`, the queries between two fits; `warm_start`,
    proxies whose ranks choose the first of them; `proxies`, those that stand for `proxies` among
    the predictor's features (none: `PROXIES`). Of the method `proxies`: `proxies`. Of both: `pool`,
    networks considered at a time; `scores`, a CSV file as `Measurements` takes it, whose networks
    alone are searched. `images` to `records`: see `ScoringSettings`.

    Raises `InputError` for an argument that cannot be used, where no network is within the limits,
    and where one cannot be measured.
    """
    if method not in METHODS:
        raise unknown("search method", method, METHODS)
    row, callback = METHODS[method], watcher or NoPhases()
    task = task_of(space, dataset, labels, within)
    settings = Settings(
        queries, batch, pool, acquisition, warm_start=tuple(warm_start), proxies=tuple(proxies)
    )
    _check(row, settings, repeats, task)
    scoring = ScoringSettings((seed,), images, raw, sketch, device, workers, records)
    settings, task = _completed(settings, row, task, predictor, scoring, scores, callback)
    limits = Limits(max_params, max_flops, max_seconds)
    return _repeated(row, task, settings, limits, seed, repeats, callback)


def _check(row: MethodRow, settings: Settings, repeats: int, task: Task) -> None:
    """`InputError` for what the arguments of a search cannot be."""
    for name, number in (("repeats", repeats), ("batch", settings.batch), ("pool", settings.pool)):
        if number < 1:
            raise InputError(f"{name} {number}: expected 1 or more")
    if not 1 <= settings.queries <= len(task.members):
        where = f" in {task.within}" if task.within else ""
        networks = f"{len(task.members)}, the networks that have an accuracy{where}"
        raise InputError(f"queries {settings.queries}: expected 1 to {networks}")
    if settings.acquisition not in ACQUISITIONS:
        raise unknown("acquisition", settings.acquisition, ACQUISITIONS)
    if "proxies" in row.needs and not settings.proxies:
        raise InputError(f"search method {row.name}: expected one or more proxies")
    for proxy in (*settings.proxies, *settings.warm_start):
        if not (proxy.startswith("table:") and "predictor" in row.needs):  # a feature
            load_proxy(proxy)


def _completed(
    settings: Settings,
    row: MethodRow,
    task: Task,
    predictor: str | Predictor,
    scoring: ScoringSettings,
    scores: str | None,
    callback: Phases,
) -> tuple[Settings, Task]:
    """The settings with what measures proxies and with the predictor, as far as the method needs
    them; and the task with the networks that have the scores which these read."""
    if not {"predictor", "scores"} & set(row.needs):
        return settings, task
    from eznas.predictors.measurements import Measurements  # slow to import
    from eznas.predictors.named import CHAMPION, PROXIES, check_used
    from eznas.predictors.named import load as load_predictor

    announced = _Announced(callback)
    measurements = Measurements(task.space.name, task.dataset, scoring, announced, scores)
    settings = replace(settings, scores=measurements.scores)
    if "predictor" in row.needs and isinstance(predictor, str):
        proxies = settings.proxies or PROXIES
        check_used(predictor, proxies, CHAMPION)
        predictor = load_predictor(predictor, measurements, proxies=proxies)
    if not isinstance(predictor, str):
        settings = replace(settings, predictor=predictor)
    return settings, with_scores(settings, task, measurements)


class _Announced:
    """Passes on the phases in which many networks are measured; a search has many of few."""

    def __init__(self, phases: Phases) -> None:
        self._phases = phases

    def phase(self, name: str, networks: int) -> Progress | None:
        """See `Phases.phase`."""
        return self._phases.phase(name, networks) if networks >= ANNOUNCED else None

    def note(self, text: str) -> None:
        """See `Phases.note`."""
        self._phases.note(text)


def _repeated(
    row: MethodRow,
    task: Task,
    settings: Settings,
    limits: Limits,
    seed: int,
    repeats: int,
    callback: Phases,
) -> SearchResult:
    """The search with every repeat, and the costs of what the first one queried."""
    costs = Costs(task.space, task.presented, timed=limits.seconds is not None)
    allows = [_Allowed(limits, costs, len(task.members), callback)] if limits else []
    candidates = Candidates(task.part, task.members, *allows)
    total = repeats * settings.queries
    progress = callback.phase(f"{row.name} search: {_times(repeats)}{settings.queries} queries", 0)
    histories = []
    for repeat in range(repeats):
        report = partial(_report, progress, repeat * settings.queries, total)
        arguments = (row, candidates, task.accuracies.__getitem__, settings, seed, repeat, report)
        histories.append(run(*arguments))
    if not all(map(len, histories)):
        raise InputError(f"no network of {task.space.name} has {limits}; {costs.least()}")
    if not limits:  # otherwise all costs are known
        for architecture in _watched(
            histories[0].architectures, "what these networks cost", callback
        ):
            costs(architecture)
    queries = [
        tuple(Query(a, task.accuracies[a], costs(a) if limits or not i else None) for a in history)
        for i, history in enumerate(histories)
    ]
    return SearchResult(
        *(row.name, task.space.name, task.dataset, task.kind, seed, settings.queries),
        *(tuple(queries), limits, _best_known(task, limits, candidates, callback), task.within),
    )


def _watched(architectures: Sequence[str], title: str, callback: Phases) -> Iterator[str]:
    """The architectures, with progress as each is done."""
    progress = callback.phase(title, len(architectures))
    for done, architecture in enumerate(architectures, 1):
        yield architecture
        if progress is not None:
            progress(done, len(architectures))


class _Allowed:
    """Whether a network is within the limits; where many are measured to find one that is, a phase
    shows it. `networks`: how many there are."""

    def __init__(self, limits: Limits, costs: Costs, networks: int, phases: Phases) -> None:
        self._limits, self._costs, self._networks = limits, costs, networks
        self._phases = phases
        self._progress: Progress | None = None

    def __call__(self, architecture: str) -> bool:
        measured = len(self._costs)
        cost = self._costs(architecture)
        if len(self._costs) > measured >= ANNOUNCED:
            title = f"what networks cost, to find those that have {self._limits}"
            self._progress = self._progress or self._phases.phase(title, self._networks)
            _report(self._progress, measured, self._networks, 1)
        return self._limits.allow(cost)


def _report(progress: Progress | None, earlier: int, total: int, queries: int) -> None:
    if progress is not None:
        progress(earlier + queries, total)


def _times(repeats: int) -> str:
    return f"{repeats} times " if repeats > 1 else ""


def _best_known(
    task: Task, limits: Limits, candidates: Candidates, callback: Phases
) -> float | None:
    """The highest accuracy of a network within the limits; None where the `TRIED` most accurate are
    all beyond, since to measure more would take longer than the search."""
    ordered = sorted(task.accuracies, key=task.accuracies.__getitem__, reverse=True)
    if not limits:
        return task.accuracies[ordered[0]]
    tried = _watched(ordered[:TRIED], "the most accurate network within the limits", callback)
    return next((task.accuracies[a] for a in tried if candidates.allows(a)), None)


def plot(result: SearchResult, file: str) -> list[str]:
    """Draw the best accuracy so far against the number of queries into a PNG file, with its
    interval over repeats, and return its name in a list. Raises `InputError` where it cannot be
    written."""
    curve = result.curve()
    lines = {result.method: curve.mean}
    if len(result.repeats) > 1:
        lines |= {"95 % interval, low": curve.low, "95 % interval, high": curve.high}
    queries = np.arange(1, result.queries + 1)
    y = f"best {result.kind} accuracy so far"
    plots.line_plot(Path(file), queries, lines, f"queries ({result.dataset})", y)
    return [file]
