"""The estimator of several proxies: scikit-learn's conventions, what it learns, bad input."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from eznas.benchmarks.splits import components
from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.predictors.measurements import Measurements
from eznas.search.latent.estimator import MultiProxy
from eznas.search.latent.unified import random_networks
from tests.search.latent.measured import PROXIES, SPACE, MadeUp, autoencoder

NETWORKS = random_networks(SPACE, 700)
TRAIN, OTHERS = NETWORKS[:300], NETWORKS[300:]


def estimator(**parameters):
    given = {"autoencoder": autoencoder(), "measurements": MadeUp(), "steps": 200}
    return MultiProxy(PROXIES, **(given | parameters))


@pytest.fixture(scope="module")
def fitted():
    return estimator().fit(TRAIN)


def test_it_predicts_each_proxy_and_their_sum(fitted):
    predicted, measured = fitted.predict(OTHERS), MadeUp().scores(PROXIES, OTHERS)
    assert predicted.shape == (400, 3)
    assert kendall(predicted[:, 0], measured[:, 0]) > 0.8
    assert fitted.unified(OTHERS) == pytest.approx(predicted.mean(1))
    assert kendall(fitted.unified(OTHERS), fitted.measured(OTHERS)) > 0.7
    of_heads, of_sum = fitted.held_out_taus()
    assert of_heads.shape == (3,)
    assert of_sum > 0.7


def test_weights_may_be_set_afterwards(fitted):
    copy = estimator().fit(TRAIN)
    copy.set_params(weights=[1.0, 0.0, -1.0])
    predicted = fitted.predict(OTHERS)
    assert copy.unified(OTHERS) == pytest.approx(predicted[:, 0] - predicted[:, 2])
    with pytest.raises(InputError, match="expected a number for each of 3 proxies"):
        copy.set_params(weights=[1.0]).unified(OTHERS)


def test_no_network_set_aside_has_a_twin_among_those_learned_from(fitted):
    component = components(SPACE, TRAIN)
    aside = np.isin(TRAIN, fitted.held_out_)
    assert 15 < aside.sum() < 60
    assert not set(component[aside]) & set(component[~aside])


def test_the_objective_is_the_predicted_sum_with_a_gradient(fitted):
    latents = autoencoder().encode(OTHERS[:5]).requires_grad_()
    objective = fitted.objective(latents)
    assert objective.detach().numpy() == pytest.approx(fitted.unified(OTHERS[:5]))
    objective.sum().backward()
    assert latents.grad.abs().sum() > 0


def test_parameters_and_clones_as_scikit_learn_has_them(fitted):
    copy = clone(fitted)
    assert not hasattr(copy, "heads_")
    assert copy.measurements is fitted.measurements
    assert copy.autoencoder is fitted.autoencoder
    assert copy.get_params()["proxies"] == PROXIES
    again = copy.fit(TRAIN).predict(OTHERS)
    assert again.tolist() == fitted.predict(OTHERS).tolist()


def test_a_warm_start_goes_on_with_the_same_networks_aside():
    warm = estimator(warm_start=True).fit(TRAIN)
    aside, before, scale = warm.held_out_, warm.predict(OTHERS), warm.scale_
    warm.fit(NETWORKS)
    assert warm.held_out_ == aside
    assert warm.scale_ is scale
    after = warm.predict(OTHERS)
    measured = scale.transform(MadeUp().scores(PROXIES, OTHERS))
    assert np.abs(after - measured).mean() < np.abs(before - measured).mean()


def test_trained_jointly_a_copy_of_the_autoencoder_still_decodes():
    before = autoencoder().encode(OTHERS[:3])
    joint = estimator(joint=True).fit(TRAIN)
    assert joint.autoencoder_ is not autoencoder()
    assert torch.equal(autoencoder().encode(OTHERS[:3]), before)
    assert joint.autoencoder_.exactness(OTHERS) > 0.9
    assert joint.held_out_taus()[1] > 0.7


def test_terms_of_a_formula_are_added_up_as_they_are():
    summed = estimator(constants=[2.0, 0.5, 0.0]).fit(TRAIN)
    scores = np.nan_to_num(MadeUp().scores(PROXIES, OTHERS))
    assert summed.measured(OTHERS) == pytest.approx(scores @ [2.0, 0.5, 0.0])
    assert kendall(summed.unified(OTHERS), summed.measured(OTHERS)) > 0.8


def test_scores_may_be_given():
    known = MadeUp()
    scores = known.scores(PROXIES, TRAIN)
    known.asked.clear()
    estimator(measurements=known).fit(TRAIN, scores)
    assert not known.asked


@pytest.mark.parametrize(
    ("parameters", "arguments", "words"),
    [
        ({}, (TRAIN, [[1.0]]), "expected [networks, proxies], [300, 3]"),
        ({}, (TRAIN[:1],), "1 networks to learn from: expected at least 2"),
        ({"held_out": 1.0}, (TRAIN,), "held_out 1.0: expected a share"),
        ({"constants": [1.0]}, (TRAIN,), "1 constants for 3 proxies: expected one for each"),
        ({"weights": [1.0, np.nan, 0.0]}, (TRAIN,), "expected a number for each of 3 proxies"),
    ],
)
def test_bad_input(parameters, arguments, words):
    with pytest.raises(InputError) as error:
        estimator(**parameters).fit(*arguments)
    assert words in str(error.value)


def test_no_proxies_and_another_space():
    with pytest.raises(InputError, match="no proxies"):
        MultiProxy(()).fit(TRAIN)
    elsewhere = Measurements("nasbench-macro")
    with pytest.raises(InputError, match="autoencoder of nasbench201, measurements of nasbench-m"):
        estimator(measurements=elsewhere).fit(TRAIN)
