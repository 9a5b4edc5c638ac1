"""What every primitive promises, whatever it computes: one suite over the whole registry.

A primitive takes tensors with the rows on the first axis and treats each row by itself; it never
changes its arguments, never raises on values, and gives finite numbers for finite numbers unless
its docstring says otherwise. (Aggregations, which cross from layers to networks, have a suite of
their own.)
"""

import copy
import itertools

import pytest
import torch

from eznas.primitives import CONSTANT, PRIMITIVES, ValueType
from eznas.primitives.types import AXES
from tests.primitives.cases import (
    CASES,
    DIMENSIONS,
    DTYPES,
    PLAIN,
    ROWS,
    SHAPES,
    assert_within_ulps,
    each_case,
    extreme_arguments,
    forms_of,
    normal_arguments,
    same_bits,
    shapes_and_dtypes,
)

EXEMPT = ("overflow", "-inf", "infinity", "NaN")  # a docstring with one need not stay finite


@each_case
def test_rows_are_independent(primitive, form):
    for shape, dtype in shapes_and_dtypes(primitive, form):
        arguments = normal_arguments(primitive, shape, dtype)
        row_results = [primitive.function(*(a[i : i + 1] for a in arguments)) for i in range(ROWS)]
        assert_within_ulps(primitive.function(*arguments), torch.cat(row_results))


@each_case
def test_a_spoiled_row_stays_alone(primitive, form):
    """NaN in one layer must not reach the layers that are stacked beside it."""
    for shape, dtype in shapes_and_dtypes(primitive, form):
        arguments = normal_arguments(primitive, shape, dtype)
        clean = primitive.function(*arguments)
        for a in arguments:
            a[1] = torch.nan
        assert_within_ulps(primitive.function(*arguments)[[0, 2]], clean[[0, 2]])


@each_case
def test_arguments_are_left_as_they_were(primitive, form):
    for shape, dtype in shapes_and_dtypes(primitive, form):
        mixed = extreme_arguments(primitive, shape, dtype, finite=False)[-3:]
        for arguments in (normal_arguments(primitive, shape, dtype), *mixed):
            copies = copy.deepcopy(arguments)
            primitive.function(*arguments)
            assert all(same_bits(a, b) for a, b in zip(arguments, copies, strict=True))


@each_case
def test_never_raises_on_values(primitive, form):
    for shape, dtype in shapes_and_dtypes(primitive, form):
        expected = primitive.function(*normal_arguments(primitive, shape, dtype))
        for arguments in extreme_arguments(primitive, shape, dtype, finite=False):
            result = primitive.function(*arguments)
            assert (result.shape, result.dtype) == (expected.shape, expected.dtype)


@each_case
def test_finite_in_finite_out(primitive, form):
    if any(mark in primitive.function.__doc__ for mark in EXEMPT):
        pytest.skip("its docstring says that it may leave the finite numbers")
    for shape, dtype in shapes_and_dtypes(primitive, form):
        for arguments in extreme_arguments(primitive, shape, dtype, finite=True):
            result = primitive.function(*arguments)
            assert result.isfinite().all(), f"{arguments} gave {result}"


@each_case
def test_ordinary_numbers_give_finite_numbers(primitive, form):
    """Docstrings excuse infinite results for extreme numbers only."""
    for shape, dtype in shapes_and_dtypes(primitive, form):
        if primitive.name == "correlation" and shape[-1] == 1:
            continue  # the one row of a 1 x 1 matrix is constant: NaN, as it says
        assert primitive.function(*normal_arguments(primitive, shape, dtype)).isfinite().all()


@each_case
def test_dtype(primitive, form):
    """Condensed values are float64; a result of the form of its argument keeps the dtype."""
    keeps_form = all(s.result == "same" for s in primitive.signatures)
    for shape, dtype in shapes_and_dtypes(primitive, form):
        result = primitive.function(*normal_arguments(primitive, shape, dtype))
        assert result.dtype == (dtype if keeps_form else torch.float64)


@each_case
def test_the_resolved_type_fits_the_result(primitive, form):
    for batch, axis in itertools.product(("raw", "sketch"), AXES):
        result_type = primitive.resolve([ValueType(form, axis, batch)] * primitive.arity)
        assert result_type.axis == axis
        assert result_type.batch == (batch if result_type.form in ("maps", "samples") else "")
    for shape, dtype in shapes_and_dtypes(primitive, form):
        result = primitive.function(*normal_arguments(primitive, shape, dtype))
        assert result.dim() == DIMENSIONS[result_type.form]
        assert len(result) == ROWS
        if all(s.result == "same" for s in primitive.signatures):
            assert result_type.form == form
            assert result.shape == torch.Size(shape)


