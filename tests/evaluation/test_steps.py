"""By which way a plan reaches reductions of spectra: by moments, where these are known to do."""

import dataclasses

import numpy as np
import pytest
import torch

from eznas.evaluation.plan import Plan, evaluate
from eznas.evaluation.status import Status
from eznas.evaluation.steps import step_of
from eznas.evaluation.values import Cache
from eznas.formulas.parser import parse, parse_any
from eznas.primitives import MOMENTS, PRIMITIVES
from tests.evaluation.hand_made import BANK


def by_moments(text):
    return step_of(parse_any(text)).by_moments


@pytest.mark.parametrize("reduction", MOMENTS)
@pytest.mark.parametrize("spectrum", ["eigenvalues", "singular_values"])
@pytest.mark.parametrize(
    "matrix",
    [
        "data_relu_agreement",
        "noise_conv_output_covariance",
        "unit_diagonal(noise_conv_output_gram)",
        "correlation(data_jacobian)",
        "covariance(weight)",
        "sum_layers(transpose(gram(data_conv_output)))",
    ],
)
def test_moments_do_for_semidefinite_matrices(reduction, spectrum, matrix):
    text = f"{reduction}({spectrum}({matrix}))"
    step = step_of(parse_any(text))
    assert step.by_moments
    assert step.text == text
    assert [a.text for a in step.arguments] == [matrix]


@pytest.mark.parametrize(
    "text",
    [
        "participation(eigenvalues(local_block_transfer))",
        "participation(singular_values(weight))",
        "sum(eigenvalues(-data_relu_agreement))",
        "sum(eigenvalues(noise_conv_output_gram - data_conv_output_gram))",
        "norm(eigenvalues(log(data_relu_agreement)))",
        "entropy(eigenvalues(data_relu_agreement))",
        "participation(log(eigenvalues(data_relu_agreement)))",
        "norm(data_relu_agreement)",
    ],
)
def test_other_expressions_go_as_their_text_says(text):
    step = step_of(parse_any(text))
    assert not step.by_moments
    assert step.arguments == step.expression.arguments


FEATURES = [
    *(f"mean_layers({name}(eigenvalues(data_relu_agreement)))" for name in MOMENTS),
    *(f"{name}(eigenvalues(sum_layers(data_relu_agreement)))" for name in MOMENTS),
    *(f"sum_layers({name}(singular_values(covariance(data_conv_output))))" for name in MOMENTS),
]


def evaluated(texts, cache=None):
    return evaluate(Plan.of([parse(t) for t in texts]), BANK, cache)


def test_values_are_those_of_the_spectra(monkeypatch):
    values = evaluated(FEATURES)
    monkeypatch.setattr("eznas.evaluation.steps._SPECTRA", ())
    expected = evaluated(FEATURES)
    np.testing.assert_array_equal(values.coverage, expected.coverage)
    np.testing.assert_array_equal(values.status, expected.status)
    known = expected.status != Status.EMPTY
    np.testing.assert_allclose(values.values[known], expected.values[known], rtol=1e-10)


def test_what_simplifies_to_a_reduction_of_a_spectrum_has_its_value_to_the_bit():
    plain = "sum_layers(norm(eigenvalues(covariance(weight))))"
    for inner in ("-eigenvalues(covariance(weight))", "abs(-eigenvalues(covariance(weight)))"):
        np.testing.assert_array_equal(
            evaluated([f"sum_layers(norm({inner}))"]).values, evaluated([plain]).values
        )
    assert by_moments("norm(abs(eigenvalues(covariance(weight))))")
    assert not by_moments("sum(-eigenvalues(covariance(weight)))")


def test_no_spectrum_is_computed_that_nothing_needs(monkeypatch):
    for name in ("eigenvalues", "singular_values"):
        refusing = dataclasses.replace(PRIMITIVES[name], function=lambda x: 1 / 0)
        monkeypatch.setitem(PRIMITIVES, name, refusing)
    assert evaluated(FEATURES).values.shape == (len(FEATURES), 4)
    with pytest.raises(ZeroDivisionError):
        evaluated(["sum_layers(entropy(eigenvalues(covariance(data_conv_output))))"])


def test_a_value_does_not_depend_on_its_company():
    """To the bit, in a plan that needs the spectrum too, and with a cache that has it."""
    companions = [
        "mean_layers(entropy(eigenvalues(data_relu_agreement)))",
        "sum_layers(top_share(singular_values(covariance(data_conv_output))))",
        "entropy(eigenvalues(sum_layers(data_relu_agreement)))",
    ]
    alone = evaluated(FEATURES).values
    np.testing.assert_array_equal(evaluated([*companions, *FEATURES]).values[3:], alone)
    cache = Cache()
    evaluated(companions, cache)
    np.testing.assert_array_equal(evaluated(FEATURES, cache).values, alone)
    one_by_one = [evaluated([text]).values[0] for text in FEATURES]
    np.testing.assert_array_equal(np.array(one_by_one), alone)


def test_matrices_that_are_not_square_have_no_spectrum_still():
    bank = dataclasses.replace(BANK, blocks=dict(BANK.blocks))
    oblong = [None if b is None else torch.ones(len(b), 2, 3) for b in BANK.blocks["weight"]]
    bank.blocks["noise_conv_output_covariance"] = oblong
    plan = Plan.of([parse("sum_layers(sum(eigenvalues(noise_conv_output_covariance)))")])
    assert (evaluate(plan, bank).coverage[0, :2] == 0).all()
