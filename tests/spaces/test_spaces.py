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


def is_variant(name):
    """Whether a space is another one with another stem or fewer options."""
    return name.endswith(("-in", "-fix"))


@pytest.fixture(params=[pytest.param(n, marks=[pytest.mark.slow] * is_variant(n)) for n in SPACES])
def space(request):
    return SPACES[request.param]


@pytest.fixture
def architectures(space):
    return space.sample(FEW, seed=1)


def test_names(space):
    assert SPACES[space.name] is space


def test_a_sample_is_the_beginning_of_a_larger_one(space, architectures):
    assert len(set(architectures)) == FEW
    assert space.sample(FEW + 3, seed=1)[:FEW] == architectures
    assert space.sample(FEW, seed=2) != architectures
    assert space.sample(0) == ()


def test_all_architectures_or_an_error_that_there_are_too_many(space, architectures):
    if math.prod(map(len, space.positions)) > LISTED:
        with pytest.raises(InputError, match="too many architectures"):
            space.architectures()
        return
    all_architectures = space.architectures()
    assert len(set(all_architectures)) == len(all_architectures)
    assert set(architectures) <= set(all_architectures)
    with pytest.raises(InputError, match="cannot sample"):
        space.sample(len(all_architectures) + 1)


def test_choices_and_text_are_inverse(space, architectures):
    for architecture in architectures:
        assert space.canonical(architecture) == architecture
        assert space.canonical(f" {architecture}\n") == architecture
        choices = space.choices(architecture)
        assert space.text(choices) == architecture
        for option, options in zip(choices, space.positions, strict=True):
            assert option in options


def test_text_fits_into_a_csv_cell_and_a_command(space, architectures):
    assert all(a.isascii() and not set(a) & set(",;\"'\n\t") for a in architectures)


def test_live_cells_are_fixed_points(space, architectures):
    for architecture in architectures:
        live = space.live_cell(architecture)
        assert space.canonical(live) == live
        assert space.live_cell(live) == live
        assert space.names(live)[-1:] == space.names(architecture)[-1:]


def test_neighbours_differ_in_one_choice_and_are_mutual(space, architectures):
    for architecture in architectures[:2]:
        neighbours = space.neighbours(architecture)
        assert len(set(neighbours)) == len(neighbours) > 0
        assert architecture not in neighbours
        code = space.encode(architecture)
        for other in neighbours[:: max(1, len(neighbours) // 5)]:
            assert space.canonical(other) == other
            assert not np.array_equal(space.encode(other), code)


def test_encodings_tell_architectures_apart(space, architectures):
    length = sum(map(len, space.positions))
    codes = [space.encode(a) for a in architectures]
    assert all(c.shape == (length,) and c.dtype == np.float64 for c in codes)
    assert all(c.sum() == len(space.positions) for c in codes)
    assert len({c.tobytes() for c in codes}) == FEW


def test_builds(space, architectures):
    for architecture in architectures[:3]:
        with torch.device("meta"):
            model = space.build(architecture, classes=7)
            assert model(torch.empty(2, 3, 64, 64)).shape == (2, 7)


def test_logits_depend_on_the_image_where_it_is_connected(space, architectures):
    for architecture in architectures[:2]:
        torch.manual_seed(0)
        model = space.build(architecture, classes=3)
        x = torch.randn(2, 3, 32, 32, requires_grad=True)
        (gradient,) = torch.autograd.grad(model(x)[:, 0].sum(), x, allow_unused=True)
        depends = gradient is not None and bool((gradient != 0).any())
        assert depends == space.connected(architecture)


def test_live_cell_has_the_same_function(space, architectures):
    """With the same weights for the live operations, the logits are the same."""
    x = torch.randn(1, 3, 32, 32)
    for architecture in architectures:
        if space.live_cell(architecture) == architecture:
            continue
        full = space.build(architecture, classes=3).eval()
        live = space.build(space.live_cell(architecture), classes=3).eval()
        weights = full.state_dict()
        live.load_state_dict({name: weights[name] for name in live.state_dict()})
        torch.testing.assert_close(live(x), full(x))


def test_components_are_numbered_from_0(space, architectures):
    numbers = components(space, [*architectures, architectures[0]])
    assert numbers[0] == numbers[-1] == 0
    assert set(numbers.tolist()) == set(range(numbers.max() + 1))


@pytest.mark.parametrize("text", ["", " ", "no architecture", "\0", "|" * 300, "0" * 300, ":"])
def test_nonsense_is_refused_in_one_line(space, text):
    for refuse in (space.choices, space.canonical, space.build):
        with pytest.raises(InputError) as caught:
            refuse(text)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 600
