"""Curves, intervals, regret, fronts and comparisons of searches, by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.search.as_json import described, restored
from eznas.search.costs import Cost, Limits
from eznas.search.pareto import front
from eznas.search.result import Query, SearchResult, compare, mean_curve

COSTS = {"a": Cost(4, 40), "b": Cost(2, 20), "c": Cost(3, 30)}


def result(*accuracies, queries=3, **values):
    """Repeats of the networks a, b, c with these accuracies; costs are known of the first."""
    repeats = tuple(
        tuple(
            Query(name, accuracy, None if repeat else COSTS[name])
            for name, accuracy in zip("abc", row, strict=False)
        )
        for repeat, row in enumerate(accuracies)
    )
    usual = SearchResult("random", "widths", "cifar10", "validation", 0, queries, repeats)
    return replace(usual, **values)


def test_best_so_far_and_regret():
    searched = result([3.0, 1.0, 4.0], [2.0, 5.0], best_known=6.0)
    assert searched.best_so_far.tolist() == [[3, 3, 4], [2, 5, 5]]
    assert searched.regret.tolist() == [[3, 3, 2], [4, 1, 1]]
    assert result([3.0]).regret is None
    assert searched.best.accuracy == 5.0


def test_the_interval_of_two_repeats_is_all_between_them():
    """Of two repeats, one time in four both draws are the first."""
    curve = mean_curve(np.array([[1.0, 5.0], [3.0, 5.0]]))
    assert curve.mean.tolist() == [2.0, 5.0]
    assert (curve.low.tolist(), curve.high.tolist()) == ([1.0, 5.0], [3.0, 5.0])


def test_the_interval_is_that_of_a_mean():
    draws = np.random.default_rng(0).normal(size=(100, 1))
    curve = mean_curve(draws)
    expected = 1.96 * draws.std() / 10
    assert (curve.high - curve.low)[0] / 2 == pytest.approx(expected, rel=0.1)


def test_one_repeat_has_no_interval():
    curve = result([3.0, 1.0, 4.0]).curve()
    assert curve.mean.tolist() == [3, 3, 4]
    assert all(map(math.isnan, (*curve.low, *curve.high)))


def test_front_by_hand():
    points = np.array([[1, -1], [3, -3], [2, -3], [3, -4], [4, -9], [1, -1]], float)
    assert front(points).tolist() == [4, 1, 0, 5]
    assert front(np.empty((0, 2))).tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_front_is_what_the_definition_says(seed):
    points = np.random.default_rng(seed).integers(0, 5, (30, 3)).astype(float)

    def beaten(p):
        return any((q >= p).all() and (q > p).any() for q in points)

    assert sorted(front(points)) == [i for i, p in enumerate(points) if not beaten(p)]


def test_the_front_of_a_search():
    """c is less accurate than b and larger; the costs of the second repeat are not known."""
    searched = result([9.0, 8.0, 7.0], [10.0, 10.0, 10.0])
    assert [q.architecture for q in searched.front()] == ["a", "b"]
    assert result().front() == []


def test_compare_is_paired():
    first = result([3.0, 4.0, 4.0], [7.0, 8.0, 8.0])
    second = result([2.0, 3.0, 3.5], [6.0, 7.0, 7.5])
    difference = compare(first, second)
    assert difference.mean.tolist() == difference.low.tolist() == [1.0, 1.0, 0.5]
    with pytest.raises(InputError, match="seed 0 and 1: expected the same"):
        compare(first, replace(second, seed=1))
    with pytest.raises(InputError, match="2 and 1 repeats"):
        compare(first, result([3.0]))


def test_described_is_json():
    content = described(result([3.0, 1.0, 4.0], [3.0, 5.0], best_known=6.0))
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["networks"] == {
        **{"architecture": ["a", "b", "c"], "accuracy": [3.0, 1.0, 4.0]},
        **{"params": [4, 2, 3], "flops": [40, 20, 30]},
    }
    assert content["queried"] == [[0, 1, 2], [0, 1]]
    assert content["best"]["architecture"] == "b"
    assert content["best"]["regret"] == 1.0
    assert content["curve"]["queries"] == [1, 2, 3]
    assert content["curve"]["regret"] == [3.0, 2.0, 1.5]
    assert [row["architecture"] for row in content["front"]] == ["c", "b"]
    single = described(result([3.0]))
    assert single["curve"]["low"] == [None] * 3
    assert single["best_known"] is single["curve"]["regret"] is None


def test_a_search_comes_back_from_its_json():
    searched = result([3.0, 1.0, 4.0], [3.0, 1.0], best_known=6.0, limits=Limits(params=9.0))
    back = restored(json.loads(json.dumps(described(searched))))
    assert back.best_so_far.tolist() == searched.best_so_far.tolist()
    assert compare(back, searched).mean.tolist() == [0, 0, 0]
    assert described(back)["queried"] == described(searched)["queried"]
    assert described(back)["curve"] == described(searched)["curve"]


@pytest.mark.parametrize("change", [{"queried": []}, {"queried": [[]]}, {"queried": [[9]]},
                                    {"networks": {}}, {"limits": {"size": 1}}])  # fmt: skip
def test_json_that_is_no_search(change):
    with pytest.raises(InputError, match="expected a search as"):
        restored(described(result([3.0])) | change)
    with pytest.raises(InputError, match="expected a search as"):
        restored([])


def test_limits():
    assert not Limits()
    assert Limits(params=4, flops=40).allow(COSTS["a"])
    assert not Limits(params=3.9).allow(COSTS["a"])
    assert not Limits(seconds=0.1).allow(Cost(1, 1, 0.2))
    assert str(Limits(3e5, None, 0.5)) == "params at most 300000, seconds at most 0.5"
    with pytest.raises(InputError, match=r"limit on flops 0.*above 0"):
        Limits(flops=0.0)
