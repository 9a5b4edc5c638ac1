"""Formulas in words."""

import pytest

from eznas.formulas.parser import parse
from eznas.formulas.words import PHRASES, in_words
from eznas.primitives import PRIMITIVES
from eznas.proxies.classics import CLASSICS


def test_every_primitive_has_its_words():
    assert PHRASES.keys() == PRIMITIVES.keys()
    for name, phrase in PHRASES.items():
        assert ("{1}" in phrase) == (PRIMITIVES[name].arity > 1), name
        assert ("{rows}" in phrase) == PRIMITIVES[name].aggregation, name


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("params", "params"),
        ("sum_layers(norm(weight))", "the sum over layers of the norm of weight"),
        (
            "logdet(sum_all_layers(data_relu_agreement))",
            "the log-determinant of the sum over all activations, dead ones too, of "
            "data_relu_agreement",
        ),
        ("log(params) / (paths_count + 2.0)", "the log of params divided by (paths_count plus 2)"),
        ("0.123456 * params", "0.1235 times params"),
        (
            "mean_layers(std(unit_diagonal(noise_conv_output_gram)))",
            "the mean over layers of the standard deviation of the entries of "
            "noise_conv_output_gram, scaled to 1 on the diagonal",
        ),
        ("weighted_mean_layers(layer_kernel, layer_params)",
         "the mean over layers, weighted by layer_params, of layer_kernel"),
    ],
)  # fmt: skip
def test_words(formula, words):
    assert in_words(parse(formula)) == words


@pytest.mark.parametrize("name", CLASSICS)
def test_words_name_every_statistic(name):
    formula = parse(CLASSICS[name].formula)
    words = in_words(formula)
    assert all(statistic in words for statistic in formula.statistics())
    assert "{" not in words
    assert ",," not in words
    assert words.count("(") == words.count(")")


def test_a_primitive_of_ones_own_is_called_by_its_name(monkeypatch):
    monkeypatch.delitem(PHRASES, "norm")
    assert in_words(parse("sum_layers(norm(weight))")) == "the sum over layers of norm of weight"
