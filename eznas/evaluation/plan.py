"""Plans: each distinct sub-expression of many formulas once, run over one shard."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from eznas.evaluation import chunks
from eznas.evaluation.bank import Axis, Blocks, Shard
from eznas.evaluation.values import Cache, Value, applied
from eznas.formulas.expression import Expression
from eznas.primitives import CONSTANT, PRIMITIVES, Primitive
from eznas.statistics.catalogue import CATALOGUE


@dataclass(frozen=True)
class Plan:
    """Canonical expressions, each distinct one once, arguments before their callers."""

    steps: list[Expression]
    roots: list[Expression]

    @staticmethod
    def of(expressions: Iterable[Expression]) -> "Plan":
        """The plan for these expressions."""
        roots = [e.canonical for e in expressions]
        steps: dict[str, Expression] = {}

        def visit(node: Expression) -> None:
            if node.text not in steps:
                for argument in node.arguments:
                    visit(argument)
                steps[node.text] = node

        for root in roots:
            visit(root)
        return Plan(list(steps.values()), roots)

    def statistics(self) -> list[str]:
        """The statistics to measure, in a fixed order."""
        named = {s.name for s in self.steps}
        return [name for name in CATALOGUE if name in named]

    def run(self, shard: Shard, cache: Cache | None = None) -> list[Value]:
        """The values of the roots on one shard; intermediates go when their last use is done."""
        cache = Cache(0) if cache is None else cache
        known = self._cached(cache)
        needed = self._needed(known)
        todo = [s for s in self.steps if s.text in needed and s.text not in known]
        for step in (s for s in todo if not s.arguments or s.type == CONSTANT):
            known[step.text] = _value(step, [known[a.text] for a in step.arguments], shard)
        todo = [s for s in todo if s.text not in known]
        large = chunks.large(todo)
        small = [s for s in todo if s.text not in large]
        uses = Counter([a.text for s in small for a in s.arguments] + [r.text for r in self.roots])
        made = chunks.run([s for s in todo if s.text in large], known, shard, uses)
        for step in (s for s in todo if s.text in made):
            cache.put(step, made[step.text])
        known = {t: v for t, v in known.items() if t in uses} | made
        for step in small:
            known[step.text] = _value(step, [known[a.text] for a in step.arguments], shard)
            cache.put(step, known[step.text])
            uses.subtract(a.text for a in step.arguments)
            for argument in step.arguments:
                if not uses[argument.text]:
                    known.pop(argument.text, None)
        return [known[r.text] for r in self.roots]

    def missing(self, shard: Shard, cache: Cache) -> list[str]:
        """The statistics that the shard lacks and the cache does not make needless."""
        needed = self._needed(self._cached(cache))
        return [n for n in CATALOGUE if n in needed and n not in shard.blocks]

    def _cached(self, cache: Cache) -> dict[str, Value]:
        found = {s.text: cache.get(s.text) for s in self.steps}
        return {text: value for text, value in found.items() if value is not None}

    def _needed(self, known: dict[str, Value]) -> set[str]:
        """The sub-expressions on the way from the roots down to what is known."""
        needed: set[str] = set()
        waiting = list(self.roots)
        while waiting:
            node = waiting.pop()
            if node.text not in needed:
                needed.add(node.text)
                waiting.extend(() if node.text in known else node.arguments)
        return needed


def evaluate(
    plan: Plan, shard: Shard, cache: Cache | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Value and coverage of each root, a NetScalar, on each network: two [roots, networks].

    A coverage of NaN marks a network without anything to aggregate; 0 one to which the
    expression does not apply at all.
    """
    found = plan.run(shard, cache)
    values = np.full((len(found), shard.networks), np.nan)
    coverage = np.zeros_like(values)
    for row, value in enumerate(found):
        if value.coverage is None:
            continue
        coverage[row] = value.coverage.cpu().numpy()
        if value.blocks[0] is not None:
            values[row] = value.blocks[0].cpu().numpy()
        else:
            coverage[row] = np.where(np.isnan(coverage[row]), np.nan, 0)
    return values, coverage


