"""The values of expressions on a shard, and a cache of the small ones."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from eznas.evaluation.bank import Blocks
from eznas.formulas.expression import Expression
from eznas.primitives import Primitive

SILENT, ABSENT = 1, 2  # marks of rows; 0 for all others
LOOKS = 64  # at the entries of a row, before all of them are looked at


@dataclass(frozen=True, eq=False)
class Value:
    """The value of an expression on a shard.

    `blocks`: a stacked tensor [rows, ...] for each group (one group along networks), None where the
    expression is absent. `measured`: for each group whether all statistics of the expression were
    measured there; `marks`: for each group `SILENT` and `ABSENT` rows, see `marked`. Along networks
    only: `coverage`, the least share of measured rows to which the expression applied, float64
    [networks]; and `empty`, bool [networks], True for a network without anything to aggregate (its
    coverage says nothing).
    """

    blocks: Blocks
    measured: tuple[bool, ...] = ()
    marks: Blocks = field(default_factory=list)
    coverage: Tensor | None = None
    empty: Tensor | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors, and a few for the value itself."""
        tensors = [*self.blocks, *self.marks, self.coverage, self.empty]
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


def applied(primitive: Primitive, tensors: list[Tensor | None]) -> Tensor | None:
    """A primitive on tensors [rows, ...]; None where one is absent or their shapes do not fit."""
    present = [t for t in tensors if t is not None]
    fits = len(present) == len(tensors) and primitive.applies(*(tuple(t.shape) for t in present))
    return primitive(*present) if fits else None


def marked(
    primitive: Primitive, tensors: Sequence[Tensor | None], marks: Sequence[Tensor | None]
) -> Tensor | None:
    """The marks of the rows of a primitive's result, uint8 [rows], None where there are none.

    From the arguments `tensors` [rows, ...] and their `marks`: a row is `SILENT` where a measured
    tensor in it is zero throughout, and `ABSENT` where it has no value for that reason (see
    `Primitive.absent_at_zero`).
    """
    present = [mark for mark in marks if mark is not None]
    if not present:
        return None
    mark = torch.stack(present).amax(0)
    if primitive.absent_at_zero and tensors[0] is not None:
        rows = tensors[0].reshape(len(mark), -1)
        without_value = (mark == SILENT) & (rows == 0).all(1)
        mark = mark.masked_fill(without_value, ABSENT)
    return mark


def silent(x: Tensor) -> Tensor | None:
    """The marks of the rows of a statistic x [rows, ...]: `SILENT` where x is zero throughout; None
    where no row is."""
    rows = x.reshape(len(x), -1)
    step = max(1, rows.shape[1] // LOOKS)
    candidates = (rows[:, ::step] == 0).all(1).nonzero()[:, 0]  # a few looks are enough for most
    zero = candidates[(rows[candidates] == 0).all(1)]
    if len(zero) == 0:
        return None
    return torch.zeros(len(x), dtype=torch.uint8, device=x.device).index_fill_(0, zero, SILENT)


def all_measured(arguments: Sequence[tuple[bool, ...]]) -> tuple[bool, ...]:
    """For each group, whether all arguments of a primitive (their `Value.measured`) have it."""
    return tuple(all(group) for group in zip(*arguments, strict=True))
