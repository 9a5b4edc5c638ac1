"""The values of expressions on a shard, and a cache of the small ones."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from eznas.evaluation.bank import Blocks
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES


@dataclass(frozen=True, eq=False)
class Value:
    """The value of an expression on a shard.

    `blocks`: a stacked tensor [rows, ...] for each group (one group along networks), None where the
    expression is absent. `measured`: for each group whether all statistics of the expression were
    measured there. Along networks only: `coverage`, the least share of measured rows to which the
    expression applied, float64 [networks]; and `empty`, bool [networks], True for a network
    without anything to aggregate (its coverage says nothing).
    """

    blocks: Blocks
    measured: tuple[bool, ...] = ()
    coverage: Tensor | None = None
    empty: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, and a few for the value itself."""
        tensors = [*self.blocks, self.coverage, self.empty]
        return 64 + sum(t.nbytes for t in tensors if t is not None)


class Cache:
    """Small values (numbers and vectors) of one shard by canonical text, oldest out first.

    All values together take at most `limit` bytes.
    """

    def __init__(self, limit: int = 4 << 20) -> None:
        self._values: dict[str, Value] = {}
        self._limit = self._room = limit

    def get(self, text: str) -> Value | None:
        """The value of an expression by its text; None where it is not cached."""
        return self._values.get(text)

    def put(self, expression: Expression, value: Value) -> None:
        """Cache a value, unless it is of a form that takes much room, or above the limit itself."""
        if expression.type.form not in ("scalar", "vector") or value.nbytes > self._limit:
            return
        self._values[expression.text] = value
        self._room -= value.nbytes
        while self._room < 0:
            self._room += self._values.pop(next(iter(self._values))).nbytes


def applied(name: str, tensors: list[Tensor | None]) -> Tensor | None:
    """A primitive on tensors [rows, ...]; None where one is absent or their shapes do not fit."""
    primitive, present = PRIMITIVES[name], [t for t in tensors if t is not None]
    fits = len(present) == len(tensors) and primitive.applies(*(tuple(t.shape) for t in present))
    return primitive(*present) if fits else None


def all_measured(arguments: Sequence[tuple[bool, ...]]) -> tuple[bool, ...]:
    """For each group, whether all arguments of a primitive (their `Value.measured`) have it."""
    return tuple(all(group) for group in zip(*arguments, strict=True))
