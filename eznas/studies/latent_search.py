"""Search by gradient in a latent space of architectures, for the highest unified score of proxies.

Source: Huang et al., "UP-NAS: Unified Proxy for Neural Architecture Search", CVPR Workshops 2024.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eznas.evaluation.executors import NoPhases, Phases
from eznas.proxies.measured import ScoringSettings
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.methods import (
    BASELINES,
    Answer,
    Problem,
    autoencoder_for,
    latent,
)
from eznas.spaces import SPACES
from eznas.studies.latent_folder import LatentFolder
from eznas.studies.latent_result import Landscape, LatentSearch, described
from eznas.studies.latent_setup import (
    Options,
    Setting,
    check,
    labelled_networks,
    problem_of,
    setting_of,
)
from eznas.system.arguments import checked

if TYPE_CHECKING:  # scikit-learn is slow to import
    from eznas.search.latent.estimator import MultiProxy

Floats = NDArray[np.float64]

PROXIES = ("live_params", "depth", "naswot", "logsynflow")  # fractions of a second a network


@checked
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
    autoencoder; `starts` latents go `steps` steps uphill; of all networks that they come through,
    the best predicted are measured. The answer is the `top` best of all `train` + `top` that were
    measured: with 1 of `rounds`, as published, `train` random ones and `top` in the end; with more,
    half of `train` at random, the others in equal shares after each ascent. `method`: another of
    `METHODS` measures as many networks ("exhaustive": all).

    `proxies`: texts as `eznas.load` takes them. `weights`: a name of `WAYS` or a weight by proxy,
    by default "ridge" with labels, else "equal". `labels`: a CSV file architecture,accuracy, or so
    many networks of the benchmark's search part. `encoder`: of `ENCODERS`; `joint`: train it with
    the heads. `scores`: a CSV file of known scores, as `Measurements` takes it. `images` to
    `records`: see `ScoringSettings`; initialisations are those of seed 0. `save`: a folder; what
    was measured is written there at once, and the same search goes on where it ended.

    Raises `InputError` for an argument that cannot be used, a folder that holds something else, and
    where a network cannot be measured.
    """
    options = Options(
        *(space, dataset or "", tuple(proxies), weights, labels, train, starts, steps, rounds),
        *(top, seed, encoder, joint),
    )
    scoring = ScoringSettings((0,), images, raw, sketch, device, workers, records or save)
    return _saved(method, options, scoring, scores, save, watcher or NoPhases())


def _saved(
    method: str,
    options: Options,
    scoring: ScoringSettings,
    scores: str | None,
    save: str | None,
    phases: Phases,
) -> LatentSearch:
    """A search in its folder, where it has one."""
    begin = time.perf_counter()
    check(options, method)
    folder = None
    if save is not None:
        measuring = {key: getattr(scoring, key) for key in ("images", "raw", "sketch")}
        dataset = options.dataset or SPACES[options.space].datasets[0]
        meant = asdict(replace(options, dataset=dataset, weights=options.way))
        config = meant | {"method": method, "scores": scores} | measuring
        folder = LatentFolder.begin(Path(save), config)
    with nullcontext() if folder is None else folder.locked():
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
    estimator: "MultiProxy | None"


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
) -> "MultiProxy":
    from eznas.search.latent.estimator import MultiProxy

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
    estimator: "MultiProxy | None",
) -> LatentSearch:
    fitted_weights = problem.unified.weights.deviations is not None
    labelled, _ = labelled_networks(options, setting) if fitted_weights else ([], [])
    (head_taus, unified_tau), exact, landscape = answer.taus, None, None
    if estimator is not None:
        exact = estimator.autoencoder_.exactness(problem.train)
        landscape = _landscape(setting, problem, answer)
    return LatentSearch(
        method=method,
        space=options.space,
        dataset=setting.measurements.dataset,
        seed=options.seed,
        architectures=answer.best,
        accuracies=tuple(setting.accuracy_of(found.architecture) for found in answer.best),
        kind=setting.kind,
        proxies=setting.proxies,
        weights=problem.unified.weights,
        head_taus=head_taus,
        unified_tau=unified_tau,
        aside=0 if estimator is None else len(estimator.held_out_),
        exact=exact,
        measured=len(answer.measured | set(labelled)),
        visited=len(answer.visited) or len(answer.measured),
        seconds=0.0,
        landscape=landscape,
    )


def _landscape(setting: Setting, problem: Problem, answer: Answer) -> Landscape:
    """Latents turned so that the first two axes are those along which networks spread most."""
    assert answer.autoencoder is not None
    assert answer.paths is not None
    encode = answer.autoencoder.encode
    latents = encode(problem.train).double().numpy()
    mean = latents.mean(0)
    axes = np.linalg.svd(latents - mean, full_matrices=False)[2][:2].T
    return Landscape(
        points=(latents - mean) @ axes,
        unified=problem.unified(problem.train),
        accuracies=np.array([setting.known.get(a, np.nan) for a in problem.train]),
        paths=(answer.paths.double().numpy() - mean) @ axes,
        answers=(encode([f.architecture for f in answer.best]).double().numpy() - mean) @ axes,
    )
