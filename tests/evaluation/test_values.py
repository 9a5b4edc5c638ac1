"""The cache of a shard's small values: bounded, oldest out first."""

import torch

from eznas.evaluation.values import Cache, Value
from eznas.formulas.expression import call, statistic
from eznas.formulas.parser import parse_any


def entries(count):
    expression = statistic("params")
    for _ in range(count):
        expression = call("neg", expression)
        yield expression, Value([torch.zeros(100, dtype=torch.float64)], (True,))


def test_a_cache_is_bounded_and_forgets_the_oldest():
    size = next(entries(1))[1].nbytes
    cache, pairs = Cache(3 * size), list(entries(10))
    for i, (expression, value) in enumerate(pairs):
        cache.put(expression, value)
        cached = [e.text for e, _ in pairs if cache.get(e.text) is not None]
        assert cached == [e.text for e, _ in pairs[max(0, i - 2) : i + 1]]


def test_a_cache_refuses_what_is_large():
    cache = Cache(1 << 20)
    maps = parse_any("data_conv_output")
    cache.put(maps, Value([torch.zeros(1)]))
    assert cache.get(maps.text) is None
    numbers = parse_any("mean(weight)")
    cache.put(numbers, Value([torch.zeros(1 << 20)]))
    assert cache.get(numbers.text) is None


def test_a_cache_is_bounded_in_number_too():
    """Absent values have no tensors, and a run meets ever new ones."""
    cache, pairs = Cache(1000), list(entries(50))
    for expression, _ in pairs:
        cache.put(expression, Value([None, None], (False, False)))
    assert sum(cache.get(e.text) is not None for e, _ in pairs) < 50
