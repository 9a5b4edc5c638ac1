"""Scores that are measured once and remembered."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

import eznas
from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases
from eznas.predictors import measurements
from eznas.predictors.base import Predictor
from eznas.predictors.measurements import Measurements
from eznas.proxies.measured import ScoringSettings

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


def test_one_network_is_measured_here_and_without_a_word(monkeypatch):
    """A search that measures one by one would start workers, and say so, a thousand times."""

    class Said(NoPhases):
        def phase(self, title, total):
            said.append(title)
            return super().phase(title, total)

    said, workers = [], []
    score_all = measurements.score_all

    def noted(proxies, networks, settings, phases):
        workers.append(settings.workers)
        return score_all(proxies, networks, replace(settings, workers=1), phases)

    monkeypatch.setattr(measurements, "score_all", noted)
    known = Measurements("nasbench-macro", settings=ScoringSettings(workers=2), phases=Said())
    known.scores(["depth"], [ONE])
    assert (said, workers) == ([], [1])
    known.scores(["depth"], ["01010101", "11111111"])
    assert len(said) == 1
    assert workers == [1, 2]


@pytest.mark.usefixtures("unmeasured")
def test_what_was_added_is_not_measured():
    known = Measurements("nasbench-macro")
    known.add("mine", [ONE, OTHER], np.array([1.0, -np.inf]))
    known.add("other", [OTHER], np.array([np.nan]))
    scores = known.scores(["mine", "other"], [OTHER])
    assert scores[0, 0] == -np.inf
    assert np.isnan(scores[0, 1])
    assert known.scores([], [ONE]).shape == (1, 0)


def test_published_scores_are_taken_and_the_others_measured(tmp_path, forbid_measuring):
    """Of two columns of one proxy the mean counts; a network that is not in the file has none."""
    file = tmp_path / "scores.csv"
    header = "architecture,naswot,cifar10_nwot,cifar100_zen"
    file.write_text(f"{header}\n{ONE},1,4,2\n{OTHER},-3,-1e8,1\n")
    known = Measurements("nasbench-macro", published=str(file))
    third = SPACE.sample(1, seed=1)[0]
    depth = known.scores(["naswot", "depth"], [ONE])
    assert depth[0, 0] == 2.5
    assert depth[0, 1] > 0
    forbid_measuring()
    scores = known.scores(["naswot"], [third, OTHER, ONE])
    np.testing.assert_array_equal(scores, [[np.nan], [np.nan], [2.5]])
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        Measurements("nasbench-macro", published="none.csv")


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
