"""The study from training to verdicts, with supernets of three steps."""

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.report.study_page import study_page
from eznas.spaces import SPACES
from eznas.studies.few_shot import few_shot
from eznas.studies.supernets import plot, rank_supernets
from eznas.supernets import tree_file
from eznas.supernets.few_shot import read_supernets
from eznas.supernets.growing import random_tree
from eznas.supernets.tree import Rules, Tree
from tests.supernets.trained import tiny, trained

NB201 = SPACES["nasbench201"]


def known(folder):
    """A file of scores, so that nothing is measured: how many 3x3 convolutions a network has."""
    rows = [f'"{a}",{a.count("3x3") + len(a) / 1000}' for a in NB201.architectures()]
    file = folder / "scores.csv"
    file.write_text("\n".join(["architecture,params", *rows]) + "\n")
    return str(file)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    folder = tmp_path_factory.mktemp("few-shot")
    tree = folder / "tree.json"
    tree_file.write(str(tree), Tree("nasbench201", "params", random_tree(NB201, 2, 0)))
    plan = tiny(folder, epochs=3, leaf_epochs=1, batch=32)
    return few_shot(
        str(folder / "s"),
        plan,
        proxy="params",
        tree=str(tree),
        seeds=2,
        networks=12,
        scores=known(folder),
    )


def test_every_ranking_has_a_row(content):
    named = {(row["supernets"], row["ranked_by"]) for row in content["supernets"]}
    few = ("few-shot, params tree", "few-shot, random tree")
    assert {
        ("params", "proxy"),
        ("one-shot", "supernet"),
        ("one-shot", "proxy + supernet"),
    } <= named
    assert {(f, b) for f in few for b in ("supernet", "leaf's mean proxy + supernet")} <= named
    assert {row.get("seed") for row in content["supernets"]} == {None, 0, 1}
    best = content["supernets"][0]["found"] + content["supernets"][0]["regret"]
    for row in content["supernets"]:
        assert row["networks"] == 12
        assert row["regret"] >= 0
        if "within" in row:
            assert 1 <= row["chosen"] <= 2
            assert row["chosen_found"] <= row["chosen_best"]
            assert row["chosen_regret"] == pytest.approx(best - row["chosen_best"])
            assert "one_shot_within" in row


def test_differences_are_those_of_the_rows(content):
    taus = {
        (row["supernets"], row["ranked_by"], row["seed"]): row["tau"]
        for row in content["supernets"]
        if row["ranked_by"] != "proxy"
    }
    first = content["few_shot"][0]
    assert (first["second"], first["second_by"]) == ("one-shot", "supernet")
    each = [taus[first["first"], "supernet", s] - taus["one-shot", "supernet", s] for s in (0, 1)]
    np.testing.assert_allclose(first["each"], each)
    assert first["difference"] == pytest.approx(np.mean(each))
    assert first["low"] <= first["difference"] <= first["high"]


def test_a_tree_stands_under_the_name_of_its_proxy(tmp_path):
    """The tree that a folder keeps, or that is given, is never that of another proxy or size."""
    kept = tmp_path / "s" / "tree-0.json"
    kept.parent.mkdir()
    tree = Tree("nasbench201", "params", random_tree(NB201, 2, 0), rules=Rules(2))
    tree_file.write(str(kept), tree)
    plan = tiny(tmp_path, epochs=3, leaf_epochs=1)
    with pytest.raises(InputError, match="a tree by params, expected one by flops"):
        few_shot(str(kept.parent), plan, proxy="flops", leaves=2, networks=4)
    with pytest.raises(InputError, match="a tree by params, expected one by flops"):
        few_shot(str(tmp_path / "t"), plan, proxy="flops", tree=str(kept), networks=4)
    with pytest.raises(InputError, match="grown to 2 leaves, expected 8"):
        few_shot(str(kept.parent), plan, proxy="params", networks=4)


