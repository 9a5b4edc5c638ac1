"""One-hot columns of positions of different lengths, by hand."""

import math

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.search.latent.positions import Positions
from eznas.spaces import SPACES
from tests.search.latent.made_up import PICKY

POSITIONS = Positions(PICKY)


def test_columns_by_hand():
    assert POSITIONS.options == 7
    assert POSITIONS.columns(["medium left/right", "large left/left"]).tolist() == [
        [1, 3, 6],
        [2, 3, 5],
    ]
    assert POSITIONS.columns([]).shape == (0, 3)


@pytest.mark.parametrize("name", SPACES)
def test_columns_are_those_of_the_space(name):
    space = SPACES[name]
    architectures = space.sample(5)
    positions = Positions(space)
    one_hot = positions.one_hot(positions.columns(architectures))
    np.testing.assert_array_equal(one_hot, [space.encode(a) for a in architectures])
    assert positions.texts(one_hot) == [*map(space.canonical, architectures)]


def test_cross_entropy_by_hand():
    columns = POSITIONS.columns(["medium left/right"])
    assert POSITIONS.cross_entropy(torch.zeros(1, 7), columns).item() == pytest.approx(
        math.log(3) + 2 * math.log(2)
    )
    logits = torch.tensor([[0.0, math.log(2), 0.0, 0.0, 0.0, 0.0, math.log(3)]])
    expected = math.log(2) + math.log(2) + math.log(4 / 3)
    assert POSITIONS.cross_entropy(logits, columns).item() == pytest.approx(expected)


def test_cross_entropy_has_gradients_at_every_option():
    logits = torch.zeros(1, 7, requires_grad=True)
    POSITIONS.cross_entropy(logits, POSITIONS.columns(["medium left/right"])).sum().backward()
    expected = [1 / 3, -2 / 3, 1 / 3, -1 / 2, 1 / 2, 1 / 2, -1 / 2]
    assert logits.grad[0].tolist() == pytest.approx(expected)


def test_texts_are_the_most_likely_options_or_none_where_refused():
    one = [0.0, 0.0, 9.0, 1.0, 0.0, 0.0, 1.0]
    refused = [0.0, 0.0, 9.0, 0.0, 1.0, 0.0, 1.0]
    assert POSITIONS.texts(torch.tensor([one, refused, one])) == [
        "large left/right",
        None,
        "large left/right",
    ]


def test_no_architecture_is_refused():
    with pytest.raises(InputError, match="expected the form small left/right"):
        POSITIONS.columns(["huge left/left"])
