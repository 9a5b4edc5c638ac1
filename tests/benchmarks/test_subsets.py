"""Subsets of a benchmark: what a search uses, what is held out from it, and the named sets."""

import numpy as np
import pytest

from eznas.benchmarks import Benchmark
from eznas.benchmarks.loading import load
from eznas.benchmarks.subsets import (
    FITTED,
    FRESH,
    SETS,
    USED,
    AtMost,
    check_not_kept,
    held_out,
    named_set,
    of_unseen_space,
    search_networks,
    search_sample,
    search_samples,
    study,
    untouched,
)
from eznas.errors import InputError
from eznas.spaces import SPACES
from tests.benchmarks.made_up import store_macro

SPACE = SPACES["nasbench201"]
SEARCH_PART, HELD_OUT_PART = 9_918, 5_707  # networks


@pytest.fixture(scope="module")
def benchmark() -> Benchmark:
    return load("nasbench201")


@pytest.fixture
def small_benchmark(tmp_path, monkeypatch) -> Benchmark:
    """Made-up accuracies of 60 networks of another space."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    store_macro(60)
    return load("nasbench-macro")


def components(subset: Benchmark) -> set[int]:
    return set(subset.components.tolist())


def test_held_out_networks_are_the_same_for_every_run(benchmark):
    networks = held_out(benchmark, 500).architectures
    assert held_out(load("nasbench201", ["cifar10"]), 500).architectures == networks
    assert held_out(benchmark, 100).architectures == networks[:100]
    assert len(set(networks)) == 500
    assert held_out(benchmark, 500).name == "held-out part"


def test_no_held_out_network_shares_a_component_with_any_search(benchmark):
    all_held_out = held_out(benchmark, HELD_OUT_PART).followed_by(untouched(benchmark))
    all_searched = search_sample(benchmark, SEARCH_PART, 1)
    assert not components(all_held_out) & components(all_searched)
    networks = {*all_held_out.architectures, *all_searched.architectures}
    assert networks == set(benchmark.architectures)
    first, repeated, second = (search_sample(benchmark, 256, seed) for seed in (1, 1, 2))
    for sample in (first, second):
        assert components(sample) <= components(all_searched)
        assert len(set(sample.architectures)) == 256
    assert first.architectures != second.architectures
    assert first.architectures == repeated.architectures


def test_every_run_takes_networks_of_as_many_components_as_there_are(benchmark):
    available = len(components(search_sample(benchmark, SEARCH_PART)))
    networks = search_networks(benchmark, 2000)
    assert len(components(networks)) == 2000 < available
    assert len(components(search_networks(benchmark, available + 100))) == available
    assert components(networks) <= components(search_sample(benchmark, SEARCH_PART))
    assert search_networks(benchmark, 300).architectures == networks.architectures[:300]
    with pytest.raises(InputError, match="at most 9918"):
        search_networks(benchmark, SEARCH_PART + 1)


def test_too_large_a_sample_names_the_configuration_keys(benchmark):
    with pytest.raises(
        InputError,
        match=r"networks \+ evolution\.champion_networks: at most 9918 in space nasbench201, "
        r"got 9919; try --set first_networks=4132 --set networks=8265 --set champion_networks=1653",
    ):
        search_sample(benchmark, SEARCH_PART + 1, 1)


def test_a_space_that_has_fewer_gives_all_where_another_has_enough(benchmark, small_benchmark):
    few = len(small_benchmark.split.search)
    samples = search_samples([small_benchmark, benchmark], few + 9)
    assert [len(sample.architectures) for sample in samples] == [few, few + 9]
    assert samples[1].architectures == search_networks(benchmark, few + 9).architectures
    for benchmarks in ([small_benchmark], [small_benchmark, small_benchmark]):
        with pytest.raises(InputError, match=f"at most {few} in space nasbench-macro, got"):
            search_samples(benchmarks, few + 1)
    with pytest.raises(InputError, match="at most 9918 in space nasbench201, got 9919"):
        search_samples([small_benchmark, benchmark], SEARCH_PART + 1)


def test_no_table_of_a_space_is_tested_on_what_is_kept_for_final_figures(benchmark):
    kept = {*untouched(benchmark).architectures}
    assert len(held_out(benchmark, HELD_OUT_PART).architectures) == HELD_OUT_PART - len(kept)
    part = benchmark.subset(np.arange(0, len(benchmark.architectures), 10), "a table of few")
    tested = held_out(part, 500).architectures
    assert 100 < len(tested) < 200
    assert not kept & {*tested}


def test_sets(benchmark):
    everything, connected, reachable = (
        named_set(benchmark, name, None, 0) for name in ("all", "connected", "reachable")
    )
    disconnected_cell = SPACE.live_cell(SPACE.architectures()[0])
    assert all(SPACE.live_cell(a) != disconnected_cell for a in connected.architectures)
    assert all(SPACE.live_cell(a) == a for a in reachable.architectures)
    assert everything.architectures == benchmark.architectures
    disconnected = set(everything.architectures) - set(connected.architectures)
    assert {SPACE.live_cell(a) for a in disconnected} == {disconnected_cell}
    live_cells = {SPACE.live_cell(a) for a in benchmark.architectures}
    assert len(reachable.architectures) == len(live_cells)


def test_search_and_held_out_are_parts_of_all(benchmark):
    search_part, held_out_part = (
        named_set(benchmark, name, None, 0) for name in ("search", "held-out")
    )
    assert (search_part.name, held_out_part.name) == ("search", "held-out")
    assert not components(search_part) & components(held_out_part)
    networks = {*search_part.architectures, *held_out_part.architectures}
    assert networks == set(benchmark.architectures)
    sample = search_sample(benchmark, 200, 3)
    assert set(sample.architectures) <= set(search_part.architectures)
    assert set(held_out(benchmark, 200).architectures) <= set(held_out_part.architectures)


def test_the_study_fits_on_some_networks_and_tests_on_others(benchmark):
    fitted, fresh = study(benchmark)
    assert (FITTED, USED, FRESH) == (500, 500, 1000)
    assert len(set(fitted.architectures)) == len(fitted.architectures) == FITTED
    assert len(set(fresh.architectures)) == len(fresh.architectures) == FRESH
    assert not components(fitted) & components(fresh)
    search_part, held_out_part = (
        set(named_set(benchmark, name, None, 0).architectures) for name in ("search", "held-out")
    )
    assert set(fitted.architectures) <= search_part
    assert set(fresh.architectures) <= held_out_part
    assert not set(fresh.architectures) & set(held_out(benchmark, USED).architectures)
    assert held_out(benchmark, USED + FRESH).architectures[USED:] == fresh.architectures
    assert (fitted.name, fresh.name) == ("search", "held-out part, never used")
    parts_on_one_dataset = study(load("nasbench201", ["cifar100"]))
    expected = [fitted.architectures, fresh.architectures]
    assert [part.architectures for part in parts_on_one_dataset] == expected


def test_the_study_is_a_set_in_its_own_order(benchmark):
    fitted, fresh = study(benchmark)
    whole_study = named_set(benchmark, "study", None, 0)
    assert whole_study.architectures == fitted.architectures + fresh.architectures
    assert whole_study.name == "study"
    for seed in (0, 7):
        sample = named_set(benchmark, "study", 510, seed)
        assert sample.architectures == whole_study.architectures[:510]
        assert sample.components.tolist() == whole_study.components[:510].tolist()
        for dataset, accuracies in sample.accuracies.items():
            assert accuracies.tolist() == whole_study.accuracies[dataset][:510].tolist()


def test_the_reachable_networks_of_the_study(benchmark):
    networks = named_set(benchmark, "study", None, 0).architectures
    reachable = named_set(benchmark, "study-reachable", None, 0)
    assert reachable.architectures == tuple(a for a in networks if SPACE.live_cell(a) == a)
    assert reachable.name == "study-reachable"
    sample = named_set(benchmark, "study-reachable", 9, 5)
    assert sample.architectures == reachable.architectures[:9]


@pytest.mark.parametrize("name", SETS)
def test_an_error_names_the_size_of_a_set(benchmark, name):
    largest = len(named_set(benchmark, name, None, 0).architectures)
    assert len(named_set(benchmark, name, largest, 0).architectures) == largest
    for count in (-1, 0, 1, largest + 1):
        with pytest.raises(InputError) as caught:
            named_set(benchmark, name, count, 0)
        message = f"networks {count}: expected 2 to {largest} for the set {name!r}"
        assert str(caught.value) == message


def test_samples(benchmark):
    sample, repeated, other = (named_set(benchmark, "connected", 20, seed) for seed in (3, 3, 4))
    assert len(set(sample.architectures)) == 20
    assert sample.name == "connected"
    assert sample.architectures == repeated.architectures
    assert sample.architectures != other.architectures
    with pytest.raises(InputError, match="set 'reachabel'; did you mean 'reachable'"):
        named_set(benchmark, "reachabel", 8, 0)
    with pytest.raises(InputError, match="set 'study-reach'; did you mean 'study-reachable'"):
        named_set(benchmark, "study-reach", 8, 0)


def test_sets_of_a_space_with_few_networks(small_benchmark):
    for name in ("all", "connected", "reachable", "search", "held-out"):
        assert len(named_set(small_benchmark, name, AtMost(1000), 0).architectures) <= 60
    assert len(named_set(small_benchmark, "all", AtMost(9), 0).architectures) == 9
    for name in ("study", "study-reachable"):
        with pytest.raises(InputError, match="nasbench-macro: the study needs 1500 held-out"):
            named_set(small_benchmark, name, None, 0)
    with pytest.raises(InputError, match=r"at most \d+ in space nasbench-macro, got 61"):
        search_sample(small_benchmark, 61, 0)


def test_networks_of_a_space_that_no_search_has_seen(small_benchmark):
    assert len(of_unseen_space(small_benchmark, 500).architectures) == 60
    assert of_unseen_space(small_benchmark, 9).name == "space not searched"
    assert np.unique(of_unseen_space(small_benchmark, 9).architectures).size == 9


def test_networks_that_are_kept_for_final_figures(benchmark, small_benchmark):
    kept = set(untouched(benchmark).architectures)
    unseen = of_unseen_space(benchmark, 20_000).architectures
    assert set(unseen) == set(benchmark.architectures) - kept
    check_not_kept(benchmark, USED + FRESH)
    check_not_kept(small_benchmark, 5_000)
    with pytest.raises(InputError, match="at most 1500 in space nasbench201, got 1501: the others"):
        check_not_kept(benchmark, USED + FRESH + 1)
