"""Groups of columns averaged by what each is worth."""

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression

from eznas.predictors.averaging import SHARPNESS, Averaged

RNG = np.random.default_rng(0)
SIGNAL, NOISE = RNG.normal(size=(80, 2)), RNG.normal(size=(80, 30))
X = np.hstack([SIGNAL, NOISE])
Y = SIGNAL.sum(1)


def test_weights_fall_with_the_error():
    model = Averaged(DummyRegressor(), (2, 30)).fit(X, Y)
    errors = [model._error(X[:, part], Y) for part in model.parts_]
    ratio = model.weights_[0] / model.weights_[1]
    assert ratio == pytest.approx((errors[1] / errors[0]) ** SHARPNESS)
    assert model.weights_.sum() == pytest.approx(1)
    assert model.weights_.argmax() == 0


def test_the_prediction_is_the_weighted_mean_of_the_parts():
    model = Averaged(LinearRegression(), (2, 30)).fit(X, Y)
    by_hand = [LinearRegression().fit(X[:, p], Y).predict(X[:, p]) for p in model.parts_]
    np.testing.assert_allclose(model.predict(X), model.weights_ @ np.array(by_hand))


def test_a_group_of_noise_does_little_harm():
    new = np.hstack([RNG.normal(size=(40, 2)), RNG.normal(size=(40, 30))])
    few = Averaged(LinearRegression(), (2, 30)).fit(X[:20], Y[:20]).predict(new)
    assert np.corrcoef(few, new[:, :2].sum(1))[0, 1] > 0.95
