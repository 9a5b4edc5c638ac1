"""What every search method promises; a new one is found by itself."""

import numpy as np
import pytest

from eznas.search import METHODS
from eznas.search.history import History
from eznas.search.loop import run
from tests.search.made_up import ACCURACIES, ALL, PARTIAL, candidates, settings

LISTS = {"full": ALL, "partial": PARTIAL, "none": None}


@pytest.fixture(params=METHODS)
def method(request):
    return METHODS[request.param]


@pytest.fixture(params=LISTS)
def listed(request):
    return LISTS[request.param]


def queried(method, among, seed=0, repeat=0, **values):
    return run(method, among, ACCURACIES.__getitem__, settings(**values), seed, repeat)


def test_its_row_says_what_it_is(method):
    assert METHODS[method.name] is method
    assert method.source[-4:].isdecimal()
    assert method.meaning


def test_it_stops_at_the_number_of_queries_and_queries_none_twice(method, listed):
    for queries in (1, 2, 7, 17):
        history = queried(method, candidates(listed), queries=queries)
        assert len(history) == len(set(history)) == queries


def test_the_same_seed_gives_the_same_queries(method, listed):
    first, second, other = (
        queried(method, candidates(listed), seed, queries=15).architectures for seed in (3, 3, 4)
    )
    assert first == second
    assert first != other


def test_repeats_differ(method):
    one, other = (queried(method, candidates(), repeat=r).architectures for r in (0, 1))
    assert one != other


def test_it_queries_all_there_are_and_then_ends(method):
    few = PARTIAL[:6]
    assert set(queried(method, candidates(few), queries=9)) == set(few)
    assert not len(queried(method, candidates(()), queries=3))


def test_it_keeps_to_what_is_allowed(method, listed):
    def allows(architecture):
        return not architecture.startswith("4")

    history = queried(method, candidates(listed, allows=allows), queries=10)
    assert len(history) == 10
    assert all(map(allows, history))


def test_what_it_asks_is_new_different_allowed_and_not_too_much(method, listed):
    """By itself, without the loop that would mend it."""
    among = candidates(listed, allows=lambda a: not a.startswith("4"))
    generator, history = np.random.default_rng(0), History()
    search = method.make(among, settings(queries=10))
    while len(history) < 10:
        asked = search.ask(history, 10 - len(history), generator)
        assert 1 <= len(asked) <= 10 - len(history)
        assert len(set(asked)) == len(asked)
        assert not any(a in history or a.startswith("4") for a in asked)
        assert all(a in (listed or ALL) for a in asked)
        for architecture in asked:
            history.add(architecture, ACCURACIES[architecture])


@pytest.mark.parametrize("name", [name for name in METHODS if name != "random"])
def test_it_finds_better_networks_than_chance(name):
    def best(name):
        few = {"queries": 15, "pool": 40}
        found = [queried(METHODS[name], candidates(), repeat=r, **few) for r in range(20)]
        return np.mean([history.accuracies.max() for history in found])

    assert best(name) > best("random")
