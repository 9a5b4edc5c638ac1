"""What the readers share: entries become trials, errors name the file and the entry; and the
registry of readers."""

from pathlib import Path

import pytest

from eznas.benchmarks.readers import READERS
from eznas.benchmarks.readers.entries import collect_trials, located
from eznas.errors import InputError
from eznas.spaces import SPACES

FILE = Path("table.json")


def read_entry(name, content):
    return content["architecture"], {dataset: (content[dataset],) for dataset in ("first", "last")}


def entry(architecture, first=1.0, last=2.0):
    return {"architecture": architecture, "first": first, "last": last}


def collect(entries, **options):
    return collect_trials(FILE, entries.items(), read_entry, "two accuracies", **options)


def test_trials_are_in_the_order_of_the_entries():
    trials = collect({"0": entry("b"), "1": entry("a", 3.0)})
    assert [*trials] == ["first", "last"]
    assert [*trials["first"].items()] == [("b", (1.0,)), ("a", (3.0,))]
    assert collect({}) == {}


def test_entries_of_one_network_are_refused_or_its_runs():
    entries = {"0": entry("a"), "1": entry("b"), "2": entry("a", 5.0)}
    assert collect(entries, join_runs=True)["first"] == {"a": (1.0, 5.0), "b": (1.0,)}
    with pytest.raises(InputError, match=r"^table\.json: 2: network a was already read from 0; "):
        collect(entries)


@pytest.mark.parametrize("content", [None, {}, {"architecture": "a", "first": 1.0}, []])
def test_an_entry_of_another_structure_is_named(content):
    with pytest.raises(InputError, match=r"^table\.json: 1: expected two accuracies$"):
        collect({"0": entry("a"), "1": content})


def test_only_an_input_error_is_located_where_nothing_is_expected():
    with (
        pytest.raises(InputError, match=r"^table\.json:3: no architecture$"),
        located("table.json:3"),
    ):
        raise InputError("no architecture")
    with pytest.raises(KeyError, match="architecture"), located("table.json:3"):
        raise KeyError("architecture")


def test_every_reader_is_of_a_known_space():
    assert READERS.keys() <= SPACES.keys()
