"""Scores that are measured once and remembered."""

import numpy as np
import pytest
from sklearn.base import clone

import eznas
from eznas.errors import InputError
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements

SPACE = eznas.SPACES["nasbench-macro"]
ONE, OTHER = "02012100", "00000000"


def test_scores_are_those_of_the_proxy_and_measured_once(forbid_measuring):
    known = Measurements("nasbench-macro")
    first = known.scores(["params", "depth"], [ONE, OTHER, ONE])
    for row, name in zip(first, (ONE, OTHER, ONE), strict=True):
        expected = [eznas.load(p).score(SPACE.build(name), init="kaiming")
                    for p in ("params", "depth")]  # fmt: skip
        assert row.tolist() == expected
    forbid_measuring()
    assert known.scores(["depth"], [OTHER]).tolist() == [[first[1, 1]]]
    assert clone(Predictor(measurements=known)).measurements is known


@pytest.mark.usefixtures("unmeasured")
def test_what_was_added_is_not_measured():
    known = Measurements("nasbench-macro")
    known.add("mine", [ONE, OTHER], np.array([1.0, -np.inf]))
    known.add("other", [OTHER], np.array([np.nan]))
    scores = known.scores(["mine", "other"], [OTHER])
    assert scores[0, 0] == -np.inf
    assert np.isnan(scores[0, 1])
    assert known.scores([], [ONE]).shape == (1, 0)


def test_two_spellings_are_one_network():
    known = Measurements("nasbench101")
    short, padded = "110101:3m", " 110101:3m"
    known.add("mine", [short], np.array([2.0]))
    assert known.scores(["mine"], [padded, short]).tolist() == [[2.0], [2.0]]


def test_unknown_names():
    with pytest.raises(InputError, match="unknown space 'nasbench-macr'"):
        Measurements("nasbench-macr")
    with pytest.raises(InputError, match="dataset 'cifar11'"):
        Measurements("nasbench201", "cifar11")
    with pytest.raises(InputError, match="unknown proxy 'prams'"):
        Measurements().scores(["prams"], [eznas.SPACES["nasbench201"].sample(1)[0]])
