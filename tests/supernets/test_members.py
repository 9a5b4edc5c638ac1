"""Parts scored by the mean rank of their members."""

import numpy as np
import pytest

from eznas.spaces import SPACES
from eznas.supernets.members import LEAST, MemberRanks, shares_below
from eznas.supernets.parts import everything, inside, numbered, part, restricted

MACRO = SPACES["nasbench-macro"]
ALL = MACRO.architectures()


def digits(architectures):
    """A score: the sum of the digits."""
    return np.array([float(sum(map(int, a))) for a in architectures])


def test_ranks_by_hand():
    ordered = np.array([1.0, 2.0, 2.0, 5.0])
    assert shares_below(np.array([0.0, 1.0, 2.0, 9.0]), ordered).tolist() == [0, 0.125, 0.5, 1]


def test_the_whole_space_has_the_mean_rank_of_one_half():
    assert MemberRanks(MACRO, digits, ALL)(everything(MACRO)) == pytest.approx(0.5)


def test_a_part_has_the_mean_of_its_members_ranks():
    allowed = restricted(restricted(everything(MACRO), 0, [2]), 3, [1, 2])
    members = part(MACRO, allowed).architectures()
    ordered = np.sort(digits(ALL))
    expected = shares_below(digits(members), ordered).mean()
    assert MemberRanks(MACRO, digits, ALL)(allowed) == pytest.approx(expected)


def test_undefined_scores_are_lowest():
    def undefined_without_2(architectures):
        return np.array([1.0 if a[0] == "2" else np.nan for a in architectures])

    ranks = MemberRanks(MACRO, undefined_without_2, ALL)
    parts = [ranks(restricted(everything(MACRO), 0, [i])) for i in range(3)]
    assert parts == pytest.approx([1 / 3, 1 / 3, 5 / 6])


def test_a_sample_scores_each_network_once_and_draws_more_for_a_small_part():
    scored = []

    def score(architectures):
        scored.extend(architectures)
        return digits(architectures)

    sample = MACRO.sample(60, seed=0)
    ranks = MemberRanks(MACRO, score, sample)
    half = restricted(everything(MACRO), 0, [0])
    ranks(half), ranks(half), ranks(restricted(everything(MACRO), 1, [0]))
    assert scored == list(sample)
    small = restricted(restricted(half, 1, [0]), 2, [0])
    assert inside(numbered(MACRO, sample), small).sum() < LEAST
    low = ranks(small)
    assert len(scored) == len(sample) + LEAST
    assert all(a.startswith("000") for a in scored[len(sample) :])
    assert low < 0.3


def test_a_part_without_members_is_lowest():
    """TransNAS-Bench-101 macro: no module may follow an empty one."""
    space = SPACES["transnas-macro"]
    allowed = restricted(restricted(everything(space), 4, [0]), 5, [1])
    ranks = MemberRanks(space, lambda names: np.ones(len(names)), space.sample(40, seed=0))
    assert ranks(allowed) == -np.inf


def test_networks_without_a_score_are_not_drawn_where_none_are_to_be():
    """The accuracies of a benchmark that has not all networks of its space."""
    known = dict(zip(MACRO.sample(20, seed=0), range(20), strict=True))

    def score(architectures):
        return np.array([float(known[a]) for a in architectures])

    ranks = MemberRanks(MACRO, score, tuple(known), seed=None)
    small = restricted(restricted(everything(MACRO), 0, [0]), 1, [0])
    members = [a for a in known if a.startswith("00")]
    assert 0 < len(members) < LEAST
    expected = np.mean([(known[a] + 0.5) / 20 for a in members])
    assert ranks(small) == pytest.approx(expected)
    alone = [[int(digit)] for digit in "00000000"]
    assert ranks(tuple(map(tuple, alone))) == -np.inf
