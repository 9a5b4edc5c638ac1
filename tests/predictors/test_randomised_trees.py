"""Randomised trees: what they find, what they leave at the lowest, and that they repeat."""

import numpy as np
import pytest

from eznas.evaluation.feature_table import FeatureTable
from eznas.evolution.fitness import Task
from eznas.formulas.parser import parse
from eznas.metrics import kendall
from eznas.predictors import randomised_trees as trees
from eznas.predictors.randomised_trees import forest_scores
from tests.evolution.made_up import MadeUp, drawn

COUNT, FITTED = 160, 96  # networks, and those of them that trees are fitted to
NAMES = tuple(f"network {i}" for i in range(COUNT))
CANDIDATES = [
    parse(f"{w}_layers({s})")
    for w in ("sum", "mean", "std")
    for s in ("layer_params", "layer_kernel")
]
A, B, C, *OTHERS = (c.text for c in CANDIDATES)
ONE, TWO = (np.array([drawn(key, n) for n in NAMES]) for key in "ab")
ACCURACIES = (ONE - 0.5) * (TWO - 0.5)  # no line through either says anything
TASKS = [Task("first", 0, ACCURACIES), Task("second", 1, ONE + TWO)]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(trees, "TREES", 60)
    monkeypatch.setattr(trees, "SHARE", 0.7)


class Longer(MadeUp):
    """Made-up measures of more networks."""

    def _value(self, setting, text, architecture):
        if text in self.planted:
            return self.planted[text][NAMES.index(architecture)]
        return drawn(setting, text, architecture)


def filled(planted=()):
    table = FeatureTable(NAMES, Longer({A: ONE, B: TWO} | dict(planted), 2, faults=False))
    table.fill(CANDIDATES, COUNT)
    return table


def found(planted=(), tasks=TASKS, candidates=CANDIDATES, networks=FITTED):
    return forest_scores(candidates, filled(planted), tasks, networks)


def fresh(scores, accuracies):
    """Tau on networks that the trees were not fitted to."""
    return kendall(scores[FITTED:], accuracies[FITTED:])


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trees, "TREES", 60)
        patch.setattr(trees, "SHARE", 0.7)
        return found()


def test_what_two_words_say_together_is_found(reference):
    assert [s.shape for s in reference] == [(COUNT,)] * 2
    assert all(np.isfinite(s).all() for s in reference)
    assert abs(kendall(ONE, ACCURACIES)) < 0.2 > abs(kendall(TWO, ACCURACIES))
    assert fresh(reference[0], ACCURACIES) > 0.5
    assert fresh(reference[1], ONE + TWO) > 0.6


def test_without_a_signal_nothing_is_found():
    noise = [np.array([drawn(key, n) for n in NAMES]) for key in "cd"]
    assert abs(fresh(found(dict(zip((A, B), noise, strict=True)))[0], ACCURACIES)) < 0.3


def test_trees_repeat(reference):
    for again, first in zip(found(), reference, strict=True):
        assert again.tobytes() == first.tobytes()


def test_every_task_is_on_its_own(reference):
    (second,) = found(tasks=TASKS[1:])
    assert second.tobytes() == reference[1].tobytes()


def test_only_the_accuracies_of_the_first_networks_count(reference):
    other = np.where(np.arange(COUNT) < FITTED, ACCURACIES, -ACCURACIES)
    assert found(tasks=[Task("first", 0, other)])[0].tobytes() == reference[0].tobytes()


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_network_that_hardly_any_word_scores_is_lowest(value):
    """One of those that are fitted to, and one of the others."""
    lost = np.isin(np.arange(COUNT), (5, 120))
    values = {A: ONE, B: TWO}
    values |= {t: np.array([drawn(t, n) for n in NAMES]) for t in (C, *OTHERS)}
    values = {t: np.where(lost, value, v) for t, v in values.items() if t != C}
    scores = found(values)
    for each in scores:
        np.testing.assert_array_equal(each == -np.inf, lost)
    assert fresh(scores[0], ACCURACIES) > 0.4


@pytest.mark.parametrize("value", [-np.inf, np.nan])
def test_a_word_that_lacks_a_network_is_not_looked_at(value, reference):
    spoilt = np.where(np.arange(COUNT) == 7, value, ACCURACIES)
    rest = [c for c in CANDIDATES if c.text != C]
    for a, b in zip(found({C: spoilt}), found(candidates=rest), strict=True):
        assert a.tobytes() == b.tobytes()
    assert fresh(found({C: ACCURACIES})[0], ACCURACIES) > 0.9  # it would have said it all


def test_scale_does_not_matter(reference):
    """Some words reach 1e43: more than trees, which count in single precision, can hold."""
    scaled = found({A: 2.0**140 * ONE, B: -(2.0**-140) * TWO})
    assert all(np.isfinite(s).all() for s in scaled)
    assert fresh(scaled[0], ACCURACIES) > 0.5


@pytest.mark.parametrize("value", [-np.inf, np.nan, 3.0])
def test_words_that_say_nothing(value):
    """No word is defined, or none varies: all networks are the same, and tau is undefined."""
    every = {c.text: np.full(COUNT, value) for c in CANDIDATES}
    for scores in found(every):
        assert len(set(scores.tolist())) == 1
        assert np.isnan(kendall(scores, ACCURACIES))
