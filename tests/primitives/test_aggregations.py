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
MASK = torch.tensor(  # whole, with gaps, one row alone, and one row at the very end
    [
        [True, True, True, True, True],
        [False, True, False, True, True],
        [True, False, False, False, False],
        [False, False, False, False, True],
    ]
)

CASES = [
    pytest.param(w, form, id=f"{w.name}-{form}")
    for w in PRIMITIVES.values()
    if w.aggregation
    for form in sorted({f for s in w.signatures for f in s.arguments[0]})
]
each_case = pytest.mark.parametrize(("word", "form"), CASES)


def _values(word, form, dtype=torch.float64):
    generator = torch.Generator().manual_seed(2)
    shape = (NETWORKS, LAYERS, *TAILS[form])
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(word.arity)]


def _drawn(word, form, pool):
    """Values drawn from a pool, a few times over."""
    generator = torch.Generator().manual_seed(3)
    shape = (NETWORKS, LAYERS, *TAILS[form])
    for _ in range(20):
        index = [torch.randint(len(pool), shape, generator=generator) for _ in range(word.arity)]
        yield [torch.tensor(pool, dtype=torch.float64)[i] for i in index]


def _assert_within_ulps(actual, expected, ulps=4):
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(actual, expected, rtol=ulps * eps, atol=0.0, equal_nan=True)


@each_case
def test_networks_are_independent(word, form):
    values = _values(word, form)
    together = word.function(*values, MASK)
    one = [slice(i, i + 1) for i in range(NETWORKS)]
    apart = [word.function(*(v[i] for v in values), MASK[i]) for i in one]
    _assert_within_ulps(together, torch.cat(apart))


@each_case
def test_padding_changes_nothing(word, form):
    """A network has as many places as the deepest of its shard, and so more beside another."""
    values = _values(word, form)
    wider = [torch.cat([v, v.new_full((NETWORKS, 2, *TAILS[form]), 7.0)], 1) for v in values]
    mask = torch.cat([MASK, torch.zeros(NETWORKS, 2, dtype=torch.bool)], 1)
    _assert_within_ulps(word.function(*wider, mask), word.function(*values, MASK))


@each_case
@pytest.mark.parametrize("spoiled", [torch.nan, torch.inf, -torch.inf, 1e308])
def test_masked_out_rows_never_leak(word, form, spoiled):
    values = _values(word, form)
    mask = torch.cat([MASK, torch.zeros(1, LAYERS, dtype=torch.bool)])  # and one without any row
    values = [torch.cat([v, v[:1]]) for v in values]
    clean = word.function(*values, mask)
    for v in values:
        v[~mask] = spoiled
    result = word.function(*values, mask)
    torch.testing.assert_close(result, clean, rtol=0.0, atol=0.0)


@each_case
def test_the_mask_alone_says_what_counts(word, form):
    """Which rows are live is for the caller to say, also for the words that count them all."""
    values = _values(word, form)
    sparse = word.function(*values, MASK)
    whole = word.function(*values, torch.ones_like(MASK))
    assert torch.equal(sparse[0], whole[0])
    assert not torch.equal(sparse, whole)


@each_case
def test_a_single_row(word, form):
    """Over one row, an aggregation is the value itself, or 0 where it speaks of differences."""
    values = _values(word, form)
    result = word.function(*values, MASK)
    differences = word.name in ("std_layers", "slope_layers", "step_layers")
    for network, place in ((2, 0), (3, 4)):
        value = values[0][network, place]
        expected = torch.zeros_like(value) if differences else value
        _assert_within_ulps(result[network], expected)


@each_case
def test_a_network_with_one_layer(word, form):
    values = [v[:, :1] for v in _values(word, form)]
    result = word.function(*values, torch.ones(NETWORKS, 1, dtype=torch.bool))
    assert result.shape == (NETWORKS, *TAILS[form])
    assert result.isfinite().all()


@each_case
def test_arguments_are_left_as_they_were(word, form):
    for values in (_values(word, form), *_drawn(word, form, INFINITE)):
        mask = MASK.clone()
        before = copy.deepcopy([*values, mask])
        word.function(*values, mask)
        for now, then in zip([*values, mask], before, strict=True):
            torch.testing.assert_close(now, then, rtol=0.0, atol=0.0, equal_nan=True)


@each_case
def test_never_raises_on_values(word, form):
    for values in _drawn(word, form, INFINITE):
        result = word.function(*values, MASK)
        assert (result.shape, result.dtype) == ((NETWORKS, *TAILS[form]), torch.float64)


@each_case
def test_finite_in_finite_out(word, form):
    if any(sign in word.function.__doc__ for sign in EXEMPT):
        pytest.skip("its docstring says that it may leave the finite numbers")
    for values in _drawn(word, form, EXTREMES):
        assert word.function(*values, MASK).isfinite().all()


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float64_of_either_precision(word, form, dtype):
    """Computed in float64, not only turned into it at the end."""
    values = _values(word, form, dtype)
    with torch.inference_mode():
        result = word.function(*values, MASK)
    assert result.dtype == torch.float64
    assert not result.requires_grad
    _assert_within_ulps(result, word.function(*(v.double() for v in values), MASK))


@each_case
def test_resolves_to_networks(word, form):
    for axis in AXES[:-1]:
        value_type = word.resolve([ValueType(form, axis, "")] * word.arity)
        assert (value_type.form, value_type.axis) == (form, "networks")
    assert word.resolve([ValueType(form, "networks")] * word.arity) is None


@each_case
def test_over_no_rows(word, form):
    """Where the value over nothing is declared, the function agrees with the declaration."""
    result = word.function(*_values(word, form), torch.zeros_like(MASK))
    assert result.shape == (NETWORKS, *TAILS[form])
    if word.empty is not None:
        assert (result == word.empty).all()
