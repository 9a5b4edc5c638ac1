"""What every word promises, whatever it computes: one suite over the whole library.

A word takes tensors with the rows on the first axis and treats each row by itself; it never
mutates, never raises on values, and gives finite numbers for finite numbers unless its docstring
says otherwise. (Aggregations, which cross from layers to networks, have a suite of their own.)
"""

import copy
import itertools

import pytest
import torch

from eznas.primitives import CONSTANT, PRIMITIVES, ValueType
from eznas.primitives.types import AXES, FORMS

ROWS = 3
SHAPES = {  # of one row; each form has a shape that is square in its last two axes
    "maps": [(3, 4, 2, 2), (2, 3, 4, 3), (2, 5, 1, 1)],
    "weights": [(3, 4, 2, 2), (4, 3, 3, 1), (5, 7, 1, 1)],
    "samples": [(4, 4), (1, 1)],
    "matrix": [(3, 3), (3, 5)],
    "vector": [(7,), (1,)],
    "scalar": [()],
}
DIMENSIONS = {"maps": 5, "weights": 5, "samples": 3, "matrix": 3, "vector": 2, "scalar": 1}
DTYPES = (torch.float32, torch.float64)
EXEMPT = ("overflow", "-inf", "infinity", "NaN")  # a docstring that says so may leave the finite

PLAIN = [w for w in PRIMITIVES.values() if not w.aggregation]


def _forms(word):
    return sorted({f for s in word.signatures for f in s.arguments[0]}, key=FORMS.index)


CASES = [pytest.param(w, f, id=f"{w.name}-{f}") for w in PLAIN for f in _forms(w)]
each_case = pytest.mark.parametrize(("word", "form"), CASES)


def _settings(word, form):
    """Every shape of the form to which the word applies, in both precisions."""
    shapes = [(ROWS, *tail) for tail in SHAPES[form]]
    fitting = [s for s in shapes if word.applies(*[s] * word.arity)]
    assert fitting
    return list(itertools.product(fitting, DTYPES))


def _ordinary(word, shape, dtype):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(word.arity)]


def _extremes(dtype, finite):
    info = torch.finfo(dtype)
    large, small = (1e300, 1e-300) if dtype == torch.float64 else (1e38, 1e-38)
    positive = [0.0, 1.0, 0.1, info.tiny, info.tiny / 4, small, large, info.max]
    values = [sign * v for v in positive for sign in (1, -1)]
    return values if finite else [*values, torch.inf, -torch.inf, torch.nan]


def _fills(shape, dtype, finite):
    """Tensors of a shape: constant ones, the largest crossed with one another, all mixed."""
    values = _extremes(dtype, finite)
    generator = torch.Generator().manual_seed(0)
    for value in values:
        yield torch.full(shape, value, dtype=dtype)
    for pool in (*itertools.combinations(values[-4:], 2), values, values, values):
        chosen = torch.randint(len(pool), shape, generator=generator)
        yield torch.tensor(pool, dtype=dtype)[chosen]


def _calls(word, shape, dtype, finite):
    """Arguments for many calls: of two arguments, each fill beside itself and beside others."""
    fills = list(_fills(shape, dtype, finite))
    if word.arity == 1:
        return [(f,) for f in fills]
    pairs = [(x, fills[i - step]) for step in (0, 1, 2, 5) for i, x in enumerate(fills)]
    return [(x.clone(), y.clone()) for x, y in pairs]


def _assert_within_ulps(actual, expected, ulps=4):
    """Of each entry; of a matrix, whose entries are sums that cancel, of its largest."""
    near = ulps * torch.finfo(expected.dtype).eps
    largest = float(expected.abs().nan_to_num(0).max()) if expected.dim() == 3 else 0.0
    torch.testing.assert_close(actual, expected, rtol=near, atol=near * largest, equal_nan=True)


def _same_bits(x, y):
    """Equal in every bit: NaN is NaN, and -0.0 is not 0.0."""
    integers = torch.int32 if x.dtype == torch.float32 else torch.int64
    return torch.equal(x.view(integers), y.view(integers))


@each_case
def test_rows_are_independent(word, form):
    for shape, dtype in _settings(word, form):
        arguments = _ordinary(word, shape, dtype)
        apart = [word.function(*(a[i : i + 1] for a in arguments)) for i in range(ROWS)]
        _assert_within_ulps(word.function(*arguments), torch.cat(apart))


@each_case
def test_a_spoiled_row_stays_alone(word, form):
    """NaN in one layer must not reach the layers that are stacked beside it."""
    for shape, dtype in _settings(word, form):
        arguments = _ordinary(word, shape, dtype)
        clean = word.function(*arguments)
        for a in arguments:
            a[1] = torch.nan
        _assert_within_ulps(word.function(*arguments)[[0, 2]], clean[[0, 2]])


@each_case
def test_arguments_are_left_as_they_were(word, form):
    for shape, dtype in _settings(word, form):
        mixed = _calls(word, shape, dtype, finite=False)[-3:]
        for arguments in (_ordinary(word, shape, dtype), *mixed):
            before = copy.deepcopy(arguments)
            word.function(*arguments)
            assert all(_same_bits(a, b) for a, b in zip(arguments, before, strict=True))


@each_case
def test_never_raises_on_values(word, form):
    for shape, dtype in _settings(word, form):
        usual = word.function(*_ordinary(word, shape, dtype))
        for arguments in _calls(word, shape, dtype, finite=False):
            result = word.function(*arguments)
            assert (result.shape, result.dtype) == (usual.shape, usual.dtype)


