"""Plans: each distinct sub-expression of many formulas is computed once on a shard's bank."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from eznas.evaluation import chunks
from eznas.evaluation.arithmetic import FeatureRows
from eznas.evaluation.bank import Axis, Bank, Blocks
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.status import Status
from eznas.evaluation.steps import Step, step_of
from eznas.evaluation.values import ABSENT, Cache, Value, all_measured, applied, marked, silent
from eznas.formulas.expression import Expression
from eznas.primitives import CONSTANT, Primitive
from eznas.primitives.types import AXES, ValueType
from eznas.statistics.catalogue import CATALOGUE


@dataclass(frozen=True)
class Plan:
    """The steps to canonical expressions: each distinct one once, arguments before callers."""

    steps: list[Step]
    roots: list[Expression]

    @staticmethod
    def of(expressions: Iterable[Expression]) -> "Plan":
        """The plan for these expressions."""
        roots = [e.canonical for e in expressions]
        steps: dict[str, Step] = {}

        def visit(node: Expression) -> None:
            if node.text not in steps:
                step = step_of(node)
                for argument in step.arguments:
                    visit(argument)
                steps[node.text] = step

        for root in roots:
            visit(root)
        return Plan(list(steps.values()), roots)

    def statistics(self) -> list[str]:
        """The statistics that the plan needs, in the catalogue's order."""
        named = {s.expression.name for s in self.steps}
        return [name for name in CATALOGUE if name in named]

    def run(self, bank: Bank, cache: Cache | None = None) -> list[Value]:
        """The values of the roots on one bank, in their order; intermediate ones are freed after
        their last use. `cache` keeps small values for later plans on the same shard."""
        cache = Cache(0) if cache is None else cache
        known = self._cached(cache)
        needed = self._needed(known)
        steps = [s for s in self.steps if s.text in needed and s.text not in known]
        for step in (s for s in steps if not s.arguments or s.type == CONSTANT):
            known[step.text] = _value(step, [known[a.text] for a in step.arguments], bank)
        steps = [s for s in steps if s.text not in known]
        large = chunks.large(steps)
        small = [s for s in steps if s.text not in large]
        uses = Counter([a.text for s in small for a in s.arguments] + [r.text for r in self.roots])
        from_chunks = chunks.run([s for s in steps if s.text in large], known, bank, uses)
        for step in (s for s in steps if s.text in from_chunks):
            cache.put(step.expression, from_chunks[step.text])
        known = {t: v for t, v in known.items() if t in uses} | from_chunks
        for step in small:
            known[step.text] = _value(step, [known[a.text] for a in step.arguments], bank)
            cache.put(step.expression, known[step.text])
            uses.subtract(a.text for a in step.arguments)
            for argument in step.arguments:
                if not uses[argument.text]:
                    known.pop(argument.text, None)
        return [known[r.text] for r in self.roots]

    def missing(self, bank: Bank, cache: Cache) -> list[str]:
        """The statistics to measure before `run`: not in the bank, and not spared by the cache."""
        needed = self._needed(self._cached(cache))
        return [n for n in CATALOGUE if n in needed and n not in bank.blocks]

    def _cached(self, cache: Cache) -> dict[str, Value]:
        values = {s.text: cache.get(s.text) for s in self.steps}
        return {text: value for text, value in values.items() if value is not None}

    def _needed(self, known: dict[str, Value]) -> set[str]:
        """The sub-expressions on the way from the roots down to what is known."""
        needed = {root.text for root in self.roots}
        for step in reversed(self.steps):  # callers before their arguments
            if step.text in needed and step.text not in known:
                needed.update(a.text for a in step.arguments)
        return needed


def feature_rows(plan: Plan, bank: Bank, cache: Cache | None = None) -> FeatureRows:
    """The value of each root, which is one number per network: [roots, networks].

    A network without anything to aggregate is empty; one to which the expression does not apply at
    all has a coverage of 0, and the value NaN.
    """
    root_values = plan.run(bank, cache)
    shape = len(root_values), bank.networks
    values = torch.full(shape, torch.nan, dtype=torch.float64)
    coverage, empty = torch.zeros_like(values), torch.zeros(shape, dtype=torch.bool)
    for row, root in enumerate(root_values):
        if root.coverage is None or root.empty is None:
            continue
        empty[row] = root.empty.cpu()
        coverage[row, empty[row]] = 1.0
        if root.blocks[0] is not None:
            values[row] = root.blocks[0].cpu()
            coverage[row] = torch.where(empty[row], 1.0, root.coverage.cpu())
    return FeatureRows(values, coverage, empty)


def evaluate(plan: Plan, bank: Bank, cache: Cache | None = None) -> FeatureValues:
    """The same as feature values [roots, networks]: a network without anything to aggregate is
    EMPTY."""
    rows = feature_rows(plan, bank, cache)
    status = np.where(rows.empty.numpy(), Status.EMPTY, Status.MEASURED).astype(np.int8)
    return FeatureValues(rows.values.numpy(), rows.coverage.numpy(), status)


def _value(step: Step, arguments: list[Value], bank: Bank) -> Value:
    if step.expression.value is not None:
        device = bank.axes["layers"].live.device
        return Value([torch.tensor(step.expression.value, dtype=torch.float64, device=device)])
    if not arguments:
        return _statistic(step.expression.name, bank)
    if step.primitive.aggregation:
        value_type = step.arguments[0].type
        return _aggregate(step.primitive, arguments, bank, value_type)
    return _apply(step, arguments)


