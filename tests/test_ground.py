"""The ground of a run: who is searched, who judges, under which conditions."""

import numpy as np
import pytest
import torch

from eznas.errors import InputError
from eznas.ground import Ground, given, ground, held_out, sampled, searched
from eznas.spaces import SPACES

SPACE = SPACES["nasbench201"]
SIZES = {"cifar10": 32, "cifar100": 32, "ImageNet16-120": 16}


@pytest.fixture(scope="module")
def whole() -> Ground:
    return ground("nasbench201")


def members(part: Ground) -> set[int]:
    return set(part.components.tolist())


def test_ground_holds_everything(whole):
    assert whole.architectures == SPACE.architectures()
    assert list(whole.accuracies) == list(SIZES)
    assert {d: s.input_size for d, s in whole.settings.items()} == SIZES
    assert all(a.shape == (15_625,) for a in whole.accuracies.values())
    assert (whole.name, whole.accuracy) == ("all", "validation")


def test_ground_of_some_data_sets():
    some = ground("nasbench201", ["ImageNet16-120", "cifar10", "cifar10"])
    assert list(some.accuracies) == list(some.settings) == ["ImageNet16-120", "cifar10"]
    with pytest.raises(InputError, match="dataset 'cifar'; did you mean 'cifar10'"):
        ground("nasbench201", ["cifar"])
    with pytest.raises(InputError, match="space 'darts'; known: nasbench201"):
        ground("darts")


def test_part_keeps_rows_together(whole):
    indices = np.array([9, 4, 15_000])
    part = whole.part(indices, "mine")
    assert part.architectures == tuple(whole.architectures[i] for i in indices)
    assert part.components.tolist() == whole.components[indices].tolist()
    for dataset, accuracy in part.accuracies.items():
        assert accuracy.tolist() == whole.accuracies[dataset][indices].tolist()
    assert part.name == "mine"


def test_judges_are_the_same_for_every_run(whole):
    judges = held_out(whole, 500)
    assert held_out(ground("nasbench201", ["cifar10"]), 500).architectures == judges.architectures
    assert held_out(whole, 100).architectures == judges.architectures[:100]
    assert len(set(judges.architectures)) == 500
    assert judges.name == "held-out, all"


def test_no_judge_shares_a_component_with_any_search(whole):
    everyone = 9_918
    all_judges, all_searched = held_out(whole, 15_625 - everyone), searched(whole, everyone, 1)
    assert not members(all_judges) & members(all_searched)
    assert {*all_judges.architectures, *all_searched.architectures} == set(whole.architectures)
    for seed in (1, 2):
        part = searched(whole, 256, seed)
        assert members(part) <= members(all_searched)
        assert len(set(part.architectures)) == 256
    assert searched(whole, 256, 1).architectures != searched(whole, 256, 2).architectures
    assert searched(whole, 256, 1).architectures == searched(whole, 256, 1).architectures


def test_too_many_names_the_setting(whole):
    with pytest.raises(InputError, match=r"networks \+ choice: at most 9918, got 9919"):
        searched(whole, 9_919, 1)
    with pytest.raises(InputError, match="judged: at most 5707, got 5708"):
        held_out(whole, 5_708)


def test_sets(whole):
    connected, reachable = (
        sampled(whole, "connected", None, 0),
        sampled(whole, "reachable", None, 0),
    )
    nothing = SPACE.live_cell(SPACE.architectures()[0])
    assert all(SPACE.live_cell(a) != nothing for a in connected.architectures)
    assert all(SPACE.live_cell(a) == a for a in reachable.architectures)
    everything = sampled(whole, "all", None, 0)
    assert everything.architectures == whole.architectures
    disconnected = set(everything.architectures) - set(connected.architectures)
    assert {SPACE.live_cell(a) for a in disconnected} == {nothing}
    assert len(reachable.architectures) == len({SPACE.live_cell(a) for a in whole.architectures})


def test_samples(whole):
    part = sampled(whole, "connected", 20, 3)
    assert len(set(part.architectures)) == 20
    assert part.name == "connected"
    assert part.architectures == sampled(whole, "connected", 20, 3).architectures
    assert part.architectures != sampled(whole, "connected", 20, 4).architectures
    for count in (-1, 0, 1, 15_626):
        with pytest.raises(InputError, match=f"networks {count}: expected 2 to 15625"):
            sampled(whole, "all", count, 0)
    with pytest.raises(InputError, match="set 'reachabel'; did you mean 'reachable'"):
        sampled(whole, "reachabel", 8, 0)


def test_conditions_share_one_batch(whole):
    large, small = whole.conditions(raw=2, sketch=5, seed=9, images=None)
    assert (large.size, small.size) == (32, 16)
    assert len(large.images.pixels) == 5
    assert torch.equal(small.images.pixels, large.images.resized(16).pixels)
    assert torch.equal(small.images.labels, large.images.labels)
    for conditions in (large, small):
        assert (conditions.raw, conditions.sketch, conditions.seed) == (2, 5, 9)
        assert conditions.initialisation == "kaiming"
    assert (large.classes, small.classes) == (10, 120)
    other, _ = whole.conditions(raw=2, sketch=5, seed=10, images=None)
    assert torch.equal(other.images.pixels, large.images.pixels)  # a seed of parameters only


def test_conditions_hold_the_larger_of_both_batches(whole):
    large, _ = whole.conditions(raw=6, sketch=3, seed=0, images=None)
    assert len(large.images.pixels) == 6


def test_conditions_on_a_device_that_is_not_there(whole):
    with pytest.raises(InputError, match="device 'nonsense'"):
        whole.conditions(raw=2, sketch=2, seed=0, images=None, device="nonsense")


def test_tasks_point_at_the_setting_of_their_data_set(whole):
    settings = whole.distinct_settings()
    tasks = whole.tasks()
    assert [t.dataset for t in tasks] == list(SIZES)
    assert [settings[t.setting].input_size for t in tasks] == list(SIZES.values())


def test_given_accuracies_replace_all_others(whole, tmp_path):
    names = [whole.architectures[i] for i in (15_000, 3, 77)]
    lines = ["architecture,accuracy", *(f"{n},{i}" for i, n in enumerate(names))]
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    mine = given(whole, str(tmp_path / "mine.csv"))
    assert mine.architectures == tuple(names)
    assert mine.components.tolist() == whole.components[[15_000, 3, 77]].tolist()
    assert {d: a.tolist() for d, a in mine.accuracies.items()} == {d: [0, 1, 2] for d in SIZES}
    assert (mine.name, mine.accuracy) == ("given", "given")
