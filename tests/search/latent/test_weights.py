"""Ways to weigh proxies."""

import sys

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.metrics import kendall
from eznas.search.latent import weights as ways


def labelled(n=60, noise=0.1):
    random = np.random.default_rng(0)
    columns = random.normal(size=(n, 3))
    return columns, columns @ [0.6, -0.3, 0.0] + noise * random.normal(size=n)


def test_equal():
    assert ways.equal(4).values.tolist() == [0.25] * 4


def test_given_by_text_or_mapping():
    weights = ways.given("naswot=0.5, sum_layers(layer_params)=-1", WITH_FORMULA)
    assert weights.values.tolist() == [0.5, -1.0]
    assert ways.given({"b": 2, "a": 1}, ("a", "b")).values.tolist() == [1.0, 2.0]


WITH_FORMULA = ("naswot", "sum_layers(layer_params)")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rigde", "unknown way to weigh proxies 'rigde'; did you mean 'ridge'?"),
        ("a=1", "weights: none for b; expected one for each proxy"),
        ("a=1,c=2", "unknown proxy in weights 'c'"),
        ("a=1,b", "expected equal, ridge, tpe, terms, or PROXY=NUMBER"),
        ("a=1,b=x", "expected equal, ridge, tpe, terms, or PROXY=NUMBER"),
        ("a=0,b=0", "expected finite numbers that are not all 0"),
        ("a=inf,b=0", "expected finite numbers that are not all 0"),
    ],
)
def test_weights_that_cannot_be_used(text, words):
    with pytest.raises(InputError) as error:
        ways.given(text, ("a", "b"))
    assert words in str(error.value)


def test_ridge_finds_the_weights_and_shows_their_spread():
    columns, accuracies = labelled()
    weights = ways.fitted("ridge", columns, accuracies, seed=3)
    assert np.abs(weights.values).sum() == pytest.approx(1)
    assert weights.values == pytest.approx([2 / 3, -1 / 3, 0], abs=0.05)
    assert weights.deviations.shape == (3,)
    assert (weights.deviations < 0.1).all()
    again = ways.fitted("ridge", columns, accuracies, seed=3)
    assert again.values.tolist() == weights.values.tolist()
    assert again.deviations.tolist() == weights.deviations.tolist()


def test_tpe_ranks_well_and_follows_from_its_seed(monkeypatch):
    optuna = pytest.importorskip("optuna")
    monkeypatch.setattr(ways, "TRIALS", 30)
    columns, accuracies = labelled()
    verbosity = optuna.logging.get_verbosity()
    weights = ways.tpe(columns, accuracies, seed=1)
    assert optuna.logging.get_verbosity() == verbosity
    assert kendall(columns @ weights, accuracies) > 0.7
    assert ways.tpe(columns, accuracies, seed=1).tolist() == weights.tolist()


def test_without_optuna_a_line_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(
        InputError, match=r"needs the package optuna; pip install 'eznas\[search\]'"
    ):
        ways.tpe(*labelled())


@pytest.mark.parametrize("accuracies", [np.arange(4.0), np.full(60, 3.0)])
def test_too_few_or_equal_labels(accuracies):
    with pytest.raises(InputError, match="expected 5 or more networks of different accuracies"):
        ways.fitted("ridge", labelled()[0][: len(accuracies)], accuracies)


def test_only_fitted_ways_need_labels():
    assert [way for way in ways.WAYS if ways.needs_labels(way)] == ["ridge", "tpe"]
    assert not ways.needs_labels("a=1")