def test_seeds_share_no_tree(tmp_path, monkeypatch):
    """The proxy's tree of a seed is grown from initialisations of that seed, and kept."""

    def grown(proxy, space, splitting, settings, dataset, phases):
        root = random_tree(NB201, splitting.rules.leaves, settings.seeds[0])
        return Tree(space, proxy, root, rules=splitting.rules)

    monkeypatch.setattr("eznas.studies.few_shot.tree_by", grown)
    monkeypatch.setattr("eznas.studies.few_shot._trained", lambda methods, *_: 1 / 0)
    plan = tiny(tmp_path, epochs=3, leaf_epochs=1)
    with pytest.raises(ZeroDivisionError):
        few_shot(str(tmp_path / "s"), plan, proxy="params", leaves=2, seeds=2, networks=4,
                 scores=known(tmp_path))  # fmt: skip
    trees = [tree_file.read(str(tmp_path / "s" / f"tree-{seed}.json")) for seed in (0, 1)]
    assert [tree.root for tree in trees] == [random_tree(NB201, 2, seed) for seed in (0, 1)]
    assert trees[0].root != trees[1].root


def test_what_cannot_be_used_is_said_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr("eznas.studies.few_shot.scores_of", None)
    monkeypatch.setattr("eznas.studies.few_shot.tree_by", None)
    with pytest.raises(InputError, match="expected more than 8 leaves of 1 epochs"):
        few_shot(str(tmp_path / "s"), tiny(tmp_path, epochs=3, leaf_epochs=1), networks=4)
    with pytest.raises(InputError, match=r"expected a batch \(128\)"):
        few_shot(str(tmp_path / "s"), tiny(tmp_path, batch=128), networks=4)


def test_moved_images_do_not_change_what_a_proxy_sees(tmp_path, monkeypatch):
    folder, seen = trained(tmp_path), []

    def noted(proxy, space, dataset, settings, scores, phases):
        seen.append(settings.images)
        return lambda architectures: np.arange(float(len(architectures)))

    monkeypatch.setattr("eznas.studies.supernets.scores_of", noted)
    images = read_supernets(folder).images
    rank_supernets([str(folder)], proxy="params", networks=4, images=images)
    assert seen == [None]


def test_the_page(content):
    page = study_page("few-shot-made-up", {"few-shot.json": content | {"command": "eznas x"}})
    assert "one-shot and few-shot at equal steps" in page
    assert "few-shot, params tree: leaf's mean proxy + supernet" in page


def test_folders_are_ranked_against_the_table(tmp_path):
    folder = trained(tmp_path)
    content = rank_supernets([str(folder)], proxy="params", networks=12, scores=known(tmp_path))
    by = {row["ranked_by"]: row for row in content["supernets"]}
    assert set(by) == {"proxy", "supernet", "proxy + supernet"}
    assert all(-1 <= row["tau"] <= 1 for row in by.values() if row["tau"] is not None)
    assert plot(content, str(tmp_path / "plot.png")) == [str(tmp_path / "plot.png")]
    with pytest.raises(InputError, match="expected one or more folders"):
        rank_supernets([])


def test_the_tau_of_a_row_is_that_of_its_network_accuracies(tmp_path):
    from eznas.predictors.measurements import Measurements
    from eznas.predictors.named import load
    from eznas.studies.supernets import sample_of

    folder = trained(tmp_path)
    sample = sample_of("nasbench201", "", 12, "all", 0)
    predictor = load(f"supernet:{folder}", Measurements())
    scores = predictor.fit([]).predict(sample.architectures)
    [row] = rank_supernets([str(folder)], networks=12)["supernets"]
    assert row["tau"] == pytest.approx(kendall(scores, sample.accuracies["cifar10"]))
    measurements = Measurements(published=known(tmp_path))
    both = load(f"supernet:{folder}+params", measurements).fit([]).predict(sample.architectures)
    with_proxy = rank_supernets([str(folder)], proxy="params", networks=12, scores=known(tmp_path))[
        "supernets"
    ]
    joined = next(r for r in with_proxy if r["ranked_by"] == "proxy + supernet")
    assert joined["tau"] == pytest.approx(kendall(both, sample.accuracies["cifar10"]))
    with pytest.raises(InputError, match="of nasbench201, expected those of nasbench-macro"):
        load(f"supernet:{folder}", Measurements("nasbench-macro")).fit([])
