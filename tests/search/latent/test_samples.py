"""Architectures to train on."""

import pytest

from eznas.errors import InputError
from eznas.search.latent.samples import default_sizes, training_sample
from eznas.spaces import SPACES
from tests.search.latent.made_up import PICKY


def test_a_small_space_is_listed_in_an_order_of_the_seed():
    sample = training_sample(PICKY)
    assert len(sample) == 9
    assert set(sample) == set(PICKY.architectures())
    assert sample == training_sample(PICKY, seed=0)
    assert sample != training_sample(PICKY, seed=1)
    assert training_sample(PICKY, 4) == sample[:4]


def test_a_large_space_is_sampled():
    space = SPACES["nds-darts"]
    assert training_sample(space, 20, seed=3) == space.sample(20, seed=3)


@pytest.mark.parametrize("count", [0, -1])
def test_too_few(count):
    with pytest.raises(InputError, match=f"{count} architectures to train on: expected at least 1"):
        training_sample(PICKY, count)


def test_sizes_grow_with_the_options():
    sizes = [default_sizes(SPACES[name]) for name in ("nasbench201", "nasbench101", "nds-darts")]
    assert [s.latent for s in sizes] == [16, 32, 128]
    assert [s.width for s in sizes] == [128, 256, 512]
    assert sorted(s.steps for s in sizes) == [s.steps for s in sizes]
