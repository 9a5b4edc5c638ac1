"""What every search space promises, on a few of its architectures."""

import pytest
import torch

from eznas.errors import InputError
from eznas.spaces import SPACES


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


@pytest.fixture
def some(space):
    every = space.architectures()
    return every[:: max(1, len(every) // 7)]


def test_names(space):
    assert SPACES[space.name] is space


def test_architectures_are_distinct_and_in_one_order(space):
    every = space.architectures()
    assert len(set(every)) == len(every)
    assert every == space.architectures()


def test_canonical_and_live_cells_are_fixed_points(space, some):
    for architecture in some:
        assert space.canonical(architecture) == architecture
        live = space.live_cell(architecture)
        assert space.canonical(live) == live
        assert space.live_cell(live) == live


def test_builds(space, some):
    for architecture in some:
        with torch.device("meta"):
            model = space.build(architecture, classes=7)
            assert model(torch.empty(2, 3, 32, 32)).shape == (2, 7)


def test_live_cell_has_the_same_function(space, some):
    """Weights of live operations carried over: dead operations change no logit."""
    x = torch.randn(1, 3, 8, 8)
    for architecture in some:
        whole = space.build(architecture, classes=3).eval()
        live = space.build(space.live_cell(architecture), classes=3).eval()
        weights = whole.state_dict()
        live.load_state_dict({name: weights[name] for name in live.state_dict()})
        torch.testing.assert_close(live(x), whole(x))


@pytest.mark.parametrize("text", ["", " ", "no architecture", "\0", "|" * 300])
def test_nonsense_is_refused_in_one_line(space, text):
    with pytest.raises(InputError) as caught:
        space.build(text)
    assert "\n" not in str(caught.value)
