"""What each primitive computes: hand-computed rows, at least one for every primitive.

A row is (primitive, arguments, result); the last argument of an aggregation is its mask. A new
primitive needs a row here.
"""

import math

import pytest
import torch

from eznas.primitives import PRIMITIVES

INF, NAN = math.inf, math.nan
MAX = torch.finfo(torch.float64).max
TINY = torch.finfo(torch.float64).tiny
LN2, LN3, E, R3 = math.log(2), math.log(3), math.e, 3**-0.5

# One layer, two samples, two channels, one by two positions.
MAPS = [[[[[1.0, 2.0]], [[0.0, -1.0]]], [[[3.0, -2.0]], [[-1.0, -1.0]]]]]
OTHER_MAPS = [[[[[2.0, -1.0]], [[5.0, 3.0]]], [[[1.0, 1.0]], [[0.0, 4.0]]]]]
THREE_CHANNELS = [
    [[[[0.0, 2.0]], [[0.0, 2.0]], [[5.0, 5.0]]], [[[0.0, 2.0]], [[2.0, 2.0]], [[5.0, 5.0]]]]
]
WEIGHTS = [[[[[1.0, 3.0]]], [[[2.0, -2.0]]]]]  # two filters of one by two
A = [[1.0, 2.0], [3.0, 4.0]]

