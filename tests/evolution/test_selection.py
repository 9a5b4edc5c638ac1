"""Selection: who is chosen by fitness and size, and who task by task."""

import math
from collections import Counter

from eznas.evolution import randomness
from eznas.evolution.grammar import Individual, to_nodes
from eznas.evolution.selection import lexicase, tournament
from eznas.formulas.parser import parse


def individuals(*texts):
    return [Individual(to_nodes(parse(t))) for t in texts]


FOUR = individuals("params", "2.0 * params", "log(params)", "params + 3.0 * log(params)")


def drawn(taus, count=400):
    randomness.seed(1)
    return Counter(FOUR.index(i) for i in lexicase(FOUR, taus, count))


def test_specialists_of_either_task_are_chosen():
    """And the one that is second on both hardly ever: the deviation is smaller than its loss."""
    found = drawn([(0.9, 0.1), (0.1, 0.9), (0.5, 0.5), (0.1, 0.1)])
    assert found[0] > 120
    assert found[1] > 120
    assert found[3] == 0


def test_near_the_best_is_as_good_as_the_best():
    found = drawn([(0.70, 0.7), (0.69, 0.7), (0.2, 0.2), (0.1, 0.2)])
    assert found[0] > found[1] > 60
    assert found[2] + found[3] == 0


def test_undefined_is_worst():
    found = drawn([(math.nan, math.nan), (-0.9, -0.9), (-0.95, -0.9), (math.nan, 0.9)])
    assert found[0] == 0
    assert found[1] > found[2]


def test_equal_seeds_choose_equally():
    taus = [(0.9, 0.1), (0.1, 0.9), (0.5, 0.5), (0.1, 0.1)]
    assert drawn(taus) == drawn(taus)


def test_the_tournament_prefers_the_fitter_then_the_smaller():
    randomness.seed(1)
    for individual, fitness in zip(FOUR, (0.1, 0.5, 0.5, 0.2), strict=True):
        individual.fitness.values = (fitness,)
    found = Counter(FOUR.index(i) for i in tournament(FOUR, 400, 4, 1.3))
    assert found[1] + found[2] > 300
    assert found[2] > found[1]  # log(params) has two nodes, 2.0 * params three
