"""The ground of a run: who is searched, who judges, under which conditions."""

import numpy as np
import pytest
import torch
from eznas.ground import (
    FITTED,
    FRESH,
    SETS,
    USED,
    AtMost,
    Ground,
    given,
    ground,
    grounds,
    held_out,
    joined,
    sampled,
    searched,
    study,
    unseen,
    untrained,
)

from eznas.benchmarks import Table
from eznas.benchmarks.store import Origin, store
from eznas.errors import InputError
from eznas.metrics import partial_spearman
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
    with pytest.raises(InputError, match="space 'nasbench'; did you mean 'nasbench"):
        ground("nasbench")


def test_a_data_set_at_another_size():
    some = ground("nasbench201", ["cifar10@24", "cifar10", "ImageNet16-120@24"])
    sizes = {"cifar10@24": 24, "cifar10": 32, "ImageNet16-120@24": 24}
    assert {d: s.input_size for d, s in some.settings.items()} == sizes
    np.testing.assert_array_equal(some.accuracies["cifar10@24"], some.accuracies["cifar10"])
    conditions = some.conditions(raw=2, sketch=2, seed=0, images=None)
    assert [c.size for c in conditions] == [24, 32]
    [labelled], _ = grounds(["nasbench201/cifar10@24"])
    assert list(labelled.settings) == ["cifar10@24"]
    alone, company = (ground("nasbench201", d) for d in (["cifar10"], ["cifar10@64", "cifar10"]))
    prints = [
        {c.size: c.fingerprint for c in g.conditions(raw=2, sketch=2, seed=0, images=None)}
        for g in (alone, company)
    ]
    assert prints[0][32] == prints[1][32]
    both = ["ImageNet16-120@24", "cifar10@24"]
    heads = {ground("nasbench201", d).settings["cifar10@24"].classes for d in (both, both[::-1])}
    assert heads == {10}
    wrong = ("cifar10@", "cifar10@x", "cifar10@4", "cifar10@1024", "cifar@24", "cifar10@32")
    for text in (*wrong, "cifar10@024"):
        with pytest.raises(InputError, match="cifar"):
            ground("nasbench201", [text])


def test_networks_without_accuracies():
    some = untrained("nats-size", ("8:8:8:8:8", "16:8:8:8:8"))
    assert list(some.settings) == ["cifar10", "cifar100", "ImageNet16-120"]
    assert all(np.isnan(a).all() for a in some.accuracies.values())
    assert len(set(some.components.tolist())) == 2
    with pytest.raises(InputError, match="unknown space 'nats'"):
        untrained("nats", ())


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
    with pytest.raises(
        InputError, match=r"networks \+ choice: at most 9918 in space nasbench201, got 9919"
    ):
        searched(whole, 9_919, 1)
    assert len(held_out(whole, 5_708).architectures) == 5_707  # as many as there are


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


def test_search_and_held_out_are_parts_of_all(whole):
    search, judges = (sampled(whole, name, None, 0) for name in ("search", "held-out"))
    assert (search.name, judges.name) == ("search", "held-out")
    assert not members(search) & members(judges)
    assert {*search.architectures, *judges.architectures} == set(whole.architectures)
    assert set(searched(whole, 200, 3).architectures) <= set(search.architectures)
    assert set(held_out(whole, 200).architectures) <= set(judges.architectures)


def test_the_study_fits_on_some_and_judges_on_others(whole):
    fitted, judged = study(whole)
    assert (FITTED, USED, FRESH) == (500, 500, 1000)
    assert len(set(fitted.architectures)) == len(fitted.architectures) == FITTED
    assert len(set(judged.architectures)) == len(judged.architectures) == FRESH
    assert not members(fitted) & members(judged)
    assert set(fitted.architectures) <= set(sampled(whole, "search", None, 0).architectures)
    assert set(judged.architectures) <= set(sampled(whole, "held-out", None, 0).architectures)
    assert not set(judged.architectures) & set(held_out(whole, USED).architectures)
    assert held_out(whole, USED + FRESH).architectures[USED:] == judged.architectures
    assert (fitted.name, judged.name) == ("search", "held-out, fresh")
    one = ground("nasbench201", ["cifar100"])
    assert [p.architectures for p in study(one)] == [fitted.architectures, judged.architectures]


def test_the_study_is_a_set_in_its_own_order(whole):
    fitted, judged = study(whole)
    everyone = sampled(whole, "study", None, 0)
    assert everyone.architectures == fitted.architectures + judged.architectures
    assert everyone.name == "study"
    for seed in (0, 7):
        some = sampled(whole, "study", 510, seed)
        assert some.architectures == everyone.architectures[:510]
        assert some.components.tolist() == everyone.components[:510].tolist()
        for dataset, accuracies in some.accuracies.items():
            assert accuracies.tolist() == everyone.accuracies[dataset][:510].tolist()


def test_the_reachable_of_the_study(whole):
    everyone = sampled(whole, "study", None, 0).architectures
    some = sampled(whole, "study-reachable", None, 0)
    assert some.architectures == tuple(a for a in everyone if SPACE.live_cell(a) == a)
    assert some.name == "study-reachable"
    few = sampled(whole, "study-reachable", 9, 5)
    assert few.architectures == some.architectures[:9]


@pytest.mark.parametrize("name", SETS)
def test_a_set_says_how_many_it_holds(whole, name):
    largest = len(sampled(whole, name, None, 0).architectures)
    assert len(sampled(whole, name, largest, 0).architectures) == largest
    for count in (-1, 0, 1, largest + 1):
        with pytest.raises(InputError) as caught:
            sampled(whole, name, count, 0)
        said = f"networks {count}: expected 2 to {largest} for the set {name!r}"
        assert str(caught.value) == said


