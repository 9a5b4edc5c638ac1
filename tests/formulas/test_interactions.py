"""The forms of interactions on two made-up features: their values, and that they are formulas."""

import numpy as np
import pytest
import torch

from eznas.evaluation.arithmetic import arithmetic
from eznas.formulas.interactions import INTERACTIONS, Spread, interaction, interaction_values
from eznas.formulas.parser import parse

A, B = "max_layers(layer_params)", "paths_count"
FIRST, SECOND = Spread(parse(A), 3.0, 2.0), Spread(parse(B), 10.0, 4.0)
SHIFT = 0.5  # the threshold of the first feature is 4; the second on its scale is b / 2 - 1


def built(form, first=FIRST, second=SECOND, shift=SHIFT):
    return interaction(INTERACTIONS[form][0], first, second, shift)


def value(formula, a, b):
    numbers = {A: torch.as_tensor(a).double(), B: torch.as_tensor(b).double()}
    return arithmetic(formula.canonical, numbers)


@pytest.mark.parametrize(
    ("form", "a", "b", "expected"),
    [
        ("feature", 5.0, 7.0, 5.0),
        ("log", np.e**2, 7.0, 2.0),
        ("product", 5.0, 7.0, 35.0),
        ("centred product", 5.0, 7.0, (5 - 3) * (7 - 10)),
        ("ratio", 5.0, 2.0, 2.5),
        ("ratio", 5.0, 0.0, 0.0),
        ("min", 5.0, 10.0, 4.0),  # the second at its mean: the threshold of the first
        ("min", 3.0, 10.0, 3.0),
        ("max", 5.0, 14.0, 6.0),
        ("max", 7.0, 14.0, 7.0),
        ("hinge below", 5.0, 7.0, 4.0),
        ("hinge below", 3.0, 7.0, 3.0),
        ("hinge above", 5.0, 7.0, 5.0),
        ("hinge above", 3.0, 7.0, 4.0),
        ("saturation", 4.0, 7.0, 0.5),
        ("saturation", 6.0, 7.0, 1 / (1 + np.exp(-2.0))),  # a deviation above it
    ],
)
def test_values(form, a, b, expected):
    assert value(built(form), a, b).item() == pytest.approx(expected)


@pytest.mark.parametrize("form", INTERACTIONS)
def test_values_and_formula_are_the_same(form):
    draw = np.random.default_rng(2)
    a, b = torch.from_numpy(draw.normal(3.0, 2.0, (2, 2, 40, 3)))
    spreads = [
        [Spread(None, mean, deviation) for mean, deviation in draw.uniform(1.0, 4.0, (2, 2))]
        for _ in range(2)
    ]
    shifts = draw.uniform(-1.0, 1.0, 2)
    first, second = (
        Spread(values, np.array([s.mean for s in pair]), np.array([s.deviation for s in pair]))
        for values, pair in zip((a, b), spreads, strict=True)
    )
    values = interaction_values(INTERACTIONS[form][0], first, second, shifts)
    for i in range(2):
        one, other = (
            pair[i]._replace(feature=parse(text))
            for pair, text in zip(spreads, (A, B), strict=True)
        )
        formula = built(form, one, other, float(shifts[i]))
        assert torch.allclose(values[i], value(formula, a[i], b[i]), rtol=1e-12)


def test_all_forms_have_values_above():
    parameters = test_values.pytestmark[0].args[1]
    assert {form for form, *_ in parameters} == set(INTERACTIONS)
    assert all(weight > 0 for _, weight in INTERACTIONS.values())


@pytest.mark.parametrize("form", INTERACTIONS)
def test_every_form_is_a_formula(form):
    formula = built(form, Spread(parse(A), -1234.567, 1.5e-7), Spread(parse(B), 1e12, 3e9), -1.3)
    assert parse(formula.text) == formula
    assert {f.text for f in formula.features()} <= {A, B}
    assert formula.statistics()


@pytest.mark.parametrize("mean", [0.0, 5.0, 1234.5])
def test_centred_products_are_no_copy_of_their_factors(mean):
    draw = np.random.default_rng(0)
    a, b = draw.normal(mean, 1.0, (2, 5000))
    spreads = Spread(parse(A), a.mean(), a.std()), Spread(parse(B), b.mean(), b.std())
    centred = value(built("centred product", *spreads), a, b).numpy()
    raw = value(built("product", *spreads), a, b).numpy()
    for factor in (a, b):
        assert abs(np.corrcoef(centred, factor)[0, 1]) < 0.15
        assert abs(np.corrcoef(raw, factor)[0, 1]) > 0.6 or not mean


@pytest.mark.parametrize("form", ["hinge below", "hinge above", "min", "max"])
def test_thresholds_are_within_the_values_whatever_the_mean(form):
    draw = np.random.default_rng(1)
    a, b = draw.normal(98765.4, 2.0, 5000), draw.normal(-4.0, 0.01, 5000)
    first, second = Spread(parse(A), a.mean(), a.std()), Spread(parse(B), b.mean(), b.std())
    values = value(built(form, first, second, 0.0), a, b).numpy()
    assert 0.4 < np.isclose(values, a, rtol=1e-12).mean() < 0.6


def test_saturation_is_between_0_and_1_and_rises():
    a = np.linspace(-50, 50, 201)
    values = value(built("saturation"), a, np.zeros_like(a)).numpy()
    assert (values >= 0).all()
    assert (values <= 1).all()
    assert (np.diff(values) >= 0).all()
    assert values[0] < 1e-9
    assert values[-1] > 1 - 1e-9


@pytest.mark.parametrize("form", ["feature", "log", "hinge below", "hinge above", "saturation"])
def test_forms_of_one_feature_leave_the_second_out(form):
    assert [f.text for f in built(form).features()] == [A]
