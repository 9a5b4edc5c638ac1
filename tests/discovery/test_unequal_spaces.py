"""Searches on several spaces of which one has fewer networks than are asked for."""

import numpy as np
import pytest

from eznas.benchmarks.loading import load
from eznas.discovery.callbacks import NoCallback
from eznas.discovery.front import other_networks
from eznas.discovery.search import evolved, tasks_of
from eznas.discovery.setup import prepare
from eznas.discovery.termination import termination_of
from eznas.errors import InputError
from eznas.evaluation.feature_table import FeatureTable
from eznas.evaluation.feature_values import FeatureValues
from eznas.predictors import randomised_trees
from tests.benchmarks.made_up import store_macro
from tests.discovery.made_up_run import make_run
from tests.discovery.tiny_run import tiny
from tests.evolution.made_up import drawn

NETWORKS, CHAMPION = 60, 8
SPACES = ("nasbench201/ImageNet16-120", "nasbench-macro")


@pytest.fixture
def setup(home, monkeypatch):
    """A search on as many networks as the second space has in all, held-out ones included."""
    monkeypatch.setattr(randomised_trees, "FEWER_TREES", 10)
    store_macro()

    def prepared(**settings):
        usual = {
            "tasks": SPACES,
            "first_networks": NETWORKS,
            "networks": NETWORKS,
            "champion_networks": CHAMPION,
            "evidence.networks": 0,
        }
        return prepare(tiny(**(usual | settings)), 1, None)

    return prepared


def made_up_table(setup):
    """A table of made-up features."""

    def evaluate(shards, texts):
        answers = []
        for shard in shards:
            values = np.array([[drawn(t, a) for a in shard.architectures] for t in texts])
            zeros = np.zeros(values.shape, np.int8)
            answers.append(FeatureValues(values, np.ones(values.shape), zeros))
        return answers

    return FeatureTable([context.architectures for context in setup.contexts], evaluate)


def test_a_space_gives_at_most_what_it_has(setup):
    sizes = [len(sample.architectures) for sample in setup().samples]
    assert sizes[0] == NETWORKS + CHAMPION
    assert 8 < sizes[1] < NETWORKS
    assert [len(task.accuracies) for task in tasks_of(setup())] == sizes
    assert [task.space for task in tasks_of(setup())] == ["nasbench201", "nasbench-macro"]


@pytest.mark.parametrize("settings", [{}, {"alike": True}, {"alike": True, "fit": True}])
def test_a_search_goes_to_its_end(setup, settings):
    prepared = setup(new_features=False, **settings)
    limits = termination_of(1, prepared.config.termination, None)
    results = [evolved(prepared, made_up_table(prepared), NoCallback(), limits) for _ in range(2)]
    assert results[0].champion == results[1].champion
    assert results[0].greedy is not None
    assert results[0].evaluations > 16


def test_the_front_leaves_out_a_space_that_the_search_has_used_up(setup, home):
    setup()
    usual = {"first_networks": NETWORKS, "networks": NETWORKS, "champion_networks": CHAMPION}
    [others] = other_networks(make_run(home, "both", tasks=SPACES, **usual), 20)
    assert others.space == "nasbench201"
    alone = make_run(home, "alone", tasks=SPACES[1:], **(usual | {"champion_networks": 0}))
    with pytest.raises(InputError, match="nasbench-macro: the search used all but"):
        other_networks(alone, 20)


def test_where_no_space_has_as_many_an_error_says_so(setup):
    with pytest.raises(InputError, match="at most 9918 in space nasbench201, got 9927"):
        setup(networks=9919)


def test_one_space_alone_must_have_as_many(setup):
    setup()
    few = len(load("nasbench-macro").split.search)
    with pytest.raises(InputError, match=f"at most {few} in space nasbench-macro, got"):
        setup(tasks=("nasbench-macro",))
