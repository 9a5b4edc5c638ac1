"""What every primitive promises for any numbers and shapes, drawn at random to the bit."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.primitives.cases import DIMENSIONS, each_case, same_bits

BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


@st.composite
def arguments(draw, primitive, form):
    """Tensors of one drawn shape: normal numbers, or any patterns of bits."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=DIMENSIONS[form], max_size=DIMENSIONS[form]))
    if form == "samples" or primitive.square:
        sizes[-1] = sizes[-2]
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    limits = torch.iinfo(BITS[dtype])
    are_normal = draw(st.booleans())

    def argument():
        if are_normal:
            return torch.randn(sizes, generator=generator, dtype=dtype)
        bits = torch.randint(limits.min, limits.max, sizes, generator=generator, dtype=BITS[dtype])
        return bits.view(dtype)

    return [argument() for _ in range(primitive.arity)]


def check(primitive, form, examples):
    @settings(max_examples=examples)
    @given(arguments(primitive, form))
    def holds(tensors):
        copies = [a.clone() for a in tensors]
        result = primitive.function(*tensors)
        assert len(result) == len(tensors[0])
        assert all(same_bits(a, b) for a, b in zip(tensors, copies, strict=True))
        assert same_bits(result, primitive.function(*tensors))
        for a in tensors:
            a[-1] = torch.nan
        assert same_bits(primitive.function(*tensors)[:-1], result[:-1])

    holds()


@each_case
def test_any_numbers_in_any_shape(primitive, form):
    check(primitive, form, 15)


@pytest.mark.slow
@each_case
def test_many_numbers_in_any_shape(primitive, form):
    check(primitive, form, 200)
