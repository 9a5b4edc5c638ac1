"""Spaces split by proxies, on tiny supernets and on members, and searched in a leaf."""

import numpy as np
import pytest

import eznas
from eznas.benchmarks.loading import load as load_benchmark
from eznas.search.costs import Cost
from eznas.spaces import SPACES
from eznas.studies import search as search_module
from eznas.studies import splitting as splitting_module
from eznas.studies.split_comparison import RANDOM, TRUE, compare_splits
from eznas.studies.splitting import Splitting, plot
from eznas.supernets import tree_file
from eznas.supernets.tree import Rules
from tests.studies.made_up import SMALL, is_png

TINY = {"width": 2, "cells": 1, "sketch": 4, "raw": 2, "dataset": SMALL}
BENCHMARK = load_benchmark("nasbench201", ["cifar10"])


@pytest.fixture
def known(folder):
    """A file of scores of all networks: their accuracies, under the name of NASWOT."""
    pairs = zip(BENCHMARK.architectures, BENCHMARK.accuracies["cifar10"].tolist(), strict=True)
    rows = "".join(f"{a},{accuracy}\n" for a, accuracy in pairs)
    (folder / "known.csv").write_text(f"architecture,naswot\n{rows}")
    return "known.csv"


def test_a_tree_by_a_mixed_supernet():
    tree = eznas.split("params", leaves=4, **TINY)
    assert (tree.space, tree.proxy, tree.by) == ("nasbench201", "params", "supernet")
    assert tree.root.cut.groups == ((0, 1, 2, 4), (3,))  # a 3x3 convolution has most
    assert tree.sizes == (10_000, 2_500, 2_500, 625)
    assert tree.chosen == 3
    assert [space.name for space in tree.parts] == ["nasbench201"] * 4
    quality = tree.quality(SMALL)
    assert sum(leaf.networks for leaf in quality.leaves) == 15_625


def test_a_run_may_be_named_as_elsewhere(finished_run, monkeypatch):
    monkeypatch.chdir(finished_run.home)
    name = finished_run.result.run
    trees = [eznas.split(text, leaves=2, **TINY) for text in (f"run:{name}", name)]
    assert trees[0] == trees[1]
    assert trees[0].proxy == name


@pytest.mark.usefixtures("unmeasured")
def test_a_tree_by_members_measures_no_supernet(known):
    tree = eznas.split("naswot", by="members", leaves=8, scores=known)
    assert tree.sizes == (3375, 2250, 2250, 1500, 2250, 1500, 1500, 1000)
    assert tree.chosen == 7
    [leaf] = [leaf for leaf in tree.leaves if leaf.score == max(n.score for n in tree.leaves)]
    assert leaf.allowed[:3] == ((2, 3),) * 3  # convolutions


def test_any_space_is_split_by_a_sample_of_members(monkeypatch):
    def digits(*_):
        return lambda names: np.array([sum(map(int, filter(str.isdigit, a))) for a in names], float)

    monkeypatch.setattr(splitting_module, "scores_of", digits)
    tree = eznas.split("params", space="nds-resnet", by="members", members=12, leaves=4)
    assert len(tree.leaves) == 4
    for space in tree.parts:
        [architecture] = space.sample(1, seed=0)
        assert space.canonical(architecture) == architecture


def test_gradients_may_split():
    tree = eznas.split("params", similarity="gradient", leaves=2, **TINY)
    assert tree.root.cut.scores == ()
    assert tree.root.cut.value > 0


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"by": "networks"}, "unknown way to score a part 'networks'"),
        ({"similarity": "weights"}, "unknown similarity"),
        ({"by": "members", "similarity": "gradient"}, "expected --by supernet"),
        ({"width": 0}, "width 0: expected 1 or more"),
        ({"space": "nasbench21"}, "unknown space 'nasbench21'; did you mean 'nasbench201'"),
        ({"space": "nds-darts"}, "has no mixed supernet"),
        ({"space": "nds-darts", "by": "members"}, "expected a number of members"),
        ({"by": "members", "members": 1}, "members 1: expected 2 or more"),
        ({"dataset": "cifar"}, "cifar10"),
    ],
)
def test_what_cannot_be_split(keywords, problem):
    with pytest.raises(eznas.InputError, match=problem):
        eznas.split("params", **keywords)