@each_case
def test_needs_no_gradients(primitive, form):
    """Results are the same whether gradients are recorded or not (but for the rounding of a
    decomposition, which needs vectors for them), and detached arguments give detached results."""
    for shape, dtype in shapes_and_dtypes(primitive, form):
        result = primitive.function(*normal_arguments(primitive, shape, dtype))
        assert not result.requires_grad
        for without_gradients in (torch.no_grad, torch.inference_mode):
            with without_gradients():
                unrecorded = primitive.function(*normal_arguments(primitive, shape, dtype))
            assert not unrecorded.requires_grad
            assert same_bits(result, unrecorded)
        arguments = [a.requires_grad_() for a in normal_arguments(primitive, shape, dtype)]
        recorded = primitive.function(*arguments)
        assert all(a.requires_grad and a.grad is None for a in arguments)
        torch.testing.assert_close(
            result, recorded.detach(), rtol=1e-12, atol=1e-12, equal_nan=True
        )
        with torch.no_grad():
            assert same_bits(result, primitive.function(*arguments))
        assert same_bits(result, primitive.function(*(a.detach() for a in arguments)))


@each_case
def test_memory_layout_does_not_matter(primitive, form):
    """Tensors arrive channels-last and transposed as well as contiguous."""
    for shape, _ in shapes_and_dtypes(primitive, form)[::2]:
        arguments = normal_arguments(primitive, shape, torch.float64)
        strided = [a.transpose(0, -1).contiguous().transpose(0, -1) for a in arguments]
        expected, result = primitive.function(*arguments), primitive.function(*strided)
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("primitive", "form"), [c for c in CASES if c.values[0].commutative])
def test_commutative_primitives_are(primitive, form):
    for shape, dtype in shapes_and_dtypes(primitive, form):
        for x, y in extreme_arguments(primitive, shape, dtype, finite=False):
            result, exchanged = primitive.function(x, y), primitive.function(y, x)
            torch.testing.assert_close(result, exchanged, rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize(
    "primitive", [p for p in PLAIN if p.arity == 2 and not p.commutative], ids=lambda p: p.name
)
def test_other_primitives_of_two_arguments_are_not(primitive):
    """Canonical text would miss duplicates of one that is commutative without saying so."""
    form = "vector" if "vector" in forms_of(primitive) else forms_of(primitive)[0]
    x, y = normal_arguments(primitive, (ROWS, *SHAPES[form][0]), torch.float64)
    assert not torch.allclose(primitive.function(x, y), primitive.function(y, x))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("primitive", [p for p in PLAIN if p.elementwise], ids=lambda p: p.name)
def test_constants_among_the_arguments(primitive, dtype):
    """A constant has no axes and is float64; it takes the dtype of the other argument."""
    x = torch.tensor([[1.5, -2.0, 0.0], [3.0, 0.5, -0.25]], dtype=dtype)
    for value, *constant_at in itertools.product(
        (-2.0, 0.0, 0.5), *[(True, False)] * primitive.arity
    ):
        constant = torch.tensor(value, dtype=torch.float64)
        types = [CONSTANT if c else ValueType("vector") for c in constant_at]
        result = primitive.function(*(constant if c else x for c in constant_at))
        if all(constant_at):
            assert primitive.resolve(types) == CONSTANT
            assert (result.shape, result.dtype) == ((), torch.float64)
        else:
            assert primitive.resolve(types) == ValueType("vector")
            tensors = (torch.full_like(x, value) if c else x for c in constant_at)
            assert_within_ulps(result, primitive.function(*tensors))


@pytest.mark.parametrize("primitive", PRIMITIVES.values(), ids=lambda p: p.name)
def test_constants_stand_only_where_single_numbers_do(primitive):
    """A primitive that needs axes cannot take a number without any."""
    takes_scalars = all("scalar" in forms for s in primitive.signatures for forms in s.arguments)
    keeps_form = all(s.result == "same" for s in primitive.signatures)
    expected = CONSTANT if takes_scalars and keeps_form and not primitive.aggregation else None
    assert primitive.resolve([CONSTANT] * primitive.arity) == expected