def _statistic(name: str, bank: Bank) -> Value:
    blocks = bank.blocks[name]
    if CATALOGUE[name].type.axis != "networks":
        is_size = CATALOGUE[name].is_size
        marks = [None if b is None or is_size else silent(b) for b in blocks]
        return Value(blocks, tuple(b is not None for b in blocks), marks)
    present = bank.present[name]
    # Without a way from the image to the logits: the lowest. Else it was not met: undefined.
    by_paths = CATALOGUE[name].is_size
    lowest = ~present & (~bank.blind if by_paths else ~bank.reached)
    coverage = torch.where(present | lowest, 1.0, 0.0).double()
    return Value(blocks, (True,), coverage=coverage, empty=lowest)


def _apply(step: Step, arguments: list[Value]) -> Value:
    varying = [a for a, e in zip(arguments, step.arguments, strict=True) if e.type != CONSTANT]
    primitive, groups = step.primitive, len((varying or arguments)[0].blocks)
    blocks: Blocks = []
    marks: Blocks = []
    for group in range(groups):
        tensors = [a.blocks[group] if a in varying else a.blocks[0] for a in arguments]
        blocks.append(applied(primitive, tensors))
        if step.type.axis in AXES[:-1]:
            of_arguments = [a.marks[group] for a in varying if a.marks]
            marks.append(marked(primitive, tensors, of_arguments))
    coverages = [a.coverage for a in varying if a.coverage is not None]
    empties = [a.empty for a in varying if a.empty is not None]
    return Value(
        blocks,
        all_measured([a.measured for a in varying]),
        marks if any(mark is not None for mark in marks) else [],
        reduce(torch.minimum, coverages) if coverages else None,
        reduce(torch.logical_or, empties) if empties else None,
    )


def _aggregate(
    primitive: Primitive, arguments: list[Value], bank: Bank, value_type: ValueType
) -> Value:
    """Scatter the groups into tables [networks, positions, ...] and aggregate their rows."""
    axis, form = bank.axes[value_type.axis], value_type.form
    groups = range(len(axis.networks))
    countable = axis.live if primitive.live else _rows(axis, [True] * len(groups))
    measured = [all(a.measured[g] for a in arguments) for g in groups]
    present = [all(a.blocks[g] is not None for a in arguments) for g in groups]
    has_value = _with_value(axis, arguments)
    mask = _rows(axis, present) & countable & has_value
    rows = _rows(axis, measured) & has_value
    possible = (rows & countable).sum(1)
    row_shape = (1, 1) if form == "samples" else ()  # of an empty table
    tables = (_scatter(a.blocks, axis, present, row_shape) for a in arguments)
    result = primitive(*tables, mask)
    nothing = possible == 0
    coverage = torch.where(nothing, 1.0, mask.sum(1).double() / possible.clamp_min(1))
    empty = nothing
    if primitive.empty is not None:
        has_size = rows.any(1) | (result.dim() == 1)  # a matrix takes its size from a row
        empty = empty & ~has_size
    # Rows that count, none of them with the sites that the expression names: not zero, undefined.
    siteless = nothing & countable.any(1)
    # No rows at all, and nothing that stands for none of them: not seen, so undefined as well.
    siteless = siteless | (empty & ~_rows(axis, [True] * len(groups)).any(1))
    if primitive.live:
        siteless = siteless | bank.blind  # which rows are live is not known
    coverage = torch.where(siteless, 0.0, coverage)
    return Value([result], (True,), coverage=coverage, empty=empty & ~siteless)


def _with_value(axis: Axis, arguments: list[Value]) -> Tensor:
    """bool [networks, positions]: the rows that are absent in no argument."""
    mask = torch.ones_like(axis.live)
    for marks in (argument.marks for argument in arguments if argument.marks):
        for mark, networks, positions in zip(marks, axis.networks, axis.positions, strict=True):
            if mark is not None:
                absent = mark == ABSENT
                mask[networks[absent], positions[absent]] = False
    return mask


def _rows(axis: Axis, groups: list[bool]) -> Tensor:
    """bool [networks, positions]: the rows of those groups that are True."""
    mask = torch.zeros_like(axis.live)
    for in_mask, networks, positions in zip(groups, axis.networks, axis.positions, strict=True):
        mask[networks, positions] = in_mask
    return mask


def _scatter(blocks: Blocks, axis: Axis, present: list[bool], row_shape: tuple[int, ...]) -> Tensor:
    """The rows of the groups that are present as a table [networks, positions, ...] in float64,
    zero elsewhere; `row_shape` is the shape of a row where no group is present."""
    groups = [
        (block, networks, positions)
        for block, networks, positions, is_present in zip(
            blocks, axis.networks, axis.positions, present, strict=True
        )
        if is_present and block is not None
    ]
    row_shape = tuple(groups[0][0].shape[1:]) if groups else row_shape
    table = axis.live.new_zeros((*axis.live.shape, *row_shape), dtype=torch.float64)
    for block, networks, positions in groups:
        table[networks, positions] = block.double()
    return table
