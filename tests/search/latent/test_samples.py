"""Architectures to train on."""

from collections import Counter
from itertools import islice

import pytest

from eznas.errors import InputError
from eznas.search.latent.samples import _walks, default_sizes, training_sample
from eznas.spaces import SPACES
from tests.search.latent.made_up import PICKY, SWITCH

ALL = set(SWITCH.architectures())


def test_a_small_space_is_listed_in_an_order_of_the_seed():
    sample = training_sample(PICKY)
    assert len(sample) == 9
    assert set(sample) == set(PICKY.architectures())
    assert sample == training_sample(PICKY, seed=0)
    assert sample != training_sample(PICKY, seed=1)
    assert training_sample(PICKY, 4) == sample[:4]


@pytest.fixture
def unlisted(monkeypatch):
    """No space is small enough to be listed."""
    monkeypatch.setattr("eznas.spaces.base.LISTED", 0)


def test_a_large_space_is_sampled(unlisted):
    sample = training_sample(SWITCH, 20, seed=3)
    assert len(set(sample)) == 20
    assert set(sample) <= ALL
    assert sample == training_sample(SWITCH, 25, seed=3)[:20]
    assert sample != training_sample(SWITCH, 20, seed=4)
    assert set(training_sample(SWITCH, 28)) == ALL


def test_every_architecture_is_as_likely_as_any_other():
    """Though half of all draws of choices are spellings of one."""
    counts = Counter(text for texts in islice(_walks(SWITCH, 0), 300) for text in texts)
    assert len(counts) == 28
    shares = [28 * count / counts.total() for count in counts.values()]
    assert 0.75 < min(shares) < max(shares) < 1.33


@pytest.mark.slow
def test_most_cells_of_nasbench101_have_seven_vertices():
    """85 % of the benchmark's have."""
    sample = training_sample(SPACES["nasbench101"], 5000)
    letters = Counter(len(text.partition(":")[2]) for text in sample)
    assert letters[5] / 5000 > 0.7


def test_progress_is_shown(unlisted):
    counts = []
    training_sample(SWITCH, 25, progress=lambda *count: counts.append(count))
    assert counts[-1] == (25, 25)
    assert counts == sorted(counts)


def test_a_large_space_of_few_architectures(unlisted):
    with pytest.raises(InputError, match="space switch: cannot sample 29 different architectures"):
        training_sample(SWITCH, 29)


@pytest.mark.parametrize("count", [0, -1])
def test_too_few(count):
    with pytest.raises(InputError, match=f"{count} architectures to train on: expected at least 1"):
        training_sample(PICKY, count)


def test_sizes_grow_with_the_options():
    sizes = [default_sizes(SPACES[name]) for name in ("nasbench201", "nasbench101", "nds-darts")]
    assert [s.latent for s in sizes] == [16, 32, 128]
    assert [s.width for s in sizes] == [128, 256, 512]
    assert sorted(s.steps for s in sizes) == [s.steps for s in sizes]
