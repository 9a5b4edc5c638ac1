"""Methods that look for the architectures of the highest unified score, for an equal number of
networks measured."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eznas.errors import InputError
from eznas.evaluation.executors import Phases
from eznas.search import ageing_evolution
from eznas.search.base import Settings
from eznas.search.candidates import Candidates
from eznas.search.latent.ascent import Ascent, ascend
from eznas.search.latent.autoencoder import Autoencoder
from eznas.search.latent.samples import training_sample
from eznas.search.latent.unified import UnifiedScore, random_networks
from eznas.search.loop import run
from eznas.spaces import Space
from eznas.spaces.base import LISTED

if TYPE_CHECKING:  # scikit-learn is slow to import
    from eznas.search.latent.estimator import MultiProxy

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """An architecture of the answer, by its measured unified score.

    `predicted`: by the heads, None without them; `step`: of all steps of the ascents, the one at
    which they came to it (None: never, it is one of the random networks), or how many networks had
    been measured before it."""

    architecture: str
    predicted: float | None
    measured: float
    step: int | None


@dataclass(frozen=True, eq=False)
class Answer:
    """What a method found: the `best` of all networks `measured`, best first; the networks
    `visited` by ascents, best predicted first, `paths` [steps + 1, starts, latent] of the first of
    these, with the `autoencoder` whose latents they are; and `taus`, `MultiProxy.held_out_taus` of
    the heads that it followed."""

    best: tuple[Found, ...]
    measured: frozenset[str]
    visited: tuple[Found, ...] = ()
    paths: Tensor | None = None
    autoencoder: Autoencoder | None = None
    taus: tuple[Floats, float] | tuple[None, None] = (None, None)


@dataclass(frozen=True, eq=False)
class Problem:
    """What is searched for what: `train`, random networks that are measured beforehand and that
    the unified score is scaled by; `cost`, how many networks a method may measure, these included;
    `top`, how many it answers; and the settings of ascents, of which there are `rounds`."""

    space: Space
    unified: UnifiedScore
    train: tuple[str, ...]
    cost: int
    top: int
    seed: int
    starts: int = 64
    steps: int = 150
    rounds: int = 1


def latent(problem: Problem, estimator: "MultiProxy", phases: Phases) -> Answer:
    """Ascend the predicted unified score, and measure the best predicted of all that is visited.

    The first ascent starts from random networks; each further one, with heads that have learned
    from what was measured, half from the best so far and half from anywhere. As an ascent that
    starts from the best leaves their surroundings at once, these are considered beside what it
    visits: the networks that differ from the `top` best in one choice.
    """
    scores = dict(zip(problem.train, problem.unified(problem.train).tolist(), strict=True))
    step_of: dict[str, int] = {}
    paths, taus = None, estimator.held_out_taus()
    first_autoencoder = estimator.autoencoder_  # trained jointly, it is another one in each round
    for ascents in range(problem.rounds):
        if ascents:
            estimator.set_params(warm_start=True).fit([*scores])
        starts = _starts(problem, estimator.autoencoder_, scores, ascents)
        title = f"ascent {ascents + 1} of {problem.rounds} from {len(starts)} networks"
        ascent = ascend(
            estimator.autoencoder_,
            estimator.objective,
            starts,
            steps=problem.steps,
            progress=phases.phase(title, 0),
        )
        paths = ascent.paths if paths is None else paths
        for network, step in _networks(problem.space, ascent).items():
            step_of.setdefault(network, ascents * problem.steps + step)
        if ascents:
            for network in _around(problem, scores):
                step_of.setdefault(network, (ascents + 1) * problem.steps)
        new = [a for a in _by_prediction([*step_of], estimator) if a not in scores]
        share = (problem.cost - len(scores)) // (problem.rounds - ascents)
        chosen = new[:share]
        scores |= dict(zip(chosen, problem.unified(chosen).tolist(), strict=True))
    best = sorted(scores, key=lambda a: -scores[a])[: problem.top]
    pairs = zip(best, estimator.unified(best).tolist(), strict=True)
    answer = tuple(Found(a, predicted, scores[a], step_of.get(a)) for a, predicted in pairs)
    visited = _by_prediction([*step_of], estimator)
    found = tuple(
        Found(a, score, scores.get(a, math.nan), step_of[a]) for a, score in visited.items()
    )
    return Answer(answer, frozenset(scores), found, paths, first_autoencoder, taus)


def random(problem: Problem) -> Answer:
    """Measure random networks, those that the score is scaled by first."""
    networks = random_networks(problem.space, problem.cost, problem.seed)
    return _best_of(networks, problem.unified(networks), problem.top)


def evolution(problem: Problem, phases: Phases) -> Answer:
    """Ageing evolution of the unified score, which is scaled as for the other methods by networks
    that are not counted here."""
    listed = all_networks(problem.space) if problem.space.is_listable else None
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
    check_listed(space)
    return random_networks(space, LISTED)


def check_listed(space: Space) -> None:
    """`InputError` for a space of which `all_networks` cannot be had."""
    if not space.is_listable:
        raise InputError(f"space {space.name}: too many networks for the method exhaustive")


def _starts(
    problem: Problem, autoencoder: Autoencoder, scores: Mapping[str, float], ascents: int
) -> Tensor:
    """The latents [starts, latent] from which an ascent begins, after so many others."""
    if not ascents:
        return autoencoder.encode(problem.train[: problem.starts])
    best = sorted(scores, key=lambda a: -scores[a])[: -(-problem.starts // 2)]
    draws = autoencoder.draws(problem.starts - len(best), problem.seed + ascents)
    return torch.cat([autoencoder.encode(best), draws])


def _around(problem: Problem, scores: Mapping[str, float]) -> list[str]:
    """The networks that differ from the best so far in one choice."""
    best = sorted(scores, key=lambda a: -scores[a])[: problem.top]
    neighbours = (n for network in best for n in problem.space.neighbours(network))
    return [*dict.fromkeys(map(problem.space.live_cell, neighbours))]


def _networks(space: Space, ascent: Ascent) -> dict[str, int]:
    """The networks visited, each with the first step at which it was."""
    step_of: dict[str, int] = {}
    for visit in sorted(ascent.visited, key=lambda visit: visit.step):
        step_of.setdefault(space.live_cell(visit.architecture), visit.step)
    return step_of


def _by_prediction(networks: Sequence[str], estimator: "MultiProxy") -> dict[str, float]:
    """The predicted unified score of networks, the highest first."""
    if not networks:
        return {}
    predicted = dict(zip(networks, estimator.unified(networks).tolist(), strict=True))
    return dict(sorted(predicted.items(), key=lambda item: -item[1]))


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
