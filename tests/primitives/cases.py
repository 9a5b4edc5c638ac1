"""Every primitive that is no aggregation with every form it takes, and arguments for it; moments,
which plans take in the place of two primitives, among them."""

import itertools

import pytest
import torch

from eznas.primitives import MOMENTS, PRIMITIVES
from eznas.primitives.types import FORMS

ROWS = 3
SHAPES = {  # of one row; of each form one shape is square in its last two axes
    "maps": [(3, 4, 2, 2), (2, 3, 4, 3), (2, 5, 1, 1)],
    "weights": [(3, 4, 2, 2), (4, 3, 3, 1), (5, 7, 1, 1)],
    "samples": [(4, 4), (1, 1)],
    "matrix": [(3, 3), (3, 5)],
    "vector": [(7,), (1,)],
    "scalar": [()],
}
DIMENSIONS = {"maps": 5, "weights": 5, "samples": 3, "matrix": 3, "vector": 2, "scalar": 1}
DTYPES = (torch.float32, torch.float64)

PLAIN = [p for p in PRIMITIVES.values() if not p.aggregation]


def forms_of(primitive):
    """The forms that its first argument may have."""
    return sorted({f for s in primitive.signatures for f in s.arguments[0]}, key=FORMS.index)


CASES = [pytest.param(p, f, id=f"{p.name}-{f}") for p in PLAIN for f in forms_of(p)]
CASES += [
    pytest.param(p, f, id=f"moments-{p.name}-{f}") for p in MOMENTS.values() for f in forms_of(p)
]
each_case = pytest.mark.parametrize(("primitive", "form"), CASES)


def shapes_and_dtypes(primitive, form):
    """Every shape of a form to which the primitive applies, in both precisions."""
    shapes = [(ROWS, *tail) for tail in SHAPES[form]]
    fitting = [s for s in shapes if primitive.applies(*[s] * primitive.arity)]
    assert fitting, "no example shape of this form fits"
    return list(itertools.product(fitting, DTYPES))


def normal_arguments(primitive, shape, dtype):
    """Standard normal numbers, always the same ones."""
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(primitive.arity)]


def _extremes(dtype, finite):
    info = torch.finfo(dtype)
    large, small = (1e300, 1e-300) if dtype == torch.float64 else (1e38, 1e-38)
    positive = [0.0, 1.0, 0.1, info.tiny, info.tiny / 4, small, large, info.max]
    values = [sign * v for v in positive for sign in (1, -1)]
    return values if finite else [*values, torch.inf, -torch.inf, torch.nan]


def _fills(shape, dtype, finite):
    """Tensors of a shape: constant ones, mixtures of two of the largest, mixtures of all."""
    values = _extremes(dtype, finite)
    generator = torch.Generator().manual_seed(0)
    for value in values:
        yield torch.full(shape, value, dtype=dtype)
    for pool in (*itertools.combinations(values[-4:], 2), values, values, values):
        index = torch.randint(len(pool), shape, generator=generator)
        yield torch.tensor(pool, dtype=dtype)[index]


def extreme_arguments(primitive, shape, dtype, finite):
    """Extreme numbers for many calls; of two arguments, equal ones and different ones."""
    fills = list(_fills(shape, dtype, finite))
    if primitive.arity == 1:
        return [(f,) for f in fills]
    pairs = [(x, fills[i - step]) for step in (0, 1, 2, 5) for i, x in enumerate(fills)]
    return [(x.clone(), y.clone()) for x, y in pairs]


def assert_within_ulps(actual, expected, ulps=4):
    """ulps of each entry; for matrices, whose entries are sums that cancel, of the largest one."""
    rtol = ulps * torch.finfo(expected.dtype).eps
    largest = float(expected.abs().nan_to_num(0).max()) if expected.dim() == 3 else 0.0
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=rtol * largest, equal_nan=True)


def same_bits(x, y):
    """Equal in every bit: NaN is NaN, and -0.0 is not 0.0."""
    integers = torch.int32 if x.dtype == torch.float32 else torch.int64
    return torch.equal(x.view(integers), y.view(integers))
