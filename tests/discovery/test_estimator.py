"""`ProxySearch` and the conventions of scikit-learn."""

import json
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn

import eznas
from eznas.discovery.callbacks import NoCallback
from eznas.evolution.config import EvolutionConfig
from eznas.formulas.parser import parse
from eznas.metrics import kendall

SIZE = (1, 6, 6)
SETTINGS = {
    "statistics": ("layer_params", "params", "data_relu_agreement", "layer_channels"),
    "seed_formulas": ("params", "naswot"),
    "generations": 1,
    "population": 8,
    "offspring": 8,
    "raw_batch": 2,
    "sketch_batch": 4,
    "evidence.replicates": 20,
}


def net(width: int, depth: int) -> nn.Module:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [nn.Conv2d(width if index else 1, width, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3))


CHOICES = [(w, d) for w in (2, 3, 4, 6, 8) for d in (1, 2, 3)]
MODELS = [net(*choice) for choice in CHOICES]
ACCURACIES = [10 * d + w for w, d in CHOICES]


def search(**changes) -> eznas.ProxySearch:
    return eznas.ProxySearch(**({"input_size": SIZE, "settings": SETTINGS} | changes))


@pytest.fixture(scope="module")
def fitted() -> eznas.ProxySearch:
    return search().fit(MODELS, ACCURACIES)


def findings(estimator: eznas.ProxySearch) -> dict:
    return {key: value for key, value in vars(estimator).items() if key.endswith("_")}


def test_parameters_are_kept_and_cloned(fitted):
    assert fitted.get_params() == {
        "input_size": SIZE,
        "init": None,
        "seed": 1,
        "settings": SETTINGS,
        "workers": 1,
        "watcher": None,
    }
    copy = clone(fitted)
    assert copy.get_params() == fitted.get_params()
    assert not findings(copy)
    assert copy.set_params(seed=3).seed == 3
    assert repr(eznas.ProxySearch(seed=3)) == "ProxySearch(seed=3)"


def test_what_is_found_is_text_and_numbers(fitted):
    json.dumps(findings(fitted), allow_nan=False)
    assert fitted.n_models_ == 15
    sizes = [row["size"] for row in fitted.front_]
    fitnesses = [row["fitness"] for row in fitted.front_]
    assert sizes == sorted(set(sizes))
    assert fitnesses == sorted(set(fitnesses))
    [recommended] = [row["formula"] for row in fitted.front_ if row["recommended"]]
    assert recommended == fitted.best_  # fewer than 50 models: the simplest, not the fittest
    assert {row["set"] for row in fitted.evidence_} == {"5-fold cross-validation"}
    again = pickle.loads(pickle.dumps(fitted))
    assert findings(again) == findings(fitted)


def test_sizes_are_those_of_the_search():
    complexity = {"params": 30, "layer_params": 20, "mul": 5}
    settings = SETTINGS | {"evolution.complexity": complexity}
    weighed = search(settings=settings).fit(MODELS, ACCURACIES)
    size_of = EvolutionConfig(complexity=complexity).size_of
    sizes = [row["size"] for row in weighed.front_]
    assert sizes == [size_of(parse(row["formula"])) for row in weighed.front_]
    assert sizes == sorted(set(sizes))
    [recommended] = [row["formula"] for row in weighed.front_ if row["recommended"]]
    assert recommended == weighed.best_
    few = search(settings=settings).fit(MODELS[:6], ACCURACIES[:6])
    assert few.front_[0]["size"] == size_of(parse(few.best_))


def test_fit_twice_gives_the_same(fitted):
    """And the caller's random state is not touched."""
    random_state, numpy_state = torch.random.get_rng_state(), np.random.get_state()[1]
    again = clone(fitted).fit(MODELS, ACCURACIES)
    assert findings(again) == findings(fitted)
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_predict_scores_models_by_the_best_formula(fitted):
    scores = fitted.predict(MODELS[:2])
    proxy = eznas.load(fitted.best_)
    expected = [proxy.score(model, SIZE, batch=4) for model in MODELS[:2]]
    assert scores == pytest.approx(expected)
    assert np.array_equal(fitted.score_models(MODELS[:2]), scores)
    assert fitted.score(MODELS, ACCURACIES) == kendall(fitted.predict(MODELS), ACCURACIES)
    with pytest.raises(NotFittedError):
        search().predict(MODELS)


def test_few_models_get_a_published_proxy():
    few = search().fit(MODELS[:6], ACCURACIES[:6])
    assert few.best_ == eznas.load(few.recommended_).formula.text
    assert len(few.front_) == 1
    assert few.predict(MODELS[:1]).shape == (1,)


class Interrupts(NoCallback):
    def generation(self, report, seconds, left):
        raise KeyboardInterrupt


def test_an_interrupt_leaves_what_was_found_before(fitted):
    estimator = pickle.loads(pickle.dumps(fitted)).set_params(watcher=Interrupts())
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(MODELS, ACCURACIES[::-1])
    assert findings(estimator) == findings(fitted)


def test_fit_handles_no_signals(fitted, monkeypatch):
    monkeypatch.setattr("signal.signal", lambda *_: pytest.fail("a signal handler was set"))
    clone(fitted).fit(MODELS[:5], ACCURACIES[:5])


@pytest.mark.parametrize(
    ("models", "accuracies", "problem"),
    [
        (MODELS, ACCURACIES[:-1], "expected one for each of 15"),
        (MODELS[0], [1], "expected a list, got Sequential"),
        (MODELS[:2], [1, 2], "at least 3, got 2"),
        (3, [1], "expected a list, got int 3"),
    ],
)
def test_bad_models(models, accuracies, problem):
    with pytest.raises(eznas.InputError, match=problem):
        search().fit(models, accuracies)
