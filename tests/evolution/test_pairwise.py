"""Refined weights: what they gain, what they leave alone, and how spaces and tasks weigh."""

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.evaluation.status import Status
from eznas.evolution.fitness import evaluate_fitness
from eznas.evolution.pairwise import refined
from eznas.formulas.parser import parse
from eznas.formulas.terms import weighted_terms
from tests.evolution.made_up_sums import COUNT, VALUES, A, B, C, filled, tasks

START = parse(f"1.0 * {A} + 0.001 * {B}")


def weights_of(formula):
    return {term.text: weight for term, weight in weighted_terms(formula)[0].items()}


def pair_loss(weights, values, accuracies):
    """The loss of the pairs by plain loops; `values` [terms, networks] are divided by the deviation
    of the scores that the search had given."""
    scores = 9.0 * (np.asarray(weights) @ values)
    losses = [
        np.log1p(np.exp(scores[worse] - scores[better]))
        for better in range(len(accuracies))
        for worse in range(len(accuracies))
        if accuracies[better] > accuracies[worse]
    ]
    return np.mean(losses)


def own_tasks(*combinations):
    """Tasks whose accuracies are weighted sums of A and B in a context: (context, of A, of B)."""
    return [
        Task(dataset, context, a * VALUES[A][context] + b * VALUES[B][context], space)
        for space, dataset, context, a, b in combinations
    ]


def test_weights_move_to_where_pairs_are_ranked():
    task = own_tasks(("one", "x", 0, 1.0, 2.0))
    table = filled()
    result = refined(START, table, task, COUNT)
    taus = [r.taus[0] for r in evaluate_fitness([START, result], table, task, COUNT)]
    assert taus[1] > taus[0]
    found = weights_of(result)
    assert found[B] / found[A] > weights_of(START)[B] / weights_of(START)[A]


def test_the_loss_with_its_penalty_has_its_minimum_there():
    [task] = own_tasks(("one", "x", 0, 1.0, 2.0))
    found = weights_of(refined(START, filled(), [task], COUNT))
    values = np.stack([VALUES[A][0], VALUES[B][0]])
    deviation = np.std(np.array([1.0, 0.001]) @ values, ddof=1)
    units = values.std(1, ddof=1) / deviation

    def penalised(weights):
        steps = (np.asarray(weights) - [1.0, 0.001]) * units
        return pair_loss(weights, values / deviation, task.accuracies) + 0.01 * (steps**2).sum()

    best = np.array([found[A], found[B]])
    for direction in np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]]):
        for size in (-0.05, 0.05):
            assert penalised(best + size * direction / units) >= penalised(best) - 1e-6


def test_a_space_weighs_as_much_as_another_whatever_its_tasks():
    # Two data sets of one space against one of another, which want other ratios.
    pulls = [("one", "x", 0, 1.0, 3.0), ("one", "y", 0, 1.0, 3.0), ("two", "x", 0, 3.0, 1.0)]
    table = filled()
    of_three = weights_of(refined(START, table, own_tasks(*pulls), COUNT))
    of_two = weights_of(refined(START, table, own_tasks(pulls[0], pulls[2]), COUNT))
    assert of_three == pytest.approx(of_two, rel=0.02)


@pytest.mark.parametrize("text", [A, f"max({A}, {C})", f"2.0 * {A}"])
def test_a_formula_of_one_term_stays(text):
    formula = parse(text)
    assert refined(formula, filled(), tasks(), COUNT) is formula


def test_equal_accuracies_and_equal_scores_leave_a_formula_alone():
    equal = [Task("x", 0, np.ones(COUNT), "one")]
    assert refined(START, filled(), equal, COUNT) is START
    flat = {A: np.ones_like(VALUES[A]), B: np.ones_like(VALUES[B])}
    assert refined(START, filled(flat), own_tasks(("one", "x", 0, 1.0, 1.0)), COUNT) is START


def test_networks_without_a_term_make_no_pair():
    task = own_tasks(("one", "x", 0, 1.0, 2.0))
    status = np.full_like(VALUES[A], Status.MEASURED, dtype=int)
    status[0, :3] = Status.EMPTY
    wild = [Task("x", 0, np.concatenate([[9e9, -9e9, 5e9], task[0].accuracies[3:]]), "one")]
    table = filled(status={A: status})
    assert refined(START, table, wild, COUNT) == refined(START, table, task, COUNT)
