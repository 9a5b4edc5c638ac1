"""Who becomes a parent, and who survives: by fitness and size, or task by task."""

import math
from collections.abc import Sequence
from types import SimpleNamespace

from deap import tools

from eznas.evolution.fitness import WORST
from eznas.evolution.grammar import Individual


def tournament(
    individuals: Sequence[Individual], count: int, size: int, parsimony: float
) -> list[Individual]:
    """A double tournament, fitness first: the fittest of `size`, and of two such winners the
    smaller one with probability `parsimony` / 2 (Luke & Panait, 2002)."""
    found: list[Individual] = tools.selDoubleTournament(
        individuals, count, fitness_size=size, parsimony_size=parsimony, fitness_first=True
    )
    return found


def lexicase(
    individuals: Sequence[Individual], taus: Sequence[Sequence[float]], count: int
) -> list[Individual]:
    """Those who are best on a first task drawn by lot, of these on a second one, and so on, best
    within the median absolute deviation (La Cava et al., 2016: epsilon-lexicase).

    `taus`: one per task for each individual; undefined ones count as the worst.
    """
    entrants = [
        SimpleNamespace(who=i, fitness=_cases(t)) for i, t in zip(individuals, taus, strict=True)
    ]
    return [e.who for e in tools.selAutomaticEpsilonLexicase(entrants, count)]


def _cases(taus: Sequence[float]) -> SimpleNamespace:
    """As DEAP's selection reads them."""
    values = tuple(WORST if math.isnan(t) else t for t in taus)
    return SimpleNamespace(values=values, weights=(1.0,) * len(values))
