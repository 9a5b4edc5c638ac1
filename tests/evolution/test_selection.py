"""Selection: by fitness and size, and task by task."""

import math
from collections import Counter

from eznas.evolution import randomness
from eznas.evolution.config import EvolutionConfig
from eznas.evolution.grammar import Individual, to_nodes
from eznas.evolution.selection import fittest_first, lexicase, tournament
from eznas.formulas.parser import parse


def individuals(*texts):
    return [Individual(to_nodes(parse(t))) for t in texts]


FOUR = individuals("params", "2.0 * params", "log(params)", "params + 3.0 * log(params)")


def winners(taus, count=400):
    """How often each of the four wins lexicase selection."""
    randomness.seed(1)
    return Counter(FOUR.index(i) for i in lexicase(FOUR, taus, count))


def test_specialists_of_either_task_win():
    """The second best on both tasks hardly ever wins: its loss is larger than the deviation."""
    wins = winners([(0.9, 0.1), (0.1, 0.9), (0.5, 0.5), (0.1, 0.1)])
    assert wins[0] > 120
    assert wins[1] > 120
    assert wins[3] == 0


def test_near_the_best_is_as_good_as_the_best():
    wins = winners([(0.70, 0.7), (0.69, 0.7), (0.2, 0.2), (0.1, 0.2)])
    assert wins[0] > wins[1] > 60
    assert wins[2] + wins[3] == 0


def test_undefined_is_worst():
    wins = winners([(math.nan, math.nan), (-0.9, -0.9), (-0.95, -0.9), (math.nan, 0.9)])
    assert wins[0] == 0
    assert wins[1] > wins[2]


def test_equal_seeds_select_equally():
    taus = [(0.9, 0.1), (0.1, 0.9), (0.5, 0.5), (0.1, 0.1)]
    assert winners(taus) == winners(taus)


def test_the_tournament_prefers_the_fitter_then_the_smaller():
    randomness.seed(1)
    for individual, fitness in zip(FOUR, (0.1, 0.5, 0.5, 0.2), strict=True):
        individual.fitness.values = (fitness,)
    wins = Counter(
        FOUR.index(i) for i in tournament(FOUR, 400, EvolutionConfig(tournament=4, parsimony=1.3))
    )
    assert wins[1] + wins[2] > 300
    assert wins[2] > wins[1]  # log(params) has two nodes, 2.0 * params three


def test_what_is_smaller_goes_by_complexity():
    randomness.seed(1)
    for individual in FOUR:
        individual.fitness.values = (0.5,)
    config = EvolutionConfig(tournament=1, parsimony=2.0, complexity={"log": 9})
    wins = Counter(FOUR.index(i) for i in tournament(FOUR, 400, config))
    assert wins[1] > wins[2]
    assert fittest_first(FOUR[1:3], config) == FOUR[1:3]
    assert fittest_first(FOUR[1:3], EvolutionConfig()) == [FOUR[2], FOUR[1]]
