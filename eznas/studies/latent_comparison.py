"""Methods that look for the highest unified score, compared over seeds at equal cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.benchmarks.splits import components
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases, Phases
from eznas.metrics import kendall, verdict
from eznas.proxies.measured import ScoringSettings
from eznas.search.latent.methods import METHODS, Problem, all_networks, autoencoder_for
from eznas.search.result import mean_curve
from eznas.studies.latent_accuracy import taus_of
from eznas.studies.latent_search import PROXIES, Searched, searched
from eznas.studies.latent_setup import (
    Options,
    Setting,
    check,
    labelled_networks,
    problem_of,
    setting_of,
    with_heads,
)
from eznas.system.arguments import checked

Floats = NDArray[np.float64]
Content = dict[str, Any]

COMPARED = ("latent", "random", "evolution")


@checked
def latent_compare(
    space: str = "nasbench201",
    proxies: Sequence[str] = PROXIES,
    *,
    methods: Sequence[str] = COMPARED,
    also: str | None = None,
    repeats: int = 10,
    judged: int = 0,
    weights: str | Mapping[str, float] | None = None,
    labels: str | int = 0,
    dataset: str | None = None,
    train: int = 1000,
    starts: int = 64,
    steps: int = 150,
    rounds: int = 5,
    top: int = 10,
    seed: int = 0,
    encoder: str = "choices",
    joint: bool = False,
    scores: str | None = None,
    images: str | None = None,
    raw: int = 0,
    sketch: int = 0,
    device: str = "cpu",
    workers: int = 1,
    records: str | None = None,
    watcher: Phases | None = None,
) -> Content:
    """Search `repeats` times, with seeds from `seed` on, by each of the `methods`, the first of
    which the others are compared with in pairs of repeats.

    `also`: one more proxy; the ascent is made with it among the others too, and for it alone, by
    its terms. Where "exhaustive" is among the methods, all networks are measured: then percentiles
    are known, and what heads and unified score are worth on networks not learned from. Without, so
    many held-out networks with accuracies are measured to know the latter: `judged`, by lot. The
    other arguments are those of `latent_search`.

    A dict with what was searched, and `latent_searches`: for each search the mean over repeats,
    with its interval, of `unified`, `percentile` among all networks and `answer_accuracy` (each the
    mean over its answer), and of the differences to the first where both have one unified score;
    where all is measured, also `heads` and `taus`.

    Raises `InputError` as `latent_search`, and for fewer than 2 repeats.
    """
    options = Options(
        *(space, dataset or "", tuple(proxies), weights, labels, train, starts, steps, rounds),
        *(top, seed, encoder, joint),
    )
    if repeats < 2:
        raise InputError(f"repeats {repeats}: expected 2 or more")
    scoring = ScoringSettings((0,), images, raw, sketch, device, workers, records)
    variants = _variants(options, methods, also)
    return _compared(variants, repeats, judged, scoring, scores, watcher or NoPhases())


def _compared(
    variants: Sequence["_Variant"],
    repeats: int,
    judged: int,
    scoring: ScoringSettings,
    scores: str | None,
    phases: Phases,
) -> Content:
    for variant in variants:
        check(variant.options, variant.method)
    options = variants[0].options
    setting = setting_of(options, scoring, scores, phases)
    everything = any(variant.method == "exhaustive" for variant in variants)
    networks = all_networks(setting.space) if everything else ()
    settings = {v.objective: with_heads(setting, v.options) for v in variants}
    seeds = range(options.seed, options.seed + repeats)
    trials = [_trial(variants, seed, settings, networks, phases) for seed in seeds]
    return {
        **{key: getattr(options, key) for key in ("space", "seed", "train", "rounds", "top")},
        "dataset": setting.measurements.dataset,
        "accuracy": setting.kind or None,
        "repeats": repeats,
        "networks": len(networks) or None,
        "weights": options.way if isinstance(options.way, str) else "given",
        "labels": options.labels,
        "proxies": list(options.proxies),
        "latent_searches": _rows(variants, trials),
        "heads": _heads(variants, trials) if networks else [],
        "taus": _taus(options, setting, trials, None if networks else judged),
    }


@dataclass(frozen=True)
class _Variant:
    """A search that is compared."""

    name: str
    method: str
    options: Options

    @property
    def objective(self) -> tuple[Any, ...]:
        """What its unified score is made of."""
        way = self.options.way
        return self.options.proxies, way if isinstance(way, str) else tuple(way.items())


@dataclass(frozen=True, eq=False)
class _Outcome:
    """What one search of one repeat came to; NaN where that is not known."""

    problem: Problem
    measured: int
    unified: float
    percentile: float
    accuracy: float
    best_accuracy: float
    predicted_tau: float


def _variants(options: Options, methods: Sequence[str], also: str | None) -> list[_Variant]:
    variants = [_Variant(method, method, options) for method in dict.fromkeys(methods)]
    if also is not None:
        added = replace(options, proxies=(*options.proxies, also))
        terms = replace(options, proxies=(also,), weights="terms")
        variants.append(_Variant(f"latent with {also}", METHODS[0], added))
        variants.append(_Variant(f"latent, terms of {also}", METHODS[0], terms))
    return variants


def _trial(
    variants: Sequence[_Variant],
    seed: int,
    settings: Mapping[tuple[Any, ...], Setting],
    networks: Sequence[str],
    phases: Phases,
) -> list[_Outcome]:
    """The outcomes of all searches with one seed; they share the networks trained on, and the
    autoencoder."""
    encoder, problems = variants[0].options.encoder, dict[Any, Problem]()
    space = settings[variants[0].objective].space
    autoencoder = autoencoder_for(space, encoder, seed, phases)
    outcomes = []
    for variant in variants:
        options = replace(variant.options, seed=seed)
        setting = settings[variant.objective]
        if variant.objective not in problems:
            problems[variant.objective] = problem_of(options, setting, phases)
        problem = problems[variant.objective]
        search = searched(
            variant.method, options, setting, problem, phases, autoencoder=autoencoder
        )
        labelled, _ = labelled_networks(options, setting)
        outcomes.append(_outcome(search, problem, networks, labelled))
    return outcomes


def _outcome(
    search: Searched, problem: Problem, networks: Sequence[str], labelled: Sequence[str]
) -> _Outcome:
    scores = np.array([found.measured for found in search.result.architectures])
    known = [a for a in search.result.accuracies if a is not None]
    percentile, tau = np.nan, np.nan
    if networks:
        everything = problem.unified(networks)
        below = np.searchsorted(np.sort(everything), scores, side="left")
        percentile = float(100 * below.mean() / len(everything))
        tau = _predicted_tau(search, problem, networks, everything, labelled)
    return _Outcome(
        *(problem, search.result.measured, float(scores.mean()), percentile),
        *(float(np.mean(known)) if known else np.nan, max(known, default=np.nan), tau),
    )


def _predicted_tau(
    search: Searched,
    problem: Problem,
    networks: Sequence[str],
    unified: Floats,
    labelled: Sequence[str],
) -> float:
    """Kendall's tau of the unified score predicted and measured on the networks that share no
    component with one that was learned from; NaN without heads."""
    if search.estimator is None:
        return np.nan
    component = components(problem.space, networks)
    number = {network: i for i, network in enumerate(networks)}
    used = [number[network] for network in {*search.answer.measured, *labelled}]
    others = np.flatnonzero(~np.isin(component, component[used]))
    predicted = search.estimator.unified([networks[i] for i in others.tolist()])
    return kendall(predicted, unified[others])


def _rows(variants: Sequence[_Variant], trials: Sequence[Sequence[_Outcome]]) -> list[Content]:
    rows = []
    for i, variant in enumerate(variants):
        outcomes = [trial[i] for trial in trials]
        row: Content = {"search": variant.name, "measured": outcomes[0].measured}
        same = variant.objective == variants[0].objective
        columns = {
            "unified": [o.unified for o in outcomes],
            "percentile": [o.percentile for o in outcomes],
            "answer_accuracy": [o.accuracy for o in outcomes],
            "best_accuracy": [o.best_accuracy for o in outcomes],
        }
        if i > 0:
            first = [trial[0] for trial in trials]
            pairs = list(zip(outcomes, first, strict=True))
            if same:
                columns["unified_difference"] = [o.unified - f.unified for o, f in pairs]
            columns["accuracy_difference"] = [o.accuracy - f.accuracy for o, f in pairs]
        for name, values in columns.items():
            row |= _mean(name, values)
        row["least_percentile"] = float(np.min(columns["percentile"]))
        for name in ("unified", "accuracy"):
            if f"{name}_difference" in columns:
                ends = (row[f"{name}_difference_low"], row[f"{name}_difference_high"])
                row[f"{name}_verdict"] = verdict(*ends)
        rows.append(row | {"repeats": columns})
    return rows


def _heads(variants: Sequence[_Variant], trials: Sequence[Sequence[_Outcome]]) -> list[Content]:
    """For each ascent the tau of predicted and measured unified scores, over repeats."""
    rows = []
    for i, variant in enumerate(variants):
        if variant.method == METHODS[0]:
            taus = [trial[i].predicted_tau for trial in trials]
            rows.append({"search": variant.name, **_mean("tau", taus), "least": float(min(taus))})
    return rows


def _taus(
    options: Options,
    setting: Setting,
    trials: Sequence[Sequence[_Outcome]],
    count: int | None,
) -> list[Content]:
    if setting.benchmark is None or count == 0:
        return []
    problems = [trial[0].problem for trial in trials]
    return taus_of(options.proxies, setting.measurements, problems, setting.benchmark, count)


def _mean(name: str, values: Sequence[float]) -> Content:
    """The mean over repeats with the interval that `mean_curve` gives."""
    curve = mean_curve(np.asarray(values, dtype=float)[:, None])
    ends = {"": curve.mean, "_low": curve.low, "_high": curve.high}
    return {f"{name}{end}": float(value[0]) for end, value in ends.items()}