VALUES = [
    ("add", [[[1.0, -2.0]], [[3.0, 0.5]]], [[4.0, -1.5]]),
    ("sub", [[[1.0, -2.0]], [[3.0, 0.5]]], [[-2.0, -2.5]]),
    ("mul", [[[1.0, -2.0, INF]], [[3.0, 0.5, 0.0]]], [[3.0, -1.0, NAN]]),
    ("div", [[[1.0, -2.0, 5.0, 0.0]], [[4.0, 0.5, 0.0, 0.0]]], [[0.25, -4.0, 0.0, 0.0]]),
    ("div", [[[INF, 1.0, NAN]], [[0.0, INF, 0.0]]], [[0.0, 0.0, 0.0]]),
    ("min", [[[1.0, -2.0, NAN]], [[3.0, -5.0, 0.0]]], [[1.0, -5.0, NAN]]),
    ("max", [[[1.0, -2.0, NAN]], [[3.0, -5.0, 0.0]]], [[3.0, -2.0, NAN]]),
    ("less", [[[1.0, 2.0, 3.0, NAN]], [[2.0, 2.0, 2.0, 2.0]]], [[1.0, 0.0, 0.0, 0.0]]),
    ("greater", [[[1.0, 2.0, 3.0, NAN]], [[2.0, 2.0, 2.0, 2.0]]], [[0.0, 0.0, 1.0, 0.0]]),
    ("equal", [[[1.0, 2.0, INF, NAN]], [[2.0, 2.0, INF, NAN]]], [[0.0, 1.0, 1.0, 0.0]]),
    ("neg", [[[1.0, -2.0]]], [[-1.0, 2.0]]),
    ("abs", [[[1.0, -2.0, -INF]]], [[1.0, 2.0, INF]]),
    ("log", [[[E, -1.0, 0.5, 0.0]]], [[1.0, 0.0, -LN2, math.log(TINY)]]),
    ("abs_log", [[[E, -1.0, 0.5, 0.0]]], [[1.0, 0.0, LN2, -math.log(TINY)]]),
    ("log1p", [[[E - 1, 1 - E, 0.0, 1.0]]], [[1.0, -1.0, 0.0, LN2]]),
    ("exp", [[[0.0, 1.0, 1000.0, -INF]]], [[1.0, E, MAX, 0.0]]),
    ("square", [[[3.0, -2.0, 1e200]]], [[9.0, 4.0, INF]]),
    ("sqrt", [[[9.0, -4.0, 0.0]]], [[3.0, -2.0, 0.0]]),
    ("reciprocal", [[[4.0, -0.5, 0.0, INF]]], [[0.25, -2.0, 0.0, 0.0]]),
    ("relu", [[[3.0, -2.0, 0.0]]], [[3.0, 0.0, 0.0]]),
    ("sign", [[[3.0, -2.0, 0.0]]], [[1.0, -1.0, 0.0]]),
    ("heaviside", [[[3.0, -2.0, 0.0, NAN]]], [[1.0, 0.0, 0.5, NAN]]),
    ("sigmoid", [[[0.0, LN3, -LN3, -INF]]], [[0.5, 0.75, 0.25, 0.0]]),
    ("positive", [[[3.0, -2.0, 0.0]]], [[1.0, 0.0, 0.0]]),
    ("negative", [[[3.0, -2.0, 0.0]]], [[0.0, 1.0, 0.0]]),
    ("ones", [[[3.0, NAN]]], [[1.0, 1.0]]),
    ("zeros", [[[3.0, NAN]]], [[0.0, 0.0]]),
    ("sum", [MAPS], [1.0]),
    ("mean", [MAPS], [0.125]),
    ("mean_abs", [MAPS], [11 / 8]),
    ("sum_abs", [MAPS], [11.0]),
    ("sum_abs", [[[0.0, -0.0], [1e308, -1e308]]], [0.0, INF]),
    ("std", [[[1.0, 3.0], [5.0, 5.0], [MAX, -MAX]]], [1.0, 0.0, MAX]),
    ("std", [[[0.1] * 7]], [0.0]),  # to the bit: a rounded mean would leave 1e-17
    ("norm", [[[3.0, -4.0], [3e200, 4e200], [1.0, -INF]]], [5.0, 5e200, INF]),
    ("norm", [[[0.0, 0.0]]], [0.0]),
    ("largest", [[[1.0, -5.0, 3.0]]], [3.0]),
    ("smallest", [[[1.0, -5.0, 3.0]]], [-5.0]),
    ("numel", [MAPS], [8.0]),
    ("entropy", [[[1.0, -1.0, 0.0], [1.0, 2.0, -1.0]]], [LN2, 1.5 * LN2]),
    ("entropy", [[[0.0, -0.0], [MAX, MAX], [5e-324, 5e-324]]], [0.0, LN2, LN2]),
    ("participation", [[[1.0, -1.0, 0.0], [3.0, 1.0, 0.0]]], [2.0, 1.6]),
    ("participation", [[[0.0, -0.0], [MAX, MAX], [5e-324, 5e-324]]], [0.0, 2.0, 2.0]),
    ("pixel_mean", [MAPS], [[[1.5, -0.5], [0.5, -1.0]]]),
    # 1 * 2 + 2 * -1 and so on, by sample and channel
    ("saliency", [MAPS, OTHER_MAPS], [[[0.0, -3.0], [1.0, -4.0]]]),
    # of the channels (1, 2, 3, -2) and (0, -1, -1, -1), as in `covariance`
    ("channel_variance", [MAPS], [[3.5, 0.1875]]),
    ("channel_variance", [[[[[[7.0]], [[7.0]]]]]], [[0.0, 0.0]]),
    ("hamming", [[[1.0, -2.0, 0.0, 3.0]], [[5.0, 2.0, 1.0, 1.0]]], [0.5]),
    ("cosine", [[[3.0, 4.0], [0.0, 0.0]], [[4.0, 3.0], [1.0, 1.0]]], [0.96, 0.0]),
    ("cosine", [[[1e-300, 0.0], [1e300, 0.0]], [[2.0, 0.0], [-2.0, 0.0]]], [1.0, -1.0]),
    ("kl", [[[0.0, LN3]], [[0.0, 0.0]]], [0.75 * math.log(1.5) + 0.25 * math.log(0.5)]),
    ("kl", [[[0.0, -MAX], [0.0, 0.0]], [[0.0, -MAX], [0.0, -MAX]]], [0.0, MAX / 2]),
    ("softmax", [[[0.0, LN3]]], [[0.25, 0.75]]),
    ("softmax", [[[[0.0, LN3], [1.0, 1.0]]]], [[[0.25, 0.75], [0.5, 0.5]]]),
    ("normalise", [[[1.0, 3.0, 1.0, 3.0]]], [[-1.0, 1.0, -1.0, 1.0]]),
    ("normalise", [[[[1.0, 1.0], [3.0, 3.0]]]], [[[-1.0, -1.0], [1.0, 1.0]]]),
    ("normalise", [[[0.1] * 7, [MAX] * 7]], [[0.0] * 7, [0.0] * 7]),
    # samples as rows: (1, 2, 0, -1) and (3, -2, -1, -1)
    ("gram", [MAPS], [[[6.0, 0.0], [0.0, 15.0]]]),
    # positive: (yes, yes, no, no) and (yes, no, no, no)
    ("agreement", [MAPS], [[[4.0, 3.0], [3.0, 4.0]]]),
    # channels: (1, 2, 3, -2) of mean 1 and (0, -1, -1, -1) of mean -3/4
    ("covariance", [MAPS], [[[3.5, 0.0], [0.0, 0.1875]]]),
    ("covariance", [WEIGHTS], [[[3.5]]]),  # of the one input channel: (1, 3, 2, -2)
    # channels over samples and positions: (0, 2, 0, 2), (0, 2, 2, 2) and a constant one
    ("channel_correlation", [THREE_CHANNELS], [[[1.0, R3, 0.0], [R3, 1.0, 0.0], [0.0, 0.0, 0.0]]]),
    ("channel_correlation", [WEIGHTS], [[[1.0]]]),  # of the one input channel
    ("channel_correlation", [[[[[[1.0, 2.0]], [[5.0, 4.0]]]]]], [[[1.0, -1.0], [-1.0, 1.0]]]),
    ("channel_correlation", [[[[[[1e-300, MAX]], [[0.1, 0.1]]]]]], [[[1.0, 0.0], [0.0, 0.0]]]),
    ("correlation", [[[[1.0, 2.0, 3.0], [6.0, 4.0, 2.0]]]], [[[1.0, -1.0], [-1.0, 1.0]]]),
    ("correlation", [[[[1.0, 2.0, 3.0], [0.1] * 3]]], [[[1.0, NAN], [NAN, NAN]]]),
    ("unit_diagonal", [[[[4.0, 2.0], [-3.0, 9.0]]]], [[[1.0, 1 / 3], [-0.5, 1.0]]]),
    ("unit_diagonal", [[[[1.0, 5.0], [-5.0, 1.0]]]], [[[1.0, 1.0], [-1.0, 1.0]]]),  # capped
    ("unit_diagonal", [[[[0.0, 5.0], [5.0, 4.0]]]], [[[0.0, 0.0], [0.0, 1.0]]]),
    ("unit_diagonal", [[[[-1.0, 5.0], [5.0, 4.0]]]], [[[0.0, 0.0], [0.0, 1.0]]]),
    ("unit_diagonal", [[[[TINY / 2, 1.0], [1.0, TINY]]]], [[[0.0, 0.0], [0.0, 1.0]]]),
    ("unit_diagonal", [[[[1e300, 1e-300], [1e300, 1e300]]]], [[[1.0, 0.0], [1.0, 1.0]]]),
    ("transpose", [[A]], [[[1.0, 3.0], [2.0, 4.0]]]),
    ("matmul", [[A], [[[0.0, 1.0], [1.0, 0.0]]]], [[[2.0, 1.0], [4.0, 3.0]]]),
    ("trace", [[A]], [5.0]),
    ("eigenvalues", [[[[2.0, 1.0], [1.0, 2.0]], [[0.0, 4.0], [0.0, 0.0]]]], [[1, 3], [-2, 2]]),
    ("eigenvalues", [[[[MAX, 0.0], [0.0, NAN]], [[MAX, 0.0], [0.0, 0.0]]]], [[NAN, NAN], [0, MAX]]),
    ("singular_values", [[[[0.0, -3.0], [2.0, 0.0]]]], [[3.0, 2.0]]),
    ("singular_values", [[[[3.0, 4.0, 0.0]]]], [[5.0]]),
    ("singular_values", [WEIGHTS], [[(9 + 17**0.5) ** 0.5, (9 - 17**0.5) ** 0.5]]),
    ("logdet", [[A, [[1.0, 2.0], [2.0, 4.0]]]], [LN2, -INF]),
    ("det", [[A, [[1.0, 2.0], [2.0, 4.0]]]], [-2.0, 0.0]),
    ("condition", [[[4.0, -8.0], [0.0, 1.0]]], [2.0, 0.0]),
    ("top_share", [[[1.0, -3.0], [0.0, 0.0], [MAX, MAX]]], [0.75, 0.0, 0.5]),
    ("sum_layers", [[[1.0, 2.0, 4.0], [1.0, 2.0, 4.0]], [[1, 1, 1], [1, 0, 1]]], [7.0, 5.0]),
    ("sum_layers", [[[A, A]], [[1, 1]]], [[[2.0, 4.0], [6.0, 8.0]]]),
    ("sum_all_layers", [[[1.0, 2.0, 4.0]], [[1, 0, 1]]], [5.0]),
    ("mean_layers", [[[1.0, 2.0, 4.0]], [[1, 0, 1]]], [2.5]),
    ("mean_all_layers", [[[1.0, 2.0, 4.0]], [[1, 0, 1]]], [2.5]),
    ("weighted_mean_layers", [[[1.0, 9.0, 4.0]], [[1.0, 5.0, -2.0]], [[1, 0, 1]]], [3.0]),
    ("weighted_mean_layers", [[[1.0, 4.0]], [[0.0, 0.0]], [[1, 1]]], [0.0]),
    ("std_layers", [[[1.0, 9.0, 4.0], [0.1, 0.1, 0.1]], [[1, 0, 1], [1, 1, 1]]], [1.5, 0.0]),
    ("min_layers", [[[4.0, -9.0, 1.0]], [[1, 0, 1]]], [1.0]),
    ("max_layers", [[[4.0, 9.0, 1.0]], [[1, 0, 1]]], [4.0]),
    ("first_layer", [[[4.0, 9.0, 1.0]], [[0, 1, 1]]], [9.0]),
    ("last_layer", [[[4.0, 9.0, 1.0]], [[1, 1, 0]]], [9.0]),
    # ranks 1, 2, 3 with 1, 3, 8 at them, whatever lies between
    ("slope_layers", [[[1.0, 99.0, 3.0, 8.0]], [[1, 0, 1, 1]]], [3.5]),
    # steps +2 and -1 between the live layers
    ("step_layers", [[[1.0, -99.0, 3.0, 2.0]], [[1, 0, 1, 1]]], [-1.0]),
    ("step_layers", [[[1.0, 3.0, 9.0]], [[1, 1, 1]]], [2.0]),
]


