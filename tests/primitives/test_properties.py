"""What every word promises on any numbers: bits are drawn, and the shapes they stand in."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.primitives.test_conformance import CASES, DIMENSIONS, _same_bits

each_case = pytest.mark.parametrize(("word", "form"), CASES)
BITS = {torch.float32: torch.int32, torch.float64: torch.int64}


@st.composite
def arguments(draw, word, form):
    """Tensors of one drawn shape, any patterns of bits in them."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=DIMENSIONS[form], max_size=DIMENSIONS[form]))
    if form == "samples" or word.square:
        sizes[-1] = sizes[-2]
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    limits = torch.iinfo(BITS[dtype])
    ordinary = draw(st.booleans())

    def drawn():
        if ordinary:
            return torch.randn(sizes, generator=generator, dtype=dtype)
        bits = torch.randint(limits.min, limits.max, sizes, generator=generator, dtype=BITS[dtype])
        return bits.view(dtype)

    return [drawn() for _ in range(word.arity)]


def check(word, form, examples):
    @settings(max_examples=examples, deadline=None)
    @given(arguments(word, form))
    def holds(given_):
        before = [a.clone() for a in given_]
        result = word.function(*given_)
        assert len(result) == len(given_[0])
        assert all(_same_bits(a, b) for a, b in zip(given_, before, strict=True))
        assert _same_bits(result, word.function(*given_))
        for a in given_:
            a[-1] = torch.nan
        assert _same_bits(word.function(*given_)[:-1], result[:-1])

    holds()


@each_case
def test_any_numbers_in_any_shape(word, form):
    check(word, form, 15)


@pytest.mark.slow
@each_case
def test_many_numbers_in_any_shape(word, form):
    check(word, form, 200)
