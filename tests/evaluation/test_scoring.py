"""From measures to scores: finite, lowest or undefined, and why."""

import numpy as np
import pytest

from eznas.evaluation.scoring import LEAST_COVERAGE, combine
from eznas.evaluation.status import OF_FORMULAS, OF_NETWORKS
from eznas.formulas.parser import parse, parse_any

A, B = "sum_layers(norm(weight))", "mean_layers(norm(weight))"
INF, NAN = np.inf, np.nan


def _combined(text, measures):
    """The scores of a formula over measures {text: (values, coverage)}."""
    arrays = {k: tuple(np.array(x, dtype=float) for x in v) for k, v in measures.items()}
    kept = {k: tuple(x.copy() for x in v) for k, v in arrays.items()}
    scores = combine(parse_any(text), arrays.__getitem__)
    np.testing.assert_equal(arrays, kept)
    return scores


def test_arithmetic():
    one = {A: ([1, 2, 4], [1, 1, 1]), "params": ([10, 20, 5], [1, 1, 1])}
    scores = _combined(f"params / {A} - 2 * log({A})", one)
    expected = [10, 10 - 2 * np.log(2), 1.25 - 2 * np.log(4)]
    np.testing.assert_allclose(scores.values, expected, rtol=1e-15)
    assert (scores.reason, scores.coverage) == ("", 1)


def test_a_measure_alone():
    scores = _combined("params", {"params": ([3, 1], [1, 0.9])})
    np.testing.assert_array_equal(scores.values, [3, 1])
    assert (scores.reason, scores.coverage) == ("", 0.9)


def test_measures_are_looked_up_once_by_canonical_text():
    asked = []

    def lookup(text):
        asked.append(text)
        return np.array([2.0, 3.0]), np.ones(2)

    text = "sum_layers(norm(weight + 1)) * sum_layers(norm(1 + weight)) - params * params"
    scores = combine(parse(text), lookup)
    assert asked == ["sum_layers(norm(1.0 + weight))", "params"]
    np.testing.assert_array_equal(scores.values, [0, 0])


@pytest.mark.parametrize(
    "text",
    [A, f"-{A}", f"{A} * 0", f"zeros({A})", f"{A} + {B}", f"max({B}, 0 * {A})", f"exp(-{A})"],
)
def test_nothing_to_aggregate_is_lowest_whatever_the_arithmetic(text):
    scores = _combined(text, {A: ([5, 1], [NAN, 1]), B: ([0, 1], [1, 1])})
    assert scores.values[0] == -INF
    assert np.isfinite(scores.values[1])
    assert (scores.reason, scores.coverage) == ("", 1)


def test_nothing_to_aggregate_comes_before_thin_coverage():
    scores = _combined(f"{A} + {B}", {A: ([1, 1], [NAN, 1]), B: ([1, 1], [0.1, 1])})
    np.testing.assert_array_equal(scores.values, [-INF, 2])
    assert (scores.reason, scores.coverage) == ("", 0.1)


def test_no_network_with_anything():
    scores = _combined(A, {A: ([0, 0], [NAN, NAN])})
    np.testing.assert_array_equal(scores.values, [-INF, -INF])
    assert (scores.reason, scores.coverage) == ("", 1)


# measure values, coverage -> scores, reason
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
    "undefined on nothing is lowest": ([NAN, INF], [NAN, NAN], [-INF, -INF], ""),
}


@pytest.mark.parametrize(("values", "coverage", "expected", "reason"), CASES.values(), ids=CASES)
def test_scores_and_reasons(values, coverage, expected, reason):
    scores = _combined(A, {A: (values, coverage)})
    np.testing.assert_array_equal(scores.values, expected)
    assert scores.reason == reason
    seen = [c for c in coverage if not np.isnan(c)]
    assert scores.coverage == (min(seen) if seen else 1)


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
    scores = _combined(text, {A: ([-INF, 1], [1, 1])})
    np.testing.assert_allclose(scores.values, expected, rtol=1e-15)
    assert scores.reason == reason


def test_a_formula_without_measures_is_constant():
    scores = _combined("2 * 3", {})
    assert (scores.values.size, scores.reason) == (0, "constant")


def test_networks_that_could_not_be_measured_are_no_reason():
    out = OF_NETWORKS["forward"]
    scores = _combined(
        f"{A} + params",
        {
            A: ([1, 2, NAN, 4, 5, 6], [1, 1, out, 1, 1, 1]),
            "params": ([1] * 6, [1, 1, 1, 1, 1, 0.9]),
        },
    )
    np.testing.assert_array_equal(scores.values, [2, 3, NAN, 5, 6, 7])
    np.testing.assert_array_equal(scores.left_out, [False, False, True, False, False, False])
    assert (scores.reason, scores.coverage) == ("", 0.9)
    few = _combined(A, {A: ([1, 2, NAN], [1, 1, out])})
    assert few.reason == "networks"  # a formula is not better for what it cannot be tried on


@pytest.mark.parametrize("why", list(OF_FORMULAS))
def test_a_formula_that_cannot_be_evaluated_says_why(why):
    scores = _combined(f"{A} + {B}", {A: ([1, 2], [1, 1]), B: ([NAN, NAN], [OF_FORMULAS[why]] * 2)})
    assert np.isnan(scores.values).all()
    assert (scores.reason, scores.coverage) == (why, 0)
