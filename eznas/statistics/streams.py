"""The random streams of numpy's `default_rng`, without numpy: for proxies exported as one file.

A seed sequence (O'Neill, 2015, as numpy uses it) starts a PCG64 generator (O'Neill, 2014); normal
numbers come from a ziggurat of 256 layers (Marsaglia & Tsang, 2000), whole ones from Lemire's
method (2019). The numbers are those of numpy, which draws them a hundred times faster.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

WORD, LONG, WIDE = (1 << 32) - 1, (1 << 64) - 1, (1 << 128) - 1  # the largest of 32, 64, 128 bits
POOL = 4  # words of a seed sequence
MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645  # of PCG64
LAYERS, EDGE = 256, 3.6541528853610087963519472518  # of the ziggurat; where its tail begins

Size = tuple[int, ...] | int | None


class Stream:
    """A stream of random numbers, which depends on the seeds alone.

    Its methods are those of numpy's `Generator` that images need; with a size they give tensors.
    """

    def __init__(self, seeds: Iterable[int]) -> None:
        words = _seed_words(list(seeds))
        start, step = (words[0] << 64) | words[1], (words[2] << 64) | words[3]
        self._increment = (step << 1 | 1) & WIDE
        self._state = (self._increment + start) & WIDE
        self._advance()
        self._half: int | None = None  # of a number of 64 bits, the one that was not used

    def uniform(self, low: float, high: float, size: Size = None) -> Any:
        """Numbers from `low` to below `high`: float64 [*size], or one float."""
        return _filled(size, torch.float64, lambda: low + (high - low) * self._fraction())

    def normal(self, mean: float, deviation: float, size: Size = None) -> Any:
        """Normal numbers: float64 [*size], or one float."""
        return _filled(size, torch.float64, lambda: mean + deviation * self._normal())

    def standard_normal(self, size: Size, dtype: str = "float32") -> Any:
        """Standard normal numbers, float32 [*size]; `dtype`: numpy draws other numbers for
        another."""
        assert dtype == "float32"
        return _filled(size, torch.float32, self._short_normal)

    def integers(
        self, low: int, high: int, size: Size, dtype: str = "int64", endpoint: bool = True
    ) -> Any:
        """Whole numbers from `low` to `high`, both included, int64 [*size]."""
        assert dtype == "int64"
        assert endpoint
        return _filled(size, torch.int64, lambda: low + self._below(high - low + 1))

    def permutation(self, count: int) -> Tensor:
        """The numbers from 0 to `count` - 1 in random order, int64 [count]."""
        numbers = list(range(count))
        for last in reversed(range(1, count)):
            other = self._up_to(last)
            numbers[last], numbers[other] = numbers[other], numbers[last]
        return torch.tensor(numbers, dtype=torch.int64)

    def _advance(self) -> None:
        self._state = (self._state * MULTIPLIER + self._increment) & WIDE

    def _long(self) -> int:
        """64 random bits."""
        self._advance()
        turn, bits = self._state >> 122, (self._state >> 64 ^ self._state) & LONG
        return (bits >> turn | bits << (64 - turn)) & LONG

    def _word(self) -> int:
        """32 random bits."""
        if self._half is not None:
            word, self._half = self._half, None
            return word
        bits = self._long()
        self._half = bits >> 32
        return bits & WORD

    def _fraction(self) -> float:
        return (self._long() >> 11) / (1 << 53)

    def _short_fraction(self) -> float:
        return (self._word() >> 8) / (1 << 24)

    def _below(self, bound: int) -> int:
        """A whole number from 0 to below `bound`."""
        if bound == 1:
            return 0
        bits, draw = (32, self._word) if bound <= WORD + 1 else (64, self._long)
        product = draw() * bound
        least = ((1 << bits) - bound) % bound
        while product & ((1 << bits) - 1) < least:
            product = draw() * bound
        return product >> bits

    def _up_to(self, most: int) -> int:
        """A whole number from 0 to `most`, of 32 bits, as numpy draws those of a permutation."""
        mask = (1 << most.bit_length()) - 1
        while (number := self._word() & mask) > most:
            pass
        return number

    def _normal(self) -> float:
        while True:
            bits = self._long()
            layer, sign, distance = bits & 255, bits >> 8 & 1, bits >> 9 & ((1 << 52) - 1)
            x = self._within(layer, distance / (1 << 52) * _edges()[layer], self._fraction)
            if x is not None:
                return -x if (distance >> 8 & 1 if x > EDGE else sign) else x

    def _short_normal(self) -> float:
        while True:
            bits = self._word()
            layer, sign, distance = bits & 255, bits >> 8 & 1, bits >> 9
            width = _short_edges()[layer]
            x = self._within(layer, distance / (1 << 23) * width, self._short_fraction)
            if x is not None:
                return -x if (distance >> 8 & 1 if x > EDGE else sign) else x

    def _within(self, layer: int, x: float, fraction: Callable[[], float]) -> float | None:
        """The size of a normal number from a point x in a layer of the ziggurat; None where the
        point lies above the curve."""
        edges, heights = _edges(), _heights()
        if x < (edges[layer - 1] if layer > 1 else 0.0 if layer else EDGE):
            return x
        if layer:
            height = (heights[layer - 1] - heights[layer]) * fraction() + heights[layer]
            return x if height < _height(x) else None
        while True:
            beyond, depth = -math.log1p(-fraction()) / EDGE, -math.log1p(-fraction())
            if depth + depth > beyond * beyond:
                return EDGE + beyond


def stream(purpose: int, index: int, seed: int, *more: int) -> Stream:
    """The random numbers of one image for one purpose, as in `eznas.statistics.generating`."""
    return Stream([purpose, index, seed, *more])


def _filled(size: Size, dtype: torch.dtype, draw: Callable[[], float]) -> Any:
    if size is None:
        return draw()
    shape = (size,) if isinstance(size, int) else size
    numbers = [draw() for _ in range(math.prod(shape))]
    return torch.tensor(numbers, dtype=dtype).reshape(shape)


@lru_cache(maxsize=1)
def _edges() -> list[float]:
    """The right edges of the layers, whose areas are equal, upwards from layer 1, which is the top;
    layer 0 is the lowest with the tail, as wide as a rectangle of its area."""
    tail = math.sqrt(math.pi / 2) * math.erfc(EDGE / math.sqrt(2))
    area = EDGE * _height(EDGE) + tail
    edges = [EDGE]
    while len(edges) < LAYERS - 1:
        edges.append(math.sqrt(-2 * math.log(area / edges[-1] + _height(edges[-1]))))
    return [area / _height(EDGE), *reversed(edges)]


@lru_cache(maxsize=1)
def _short_edges() -> list[float]:
    """The same in float32."""
    return torch.tensor(_edges(), dtype=torch.float32).tolist()


@lru_cache(maxsize=1)
def _heights() -> list[float]:
    """The curve at the edges of the layers; 1 for layer 0, above which layer 1 begins."""
    return [1.0, *map(_height, _edges()[1:])]


def _height(x: float) -> float:
    return math.exp(-0.5 * x * x)


def _seed_words(seeds: list[int]) -> list[int]:
    """Four numbers of 64 bits from whole numbers, as numpy's `SeedSequence` makes them."""
    words = [word for seed in seeds for word in _words(seed)]
    scramble = _Hash(0x43B0D7E5, 0x931E8875)
    pool = [scramble(word) for word in [*words, *[0] * POOL][:POOL]]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _mixed(pool[target], scramble(pool[source]))
    for word in words[POOL:]:
        for target in range(POOL):
            pool[target] = _mixed(pool[target], scramble(word))
    scramble = _Hash(0x8B51F9DD, 0x58F38DED)
    halves = [scramble(pool[i % POOL]) for i in range(2 * POOL)]
    return [low | high << 32 for low, high in zip(halves[::2], halves[1::2], strict=True)]


def _words(number: int) -> list[int]:
    words = [number & WORD]
    while number := number >> 32:
        words.append(number & WORD)
    return words


class _Hash:
    """The hash of a seed sequence, whose constant changes with every word."""

    def __init__(self, constant: int, factor: int) -> None:
        self._constant, self._factor = constant, factor

    def __call__(self, word: int) -> int:
        word ^= self._constant
        self._constant = self._constant * self._factor & WORD
        word = word * self._constant & WORD
        return word ^ word >> 16


def _mixed(x: int, y: int) -> int:
    mixed = (0xCA01F9DD * x - 0x4973F715 * y) & WORD
    return mixed ^ mixed >> 16
