"""Parts are spaces: they sample, list, change and encode their own architectures only."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.spaces.base import LISTED
from eznas.supernets.parts import (
    checked,
    everything,
    inside,
    numbered,
    part,
    restricted,
    size,
)

NB201, MACRO = SPACES["nasbench201"], SPACES["nasbench-macro"]
FEW = 12


def is_variant(name):
    """Whether a space is another one with another stem or fewer options."""
    return name.endswith(("-in", "-fix"))


def is_listable(space):
    return math.prod(map(len, space.positions)) <= LISTED


def halves(space, position):
    """Two parts: the first option of a position, and all others."""
    options = range(len(space.positions[position]))
    return [restricted(everything(space), position, group) for group in ([0], options[1:])]


def positions_with_options(space):
    """Some positions with two or more options."""
    positions = [i for i, options in enumerate(space.positions) if len(options) > 1]
    return positions[:: max(1, len(positions) // 3)]


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.slow] * is_variant(n)) for n in SPACES])
def space(request):
    return SPACES[request.param]


def test_what_a_part_samples_is_inside_and_refused_by_the_other(space):
    for position in positions_with_options(space):
        parts = [part(space, allowed) for allowed in halves(space, position)]
        for here, other in (parts, parts[::-1]):
            for architecture in here.sample(1, seed=1):
                assert space.canonical(architecture) == architecture == here.canonical(architecture)
                assert space.choices(architecture)[position] in here.positions[position]
                for refuse in (other.choices, other.canonical, other.build, other.neighbours):
                    with pytest.raises(InputError, match="outside the part"):
                        refuse(architecture)


def test_neighbours_and_encodings_stay_inside(space):
    for position in positions_with_options(space):
        for allowed in halves(space, position):
            here = part(space, allowed)
            [architecture] = here.sample(1, seed=2)
            neighbours = here.neighbours(architecture)
            assert set(neighbours) <= set(space.neighbours(architecture))
            assert all(here.canonical(other) == other for other in neighbours)
            code = here.encode(architecture)
            assert code.shape == (sum(map(len, allowed)),)
            assert code.sum() == len(allowed)


def test_parts_are_disjoint_and_complete(space):
    """By listing where that can be done, by a sample of the whole space otherwise."""
    position = positions_with_options(space)[-1]
    allowed = halves(space, position)
    architectures = space.architectures() if is_listable(space) else space.sample(FEW, seed=3)
    choices = numbered(space, architectures)
    members = np.stack([inside(choices, a) for a in allowed])
    assert (members.sum(axis=0) == 1).all()
    if not is_listable(space):
        return
    lists = [part(space, a).architectures() for a in allowed]
    assert sorted([*lists[0], *lists[1]]) == sorted(architectures)
    assert [size(space, a) for a in allowed] == [len(names) for names in lists]


def test_the_whole_is_a_part(space):
    whole = part(space, everything(space))
    assert whole.positions == space.positions
    assert whole.name == space.name
    assert whole.sample(3, seed=4) == space.sample(3, seed=4)


ALLOWED = st.tuples(*[st.sets(st.integers(0, 4), min_size=1) for _ in range(6)])


@given(ALLOWED, st.integers(0, 2**16))
@settings(max_examples=30)
def test_a_part_of_a_listed_space_is_the_product_of_its_options(sets, seed):
    allowed = checked(NB201, [sorted(options) for options in sets])
    count = math.prod(map(len, allowed))
    here = part(NB201, allowed)
    assert size(NB201, allowed) == count
    if count <= 200:
        names = here.architectures()
        assert len(set(names)) == count
        assert inside(numbered(NB201, names), allowed).all()
    drawn = here.sample(min(5, count), seed)
    assert inside(numbered(NB201, drawn), allowed).all()


def test_a_part_of_a_part_is_a_part_of_the_whole():
    outer = restricted(everything(MACRO), 0, [1, 2])
    inner = part(part(MACRO, outer), [[0], *[[0, 1, 2]] * 7])
    assert inner.architectures() == part(MACRO, restricted(outer, 0, [1])).architectures()


def test_a_spelling_that_leaves_the_part_is_no_member():
    """NAS-Bench-101 cuts vertices that nothing reads: the choices of what remains count."""
    space = SPACES["nasbench101"]
    letters = len(space.positions) - 5
    here = part(space, restricted(everything(space), letters + 4, [1]))  # the last letter is 1
    for architecture in here.sample(4, seed=5):
        assert space.choices(architecture)[-1] == "1"


def test_sizes_that_are_not_known():
    space = SPACES["nds-darts"]
    assert size(space, everything(space)) is None
    few = tuple((0,) for _ in space.positions)
    assert size(space, few) == 1


@pytest.mark.parametrize(
    ("allowed", "problem"),
    [
        ([[0]] * 5, "options of 6 positions, got 5"),
        ([[0]] * 5 + [[]], "position 5: expected one or more of 0 to 4, got []"),
        ([[5]] + [[0]] * 5, "position 0: expected one or more of 0 to 4, got [5]"),
    ],
)
def test_options_that_are_none(allowed, problem):
    with pytest.raises(InputError) as caught:
        part(NB201, allowed)
    assert problem in str(caught.value)