def test_an_unknown_proxy():
    with pytest.raises(eznas.InputError, match="did you mean 'params'"):
        eznas.split("param")


def test_trees_beside_random_ones_and_the_true_one(known):
    content = compare_splits(
        ["params", "naswot"],
        Splitting(width=2, cells=1, rules=Rules(leaves=2)),
        datasets=[SMALL, "cifar10"],
        networks=40,
        initialisations=2,
        random_trees=3,
        scores=known,
        raw=2,
        sketch=4,
    )
    makers = [(row["proxy"], row["seed"], row["dataset"]) for row in content["splits"]]
    assert makers[:4] == [("params", s, d) for s in (0, 1) for d in (SMALL, "cifar10")]
    assert [m for m in makers if m[0] == RANDOM] == [
        (RANDOM, seed, dataset) for seed in range(3) for dataset in (SMALL, "cifar10")
    ]
    assert [m for m in makers if m[0] == TRUE] == [(TRUE, 0, SMALL), (TRUE, 0, "cifar10")]
    for row in content["splits"]:
        assert sum(leaf["share"] for leaf in row["leaves"]) == pytest.approx(1)
        assert sum(leaf["top"] for leaf in row["leaves"]) == pytest.approx(1)
    rows = {(row["proxy"], row["dataset"]): row for row in content["splits"]}
    assert rows["naswot", "cifar10"]["tau"] == pytest.approx(1)  # scores are the accuracies
    assert content["networks"] == 15_625
    assert content["scored"] == 40


def test_the_tree_by_true_accuracies_is_that_of_a_proxy_that_knows_them(known):
    content = compare_splits(
        ["naswot"],
        Splitting(by="members", rules=Rules(leaves=4)),
        datasets=["cifar10"],
        networks=None,
        random_trees=0,
        scores=known,
    )
    first, true = content["splits"]
    assert (first["proxy"], true["proxy"]) == ("naswot", TRUE)
    assert first["leaves"][-1]["allowed"] == true["leaves"][-1]["allowed"]
    picks = [*true["picks"][:1], *first["picks"][1:3], *true["picks"][1:]]
    assert list(first["picks"]) == picks


def test_a_search_stays_in_its_leaf(folder, known, monkeypatch):
    monkeypatch.setattr(search_module.Costs, "_measured", lambda *_: Cost(1, 1))
    tree = eznas.split("naswot", by="members", leaves=4, scores=known)
    tree_file.write("tree.json", tree)
    result = eznas.search_architectures("evolution", within="tree.json#2", queries=40)
    here = tree.parts[1]
    assert all(here.canonical(query.architecture) for query in result.repeats[0])
    assert result.within == "tree.json#2"
    assert result.best_known == BENCHMARK.accuracies["cifar10"].max()
    with pytest.raises(eznas.InputError, match=r"expected 1 to 3750, .* in tree.json#2"):
        eznas.search_architectures("random", within="tree.json#2", queries=10_000)
    with pytest.raises(eznas.InputError, match="a part of nasbench201, expected one of nats-size"):
        eznas.search_architectures(
            "random", space="nats-size", labels=labelled(), within="tree.json#2", queries=1
        )
    few = [a for a in BENCHMARK.architectures if a not in set(here.architectures())][:5]
    rows = "".join(f"{a},1\n" for a in few)
    (folder / "few.csv").write_text(f"architecture,accuracy\n{rows}")
    with pytest.raises(eznas.InputError, match="none of the 5 networks"):
        eznas.search_architectures("random", labels="few.csv", within="tree.json#2", queries=1)


def labelled():
    """A file of accuracies of networks of another space."""
    with open("sizes.csv", "w") as file:
        file.write("architecture,accuracy\n8:8:8:8:8,1\n8:8:8:8:16,2\n")
    return "sizes.csv"


def test_a_tree_is_drawn(known):
    tree = eznas.split("naswot", by="members", scores=known)
    assert plot(tree, "tree.png") == ["tree.png"]
    assert is_png("tree.png")
    assert np.all([size is not None for size in tree.sizes])
    assert set(SPACES) >= {tree.space}
