"""The parts of a formula, and the formula without some of them."""

import numpy as np
import pytest

from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.scoring import combine
from eznas.formulas.parser import parse
from eznas.formulas.parts import Parts, with_numbers
from eznas.proxies.classics import CLASSICS

P, C, F = np.array([[1.0, 2.0, 3.0], [5.0, 1.0, 4.0], [2.0, 7.0, 1.0]])  # of three networks
FEATURES = {"params": P, "paths_count": C, "operations": F}


def values(formula):
    """The values of a formula of `FEATURES`: [networks]."""

    def lookup(feature):
        row = FEATURES[feature][None]
        return FeatureValues(row, np.ones_like(row), np.zeros(row.shape, np.int8))

    return combine(formula, lookup).values


@pytest.mark.parametrize(
    ("formula", "kind", "parts"),
    [
        ("params", "single", {"params": 1.0}),
        ("-2.0 * log(params) + 1.0", "single", {"log(params)": -2.0}),
        ("2.0 * params - 3.0 * paths_count", "sum", {"params": 2.0, "paths_count": -3.0}),
        ("params * paths_count", "product", {"params": 1.0, "paths_count": 1.0}),
        ("-2.0 * (params / paths_count)", "product",
         {"params": 1.0, "reciprocal(paths_count)": 1.0}),
        ("params * 2.0 * params", "product", {"params": 1.0}),
        ("sum_layers(layer_params * layer_kernel)", "single",
         {"sum_layers(layer_kernel * layer_params)": 1.0}),
    ],
)  # fmt: skip
def test_parts(formula, kind, parts):
    split = Parts.of(parse(formula))
    assert split.kind == kind
    found = {p.text: w for p, w in zip(split.parts, split.weights, strict=True)}
    assert found == parts


@pytest.mark.parametrize(
    ("formula", "dropped", "expected"),
    [
        ("2.0 * params - 3.0 * paths_count + 7.0", [], 2 * P - 3 * C),  # order counts, not the 7
        ("2.0 * params - 3.0 * paths_count + 4.0 * operations", ["params"], 4 * F - 3 * C),
        ("2.0 * params - 3.0 * paths_count + operations", ["params", "operations"], -3 * C),
        ("params * paths_count * operations", ["paths_count"], P * F),
        ("-2.0 * (params * paths_count)", ["paths_count"], -P),
        ("params * -2.0 * (paths_count / operations)", ["params"], -C / F),
    ],
)
def test_without_some_parts(formula, dropped, expected):
    split = Parts.of(parse(formula))
    numbers = [i for i, part in enumerate(split.parts) if part.text in dropped]
    assert len(numbers) == len(dropped)
    assert values(split.without(numbers)) == pytest.approx(expected)


def test_a_part_alone_has_the_sign_of_its_weight():
    split = Parts.of(parse("2.0 * params - 3.0 * paths_count"))
    alone = {part.text: values(split.alone(i)) for i, part in enumerate(split.parts)}
    assert alone["params"] == pytest.approx(2 * P)
    assert alone["paths_count"] == pytest.approx(-3 * C)


@pytest.mark.parametrize("name", CLASSICS)
def test_parts_of_every_classic_name_its_statistics(name):
    formula = parse(CLASSICS[name].formula)
    split = Parts.of(formula)
    assert set(split.without([]).statistics()) == set(formula.statistics())
    assert {s for part in split.parts for s in part.statistics()} == set(formula.statistics())


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("params + sqrt(paths_count)", "params + 3.0"),
        ("sqrt(paths_count) * (paths_count + 1.0)", "30.0"),
        ("params / log(operations)", "params / log(operations)"),
    ],
)
def test_numbers_in_place_of_features(formula, expected):
    assert with_numbers(parse(formula), {"paths_count": 9.0}).text == expected
