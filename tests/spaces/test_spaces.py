"""What every search space promises, on a few of its architectures."""

import math

import numpy as np
import pytest
import torch

from eznas.benchmarks.splits import components
from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.spaces.base import LISTED

FEW = 6


def variant(name):
    """Whether a space is another one's with another stem or fewer options."""
    return name.endswith(("-in", "-fix"))


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.slow] * variant(n)) for n in SPACES])
def space(request):
    return SPACES[request.param]


@pytest.fixture
def some(space):
    return space.sample(FEW, seed=1)


def test_names(space):
    assert SPACES[space.name] is space


def test_a_sample_is_the_beginning_of_a_larger_one(space, some):
    assert len(set(some)) == FEW
    assert space.sample(FEW + 3, seed=1)[:FEW] == some
    assert space.sample(FEW, seed=2) != some
    assert space.sample(0) == ()


def test_all_architectures_or_a_word_that_there_are_too_many(space, some):
    if math.prod(map(len, space.positions)) > LISTED:
        with pytest.raises(InputError, match="too many architectures"):
            space.architectures()
        return
    every = space.architectures()
    assert len(set(every)) == len(every)
    assert set(some) <= set(every)
    with pytest.raises(InputError, match="cannot sample"):
        space.sample(len(every) + 1)


def test_choices_and_text_are_inverse(space, some):
    for architecture in some:
        assert space.canonical(architecture) == architecture
        assert space.canonical(f" {architecture}\n") == architecture
        chosen = space.choices(architecture)
        assert space.text(chosen) == architecture
        for option, options in zip(chosen, space.positions, strict=True):
            assert option in options


def test_text_fits_into_a_cell_of_a_table_and_a_command(space, some):
    assert all(a.isascii() and not set(a) & set(",;\"'\n\t") for a in some)


def test_live_cells_are_fixed_points(space, some):
    for architecture in some:
        live = space.live_cell(architecture)
        assert space.canonical(live) == live
        assert space.live_cell(live) == live
        assert space.names(live)[-1:] == space.names(architecture)[-1:]


def test_neighbours_differ_in_one_choice_and_are_mutual(space, some):
    for architecture in some[:2]:
        near = space.neighbours(architecture)
        assert len(set(near)) == len(near) > 0
        assert architecture not in near
        own = space.encode(architecture)
        for other in near[:: max(1, len(near) // 5)]:
            assert space.canonical(other) == other
            assert not np.array_equal(space.encode(other), own)


def test_encodings_tell_architectures_apart(space, some):
    length = sum(map(len, space.positions))
    codes = [space.encode(a) for a in some]
    assert all(c.shape == (length,) and c.dtype == np.float64 for c in codes)
    assert all(c.sum() == len(space.positions) for c in codes)
    assert len({c.tobytes() for c in codes}) == FEW


def test_builds(space, some):
    for architecture in some[:3]:
        with torch.device("meta"):
            model = space.build(architecture, classes=7)
            assert model(torch.empty(2, 3, 64, 64)).shape == (2, 7)


def test_logits_depend_on_the_image_where_it_is_connected(space, some):
    for architecture in some[:2]:
        torch.manual_seed(0)
        model = space.build(architecture, classes=3)
        x = torch.randn(2, 3, 32, 32, requires_grad=True)
        (gradient,) = torch.autograd.grad(model(x)[:, 0].sum(), x, allow_unused=True)
        flows = gradient is not None and bool((gradient != 0).any())
        assert flows == space.connected(architecture)


def test_live_cell_has_the_same_function(space, some):
    """Weights of live operations carried over: dead operations change no logit."""
    x = torch.randn(1, 3, 32, 32)
    for architecture in some:
        if space.live_cell(architecture) == architecture:
            continue
        whole = space.build(architecture, classes=3).eval()
        live = space.build(space.live_cell(architecture), classes=3).eval()
        weights = whole.state_dict()
        live.load_state_dict({name: weights[name] for name in live.state_dict()})
        torch.testing.assert_close(live(x), whole(x))


def test_components_are_numbered_from_0(space, some):
    found = components(space, [*some, some[0]])
    assert found[0] == found[-1] == 0
    assert set(found.tolist()) == set(range(found.max() + 1))


@pytest.mark.parametrize("text", ["", " ", "no architecture", "\0", "|" * 300, "0" * 300, ":"])
def test_nonsense_is_refused_in_one_line(space, text):
    for refuse in (space.choices, space.canonical, space.build):
        with pytest.raises(InputError) as caught:
            refuse(text)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
