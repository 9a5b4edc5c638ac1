"""A weighted sum of two proxies: its ends are the proxies, and it fails where one of them does."""

from dataclasses import replace

import numpy as np
import pytest

import eznas
from eznas.metrics import kendall
from eznas.studies import combine as module
from tests.studies.made_up import SMALL, instead_of_score_all, is_png, noisy_scores

NAN, INF = np.nan, np.inf
FEWER_LAYERS = "-sum_layers(ones(layer_flops))"


@pytest.fixture
def taus_of(monkeypatch):
    """Tau by data set for each weight of the first of two made-up proxies."""

    def taus(scored, steps):
        def made_up(benchmark, *_):
            return scored.benchmark

        monkeypatch.setattr(module, "named_set", made_up)
        monkeypatch.setattr(module, "score_all", instead_of_score_all(scored))
        return eznas.combine("params", "depth", datasets=list(scored.scores), steps=steps).tau

    return taus


def swapped(scored):
    """The same scores, the second proxy first."""
    scores = {dataset: values[:, ::-1] for dataset, values in scored.scores.items()}
    return replace(scored, names=scored.names[::-1], scores=scores)


def test_a_combination_has_its_proxies_at_both_ends(taus_of):
    scored = noisy_scores(["first", "second"], seeds=(0, 1))
    for scores in scored.scores.values():
        scores[:, :2, :3] = -INF
        scores[:, 1] *= -1e6
        scores[:, 1, :3] = -INF
    by_dataset = taus_of(scored, steps=4)
    assert list(by_dataset) == list(scored.scores)
    for dataset, taus in by_dataset.items():
        accuracies = scored.benchmark.accuracies[dataset]
        first, second = scored.means()[dataset]
        assert taus[0] == kendall(second, accuracies)
        assert taus[-1] == kendall(first, accuracies)
        assert taus[0] < 0 < taus[-1]
        first, second = (scores / np.abs(scores[3:]).max() for scores in (first, second))
        for weight, tau in zip((0.25, 0.5, 0.75), taus[1:-1], strict=True):
            assert tau == kendall(weight * first + (1 - weight) * second, accuracies)
    assert taus_of(swapped(scored), steps=4) == {d: t[::-1] for d, t in by_dataset.items()}


def test_a_combination_is_lowest_where_a_proxy_is(taus_of):
    scored = noisy_scores(["first", "second"], datasets=["cifar10"])
    scored.scores["cifar10"][0, 0, 7] = -INF
    second = scored.scores["cifar10"][0, 1].copy()
    second[7] = -INF
    expected = kendall(second, scored.benchmark.accuracies["cifar10"])
    assert taus_of(scored, steps=1)["cifar10"][0] == expected


@pytest.mark.parametrize("in_order", [True, False])
def test_a_combination_is_over_the_networks_that_both_proxies_score(taus_of, in_order):
    scored = noisy_scores(["first", "second"], datasets=["cifar10"])
    kept = np.delete(np.arange(len(scored.benchmark.architectures)), 7)
    scores = {"cifar10": scored.scores["cifar10"][..., kept]}
    whole = replace(scored, benchmark=scored.benchmark.subset(kept, "kept"), scores=scores)
    expected = taus_of(whole if in_order else swapped(whole), steps=2)
    scored.scores["cifar10"][0, 0, 7] = NAN
    assert taus_of(scored if in_order else swapped(scored), steps=2) == expected
    scored.scores["cifar10"][0, 0] = NAN
    assert taus_of(scored if in_order else swapped(scored), steps=2)["cifar10"] == [None] * 3


@pytest.mark.parametrize("value", [0.0, -INF])
def test_a_combination_with_a_constant(taus_of, value):
    scored = noisy_scores(["first", "second"], datasets=["cifar10"])
    scored.scores["cifar10"][0, 1] = value
    tau = kendall(scored.scores["cifar10"][0, 0], scored.benchmark.accuracies["cifar10"])
    expected = [None, tau, tau] if value == 0 else [None] * 3
    assert taus_of(scored, steps=2)["cifar10"] == expected


def test_a_combination_goes_from_one_proxy_to_the_other():
    options = {"datasets": ["cifar10", SMALL], "networks": 8, "sketch": 4, "seed": 2}
    options["set_name"] = "connected"
    combination = eznas.combine(FEWER_LAYERS, "params", steps=4, **options)
    assert (combination.first, combination.second) == (FEWER_LAYERS, "params")
    assert combination.weights == [0, 0.25, 0.5, 0.75, 1]
    correlation = eznas.correlate([FEWER_LAYERS, "params"], raw=2, replicates=50, **options)
    for dataset, taus in combination.tau.items():
        first, second = (row["tau"] for row in correlation.rows if row["dataset"] == dataset)
        assert (taus[0], taus[-1]) == (second, first)
        assert len(set(taus)) > 2
        assert all(-1 <= tau <= 1 for tau in taus)
    assert combination.plot("combination.png") == ["combination.png"]
    assert is_png("combination.png")


def test_an_undefined_combination_is_none_and_can_be_drawn():
    options = {"datasets": [SMALL], "networks": 4, "sketch": 4, "steps": 1}
    combination = eznas.combine("2.0 * exp(exp(params))", "params", **options)
    assert combination.tau == {SMALL: [None, None]}
    assert combination.undefined == {SMALL: 4}
    combination.plot("combination.png")
    assert is_png("combination.png")
