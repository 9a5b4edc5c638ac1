"""The archive: the fittest, and beyond those the fittest of every size."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eznas.evolution.archive import Archive, Entry


def entry(name, fitness, size, networks=8):
    return Entry(f"{name} as evolved", name, size, fitness, (fitness,), 1.0, networks, 0, "seed")


def names(entries):
    return [e.canonical for e in entries]


entries = st.lists(
    st.builds(
        entry,
        st.text("abcd", min_size=1, max_size=3),
        st.sampled_from([-1.0, 0.0, 0.25, 0.5, 0.75]),
        st.integers(1, 9),
    ),
    max_size=30,
    unique_by=lambda e: e.canonical,
)


def test_the_fittest_first_then_the_smaller_then_by_text():
    archive = Archive()
    archive.update([entry("b", 0.5, 3), entry("a", 0.5, 3), entry("c", 0.5, 2), entry("d", 0.6, 9)])
    assert names(archive.ranked()) == ["d", "c", "a", "b"]


def test_the_front_has_no_entry_that_a_smaller_one_equals_or_beats():
    archive = Archive(width=1)
    archive.update(
        [
            entry("tiny", 0.1, 1),
            entry("small", 0.5, 3),
            entry("as fit but larger", 0.5, 5),
            entry("worse and larger", 0.4, 6),
            entry("best", 0.7, 7),
        ]
    )
    assert names(archive.ranked()) == ["best", "small", "tiny"]


def test_beyond_the_width_only_the_front_stays():
    archive = Archive(width=2)
    archive.update([entry("a", 0.9, 9), entry("b", 0.8, 9), entry("c", 0.7, 9), entry("d", 0.6, 2)])
    assert names(archive.ranked()) == ["a", "b", "d"]


@given(evolved=entries, width=st.integers(1, 6))
def test_the_fittest_and_the_front_stay(evolved, width):
    archive = Archive(width)
    archive.update(evolved)
    ranked = sorted(evolved, key=_rank)
    front = [
        entry
        for entry in ranked
        if not any(o.size <= entry.size and _rank(o) < _rank(entry) for o in ranked)
    ]
    assert archive.ranked() == [e for i, e in enumerate(ranked) if i < width or e in front]


def _rank(entry):
    return -entry.fitness, entry.size, entry.canonical


@given(evolved=entries, width=st.integers(1, 6), cut=st.integers(0, 30))
def test_entries_may_come_in_parts(evolved, width, cut):
    at_once, in_parts = Archive(width), Archive(width)
    at_once.update(evolved)
    in_parts.update(evolved[:cut])
    in_parts.update(evolved[cut:])
    assert in_parts.ranked() == at_once.ranked()


def test_of_equal_texts_the_first_stays():
    archive = Archive()
    archive.update([entry("a", 0.5, 3)])
    archive.update([entry("a", 0.9, 3)])
    assert [e.fitness for e in archive.ranked()] == [0.5]


def test_renewal_forgets_entries_of_another_sample():
    archive = Archive()
    archive.update([entry("a", 0.9, 3), entry("b", 0.5, 2)])
    archive.renew([entry("a", 0.4, 3, networks=16)])
    assert [(e.canonical, e.fitness, e.networks) for e in archive.ranked()] == [("a", 0.4, 16)]


def test_a_new_archive_is_empty():
    assert Archive().ranked() == []


def test_entries_are_plain_data():
    fields = entry("a", 0.5, 3).as_dict()
    assert json.loads(json.dumps(fields)) == fields | {"taus": [0.5]}
    assert fields["formula"] == "a as evolved"


def test_entries_cannot_be_changed():
    with pytest.raises(AttributeError):
        entry("a", 0.5, 3).fitness = 1.0
