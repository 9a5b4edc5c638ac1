"""Randomised trees: what they find, which networks get the lowest score, and that they repeat."""

import numpy as np
import pytest

from eznas.benchmarks import Task
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.predictors import randomised_trees as trees
from eznas.predictors.randomised_trees import forest_scores
from tests.evolution.made_up import MadeUp, drawn, table_of

COUNT, FITTED = 160, 96  # networks, and those of them that trees are fitted to
NAMES = tuple(f"network {i}" for i in range(COUNT))
CANDIDATES = [
    parse(f"{aggregation}_layers({statistic})")
    for aggregation in ("sum", "mean", "std")
    for statistic in ("layer_params", "layer_kernel")
]
A, B, C, *OTHERS = (c.text for c in CANDIDATES)
A_VALUES, B_VALUES = (np.array([drawn(key, name) for name in NAMES]) for key in "ab")
ACCURACIES = (A_VALUES - 0.5) * (B_VALUES - 0.5)  # linear in neither, so hardly correlated
TASKS = [Task("first", 0, ACCURACIES), Task("second", 1, A_VALUES + B_VALUES)]


@pytest.fixture(autouse=True)
def few_trees(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 60)
    monkeypatch.setattr(trees, "SHARE", 0.7)


class MadeUpForMore(MadeUp):
    """Made-up features of more networks."""

    def _value(self, context, text, name):
        if text in self.planted:
            return self.planted[text][NAMES.index(name)]
        return drawn(context, text, name)


def filled(planted=()):
    evaluate = MadeUpForMore({A: A_VALUES, B: B_VALUES} | dict(planted), faults=False)
    table = table_of(evaluate, contexts=2, names=NAMES)
    table.fill(CANDIDATES, COUNT)
    return table


def predictions(planted=(), tasks=TASKS, candidates=CANDIDATES, networks=FITTED):
    return forest_scores(candidates, filled(planted), tasks, networks)


def tau_on_others(scores, accuracies):
    """Tau on networks that the trees were not fitted to."""
    return kendall(scores[FITTED:], accuracies[FITTED:])


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "TREES", 60)
        patch.setattr(trees, "SHARE", 0.7)
        return predictions()


def test_what_two_features_say_together_is_found(reference):
    assert [s.shape for s in reference] == [(COUNT,)] * 2
    assert all(np.isfinite(s).all() for s in reference)
    assert abs(kendall(A_VALUES, ACCURACIES)) < 0.2 > abs(kendall(B_VALUES, ACCURACIES))
    assert tau_on_others(reference[0], ACCURACIES) > 0.5
    assert tau_on_others(reference[1], A_VALUES + B_VALUES) > 0.6


def test_without_a_signal_nothing_is_found():
    noise = {text: np.array([drawn(key, n) for n in NAMES]) for text, key in ((A, "c"), (B, "d"))}
    assert abs(tau_on_others(predictions(noise)[0], ACCURACIES)) < 0.3


def test_trees_repeat(reference):
    for repeated, first in zip(predictions(), reference, strict=True):
        assert repeated.tobytes() == first.tobytes()


def test_every_task_has_its_own_trees(reference):
    (second,) = predictions(tasks=TASKS[1:])
    assert second.tobytes() == reference[1].tobytes()


def test_only_the_accuracies_of_the_first_networks_count(reference):
    changed = np.where(np.arange(COUNT) < FITTED, ACCURACIES, -ACCURACIES)
    assert predictions(tasks=[Task("first", 0, changed)])[0].tobytes() == reference[0].tobytes()


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_network_that_hardly_any_feature_scores_is_lowest(value):
    """Among those that the trees are fitted to, and among the others."""
    is_unscored = np.isin(np.arange(COUNT), (5, 120))
    values = {A: A_VALUES, B: B_VALUES}
    values |= {t: np.array([drawn(t, n) for n in NAMES]) for t in (C, *OTHERS)}
    values = {t: np.where(is_unscored, value, v) for t, v in values.items() if t != C}
    scores = predictions(values)
    for task_scores in scores:
        np.testing.assert_array_equal(task_scores == -np.inf, is_unscored)
    assert tau_on_others(scores[0], ACCURACIES) > 0.4


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_feature_that_is_undefined_on_a_network_is_ignored(value, reference):
    undefined = np.where(np.arange(COUNT) == 7, value, ACCURACIES)
    others = [c for c in CANDIDATES if c.text != C]
    pairs = zip(predictions({C: undefined}), predictions(candidates=others), strict=True)
    for scores, scores_without in pairs:
        assert scores.tobytes() == scores_without.tobytes()
    # Were it defined, it would tell the accuracies.
    assert tau_on_others(predictions({C: ACCURACIES})[0], ACCURACIES) > 0.9


def test_scale_does_not_matter(reference):
    """Some features reach 1e43: more than trees, which calculate in single precision, can hold."""
    scaled = predictions({A: 2.0**140 * A_VALUES, B: -(2.0**-140) * B_VALUES})
    assert all(np.isfinite(s).all() for s in scaled)
    assert tau_on_others(scaled[0], ACCURACIES) > 0.5


@pytest.mark.parametrize("value", [-np.inf, np.nan, 3.0])
def test_features_that_say_nothing(value):
    """No feature is defined, or none varies: all scores are the same, and tau is undefined."""
    planted = {c.text: np.full(COUNT, value) for c in CANDIDATES}
    for scores in predictions(planted):
        assert len(set(scores.tolist())) == 1
        assert np.isnan(kendall(scores, ACCURACIES))