def test_joined_networks_stand_one_after_the_other(whole):
    first, second = whole.part(np.array([5, 3]), "first"), whole.part(np.array([9, 5, 1]), "second")
    both = joined(first, second)
    rows = [5, 3, 9, 5, 1]
    assert both.architectures == tuple(whole.architectures[i] for i in rows)
    assert both.components.tolist() == whole.components[rows].tolist()
    for dataset, accuracies in both.accuracies.items():
        assert accuracies.tolist() == whole.accuracies[dataset][rows].tolist()
    assert (both.name, both.accuracy) == ("first; second", "validation")
    assert both.settings == whole.settings
    assert len(first.architectures) == 2


def test_judged_with_sizes_there_is_a_partial_rho(whole):
    part = sampled(whole, "connected", 60, 0)
    random = np.random.default_rng(0)
    scores = {d: random.normal(size=(2, 60)) + a for d, a in part.accuracies.items()}
    sizes = random.integers(9, size=(2, 60)).astype(float)
    plain, sized = part.judge(scores, 20), part.judge(scores, 20, sizes)
    for dataset, accuracies in part.accuracies.items():
        assert "partial_rho" not in plain[dataset].more
        value, replicates = sized[dataset].more["partial_rho"]
        expected = [partial_spearman(s, accuracies, sizes) for s in scores[dataset]]
        assert value.tolist() == pytest.approx(expected)
        assert replicates.shape == (2, 20)
        assert sized[dataset].taus.tolist() == plain[dataset].taus.tolist()


def test_samples(whole):
    part = sampled(whole, "connected", 20, 3)
    assert len(set(part.architectures)) == 20
    assert part.name == "connected"
    assert part.architectures == sampled(whole, "connected", 20, 3).architectures
    assert part.architectures != sampled(whole, "connected", 20, 4).architectures
    with pytest.raises(InputError, match="set 'reachabel'; did you mean 'reachable'"):
        sampled(whole, "reachabel", 8, 0)
    with pytest.raises(InputError, match="set 'study-reach'; did you mean 'study-reachable'"):
        sampled(whole, "study-reach", 8, 0)


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
    mine = given("nasbench201", str(tmp_path / "mine.csv"))
    assert mine.architectures == tuple(names)
    assert mine.components.tolist() == whole.components[[15_000, 3, 77]].tolist()
    assert {d: a.tolist() for d, a in mine.accuracies.items()} == {d: [0, 1, 2] for d in SIZES}
    assert (mine.name, mine.accuracy) == ("given", "given")


@pytest.fixture
def few(tmp_path, monkeypatch):
    """Made-up ground truth of 60 networks of another space."""
    monkeypatch.setenv("EZNAS_DATA", str(tmp_path / "data"))
    networks = SPACES["nasbench-macro"].sample(60, seed=0)
    rows = {a: (50.0 + i,) for i, a in enumerate(networks)}
    store(Table("nasbench-macro", "test", {"cifar10": rows}), Origin("made.json", ""))
    return ground("nasbench-macro")


def test_sets_of_a_space_with_few_networks(few):
    for name in ("all", "connected", "reachable", "search", "held-out"):
        assert len(sampled(few, name, AtMost(1000), 0).architectures) <= 60
    assert len(sampled(few, "all", AtMost(9), 0).architectures) == 9
    for name in ("study", "study-reachable"):
        with pytest.raises(InputError, match="nasbench-macro: the study needs 1500 held-out"):
            sampled(few, name, None, 0)
    with pytest.raises(InputError, match=r"at most \d+ in space nasbench-macro, got 61"):
        searched(few, 61, 0)
    assert len(unseen(few, 500).architectures) == 60
    assert unseen(few, 9).name == "space held out, all"


def test_spaces_together_name_their_data_sets(few):
    tasks, others = grounds(["nasbench201/cifar10", "nasbench201/cifar100"], ["nasbench-macro"])
    assert [list(g.accuracies) for g in tasks] == [["nasbench201/cifar10", "nasbench201/cifar100"]]
    assert [list(g.settings) for g in others] == [["nasbench-macro/cifar10"]]
    [alone], _ = grounds(["nasbench201", "nasbench201/cifar10"])
    assert list(alone.accuracies) == list(SIZES)
    with pytest.raises(InputError, match="cannot be held out"):
        grounds(["nasbench-macro"], ["nasbench-macro/cifar10"])


@pytest.mark.parametrize(
    ("space", "dataset", "setting"),
    [
        ("nasbench-macro", "cifar10", (32, 10)),
        ("nds-darts-in", "imagenet", (224, 1000)),
        ("transnas-micro", "class_object", (224, 75)),
    ],
)
def test_accuracies_without_a_table_are_of_the_data_sets_of_the_space(
    space, dataset, setting, tmp_path
):
    rows = [f"{a},{i}" for i, a in enumerate(SPACES[space].sample(3))]
    (tmp_path / "mine.csv").write_text("\n".join(["architecture,accuracy", *rows]))
    mine = given(space, str(tmp_path / "mine.csv"), [dataset])
    assert mine.settings == {dataset: setting}
    assert (mine.name, mine.accuracy) == ("given", "given")
    with pytest.raises(InputError, match=f"unknown {space} dataset 'cifar11'"):
        given(space, str(tmp_path / "mine.csv"), ["cifar11"])
