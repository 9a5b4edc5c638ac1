"""Methods that look for the highest unified score: what they measure, and what they answer."""

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.evaluation.executors import NoPhases
from eznas.search.latent import methods, weights
from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.methods import Problem
from eznas.search.latent.scales import NormalScale
from eznas.search.latent.unified import UnifiedScore, random_networks
from eznas.spaces import SPACES
from tests.search.latent.measured import PROXIES, SPACE, MadeUp, autoencoder


def problem(rounds=1, cost=130):
    train = random_networks(SPACE, 120)
    measurements = MadeUp()
    scale = NormalScale().fit(measurements.scores(PROXIES, train))
    measurements.asked.clear()
    unified = UnifiedScore(PROXIES, scale, weights.equal(3), measurements)
    return Problem(SPACE, unified, train, cost, 10, 0, starts=16, steps=60, rounds=rounds)


def latent(of):
    estimator = MultiProxy(
        PROXIES, autoencoder=autoencoder(), measurements=of.unified.measurements, steps=150
    )
    return methods.latent(of, estimator.fit(of.train), NoPhases())


@pytest.mark.parametrize("rounds", [1, 3])
def test_the_answer_is_the_best_of_what_was_measured(rounds):
    of = problem(rounds, cost=150)
    answer = latent(of)
    asked = of.unified.measurements.asked
    assert answer.measured == asked
    assert len(of.train) < len(asked) <= of.cost
    scores = np.sort(of.unified(sorted(asked)))[::-1]
    assert [found.measured for found in answer.best] == pytest.approx(scores[:10])
    before = np.sort(of.unified(of.train))[::-1]
    assert scores[:10].mean() > before[:10].mean(), "the ascent found nothing better"
    assert all(f.step is None or 0 <= f.step <= 60 * rounds for f in answer.best)
    assert {f.architecture for f in answer.best if f.step is None} <= set(of.train)
    predicted = [found.predicted for found in answer.visited]
    assert predicted == sorted(predicted, reverse=True)
    assert answer.paths.shape == (61, 16, 16)


def test_the_same_again():
    first, second = (latent(problem(rounds=2, cost=150)) for _ in range(2))
    assert first.best == second.best
    assert first.measured == second.measured


@pytest.mark.parametrize("name", ["random", "evolution"])
def test_others_measure_as_many_networks(name):
    of = problem()
    answer = methods.BASELINES[name](of, NoPhases())
    assert answer.measured == of.unified.measurements.asked
    assert len(answer.measured) == of.cost
    assert all(SPACE.live_cell(network) == network for network in answer.measured)
    scores = np.sort(of.unified(sorted(answer.measured)))[::-1]
    assert [found.measured for found in answer.best] == pytest.approx(scores[:10])


def test_exhaustive_measures_all_networks_once():
    of = problem()
    answer = methods.BASELINES["exhaustive"](of, NoPhases())
    assert len(answer.measured) == 9445
    networks = methods.all_networks(SPACE)
    assert answer.best[0].measured == of.unified(networks).max()


def test_a_space_that_cannot_be_listed():
    with pytest.raises(InputError, match="space nds-darts: too many networks"):
        methods.all_networks(SPACES["nds-darts"])


def test_random_networks_differ_and_a_smaller_sample_begins_a_larger_one():
    networks = random_networks(SPACE, 500, seed=3)
    assert len(set(networks)) == 500
    assert all(SPACE.live_cell(a) == a for a in networks)
    assert random_networks(SPACE, 50, seed=3) == networks[:50]
    assert len(random_networks(SPACES["nats-size"], 100)) == 100
