"""Greedy sums chosen by folds: what is chosen, beside folds made here, and by which networks."""

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.errors import InputError
from eznas.formulas.terms import terms
from eznas.metrics import component_folds, kendall
from eznas.predictors import greedy_by_folds as module
from eznas.predictors.greedy_by_folds import greedy_by_folds
from eznas.predictors.least_squares import greedy_formulas
from tests.predictors.made_up import (
    ACCURACIES,
    CANDIDATES,
    COUNT,
    PRODUCT,
    TASKS,
    A,
    B,
    C,
    filled,
    normal_draws,
)

COMPONENTS = np.arange(COUNT) // 2


def features_of(formula):
    return {feature.text for feature in formula.features()}


def chosen(tasks=TASKS, table=None, candidates=CANDIDATES, components=COMPONENTS):
    return greedy_by_folds(candidates, table or filled(), tasks, components, COUNT)


def test_what_was_planted_is_found_with_all_its_terms():
    assert {A, B, C} <= features_of(chosen())


def test_of_noise_few_terms_are_chosen(monkeypatch):
    """As many as rank the folds best, by folds and sums made here."""
    monkeypatch.setattr(module, "PENALTIES", (1e-4,))
    monkeypatch.setattr(module, "of_every_kind", lambda data: iter([data]))
    noisy = np.exp(np.log(ACCURACIES) + 1.5 * normal_draws("noise"))
    tasks, table = [Task("task", 0, noisy)], filled()
    folds, taus = component_folds(COMPONENTS, module.FOLDS), []
    for fold in range(module.FOLDS):
        seen, tested = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        order = np.concatenate([seen, tested])
        mine = table.reordered(order.tolist())
        sums = greedy_formulas(CANDIDATES, mine, [Task("task", 0, noisy[order])], len(seen))
        scores = [mine.scores(f, 0, COUNT).values[len(seen) :] for f in sums]
        taus.append([kendall(s, noisy[tested]) for s in scores])
    best = 1 + int(np.argmax(np.mean(taus, 0)))
    found = chosen(tasks, table)
    assert len(terms(found)) == best < len(CANDIDATES)


def test_a_planted_product_is_found_by_its_kind():
    candidates = [c for c in CANDIDATES if c.text in PRODUCT]
    found = chosen(table=filled(PRODUCT, candidates), candidates=candidates)
    assert any(term.name == "mul" and features_of(term) == {A, B} for term in terms(found))


def test_near_equal_networks_are_no_evidence_for_a_term():
    """Folds of single networks would find what pairs share by chance: more terms."""
    of_pairs = COMPONENTS * 2
    planted = {c.text: normal_draws(c.text)[of_pairs] for c in CANDIDATES}
    accuracies = np.exp(planted[A] + 2 * normal_draws("noise")[of_pairs])
    tasks, table = [Task("task", 0, accuracies)], filled(planted)
    by_component = chosen(tasks, table)
    by_network = chosen(tasks, table, components=np.arange(COUNT))
    assert len(terms(by_component)) < len(terms(by_network))


def test_terms_and_penalty_are_those_of_the_highest_tau(monkeypatch):
    given = []

    def fitted_formula(data, columns, penalty):
        given.append((len(columns), penalty))
        return CANDIDATES[0]

    taus = np.zeros((3, len(module.PENALTIES)))
    taus[1, 2] = 0.5
    monkeypatch.setattr(module, "_taus_by_folds", lambda *_: taus)
    monkeypatch.setattr(module, "fitted_formula", fitted_formula)
    assert chosen() == CANDIDATES[0]
    assert given == [(2, module.PENALTIES[2])]


def test_networks_behind_have_no_part_in_it():
    few = COUNT * 2 // 3
    accuracies = ACCURACIES.copy()
    accuracies[few:] = accuracies[few:][::-1]
    first, second = (
        greedy_by_folds(CANDIDATES, filled(), [Task("task", 0, a)], COMPONENTS, few)
        for a in (ACCURACIES, accuracies)
    )
    assert first == second


def test_without_a_usable_candidate_there_is_none():
    undefined = {candidate.text: np.full(COUNT, np.nan) for candidate in CANDIDATES}
    assert chosen(table=filled(undefined)) is None


def test_a_sum_that_is_too_long_has_fewer_terms(monkeypatch):
    fitted_formula, asked = module.fitted_formula, []

    def short(data, columns, penalty):
        asked.append(len(columns))
        if len(columns) > 2:
            raise InputError("too long")
        return fitted_formula(data, columns, penalty)

    monkeypatch.setattr(module, "fitted_formula", short)
    assert len(terms(chosen())) == 2
    assert asked == list(range(asked[0], 1, -1))
    monkeypatch.setattr(module, "fitted_formula", lambda *_: short(None, range(3), 0.0))
    with pytest.raises(InputError, match="too long"):
        chosen()
