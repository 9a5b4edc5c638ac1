"""What each search method does, on numbers small enough to follow by hand."""

import numpy as np
import pytest

from eznas.search.ageing_evolution import POPULATION, AgeingEvolution
from eznas.search.guided import PARENTS, Guided
from eznas.search.history import History
from eznas.search.proxy_order import best_first, mean_ranks
from tests.search.made_up import ACCURACIES, ALL, Ridge, candidates, settings, total_width


def generator():
    return np.random.default_rng(0)


def history_of(accuracies):
    history = History()
    for architecture, accuracy in zip(ALL, accuracies, strict=False):
        history.add(architecture, accuracy)
    return history


def differing(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


def test_the_oldest_of_the_population_dies_though_it_is_the_best():
    """Five live of six queried: the first, the best of all, is never a parent again."""
    evolution = AgeingEvolution(candidates(), settings(queries=30))
    assert evolution.population == 5
    history = history_of([99.0, 1.0, 2.0, 5.0, 4.0, 3.0])
    assert {evolution.parent(history, generator()) for _ in range(20)} == {ALL[3]}
    [child] = evolution.ask(history, 24, generator())
    assert differing(child, ALL[3]) == 1


def test_the_first_population_is_random_and_at_most_a_sixth_of_the_queries():
    sizes = [AgeingEvolution(candidates(), settings(queries=q)).population for q in (1, 60, 900)]
    assert sizes == [2, 10, POPULATION]
    evolution = AgeingEvolution(candidates(), settings(queries=60))
    assert evolution.ask(History(), 60, generator()) == candidates().draw(10, generator())


def test_mean_ranks_by_hand():
    """Ranks 1, 2, 3, 4 by the first; by the second NaN and -inf share the lowest two."""
    scores = np.array([[1, np.nan], [2, -np.inf], [3, 5], [4, 0]], float)
    assert mean_ranks(scores).tolist() == [1.25, 1.75, 3.5, 3.5]
    ordered = best_first(list("abcd"), ["x", "y"], lambda proxies, architectures: scores)
    assert ordered == ["c", "d", "b", "a"]
    assert best_first([], ["x"], total_width) == []


def test_a_warm_start_takes_the_top_share_of_a_pool():
    """The pool is all 81 networks, 5 % of it are 4."""
    chosen = settings(pool=81, batch=2, warm_start=("width",))
    widest = set(best_first(ALL, ["width"], total_width)[:4])
    for seed in range(5):
        first = Guided(candidates(), chosen).ask(History(), 30, np.random.default_rng(seed))
        assert len(set(first)) == 2
        assert set(first) <= {a for a in ALL if sum(map(int, a.split("-"))) >= 14}
    assert len(widest) == 4
    everyone = settings(pool=81, batch=6, warm_start=("width",))
    assert len(Guided(candidates(), everyone).ask(History(), 30, generator())) == 6


def test_half_of_a_pool_are_mutants_of_the_best():
    history = history_of(ACCURACIES[a] for a in ALL[:20])
    pool = Guided(candidates(), settings(pool=10)).pool(history, generator())
    assert len(set(pool)) == 10
    assert not set(pool) & set(history)
    parents = history.best(PARENTS)
    for mutant, parent in zip(pool[:5], parents, strict=False):
        assert differing(mutant, parent) == 1


def test_a_predictor_is_fitted_anew_to_all_queries_in_normal_scores():
    seen = []

    class Watched(Ridge):
        def fit(self, architectures, accuracies, curves=None):
            assert not hasattr(self, "regressor_")
            seen.append((list(architectures), accuracies))
            return super().fit(architectures, accuracies)

    history = history_of([10.0, 90.0, 91.0])
    for _ in range(2):
        Guided(candidates(), settings(predictor=Watched())).ask(history, 8, generator())
    (architectures, targets), again = seen
    assert architectures == again[0] == list(ALL[:3])
    assert targets == pytest.approx([-0.9674, 0.0, 0.9674], abs=1e-4)


def test_a_predictor_without_deviations_is_enough_for_the_mean():
    class Plain(Ridge):
        def predict(self, architectures, return_std=False):
            assert not return_std
            return super().predict(architectures)

    history = history_of(ACCURACIES[a] for a in ALL[:20])
    search = Guided(candidates(), settings(predictor=Plain(), acquisition="mean"))
    assert len(search.ask(history, 8, generator())) == 4


def test_history_gives_the_best_of_the_last():
    history = history_of([3.0, 1.0, 3.0, 2.0])
    assert history.best(2) == [ALL[0], ALL[2]]
    assert history.best(2, last=2) == [ALL[2], ALL[3]]
    assert history.best(9, last=9) == [ALL[0], ALL[2], ALL[3], ALL[1]]
