"""Methods that look for the architectures of the highest unified score, for an equal number of
networks measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from eznas.errors import InputError
from eznas.evaluation.executors import Phases
from eznas.search import ageing_evolution
from eznas.search.base import Settings
from eznas.search.candidates import Candidates
from eznas.search.latent.ascent import Ascent, ascend
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.samples import training_sample
from eznas.search.latent.unified import UnifiedScore, random_networks
from eznas.search.loop import run
from eznas.spaces import Space
from eznas.spaces.base import LISTED

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """An architecture of the answer, by its measured unified score.

    `predicted`: by the heads, None without them; `step`: at which the ascent came to it, or how
    many networks had been measured before it."""

    architecture: str
    predicted: float | None
    measured: float
    step: int


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method found: the best networks, best first; every network measured on the way, and
    all visited by prediction, best predicted first, with the `ascent` that went through them."""

    best: tuple[Found, ...]
    measured: frozenset[str]
    visited: tuple[Found, ...] = ()
    ascent: Ascent | None = field(default=None)


@dataclass(frozen=True, eq=False)
class Problem:
    """What is searched for what: `train`, networks that are measured beforehand and that the
    unified score is scaled by, `top`, how many networks are measured in the end and answered, and
    the settings of an ascent."""

    space: Space
    unified: UnifiedScore
    train: tuple[str, ...]
    top: int
    seed: int
    starts: int = 64
    steps: int = 150

    @property
    def cost(self) -> int:
        """How many networks every method may measure."""
        return len(self.train) + self.top


def latent(problem: Problem, estimator: MultiProxy, phases: Phases) -> Answer:
    """Ascend the predicted unified score from the first of the networks trained on, and measure the
    best predicted of all visited."""
    autoencoder = estimator.autoencoder_
    starts = autoencoder.encode(problem.train[: problem.starts])
    ascent = ascend(
        autoencoder,
        estimator.objective,
        starts,
        steps=problem.steps,
        progress=phases.phase(f"ascending from {len(starts)} networks", 0),
    )
    visited = _as_networks(problem.space, ascent, estimator)
    best = visited[: problem.top]
    measured = problem.unified([visit.architecture for visit in best])
    found = [
        Found(v.architecture, v.predicted, float(score), v.step)
        for v, score in zip(best, measured, strict=True)
    ]
    known = frozenset([*problem.train, *(v.architecture for v in best)])
    return Answer(_ranked(found, problem.top), known, visited, ascent)


def random(problem: Problem) -> Answer:
    """Measure random networks, those of the training first."""
    networks = random_networks(problem.space, problem.cost, problem.seed)
    return _best_of(networks, problem.unified(networks), problem.top)


def evolution(problem: Problem, phases: Phases) -> Answer:
    """Ageing evolution of the unified score, which is scaled as for the other methods by networks
    that are not counted here."""
    listed = all_networks(problem.space) if can_be_listed(problem.space) else None
    progress = phases.phase(f"evolution: {problem.cost} networks", 0)

    def report(queries: int) -> None:
        if progress is not None:
            progress(queries, problem.cost)

    history = run(
        ageing_evolution.ROW,
        Candidates(problem.space, listed),
        lambda architecture: float(problem.unified([architecture])[0]),
        Settings(problem.cost),
        problem.seed,
        queried=report,
    )
    return _best_of(history.architectures, history.accuracies, problem.top)


def exhaustive(problem: Problem) -> Answer:
    """Measure every network of a space; `InputError` for one that cannot be listed."""
    networks = all_networks(problem.space)
    return _best_of(networks, problem.unified(networks), problem.top)


# What each method does with its problem. The first needs heads, the others do not.
BASELINES: dict[str, Callable[[Problem, Phases], Answer]] = {
    "random": lambda problem, phases: random(problem),
    "evolution": evolution,
    "exhaustive": lambda problem, phases: exhaustive(problem),
}
METHODS = ("latent", *BASELINES)


def all_networks(space: Space) -> tuple[str, ...]:
    """Every network of a space once, see `random_networks`; `InputError` where it cannot be
    listed."""
    if not can_be_listed(space):
        raise InputError(f"space {space.name}: too many networks for the method exhaustive")
    return random_networks(space, LISTED)


def can_be_listed(space: Space) -> bool:
    """Whether `Space.architectures` lists a space."""
    combinations = 1
    for options in space.positions:
        combinations *= len(options)
    return combinations <= LISTED


def _as_networks(space: Space, ascent: Ascent, estimator: MultiProxy) -> tuple[Found, ...]:
    """The networks visited, each once with its own prediction, the best predicted first; they are
    not measured yet (NaN)."""
    step_of: dict[str, int] = {}
    for visit in sorted(ascent.visited, key=lambda visit: visit.step):
        step_of.setdefault(space.live_cell(visit.architecture), visit.step)
    with torch.no_grad():
        predicted = estimator.unified([*step_of]) if step_of else np.empty(0)
    pairs = zip(step_of.items(), predicted.tolist(), strict=True)
    visits = [Found(network, score, float("nan"), step) for (network, step), score in pairs]
    return tuple(sorted(visits, key=lambda visit: -float(visit.predicted or 0)))


def _best_of(networks: Sequence[str], scores: Floats, top: int) -> Answer:
    pairs = zip(networks, scores.tolist(), strict=True)
    found = [Found(network, None, score, i) for i, (network, score) in enumerate(pairs)]
    return Answer(_ranked(found, top), frozenset(networks))


def _ranked(found: Sequence[Found], top: int) -> tuple[Found, ...]:
    return tuple(sorted(found, key=lambda f: -f.measured)[:top])


def autoencoder_for(space: Space, encoder: str, seed: int, phases: Phases) -> Autoencoder:
    """An autoencoder of a space, fitted to a sample of it."""
    sample = training_sample(space, seed=seed)
    autoencoder = Autoencoder(space, encoder=encoder, seed=seed)
    title = f"training an autoencoder on {len(sample)} architectures"
    return autoencoder.fit(sample, progress=phases.phase(title, 0))
