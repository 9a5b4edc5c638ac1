"""Search by gradient in a latent space of architectures, for the highest unified score of proxies.

Source: Huang et al., "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR Workshops 2024.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eznas.errors import InputError, unknown
from eznas.evaluation.executors import NoPhases, Phases
from eznas.proxies.measured import ScoringSettings
from eznas.report.latent_plot import latent_plot
from eznas.search.latent.autoencoder import ENCODERS, Autoencoder
from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.methods import (
    BASELINES,
    Answer,
    Found,
    Problem,
    autoencoder_for,
    latent,
)
from eznas.search.latent.weights import Weights
from eznas.studies.latent_folder import LatentFolder
from eznas.studies.latent_setup import (
    Options,
    Setting,
    check,
    labelled_networks,
    problem_of,
    setting_of,
)

Floats = NDArray[np.float64]

PROXIES = ("live_params", "depth", "naswot", "logsynflow")  # fractions of a second a network
DRAWN_PATHS = 12


@dataclass(frozen=True, eq=False)
class Landscape:
    """The latent space seen from where architectures spread most (principal components).

    `points` [networks, 2] of the networks trained on with their `unified` scores and `accuracies`
    [networks] (NaN where unknown); `paths` [steps + 1, starts, 2] of the ascent and `answers`
    [answers, 2].
    """

    points: Floats
    unified: Floats
    accuracies: Floats
    paths: Floats
    answers: Floats


@dataclass(frozen=True, eq=False)
class LatentSearch:
    """What a search by `eznas.latent_search` found.

    `architectures`: the answer, best first by measured unified score; `accuracies` of these where
    they are known, else None, with their `kind`; `proxies` and `weights` of the unified score;
    `head_taus` and `unified_tau`: Kendall's tau of predicted and measured scores on random networks
    that were set aside (None without heads); `exact`: the share of the networks trained on that the
    autoencoder decodes to themselves; `measured` and `visited`: how many networks; `seconds`.
    """

    method: str
    space: str
    dataset: str
    seed: int
    architectures: tuple[Found, ...]
    accuracies: tuple[float | None, ...]
    kind: str
    proxies: tuple[str, ...]
    weights: Weights
    head_taus: Floats | None
    unified_tau: float | None
    exact: float | None
    measured: int
    visited: int
    seconds: float
    landscape: Landscape | None = None


def latent_search(
    space: str = "nasbench201",
    proxies: Sequence[str] = PROXIES,
    *,
    method: str = "latent",
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
    save: str | None = None,
    watcher: Phases | None = None,
) -> LatentSearch:
    """Search a space for the networks whose weighted sum of proxies, the unified score, is highest.

    Random networks are measured; heads learn the scores of the proxies from the latents of an
    autoencoder; `starts` latents go `steps` steps uphill; and of all networks that they come
    through, the best predicted are measured. The `top` best of all that was measured are the
    answer. `train` + `top` networks are measured in all: with 1 of `rounds`, as published, `train`
    random ones and `top` in the end; with more, half of `train` at random and the others in equal
    shares after each ascent, from which the heads go on learning. `method`: another of `METHODS`
    looks for the same, measuring as many networks ("exhaustive": all of the space).

    `proxies`: texts as `eznas.load` takes them. `weights`: a name of `WAYS` ("ridge" and "tpe" fit
    them to accuracies, "terms" makes a proxy of each term of one formula and keeps its constants),
    or a weight by proxy; by default "ridge" with labels, else "equal". `labels`: a CSV file
    architecture,accuracy, or so many networks of the benchmark's search part. `dataset`: the
    space's first unless named. `encoder`: of `ENCODERS`; `joint`: train it with the heads.
    `scores`: a CSV file of scores that are known, as `Measurements` takes it. `images` to
    `records`: see `ScoringSettings`; initialisations are those of seed 0, whatever `seed` the
    search has, so that what was measured serves all.

    `save`: a folder for the search. What was measured is written there at once, and the same search
    with the same folder goes on where it ended.

    Raises `InputError` for an argument that cannot be used, a folder that holds something else, and
    where a network cannot be measured.
    """
    begin, phases = time.perf_counter(), watcher or NoPhases()
    options = Options(
        *(space, dataset or "", tuple(proxies), weights, labels, train, starts, steps, rounds, top),
        *(seed, encoder, joint),
    )
    check(options, method)
    if encoder not in ENCODERS:
        raise unknown("encoder", encoder, ENCODERS)
    folder = None
    if save is not None:
        measuring = {"images": images, "raw": raw, "sketch": sketch, "scores": scores}
        folder = LatentFolder.open(Path(save), asdict(options) | {"method": method} | measuring)
        records = records or save
    with nullcontext() if folder is None else folder.locked():
        scoring = ScoringSettings((0,), images, raw, sketch, device, workers, records)
        setting = setting_of(options, scoring, scores, phases)
        problem = problem_of(options, setting, phases)
        search = searched(method, options, setting, problem, phases, folder)
        result = replace(search.result, seconds=time.perf_counter() - begin)
        if folder is not None:
            folder.finish(described(result))
    return result


@dataclass(frozen=True, eq=False)
class Searched:
    """A search with what it leaves behind: its `result`, whose seconds are not counted, the
    `answer` it comes from, and what learned to predict (None without heads)."""

    result: LatentSearch
    answer: Answer
    estimator: MultiProxy | None


def searched(
    method: str,
    options: Options,
    setting: Setting,
    problem: Problem,
    phases: Phases,
    folder: LatentFolder | None = None,
    autoencoder: Autoencoder | None = None,
) -> Searched:
    """One search by one of `METHODS`, in which an `autoencoder` is trained unless given."""
    if method in BASELINES:
        answer, estimator = BASELINES[method](problem, phases), None
    else:
        make = partial(autoencoder_for, setting.space, options.encoder, options.seed, phases)
        if autoencoder is None:
            autoencoder = make() if folder is None else folder.autoencoder(setting.space, make)
        estimator = _estimator(options, setting, problem, autoencoder, phases)
        answer = latent(problem, estimator, phases)
        if folder is not None:
            folder.keep(estimator, answer)
    result = _result(method, options, setting, problem, answer, estimator)
    return Searched(result, answer, estimator)


def _estimator(
    options: Options,
    setting: Setting,
    problem: Problem,
    autoencoder: Autoencoder,
    phases: Phases,
) -> MultiProxy:
    estimator = MultiProxy(
        setting.proxies,
        problem.unified.weights.values.tolist(),
        autoencoder=autoencoder,
        measurements=setting.measurements,
        constants=setting.constants,
        joint=options.joint,
        seed=options.seed,
    )
    title = f"training {len(setting.proxies)} heads on {len(problem.train)} networks"
    return estimator.fit(problem.train, progress=phases.phase(title, 0))


def _result(
    method: str,
    options: Options,
    setting: Setting,
    problem: Problem,
    answer: Answer,
    estimator: MultiProxy | None,
) -> LatentSearch:
    fitted_weights = problem.unified.weights.deviations is not None
    labelled, _ = labelled_networks(options, setting) if fitted_weights else ([], [])
    (head_taus, unified_tau), exact, landscape = answer.taus, None, None
    if estimator is not None:
        exact = estimator.autoencoder_.exactness(problem.train)
        landscape = _landscape(setting, problem, answer, estimator)
    return LatentSearch(
        method=method,
        space=options.space,
        dataset=setting.measurements.dataset,
        seed=options.seed,
        architectures=answer.best,
        accuracies=tuple(setting.known.get(found.architecture) for found in answer.best),
        kind=setting.kind,
        proxies=setting.proxies,
        weights=problem.unified.weights,
        head_taus=head_taus,
        unified_tau=unified_tau,
        exact=exact,
        measured=len(answer.measured | set(labelled)),
        visited=len(answer.visited) or len(answer.measured),
        seconds=0.0,
        landscape=landscape,
    )


def _landscape(
    setting: Setting, problem: Problem, answer: Answer, estimator: MultiProxy
) -> Landscape:
    """Latents turned so that the first two axes are those along which networks spread most."""
    encode = estimator.autoencoder_.encode
    latents = encode(problem.train).double().numpy()
    mean = latents.mean(0)
    axes = np.linalg.svd(latents - mean, full_matrices=False)[2][:2].T
    assert answer.paths is not None
    return Landscape(
        points=(latents - mean) @ axes,
        unified=problem.unified(problem.train),
        accuracies=np.array([setting.known.get(a, np.nan) for a in problem.train]),
        paths=(answer.paths.double().numpy() - mean) @ axes,
        answers=(encode([f.architecture for f in answer.best]).double().numpy() - mean) @ axes,
    )


def described(result: LatentSearch) -> dict[str, Any]:
    """A result as JSON: what was searched, the answer with `accuracy` where it is known, weights
    with their deviations, tau of every head, and counts."""
    deviations = result.weights.deviations
    rows = zip(result.architectures, result.accuracies, strict=True)
    taus = [None] * len(result.proxies) if result.head_taus is None else result.head_taus.tolist()
    return {
        **{key: getattr(result, key) for key in ("method", "space", "dataset", "seed")},
        "architectures": [asdict(found) | {"accuracy": accuracy} for found, accuracy in rows],
        **{key: getattr(result, key) for key in ("measured", "visited", "seconds")},
        "weights": result.weights.way,
        "proxies": [
            {"proxy": proxy, "weight": weight, "deviation": deviation, "tau": tau}
            for proxy, weight, deviation, tau in zip(
                result.proxies,
                result.weights.values.tolist(),
                [None] * len(taus) if deviations is None else deviations.tolist(),
                taus,
                strict=True,
            )
        ],
        "tau": result.unified_tau,
        "exact": result.exact,
        "accuracy": result.kind or None,
    }


def plot(result: LatentSearch, file: str) -> list[str]:
    """Draw the latent space with the paths of the ascent into a PNG file, and return its name in a
    list. Raises `InputError` for a method without a latent space, and where it cannot be
    written."""
    landscape = result.landscape
    if landscape is None:
        raise InputError(f"plot: method {result.method} has no latent space to draw")
    panels = {"unified score": landscape.unified}
    if np.isfinite(landscape.accuracies).any():
        panels[f"{result.kind} accuracy, {result.dataset}"] = landscape.accuracies
    paths = landscape.paths[:, :DRAWN_PATHS]
    latent_plot(Path(file), landscape.points, panels, paths, landscape.answers)
    return [file]
