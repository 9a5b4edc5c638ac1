"""Random streams without numpy: the numbers are numpy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.statistics import generating, streams
from eznas.statistics.dead_leaves import picture
from eznas.statistics.streams import Stream

SEEDS = st.lists(st.integers(0, 2**70), min_size=1, max_size=7)


@given(SEEDS)
@settings(max_examples=30)
def test_numbers_are_those_of_numpy(seeds):
    ours, numpys = Stream(seeds), np.random.default_rng(seeds)
    assert ours.uniform(2, 5) == numpys.uniform(2, 5)
    assert (ours.uniform(-1, 2, (2, 5)).numpy() == numpys.uniform(-1, 2, (2, 5))).all()
    assert ours.normal(0.5, 3) == pytest.approx(numpys.normal(0.5, 3), rel=1e-12)
    assert ours.permutation(40).tolist() == numpys.permutation(40).tolist()
    numbers = ours.standard_normal((3, 50), "float32").numpy()
    assert numbers == pytest.approx(numpys.standard_normal((3, 50), "float32"), rel=1e-6)


def test_many_normal_numbers_reach_every_part_of_the_ziggurat():
    """Its tail begins at 3.65, beyond which lies one number of 4,000."""
    ours, numpys = Stream([1, 2, 3]), np.random.default_rng([1, 2, 3])
    numbers, expected = ours.normal(0, 1, 40_000).numpy(), numpys.normal(0, 1, 40_000)
    assert numbers == pytest.approx(expected, rel=1e-12)
    assert abs(expected).max() > 3.66
    assert ours.uniform(0, 1) == numpys.uniform(0, 1)
    short = ours.standard_normal(40_000, "float32").numpy()
    expected = numpys.standard_normal(40_000, "float32")
    assert short == pytest.approx(expected, rel=1e-6)
    assert abs(expected).max() > 3.66


@pytest.mark.parametrize(
    "bounds", [(0, 0), (0, 1), (-7, 12), (0, 2**31 + 5), (0, 2**32 - 1), (0, 2**40)]
)
def test_whole_numbers(bounds):
    ours, numpys = Stream([5]), np.random.default_rng([5])
    expected = numpys.integers(*bounds, (3, 60), "int64", endpoint=True)
    assert (ours.integers(*bounds, (3, 60)).numpy() == expected).all()


def test_a_picture_is_the_same():
    ours, numpys = (module.stream(0, 3, 7) for module in (streams, generating))
    assert picture(ours, 12, 9).tolist() == picture(numpys, 12, 9).tolist()
