"""What every aggregation promises: `[networks, layers, ...]` and a mask to `[networks, ...]`."""

import copy

import pytest
import torch

from eznas.primitives import PRIMITIVES, ValueType
from eznas.primitives.types import AXES

NETWORKS, LAYERS = 4, 5
TAILS = {"scalar": (), "samples": (3, 3)}
EXTREMES = [0.0, -0.0, 1e300, -1e300, 1e-300, torch.finfo(torch.float64).max, 5e-324]
INFINITE = [*EXTREMES, torch.inf, -torch.inf, torch.nan]
EXEMPT = ("overflow", "-inf", "infinity", "NaN")
MASK = torch.tensor(  # all rows, with gaps, the first row alone, and the last row alone
    [
        [True, True, True, True, True],
        [False, True, False, True, True],
        [True, False, False, False, False],
        [False, False, False, False, True],
    ]
)

CASES = [
    pytest.param(p, form, id=f"{p.name}-{form}")
    for p in PRIMITIVES.values()
    if p.aggregation
    for form in sorted({f for s in p.signatures for f in s.arguments[0]})
]
each_case = pytest.mark.parametrize(("primitive", "form"), CASES)


def _values(primitive, form, dtype=torch.float64):
    """Standard normal numbers for each argument, always the same ones."""
    generator = torch.Generator().manual_seed(2)
    shape = (NETWORKS, LAYERS, *TAILS[form])
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(primitive.arity)]


def _drawn(primitive, form, pool):
    """20 times, arguments with values drawn from a pool."""
    generator = torch.Generator().manual_seed(3)
    shape = (NETWORKS, LAYERS, *TAILS[form])
    for _ in range(20):
        indices = [
            torch.randint(len(pool), shape, generator=generator) for _ in range(primitive.arity)
        ]
        yield [torch.tensor(pool, dtype=torch.float64)[index] for index in indices]


def _assert_within_ulps(actual, expected, ulps=4):
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(actual, expected, rtol=ulps * eps, atol=0.0, equal_nan=True)


@each_case
def test_networks_are_independent(primitive, form):
    values = _values(primitive, form)
    stacked = primitive.function(*values, MASK)
    slices = [slice(i, i + 1) for i in range(NETWORKS)]
    separate = [primitive.function(*(v[i] for v in values), MASK[i]) for i in slices]
    _assert_within_ulps(stacked, torch.cat(separate))


@each_case
def test_padding_changes_nothing(primitive, form):
    """Networks are padded to the deepest of their shard, so padding depends on the others."""
    values = _values(primitive, form)
    wider = [torch.cat([v, v.new_full((NETWORKS, 2, *TAILS[form]), 7.0)], 1) for v in values]
    mask = torch.cat([MASK, torch.zeros(NETWORKS, 2, dtype=torch.bool)], 1)
    _assert_within_ulps(primitive.function(*wider, mask), primitive.function(*values, MASK))


@each_case
@pytest.mark.parametrize("hidden", [torch.nan, torch.inf, -torch.inf, 1e308])
def test_masked_out_rows_never_leak(primitive, form, hidden):
    values = _values(primitive, form)
    mask = torch.cat([MASK, torch.zeros(1, LAYERS, dtype=torch.bool)])  # and no row
    values = [torch.cat([v, v[:1]]) for v in values]
    expected = primitive.function(*values, mask)
    for v in values:
        v[~mask] = hidden
    result = primitive.function(*values, mask)
    torch.testing.assert_close(result, expected, rtol=0.0, atol=0.0)


@each_case
def test_the_mask_alone_says_what_counts(primitive, form):
    """The caller decides which rows are live, also for the primitives that count all rows."""
    values = _values(primitive, form)
    masked = primitive.function(*values, MASK)
    over_all_rows = primitive.function(*values, torch.ones_like(MASK))
    assert torch.equal(masked[0], over_all_rows[0])
    assert not torch.equal(masked, over_all_rows)


@each_case
def test_a_single_row(primitive, form):
    """Over one row, an aggregation is the value itself, or 0 if it measures differences."""
    values = _values(primitive, form)
    result = primitive.function(*values, MASK)
    of_differences = primitive.name in ("std_layers", "slope_layers", "step_layers")
    for network, row in ((2, 0), (3, 4)):
        value = values[0][network, row]
        expected = torch.zeros_like(value) if of_differences else value
        _assert_within_ulps(result[network], expected)


@each_case
def test_a_network_with_one_layer(primitive, form):
    values = [v[:, :1] for v in _values(primitive, form)]
    result = primitive.function(*values, torch.ones(NETWORKS, 1, dtype=torch.bool))
    assert result.shape == (NETWORKS, *TAILS[form])
    assert result.isfinite().all()


@each_case
def test_arguments_are_left_as_they_were(primitive, form):
    for values in (_values(primitive, form), *_drawn(primitive, form, INFINITE)):
        mask = MASK.clone()
        copies = copy.deepcopy([*values, mask])
        primitive.function(*values, mask)
        for argument, unchanged in zip([*values, mask], copies, strict=True):
            torch.testing.assert_close(argument, unchanged, rtol=0.0, atol=0.0, equal_nan=True)


@each_case
def test_never_raises_on_values(primitive, form):
    for values in _drawn(primitive, form, INFINITE):
        result = primitive.function(*values, MASK)
        assert (result.shape, result.dtype) == ((NETWORKS, *TAILS[form]), torch.float64)


@each_case
def test_finite_in_finite_out(primitive, form):
    if any(mark in primitive.function.__doc__ for mark in EXEMPT):
        pytest.skip("its docstring says that it may leave the finite numbers")
    for values in _drawn(primitive, form, EXTREMES):
        assert primitive.function(*values, MASK).isfinite().all()


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float64_of_either_precision(primitive, form, dtype):
    """Computed in float64, not only converted to it at the end."""
    values = _values(primitive, form, dtype)
    with torch.inference_mode():
        result = primitive.function(*values, MASK)
    assert result.dtype == torch.float64
    assert not result.requires_grad
    _assert_within_ulps(result, primitive.function(*(v.double() for v in values), MASK))


@each_case
def test_resolves_to_networks(primitive, form):
    for axis in AXES[:-1]:
        result_type = primitive.resolve([ValueType(form, axis, "")] * primitive.arity)
        assert (result_type.form, result_type.axis) == (form, "networks")
    assert primitive.resolve([ValueType(form, "networks")] * primitive.arity) is None


@each_case
def test_over_no_rows(primitive, form):
    """The function agrees with `empty`, where the primitive declares it."""
    result = primitive.function(*_values(primitive, form), torch.zeros_like(MASK))
    assert result.shape == (NETWORKS, *TAILS[form])
    if primitive.empty is not None:
        assert (result == primitive.empty).all()
