"""From features to scores: finite, lowest or undefined, and why."""

import numpy as np
import pytest

from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.scoring import LEAST_COVERAGE, combine
from eznas.evaluation.status import FEATURE_REASONS, Status
from eznas.formulas.parser import parse, parse_any

A, B = "sum_layers(norm(weight))", "mean_layers(norm(weight))"
INF, NAN = np.inf, np.nan
EMPTY, FAILED = Status.EMPTY, Status.FORWARD_FAILED


def feature(values, coverage):
    """Values of one feature, [1, networks]; a status stands in place of a coverage."""
    row = FeatureValues.missing(1, len(values))
    row.values[0] = values
    for network, share in enumerate(coverage):
        if isinstance(share, Status):
            row.status[0, network] = share
            row.coverage[0, network] = float(share == EMPTY)
        else:
            row.coverage[0, network] = share
    return row


def scores_of(text, features):
    """The scores of a formula over features {text: (values, coverage or status)}."""
    rows = {name: feature(*row) for name, row in features.items()}
    scores = combine(parse_any(text), rows.__getitem__)
    for name, row in features.items():  # nothing was written into them
        np.testing.assert_equal(rows[name], feature(*row))
    return scores


def test_arithmetic():
    features = {A: ([1, 2, 4], [1, 1, 1]), "params": ([10, 20, 5], [1, 1, 1])}
    scores = scores_of(f"params / {A} - 2 * log({A})", features)
    expected = [10, 10 - 2 * np.log(2), 1.25 - 2 * np.log(4)]
    np.testing.assert_allclose(scores.values, expected, rtol=1e-15)
    assert (scores.reason, scores.coverage) == ("", 1)


def test_a_feature_alone():
    scores = scores_of("params", {"params": ([3, 1], [1, 0.9])})
    np.testing.assert_array_equal(scores.values, [3, 1])
    assert (scores.reason, scores.coverage) == ("", 0.9)


def test_features_are_looked_up_once_by_canonical_text():
    texts = []

    def lookup(text):
        texts.append(text)
        return feature([2.0, 3.0], [1, 1])

    text = "sum_layers(norm(weight + 1)) * sum_layers(norm(1 + weight)) - params * params"
    scores = combine(parse(text), lookup)
    assert texts == ["sum_layers(norm(1.0 + weight))", "params"]
    np.testing.assert_array_equal(scores.values, [0, 0])


@pytest.mark.parametrize(
    "text",
    [A, f"-{A}", f"{A} * 0", f"zeros({A})", f"{A} + {B}", f"max({B}, 0 * {A})", f"exp(-{A})"],
)
def test_nothing_to_aggregate_is_lowest_whatever_the_arithmetic(text):
    scores = scores_of(text, {A: ([5, 1], [EMPTY, 1]), B: ([0, 1], [1, 1])})
    assert scores.values[0] == -INF
    assert np.isfinite(scores.values[1])
    assert (scores.reason, scores.coverage) == ("", 1)


def test_nothing_to_aggregate_comes_before_thin_coverage():
    scores = scores_of(f"{A} + {B}", {A: ([1, 1], [EMPTY, 1]), B: ([1, 1], [0.1, 1])})
    np.testing.assert_array_equal(scores.values, [-INF, 2])
    assert (scores.reason, scores.coverage) == ("", 0.1)


def test_no_network_with_anything():
    scores = scores_of(A, {A: ([0, 0], [EMPTY, EMPTY])})
    np.testing.assert_array_equal(scores.values, [-INF, -INF])
    assert (scores.reason, scores.coverage) == ("", 1)


# values of a feature, coverage -> scores, reason
CASES = {
    "enough coverage": ([1, 2], [LEAST_COVERAGE, 1], [1, 2], ""),
    "thin coverage": ([1, 2], [LEAST_COVERAGE - 1e-9, 1], [NAN, 2], "coverage"),
    "no coverage": ([1, 2], [0, 1], [NAN, 2], "coverage"),
    "undefined": ([NAN, 2], [1, 1], [NAN, 2], "undefined"),
    "infinite": ([INF, 2], [1, 1], [NAN, 2], "infinite"),
    "lowest": ([-INF, 2], [1, 1], [-INF, 2], ""),
    "coverage before infinite": ([INF, 2], [1, 0], [NAN, NAN], "coverage"),
    "coverage before undefined": ([NAN, 2], [1, 0], [NAN, NAN], "coverage"),
    "infinite before undefined": ([INF, NAN], [1, 1], [NAN, NAN], "infinite"),
    "undefined on nothing is lowest": ([NAN, INF], [EMPTY, EMPTY], [-INF, -INF], ""),
}


@pytest.mark.parametrize(("values", "coverage", "expected", "reason"), CASES.values(), ids=CASES)
def test_scores_and_reasons(values, coverage, expected, reason):
    scores = scores_of(A, {A: (values, coverage)})
    np.testing.assert_array_equal(scores.values, expected)
    assert scores.reason == reason
    assert scores.coverage == min(share for share in (*coverage, 1) if share is not EMPTY)


@pytest.mark.parametrize(
    ("text", "expected", "reason"),
    [
        (f"-{A}", [NAN, -1], "infinite"),  # what was lowest cannot become highest
        (f"{A} - {A}", [NAN, 0], "undefined"),
        (f"exp({A})", [0, np.e], ""),
        (f"{A} * 0", [NAN, 0], "undefined"),
    ],
)
def test_arithmetic_on_a_singular_kernel(text, expected, reason):
    scores = scores_of(text, {A: ([-INF, 1], [1, 1])})
    np.testing.assert_allclose(scores.values, expected, rtol=1e-15)
    assert scores.reason == reason


def test_a_formula_without_features_is_constant():
    scores = scores_of("2 * 3", {})
    assert (scores.values.size, scores.reason) == (0, "constant")


def test_networks_that_could_not_be_measured_are_no_reason():
    scores = scores_of(
        f"{A} + params",
        {
            A: ([1, 2, NAN, 4, 5, 6], [1, 1, FAILED, 1, 1, 1]),
            "params": ([1] * 6, [1, 1, 1, 1, 1, 0.9]),
        },
    )
    np.testing.assert_array_equal(scores.values, [2, 3, NAN, 5, 6, 7])
    np.testing.assert_array_equal(scores.unmeasurable, [False, False, True, False, False, False])
    assert (scores.reason, scores.coverage) == ("", 0.9)
    few = scores_of(A, {A: ([1, 2, NAN], [1, 1, FAILED])})
    assert few.reason == "networks"  # a formula is not better for what it cannot be tried on


@pytest.mark.parametrize("reason", FEATURE_REASONS)
def test_a_formula_that_cannot_be_evaluated_says_why(reason):
    features = {A: feature([1, 2], [1, 1]), B: FeatureValues.failed(1, 2, reason)}
    scores = combine(parse(f"{A} + {B}"), features.__getitem__)
    assert np.isnan(scores.values).all()
    assert (scores.reason, scores.coverage) == (reason, 0)