def test_every_primitive_has_a_row():
    assert {name for name, _, _ in VALUES} == set(PRIMITIVES)


@pytest.mark.parametrize(("name", "arguments", "expected"), VALUES, ids=[v[0] for v in VALUES])
def test_value(name, arguments, expected):
    primitive = PRIMITIVES[name]
    tensors = [torch.tensor(a, dtype=torch.float64) for a in arguments]
    if primitive.aggregation:
        tensors[-1] = tensors[-1].bool()
    result = primitive.function(*tensors)
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(result.double(), expected, rtol=1e-14, atol=1e-15, equal_nan=True)
    assert torch.equal(result == 0, expected == 0)  # 0 is exact: formulas divide by it


def test_unit_diagonal_knows_the_normal_numbers_of_each_dtype():
    """1e-39 is a normal number in float64, but not in float32."""
    x = torch.tensor([[[1e-39, 1e-39], [1e-39, 1.0]]], dtype=torch.float64)
    unit_diagonal = PRIMITIVES["unit_diagonal"].function
    torch.testing.assert_close(unit_diagonal(x)[0, :, 0].tolist(), [1.0, 10**-19.5])
    assert unit_diagonal(x.float()).tolist() == [[[0.0, 0.0], [0.0, 1.0]]]


def test_spectra_of_zeros_are_0():
    """Zeros are no distribution, and in particular not an even one."""
    for n in (1, 2, 7):
        for name in ("entropy", "participation", "top_share"):
            of_zeros = PRIMITIVES[name].function(torch.zeros(2, n))
            assert of_zeros.tolist() == [0.0, 0.0]
            of_equal = PRIMITIVES[name].function(torch.full((1, n), -0.3))
            expected = {"entropy": math.log(n), "participation": n, "top_share": 1 / n}[name]
            assert of_equal.item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["log", "abs_log", "exp"])
def test_extremes_of_float32_stay_finite_in_float32(name):
    x = torch.tensor([[0.0, 3e38]], dtype=torch.float32)
    assert PRIMITIVES[name].function(x).isfinite().all()
    if name == "log":
        assert PRIMITIVES[name].function(x)[0, 0] == pytest.approx(-87.3365, abs=1e-3)


def test_agreement_counts_units_exactly():
    """Half precision would round counts above 2048."""
    x = torch.ones(1, 1, 1, 1, 4099, dtype=torch.float16)
    assert PRIMITIVES["agreement"].function(x).item() == 4099
