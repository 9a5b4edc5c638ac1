"""Components and splits: by hand, against scipy, and of the whole of NAS-Bench-201."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from eznas.benchmarks import splits
from eznas.benchmarks.loading import load
from eznas.errors import InputError
from eznas.spaces.nasbench201 import equivalence_name, isomorphism_class, live_cell

component_lists = st.lists(st.integers(0, 30), max_size=60).map(splits.connected_components)
seeds = st.integers(0, 2**32)


@pytest.fixture(scope="module")
def benchmark():
    return load("nasbench201")


def test_connected_components_by_hand():
    # 0-1 share a first name, 1-3 a second, 3-4 a first; 2 is alone.
    first, second = "aabcc", [1, 2, 3, 2, 4]
    assert splits.connected_components(first, second).tolist() == [0, 0, 1, 0, 0]
    assert splits.connected_components(first).tolist() == [0, 0, 1, 2, 2]
    assert splits.connected_components([]).tolist() == []


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), min_size=1, max_size=30))
def test_connected_components_are_those_of_scipy(pairs):
    first, second = (np.array(names) for names in zip(*pairs, strict=True))
    share_a_name = (first[:, None] == first) | (second[:, None] == second)
    count, expected = connected_components(coo_array(share_a_name), directed=False)
    labels = splits.connected_components(first.tolist(), second.tolist())
    assert labels.max() + 1 == count
    assert len({*zip(labels.tolist(), expected.tolist(), strict=True)}) == count


def test_components_of_the_whole_space(benchmark):
    components = benchmark.components
    assert sorted(set(components.tolist())) == list(range(5_615))
    for naming in (live_cell, equivalence_name, isomorphism_class):
        pairs = {*zip(map(naming, benchmark.architectures), components.tolist(), strict=True)}
        assert len(pairs) == len({name for name, _ in pairs}), naming.__name__


def test_components_without_mirroring_are_the_published_ones(benchmark):
    namings = (map(naming, benchmark.architectures) for naming in (isomorphism_class, live_cell))
    assert splits.connected_components(*namings).max() + 1 == 6_226


def test_split_of_the_whole_space(benchmark):
    parts = splits.split(benchmark.components)
    assert len(np.unique(benchmark.components[parts.held_out])) == 2_246  # 40 % of 5,615
    assert len(parts.search) + len(parts.held_out) == 15_625
    names = [
        {equivalence_name(benchmark.architectures[index]) for index in part}
        for part in (parts.search, parts.held_out)
    ]
    assert names[0].isdisjoint(names[1])


def test_the_split_is_the_same_for_ever(benchmark):
    """Runs are comparable only as long as these networks stay where they are."""
    parts = splits.split(benchmark.components)
    assert (len(parts.search), len(parts.held_out)) == (9_918, 5_707)
    assert parts.held_out[:5].tolist() == [652, 657, 662, 667, 672]
    assert splits.sample(parts.search, 5, seed=0).tolist() == [9219, 906, 995, 5373, 269]


@given(component_lists, seeds)
def test_no_component_is_on_both_sides(components, seed):
    parts = splits.split(components, seed)
    search, held_out = set(components[parts.search]), set(components[parts.held_out])
    assert search.isdisjoint(held_out)
    assert len(held_out) == round(0.4 * len(search | held_out))
    assert sorted([*parts.search, *parts.held_out]) == list(range(len(components)))


@given(st.sets(st.integers(0, 10_000), min_size=1, max_size=50), seeds, st.data())
def test_a_smaller_sample_begins_a_larger_one(candidates, seed, data):
    indices = np.array(sorted(candidates))
    larger = data.draw(st.integers(0, len(indices)))
    smaller = data.draw(st.integers(0, larger))
    sample = splits.sample(indices, larger, seed)
    assert splits.sample(indices, smaller, seed).tolist() == sample[:smaller].tolist()
    assert len(set(sample.tolist())) == larger
    assert set(sample.tolist()) <= candidates


def test_seeds_differ():
    indices = np.arange(1000)
    assert (splits.sample(indices, 1000, seed=0) != splits.sample(indices, 1000, seed=1)).any()


@pytest.mark.parametrize("count", [-1, 4])
def test_a_sample_larger_than_the_set_is_refused(count):
    with pytest.raises(InputError, match=f"cannot sample {count} networks; expected 0 to 3"):
        splits.sample(np.arange(3), count, seed=0)
