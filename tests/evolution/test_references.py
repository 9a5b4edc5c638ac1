"""What trees reach, and the fitness as a share of it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.evolution import moves
from eznas.evolution.fitness import WORST, Reference, evaluate_fitness, fitness_of
from eznas.evolution.references import LEAST_REFERENCE, tree_reference
from eznas.evolution.row_weights import network_weights
from eznas.evolution.state import State
from eznas.evolution.sums import FOLDS
from eznas.formulas.parser import parse
from eznas.metrics import component_folds, kendall
from eznas.metrics.normal import normal_scores
from eznas.predictors import randomised_trees
from eznas.predictors.least_squares import score_columns
from eznas.system.files import plain
from tests.evolution import made_up
from tests.evolution.made_up_sums import (
    CANDIDATES,
    COMPONENTS,
    COUNT,
    FEATURES,
    VALUES,
    filled,
    tasks,
)

SPACES = ("first", "second", "first")


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(randomised_trees, "FEWER_TREES", 20)
    monkeypatch.setattr(randomised_trees, "SMALLER_SHARE", 1.0)
    monkeypatch.setattr(moves, "OFFERED", 25)


def in_spaces(of=None):
    return [replace(t, space=s) for t, s in zip(tasks(of), SPACES, strict=True)]


def reached(of_tasks, by_tau=False, table=None, networks=COUNT):
    return tree_reference(
        CANDIDATES, table or filled(), of_tasks, COMPONENTS, networks, by_tau=by_tau
    )


def test_shares_are_averaged_over_the_tasks_of_a_space():
    reference = Reference(np.array([0.8, 0.5, 0.8]), ("a", "b", "a"))
    figures = np.array([0.4, 0.3, 0.6])
    assert reference.shares(figures) == pytest.approx([0.625, 0.6])
    assert fitness_of(figures, reference) == pytest.approx((0.6125 + 0.6) / 2)


def test_a_share_is_never_lower_than_what_is_undefined():
    reference = Reference(np.array([0.1, 0.5]), ("a", "b"))
    assert reference.shares(np.array([-0.9, -0.25])).tolist() == [WORST, -0.5]


def test_taus_are_rated_by_the_reference():
    table, reference = filled(), Reference(np.array([0.5, 0.8, 0.9]), SPACES)
    formula = parse(FEATURES[0])
    [rated] = evaluate_fitness([formula], table, in_spaces(), COUNT, reference)
    [as_ever] = evaluate_fitness([formula], table, in_spaces(), COUNT)
    assert rated.taus == as_ever.taus
    assert rated.fitness == fitness_of(np.array(rated.taus), reference) != as_ever.fitness


@pytest.mark.parametrize("by_tau", [True, False])
def test_the_reference_is_what_trees_predict_of_other_folds(by_tau):
    """By plain loops."""
    from sklearn.ensemble import ExtraTreesRegressor

    reference, table = reached(in_spaces(), by_tau), filled()
    assert reference.spaces == SPACES
    for task, components, figure in zip(in_spaces(), COMPONENTS, reference.figures, strict=True):
        x = score_columns(CANDIDATES, table, [task], COUNT).numpy()
        x = x / np.abs(x).max(0)
        y, weights = normal_scores(task.accuracies), network_weights(components)
        folds, predicted = component_folds(components, FOLDS), np.empty(COUNT)
        for fold in range(FOLDS):
            others = folds != fold
            trees = ExtraTreesRegressor(
                20, max_features=1.0, min_samples_leaf=randomised_trees.LEAF, random_state=0
            )
            trees.fit(x[others], y[others], weights[others])
            predicted[folds == fold] = trees.predict(x[folds == fold])
        if by_tau:
            assert figure == kendall(predicted, task.accuracies)
        else:
            centred = [v - np.average(v, weights=weights) for v in (predicted, y)]
            products = [np.sum(weights * a * b) for a in centred for b in centred]
            assert figure == pytest.approx(products[1] / np.sqrt(products[0] * products[3]))


def test_where_trees_find_nothing_the_reference_is_small_but_positive():
    noise = np.random.default_rng(3).normal(size=COUNT)
    of_noise = [replace(t, accuracies=noise) for t in in_spaces()]
    for by_tau in (True, False):
        assert reached(of_noise, by_tau).figures.tolist() == [LEAST_REFERENCE] * 3
        same = [replace(t, accuracies=np.ones(COUNT)) for t in in_spaces()]
        assert reached(same, by_tau).figures.tolist() == [LEAST_REFERENCE] * 3


def test_the_reference_is_of_the_present_networks_and_repeats():
    few, again = (reached(in_spaces(), networks=64) for _ in range(2))
    assert few.figures.tobytes() == again.figures.tobytes()
    assert few.figures.tolist() != reached(in_spaces()).figures.tolist()


def test_networks_that_few_features_score_are_left_out_of_correlations():
    values = {t: np.where(np.arange(COUNT) == 4, np.nan, v) for t, v in VALUES.items()}
    figures = reached(in_spaces(), table=filled(values)).figures
    assert np.isfinite(figures).all()
    assert figures.min() > LEAST_REFERENCE


def search(fit, seed=1, **settings):
    small = {"generations": 2, "population": 12, "offspring": 12, "fit": fit, "alike": True}
    engine = made_up.engine(seed, **(small | settings))
    engine._sample.tasks = [
        Task(t.dataset, t.context, t.accuracies, space)
        for t, space in zip(engine._sample.tasks, ("a", "b"), strict=True)
    ]
    return engine


def line(report):
    return json.dumps(plain(asdict(report)))


@pytest.mark.parametrize("fit", [True, False])
def test_formulas_are_rated_by_shares_on_every_sample(fit):
    engine, figures = search(fit), []
    for _ in engine.run():
        sample = engine._sample
        figures.append(sample.reference.figures.tolist())
        for individual in engine._population:
            result = sample.results[individual.text]
            if not result.reason:
                expected = fitness_of(np.array(result.taus), sample.reference)
                assert result.fitness == pytest.approx(expected)
    assert figures[0] != figures[-1]
    assert len({tuple(f) for f in figures}) == 2


@pytest.mark.parametrize("fit", [True, False])
def test_a_resumed_search_goes_on_as_if_it_had_never_stopped(fit):
    whole = search(fit)
    expected = [line(report) for report in whole.run()]
    first = search(fit)
    lines = [line(next(iter(first.run())))]
    state = State.model_validate_json(first.state().model_dump_json())
    second = search(fit, seed=7)
    second.resume(state)
    assert second._sample.reference.figures.tobytes() == first._sample.reference.figures.tobytes()
    lines += [line(report) for report in second.run()]
    assert lines == expected
    assert second.archive.ranked() == whole.archive.ranked()


def test_trees_are_grown_once_for_a_sample(monkeypatch):
    calls = []

    def counted(*arguments, **options):
        calls.append(arguments)
        return tree_reference(*arguments, **options)

    monkeypatch.setattr("eznas.evolution.breeding.tree_reference", counted)
    list(search(True).run())
    assert len(calls) == 2
