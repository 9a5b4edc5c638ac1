"""The readers that are fuzzed refuse what is damaged in one line (`run.py` looks further)."""

import contextlib
import itertools
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from tests.fuzz.targets import SEEDS, TARGETS, TOKENS


def damaged(name):
    """A seed of a target, of which some pieces are replaced by others."""
    pieces = st.binary(max_size=4) | st.sampled_from(TOKENS).map(str.encode)
    cuts = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), pieces), max_size=3)

    def cut(seed, places):
        for start, length, piece in places:
            start %= len(seed) + 1
            seed = seed[:start] + piece + seed[start + length :]
        return seed

    return st.builds(cut, st.sampled_from(SEEDS[name]), cuts)


def refused_or_read(name, data):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
        TARGETS[name](data, Path(folder))


def check(name, examples):
    @settings(max_examples=examples, deadline=None)
    @given(damaged(name) | st.binary(max_size=50))
    @example(b"[" * 100_000)
    @example(b"\0" * 100)
    def refuses(data):
        refused_or_read(name, data)

    refuses()


@pytest.mark.parametrize(
    ("name", "number"), [(n, i) for n, seeds in SEEDS.items() for i in range(len(seeds))]
)
def test_a_seed_is_read(tmp_path, name, number):
    """Otherwise nothing behind the first check would be fuzzed."""
    TARGETS[name](SEEDS[name][number], tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_damaged_is_refused_in_one_line(name):
    check(name, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_much_that_is_damaged_is_refused_in_one_line(name):
    check(name, 5000)


def test_every_target_has_seeds():
    assert list(SEEDS) == list(TARGETS)
    assert all(itertools.chain(SEEDS.values()))
