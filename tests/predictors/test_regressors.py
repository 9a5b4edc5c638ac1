"""Regressors, and how sure they are."""

import builtins

import numpy as np
import pytest
from sklearn.dummy import DummyRegressor

from eznas.errors import InputError
from eznas.predictors.neural import GIN, MLPEnsemble
from eznas.predictors.regressors import REGRESSORS, STD, Residual, deviations, regressor

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] + 0.1 * X[:, 1]


def test_a_residual_by_hand():
    x = np.array([[0.0], [1.0], [2.0]])
    model = Residual(DummyRegressor()).fit(x, np.array([1.0, 3.0, 5.0]))
    assert (model.slope_, model.intercept_) == (2.0, 1.0)
    assert model.predict(np.array([[3.0]])).tolist() == [7.0]


def test_a_proxy_is_never_turned_around_by_few_labels():
    model = Residual(DummyRegressor()).fit(np.array([[0.0], [1.0]]), np.array([5.0, 1.0]))
    assert model.slope_ == 0.0
    assert model.predict(np.array([[9.0]])).tolist() == [3.0]


@pytest.mark.parametrize("name", [n for n in STD.split(", ") if n not in ("gin", "ngboost")])
def test_deviations_are_larger_far_from_what_was_seen(name):
    model = regressor(name, 0).fit(X, Y)
    near, far = deviations(model, X[:10]), deviations(model, X[:10] + 30)
    assert near.shape == (10,)
    assert near.min() >= 0
    if name in ("linear", "gp", "mlp_ensemble"):
        assert far.mean() > near.mean()


def test_a_family_without_deviations_says_which_have_them():
    with pytest.raises(InputError, match=r"NuSVR gives no standard deviation; expected one of lin"):
        deviations(regressor("nusvr").fit(X, Y), X)


def test_the_list_of_those_with_deviations_is_complete():
    assert set(STD.split(", ")) <= set(REGRESSORS)


@pytest.mark.parametrize("name", [n for n, row in REGRESSORS.items() if row.extra])
def test_a_missing_library_says_how_to_get_it(name, monkeypatch):
    usual = builtins.__import__

    def without(module, *arguments, **keywords):
        if module in ("xgboost", "lightgbm", "ngboost"):
            raise ImportError(name=module)
        return usual(module, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=rf"needs {name}: `pip install 'eznas\[predictors\]'`"):
        regressor(name)


def test_an_unknown_name():
    with pytest.raises(InputError, match="unknown regressor 'xgbost'; did you mean 'xgboost'"):
        regressor("xgbost")


def test_an_ensemble_learns_a_line():
    model = MLPEnsemble(seed=1).fit(X, Y)
    assert np.corrcoef(model.predict(X), Y)[0, 1] > 0.97
    assert model.member_predictions(X).shape == (5, 40)


def test_a_graph_network_counts_operations():
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, (60, 4))  # the operation of each of 4 nodes in a chain
    chain = np.eye(4, k=1).ravel()
    x = np.stack([np.concatenate([[4], chain, np.eye(2)[row].ravel()]) for row in kinds])
    y = kinds.sum(1).astype(float)
    model = GIN(members=1, epochs=120).fit(x[:40], y[:40])
    assert np.corrcoef(model.predict(x[40:]), y[40:])[0, 1] > 0.95
