"""Damaged input is refused in one line by every fuzz target (`run.py` searches much further)."""

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
    """A strategy: seeds of a target in which up to three pieces are replaced by others."""
    pieces = st.binary(max_size=4) | st.sampled_from(TOKENS).map(str.encode)
    edits = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 9), pieces), max_size=3)

    def edited(data, edits):
        for start, length, piece in edits:
            start %= len(data) + 1
            data = data[:start] + piece + data[start + length :]
        return data

    return st.builds(edited, st.sampled_from(SEEDS[name]), edits)


def refused_or_read(name, data):
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(InputError):
        TARGETS[name](data, Path(folder))


def check(name, examples):
    @settings(max_examples=examples)
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
    """Otherwise fuzzing would not get past the first check."""
    TARGETS[name](SEEDS[name][number], tmp_path)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_input_is_refused_in_one_line(name):
    check(name, 100)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_much_damaged_input_is_refused_in_one_line(name):
    check(name, 5000)


def test_every_target_has_seeds():
    assert list(SEEDS) == list(TARGETS)
    assert all(itertools.chain(SEEDS.values()))
