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
from eznas.spaces import SPACES
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


@given(
    components=st.lists(st.integers(0, 6), min_size=1, max_size=40),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_an_order_across_components_takes_one_of_each_before_a_second(components, seed, data):
    of_network = np.array(components)
    indices = np.flatnonzero(np.arange(len(components)) % 5)
    order = splits.across_components(indices, of_network, len(indices), seed)
    assert sorted(order.tolist()) == indices.tolist()
    earlier: dict[int, int] = {}
    rounds = []
    for component in of_network[order].tolist():
        rounds.append(earlier.get(component, 0))
        earlier[component] = rounds[-1] + 1
    assert rounds == sorted(rounds)
    count = data.draw(st.integers(0, len(indices)))
    first = splits.across_components(indices, of_network, count, seed)
    assert first.tolist() == order[:count].tolist()
    random = splits.sample(indices, len(indices), seed).tolist()
    firsts = order[: len(set(of_network[indices].tolist()))].tolist()
    assert firsts == [
        i for i in random if i in firsts
    ]  # within a round the order is the random one


@pytest.mark.parametrize("count", [-1, 4])
def test_a_sample_larger_than_the_set_is_refused(count):
    with pytest.raises(InputError, match=f"cannot sample {count} networks; expected 0 to 3"):
        splits.sample(np.arange(3), count, seed=0)


@given(st.data())
def test_a_network_is_on_the_same_side_in_every_table(data):
    """Whatever other networks a table holds, and in whatever order."""
    name = data.draw(st.sampled_from(["nasbench201", "nasbench-macro", "naap440", "nasbench101"]))
    space = SPACES[name]
    sample = space.sample(12, seed=3)
    networks = data.draw(st.permutations(sample))
    table = networks[: data.draw(st.integers(1, 12))]
    whole = zip(*(part.tolist() for part in splits.parts(space, sample)), strict=True)
    of_whole = dict(zip(sample, whole, strict=True))
    components, is_held_out = splits.parts(space, table)
    assert is_held_out.tolist() == [of_whole[a][1] for a in table]
    same = [[of_whole[a][0] == of_whole[b][0] for b in table] for a in table]
    assert (components[:, None] == components).tolist() == same


@pytest.mark.parametrize(
    ("name", "networks", "components", "held_out"),
    [
        ("nasbench201", 15_625, 5_615, 5_707),
        ("nasbench-macro", 6_561, 3_969, 2_641),
        ("naap440", 440, 192, 220),
    ],
)
def test_the_parts_of_whole_spaces(name, networks, components, held_out):
    numbers, is_held_out = splits.parts(SPACES[name], SPACES[name].architectures())
    assert (len(numbers), numbers.max() + 1, is_held_out.sum()) == (networks, components, held_out)
    assert not set(numbers[is_held_out].tolist()) & set(numbers[~is_held_out].tolist())
    if name == "nasbench201":  # as it always was
        assert np.flatnonzero(is_held_out).tolist() == splits.split(numbers).held_out.tolist()


def test_about_two_fifths_are_held_out_where_a_space_cannot_be_listed():
    networks = SPACES["nasbench101"].sample(400, seed=1)
    components, is_held_out = splits.parts(SPACES["nasbench101"], networks)
    shares = [is_held_out[components == c] for c in set(components.tolist())]
    assert all(share.all() or not share.any() for share in shares)
    assert 0.33 < is_held_out.mean() < 0.47
    assert is_held_out[:8].tolist() == [bool(int(side)) for side in "01001001"]  # for good
