"""Selection of parents and survivors: by fitness and size, or task by task."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from deap import tools

from eznas.evolution.config import EvolutionConfig
from eznas.evolution.fitness import WORST, FitnessResult
from eznas.evolution.grammar import Fitness, Individual


@dataclass(frozen=True)
class _Entrant:
    """An individual whose length is its size by the complexity of its nodes."""

    individual: Individual
    size: int

    @property
    def fitness(self) -> Fitness:
        return self.individual.fitness

    def __len__(self) -> int:
        return self.size


def tournament(
    individuals: Sequence[Individual], count: int, config: EvolutionConfig
) -> list[Individual]:
    """Winners of `count` double tournaments (Luke & Panait, 2002), repetitions included: each is
    the fittest of `config.tournament` entrants, and of two such winners the smaller one is chosen
    with probability `config.parsimony` / 2."""
    entrants = [_Entrant(i, config.size_of(i.expression)) for i in individuals]
    winners: list[_Entrant] = tools.selDoubleTournament(
        entrants, count, config.tournament, config.parsimony, fitness_first=True
    )
    return [winner.individual for winner in winners]


def lexicase(
    individuals: Sequence[Individual], taus: Sequence[Sequence[float]], count: int
) -> list[Individual]:
    """Winners of `count` epsilon-lexicase selections (La Cava et al., 2016), repetitions included:
    each is the best on a first random task, among those on a second one, and so on. A tau
    within one median absolute deviation of the best tau counts as equal to it.

    `taus` [individuals][tasks]: undefined ones (NaN) count as the worst.
    """
    entrants = [
        SimpleNamespace(individual=individual, fitness=_as_deap_fitness(task_taus))
        for individual, task_taus in zip(individuals, taus, strict=True)
    ]
    return [entrant.individual for entrant in tools.selAutomaticEpsilonLexicase(entrants, count)]


def select(
    individuals: Sequence[Individual],
    count: int,
    config: EvolutionConfig,
    results: Mapping[str, FitnessResult],
) -> list[Individual]:
    """`count` of the individuals, repetitions included, by the selection of the config.

    `results`: canonical text -> result, for every individual.
    """
    if config.selection == "lexicase":
        return lexicase(individuals, [results[i.text].taus for i in individuals], count)
    return tournament(individuals, count, config)


def survivors(
    pool: Sequence[Individual], config: EvolutionConfig, results: Mapping[str, FitnessResult]
) -> list[Individual]:
    """The next population, at most `config.population` of the pool: the elite by fitness alone,
    the others by selection without repetition."""
    ranked = fittest_first(pool, config)
    elite = round(config.elite * config.population)
    population, others = ranked[:elite], ranked[elite:]
    while others and len(population) < config.population:
        [winner] = select(others, 1, config, results)
        others = [i for i in others if i is not winner]
        population.append(winner)
    return population


def fittest_first(individuals: Sequence[Individual], config: EvolutionConfig) -> list[Individual]:
    """The individuals in order of fitness; of equally fit ones the smaller first."""

    def order(individual: Individual) -> tuple[float, int, str]:
        size = config.size_of(individual.expression)
        return (-individual.fitness.values[0], size, individual.text)

    return sorted(individuals, key=order)


def _as_deap_fitness(taus: Sequence[float]) -> SimpleNamespace:
    """Taus in the shape of a DEAP fitness."""
    values = tuple(WORST if math.isnan(tau) else tau for tau in taus)
    return SimpleNamespace(values=values, weights=(1.0,) * len(values))
