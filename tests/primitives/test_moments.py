"""Moments of spectra against hand-computed values and against the spectra themselves."""

import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from eznas.primitives import MOMENTS, PRIMITIVES
from tests.primitives.cases import normal_arguments

MAX = torch.finfo(torch.float64).max
SPECTRA = ("eigenvalues", "singular_values")

# Eigenvalues 1 and 3; 0 and 5; 2 twice, exactly equal; none but zero; a single channel.
MATRICES = [
    [[2.0, 1.0], [1.0, 2.0]],
    [[1.0, 2.0], [2.0, 4.0]],
    [[2.0, 0.0], [0.0, 2.0]],
    [[0.0, 0.0], [0.0, 0.0]],
]
BY_HAND = {
    "sum": [4, 5, 4, 0],
    "sum_abs": [4, 5, 4, 0],
    "mean": [2, 2.5, 2, 0],
    "mean_abs": [2, 2.5, 2, 0],
    "std": [1, 2.5, 0, 0],
    "norm": [math.sqrt(10), 5, math.sqrt(8), 0],
    "participation": [1.6, 1, 2, 0],
}


@pytest.mark.parametrize("name", MOMENTS)
def test_values_by_hand(name):
    x = torch.tensor(MATRICES, dtype=torch.float64)
    assert MOMENTS[name](x).tolist() == pytest.approx(BY_HAND[name], rel=1e-15, abs=0)
    one_channel = {"std": 0.0, "participation": 1.0}.get(name, 3.0)
    assert MOMENTS[name](torch.tensor([[[3.0]]])).tolist() == [one_channel]


def of_spectrum(name, spectrum, x):
    return PRIMITIVES[name](PRIMITIVES[spectrum](x))


@pytest.mark.parametrize("spectrum", SPECTRA)
@pytest.mark.parametrize("name", MOMENTS)
@given(
    side=st.integers(1, 24),
    rank=st.integers(0, 30),
    exponent=st.integers(-140, 140),
    seed=st.integers(0, 2**32),
)
@example(side=1, rank=1, exponent=0, seed=0)
@example(side=24, rank=1, exponent=0, seed=0)
@example(side=24, rank=0, exponent=0, seed=0)
def test_they_are_the_reductions_of_the_spectrum(name, spectrum, side, rank, exponent, seed):
    generator = torch.Generator().manual_seed(seed)
    factor = torch.randn((2, side, rank), generator=generator, dtype=torch.float64)
    x = factor @ factor.mT * 10.0**exponent
    expected, values = of_spectrum(name, spectrum, x), MOMENTS[name](x)
    rounding = 1e-14 * x.abs().amax().item() if name == "std" else 0.0  # of equal eigenvalues
    torch.testing.assert_close(values, expected, rtol=1e-10, atol=rounding)


@pytest.mark.parametrize("name", MOMENTS)
def test_what_is_not_finite_has_no_moments(name):
    """As it has no spectrum, whatever entry it is that is not."""
    for value in (torch.inf, -torch.inf, torch.nan):
        for place in ((0, 0), (0, 1)):
            x = torch.eye(2, dtype=torch.float64).repeat(2, 1, 1)
            x[(0, *place)] = value
            values = MOMENTS[name](x)
            assert of_spectrum(name, "eigenvalues", x).isnan().tolist() == [True, False]
            assert values.isnan().tolist() == [True, False]


@pytest.mark.parametrize("scale", [1e-300, MAX / 2])
def test_numbers_near_the_ends_of_their_range(scale):
    x = scale * torch.tensor([MATRICES[2]], dtype=torch.float64) / 2
    assert MOMENTS["participation"](x).tolist() == [2]
    assert MOMENTS["mean"](x).tolist() == pytest.approx([scale])
    assert MOMENTS["std"](x).tolist() == [0]


SEMIDEFINITE = [p for p in PRIMITIVES.values() if p.semidefinite]


def is_semidefinite(x):
    """Whether matrices [rows, n, n] are, but for rounding."""
    x = x.nan_to_num()  # of `correlation`, whose rows of NaN have no spectrum
    largest = x.abs().amax((1, 2))
    return bool(
        ((x - x.mT).abs().amax((1, 2)) <= 1e-13 * largest).all()
        and (torch.linalg.eigvalsh(x).amin(1) >= -1e-13 * x.shape[-1] * largest).all()
    )


@pytest.mark.parametrize("primitive", SEMIDEFINITE, ids=lambda p: p.name)
def test_primitives_that_make_or_keep_semidefinite_matrices(primitive):
    assert primitive.semidefinite in ("made", "kept")
    for signature in primitive.signatures:
        for form in signature.arguments[0]:
            if primitive.semidefinite == "kept" and form not in ("samples", "matrix"):
                continue
            shape = {"maps": (3, 4, 6, 5, 5), "weights": (3, 4, 6, 3, 3)}.get(form, (3, 6, 6))
            [x] = normal_arguments(primitive, shape, torch.float64)
            if primitive.semidefinite == "kept":
                x = x @ x.mT
            x = x[None] if primitive.aggregation else x
            arguments = (x, torch.tensor([[True, False, True]])) if primitive.aggregation else (x,)
            assert is_semidefinite(primitive.function(*arguments))
