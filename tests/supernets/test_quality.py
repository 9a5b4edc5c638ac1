"""What lies in leaves, computed by hand."""

import numpy as np
import pytest

from eznas.spaces import SPACES
from eznas.supernets.parts import everything, restricted
from eznas.supernets.quality import (
    eta_squared,
    leaf_indices,
    mean_ranks,
    quality,
    top_networks,
)

# 200 networks, of which 2 are the best; leaves of 50, 50 and 100.
ACCURACIES = np.arange(200.0)
LEAF_OF = np.array([0] * 50 + [1] * 50 + [2] * 98 + [0, 2])


def picks_of(result):
    return {pick.rule: pick for pick in result.picks}


def test_the_top_holds_ties():
    assert top_networks(ACCURACIES).sum() == 2
    assert top_networks(np.array([1.0] * 5 + [2.0] * 5)).sum() == 5


def test_leaves_by_hand():
    result = quality("cifar10", ACCURACIES, LEAF_OF, [0.3, 0.9, 0.1])
    first, second, third = result.leaves
    assert (first.networks, first.share, first.top) == (51, 51 / 200, 0.5)
    assert first.enrichment == pytest.approx(0.5 / (51 / 200))
    assert (second.mean, second.median, second.best) == (74.5, 74.5, 99.0)
    assert (second.top, second.enrichment) == (0.0, 0.0)
    assert third.best == 199.0
    assert first.tau is result.tau is None


def test_picks_by_hand():
    scores = -ACCURACIES  # a proxy that has it all wrong
    result = quality("cifar10", ACCURACIES, LEAF_OF, [0.3, 0.9, 0.1], scores)
    picks = picks_of(result)
    assert list(picks) == ["score", "members", "best member", "oracle", "random"]
    assert (picks["score"].leaf, picks["score"].regret, picks["score"].lost) == (1, 100.0, 0.5)
    assert picks["members"].leaf == picks["best member"].leaf == 0
    assert picks["oracle"].leaf == 0  # of two leaves that hold as much, the smaller one
    assert picks["random"].leaf is None
    assert picks["random"].top == pytest.approx(1 / 3)
    assert result.tau == -1
    assert [leaf.tau for leaf in result.leaves] == [-1, -1, -1]


def test_networks_without_a_score_do_not_count():
    scores = np.where(np.arange(200) % 2 == 0, ACCURACIES, np.nan)
    result = quality("cifar10", ACCURACIES, LEAF_OF, [0, 0, 0], scores)
    assert result.tau == 1
    assert picks_of(result)["best member"].leaf == 0  # network 198


def test_a_leaf_without_networks():
    result = quality("cifar10", ACCURACIES, LEAF_OF, [0.0, 0.0, 0.0, 1.0], ACCURACIES)
    empty = result.leaves[3]
    assert (empty.networks, empty.best, empty.enrichment) == (0, None, None)
    assert picks_of(result)["score"].top == 0
    assert picks_of(result)["random"].top == pytest.approx(1 / 3)


def test_eta_squared_by_hand():
    accuracies, leaf_of = np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1])
    assert eta_squared(accuracies, leaf_of) == pytest.approx(1 - 4 / 20)
    assert eta_squared(np.ones(4), leaf_of) == 0


def test_ranks_are_shares():
    assert mean_ranks(np.array([3.0, 1.0, 3.0, -np.inf])).tolist() == [0.75, 0.375, 0.75, 0.125]


def test_networks_find_their_leaves():
    whole = everything(SPACES["nasbench-macro"])
    leaves = [restricted(whole, 2, group) for group in ([0, 2], [1])]
    choices = np.zeros((3, 8), int)
    choices[:, 2] = [1, 0, 2]
    assert leaf_indices(choices, leaves).tolist() == [1, 0, 0]