def _value(step: Expression, arguments: list[Value], shard: Shard) -> Value:
    if step.value is not None:
        device = shard.axes["layers"].live.device
        return Value([torch.tensor(step.value, dtype=torch.float64, device=device)])
    if not arguments:
        return _statistic(step, shard)
    word = PRIMITIVES[step.name]
    if word.aggregation:
        value_type = step.arguments[0].type
        return _aggregate(word, arguments, shard.axes[value_type.axis], value_type.form)
    return _apply(step, arguments)


def _statistic(step: Expression, shard: Shard) -> Value:
    blocks = shard.blocks[step.name]
    if CATALOGUE[step.name].type.axis != "networks":
        return Value(blocks, tuple(b is not None for b in blocks))
    present = shard.present[step.name]
    coverage = torch.where(present, 1.0, torch.nan).double()
    return Value(blocks, (True,), coverage)


def _apply(step: Expression, arguments: list[Value]) -> Value:
    real = [a for a, e in zip(arguments, step.arguments, strict=True) if e.type != CONSTANT]
    groups = len((real or arguments)[0].blocks)
    blocks: Blocks = []
    for g in range(groups):
        tensors = [a.blocks[g] if a in real else a.blocks[0] for a in arguments]
        blocks.append(applied(step.name, tensors))
    carried = tuple(all(c) for c in zip(*(a.carried for a in real), strict=True))
    covered = [a.coverage for a in real if a.coverage is not None]
    return Value(blocks, carried, reduce(torch.minimum, covered) if covered else None)


def _aggregate(word: Primitive, arguments: list[Value], axis: Axis, form: str) -> Value:
    """Scatter the groups into [networks, places, ...] and aggregate what is there."""
    countable = axis.live if word.live else _rows(axis, [True] * len(axis.networks))
    carried = [all(a.carried[g] for a in arguments) for g in range(len(axis.networks))]
    there = [all(a.blocks[g] is not None for a in arguments) for g in range(len(axis.networks))]
    mask = _rows(axis, there) & countable
    rows = _rows(axis, carried)
    possible = (rows & countable).sum(1)
    tail = (1, 1) if form == "samples" else ()  # of an empty table
    result = word.function(*(_scatter(a.blocks, axis, there, tail) for a in arguments), mask)
    nothing = possible == 0
    coverage = torch.where(nothing, torch.nan, mask.sum(1).double() / possible.clamp_min(1))
    if word.empty is not None:
        sized = rows.any(1) | (result.dim() == 1)  # a matrix takes its size from a row
        coverage = torch.where(nothing & sized, 1.0, coverage)
    # Rows that count, none of them with the sites that the expression names: not zero, undefined.
    coverage = torch.where(nothing & countable.any(1), 0.0, coverage)
    return Value([result], (True,), coverage)


def _rows(axis: Axis, groups: list[bool]) -> Tensor:
    """bool [networks, places]: the rows of the chosen groups."""
    mask = torch.zeros_like(axis.live)
    for chosen, networks, places in zip(groups, axis.networks, axis.places, strict=True):
        mask[networks, places] = chosen
    return mask


def _scatter(blocks: Blocks, axis: Axis, there: list[bool], tail: tuple[int, ...]) -> Tensor:
    """[networks, places, ...] in float64, zero where nothing is; `tail` if nothing is at all."""
    found = [b for b, t in zip(blocks, there, strict=True) if t and b is not None]
    tail = tuple(found[0].shape[1:]) if found else tail
    table = axis.live.new_zeros((*axis.live.shape, *tail), dtype=torch.float64)
    rows = [(n, p) for n, p, t in zip(axis.networks, axis.places, there, strict=True) if t]
    for block, (networks, places) in zip(found, rows, strict=True):
        table[networks, places] = block.double()
    return table