@each_case
def test_finite_in_finite_out(word, form):
    if any(sign in word.function.__doc__ for sign in EXEMPT):
        pytest.skip("its docstring says that it may leave the finite numbers")
    for shape, dtype in _settings(word, form):
        for arguments in _calls(word, shape, dtype, finite=True):
            result = word.function(*arguments)
            assert result.isfinite().all(), f"{arguments} gave {result}"


@each_case
def test_ordinary_numbers_give_finite_numbers(word, form):
    """What a docstring excuses is extremes, not this."""
    for shape, dtype in _settings(word, form):
        if word.name == "correlation" and shape[-1] == 1:
            continue  # the one row of a 1 x 1 matrix is constant: NaN, as it says
        assert word.function(*_ordinary(word, shape, dtype)).isfinite().all()


@each_case
def test_dtype(word, form):
    """Condensed values are float64; what is as large as its argument keeps its own type."""
    elementwise_or_alike = all(s.result == "same" for s in word.signatures)
    for shape, dtype in _settings(word, form):
        result = word.function(*_ordinary(word, shape, dtype))
        assert result.dtype == (dtype if elementwise_or_alike else torch.float64)


@each_case
def test_the_resolved_kind_fits_the_result(word, form):
    for batch, axis in itertools.product(("raw", "sketch"), AXES):
        value_type = word.resolve([ValueType(form, axis, batch)] * word.arity)
        assert value_type.axis == axis
        assert value_type.batch == (batch if value_type.form in ("maps", "samples") else "")
    for shape, dtype in _settings(word, form):
        result = word.function(*_ordinary(word, shape, dtype))
        assert result.dim() == DIMENSIONS[value_type.form]
        assert len(result) == ROWS
        if all(s.result == "same" for s in word.signatures):
            assert value_type.form == form
            assert result.shape == torch.Size(shape)


@each_case
def test_needs_no_gradients(word, form):
    """The same where gradients are recorded (but for the rounding of a decomposition that then
    needs vectors), and what comes out can be cut off from what came in."""
    for shape, dtype in _settings(word, form):
        result = word.function(*_ordinary(word, shape, dtype))
        assert not result.requires_grad
        for off in (torch.no_grad, torch.inference_mode):
            with off():
                unrecorded = word.function(*_ordinary(word, shape, dtype))
            assert not unrecorded.requires_grad
            assert _same_bits(result, unrecorded)
        arguments = [a.requires_grad_() for a in _ordinary(word, shape, dtype)]
        recorded = word.function(*arguments)
        assert all(a.requires_grad and a.grad is None for a in arguments)
        torch.testing.assert_close(
            result, recorded.detach(), rtol=1e-12, atol=1e-12, equal_nan=True
        )
        with torch.no_grad():
            assert _same_bits(result, word.function(*arguments))
        assert _same_bits(result, word.function(*(a.detach() for a in arguments)))


@each_case
def test_memory_layout_does_not_matter(word, form):
    """Tensors arrive channels-last and transposed as well as contiguous."""
    for shape, _ in _settings(word, form)[::2]:
        arguments = _ordinary(word, shape, torch.float64)
        strided = [a.transpose(0, -1).contiguous().transpose(0, -1) for a in arguments]
        expected, result = word.function(*arguments), word.function(*strided)
        torch.testing.assert_close(result, expected, rtol=1e-12, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize(("word", "form"), [c for c in CASES if c.values[0].commutative])
def test_commutative_words_are(word, form):
    for shape, dtype in _settings(word, form):
        for x, y in _calls(word, shape, dtype, finite=False):
            there, back = word.function(x, y), word.function(y, x)
            torch.testing.assert_close(there, back, rtol=0.0, atol=0.0, equal_nan=True)


@pytest.mark.parametrize(
    "word", [w for w in PLAIN if w.arity == 2 and not w.commutative], ids=lambda w: w.name
)
def test_other_words_of_two_arguments_are_not(word):
    """One that is and does not say so would hide duplicates from the canonical text."""
    form = "vector" if "vector" in _forms(word) else _forms(word)[0]
    x, y = _ordinary(word, (ROWS, *SHAPES[form][0]), torch.float64)
    assert not torch.allclose(word.function(x, y), word.function(y, x))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("word", [w for w in PLAIN if w.elementwise], ids=lambda w: w.name)
def test_constants_among_the_arguments(word, dtype):
    """A constant has no axes and is float64; it takes the precision of what it meets."""
    x = torch.tensor([[1.5, -2.0, 0.0], [3.0, 0.5, -0.25]], dtype=dtype)
    for c, *places in itertools.product((-2.0, 0.0, 0.5), *[(True, False)] * word.arity):
        single = torch.tensor(c, dtype=torch.float64)
        value_types = [CONSTANT if p else ValueType("vector") for p in places]
        result = word.function(*(single if p else x for p in places))
        if all(places):
            assert word.resolve(value_types) == CONSTANT
            assert (result.shape, result.dtype) == ((), torch.float64)
        else:
            assert word.resolve(value_types) == ValueType("vector")
            _assert_within_ulps(
                result, word.function(*(torch.full_like(x, c) if p else x for p in places))
            )


@pytest.mark.parametrize("word", PRIMITIVES.values(), ids=lambda w: w.name)
def test_constants_stand_only_where_single_numbers_do(word):
    """Where shapes carry meaning, a number without axes has none."""
    numbers = all("scalar" in forms for s in word.signatures for forms in s.arguments)
    alike = all(s.result == "same" for s in word.signatures)
    expected = CONSTANT if numbers and alike and not word.aggregation else None
    assert word.resolve([CONSTANT] * word.arity) == expected
