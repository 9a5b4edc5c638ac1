"""What an expression is on a shard, and what is remembered of it."""

from dataclasses import dataclass

from torch import Tensor

from eznas.evaluation.bank import Blocks
from eznas.formulas.expression import Expression
from eznas.primitives import PRIMITIVES


@dataclass(frozen=True, eq=False)
class Value:
    """What an expression is on a shard.

    `blocks`: a stacked tensor per group (one group along networks), None where the expression
    is absent. `carried`: the groups that have all its statistics, absent or not. Along networks
    only: `coverage`, the least share of carried rows at which it applied, float64 [networks]; and
    `empty`, bool [networks], True for a network without anything to aggregate (its coverage
    says nothing).
    """

    blocks: Blocks
    carried: tuple[bool, ...] = ()
    coverage: Tensor | None = None
    empty: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, and a few for the value itself."""
        held = [*self.blocks, self.coverage, self.empty]
        return 64 + sum(t.nbytes for t in held if t is not None)


class Cache:
    """Small values (numbers and vectors) of one shard by canonical text, oldest out first."""

    def __init__(self, limit: int = 4 << 20) -> None:
        self._values: dict[str, Value] = {}
        self._limit = self._room = limit

    def get(self, text: str) -> Value | None:
        """The value, if it is still there."""
        return self._values.get(text)

    def put(self, expression: Expression, value: Value) -> None:
        """Remember a value, unless it is of a value_type that takes much room."""
        if expression.type.form not in ("scalar", "vector") or value.nbytes > self._limit:
            return
        self._values[expression.text] = value
        self._room -= value.nbytes
        while self._room < 0:
            self._room += self._values.pop(next(iter(self._values))).nbytes


def applied(name: str, tensors: list[Tensor | None]) -> Tensor | None:
    """A word on tensors with rows first; None where one is absent or the shapes do not fit."""
    word, found = PRIMITIVES[name], [t for t in tensors if t is not None]
    fits = len(found) == len(tensors) and word.applies(*(tuple(t.shape) for t in found))
    return word.function(*found) if fits else None
