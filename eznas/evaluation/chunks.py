"""The part of a plan that touches raw tensors, a few rows at a time, so that they stay in cache.

A block of all rows falls out of the processor's cache between two primitives, and most of the time
goes into memory traffic; the results that are kept for each layer are small.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor

from eznas.evaluation.bank import Axis, Bank
from eznas.evaluation.steps import Step
from eznas.evaluation.values import Value, all_measured, applied, marked
from eznas.primitives import CONSTANT
from eznas.primitives.types import AXES

Tensors = dict[str, Tensor | None]  # by text

LARGE = ("maps", "weights")  # forms of values that are computed in chunks
ROWS = AXES[:-1]  # the axes whose rows can be divided
UNITS = 1 << 17  # of one image's tensors in a chunk; fixed, because last bits depend on it
BYTES = 4096  # on a GPU, for a unit: of some tensors of some images at a time


def large(steps: Sequence[Step]) -> set[str]:
    """The texts of those steps to run in chunks: all whose result or argument is large.

    All arguments of a primitive are of one form, so that what such a step needs is large as well.
    """
    row_steps = [s for s in steps if s.type.axis in ROWS]
    return {
        s.text for s in row_steps if any(e.type.form in LARGE for e in (s.expression, *s.arguments))
    }


def run(
    steps: Sequence[Step],
    known: Mapping[str, Value],
    bank: Bank,
    wanted: Collection[str],
) -> dict[str, Value]:
    """By text, the values of those steps that are small or `wanted`; `known` has the values of
    leaves and of all else that the steps need."""
    values: dict[str, Value] = {}
    for name, axis in bank.axes.items():
        axis_steps = [s for s in steps if s.type.axis == name]
        if axis_steps:
            values |= _Program(axis_steps, known, wanted).run(axis)
    return values


class _Program:
    """Steps along one axis, ready to be run on any chunk of any group."""

    def __init__(
        self, steps: Sequence[Step], known: Mapping[str, Value], wanted: Collection[str]
    ) -> None:
        results = {s.text for s in steps}
        inputs = {a.text: a for s in steps for a in s.arguments if a.text not in results}
        self._steps = [(s.text, s.primitive, [a.text for a in s.arguments]) for s in steps]
        self._inputs = {t: known[t].blocks for t, a in inputs.items() if a.type != CONSTANT}
        self._constants = {t: known[t].blocks[0] for t, a in inputs.items() if a.type == CONSTANT}
        self._outputs = [s.text for s in steps if s.text in wanted or s.type.form not in LARGE]
        self._uses = Counter([t for *_, texts in self._steps for t in texts] + self._outputs)
        self._marks = {t: known[t].marks for t in self._inputs}
        self._measured = {t: known[t].measured for t in self._inputs}
        for step in steps:
            of_arguments = [self._measured[a.text] for a in step.arguments if a.type != CONSTANT]
            self._measured[step.text] = all_measured(of_arguments)

    def run(self, axis: Axis) -> dict[str, Value]:
        """The values of the outputs, by text."""
        groups = [self._group(g, len(rows), axis) for g, rows in enumerate(axis.networks)]
        return {
            t: Value(
                [values[t] for values, _ in groups],
                self._measured[t],
                [marks[t] for _, marks in groups],
            )
            for t in self._outputs
        }

    def _group(self, group: int, rows: int, axis: Axis) -> tuple[Tensors, Tensors]:
        """The outputs on all rows of a group, and the marks of the rows of each."""
        size = max(1, _units(axis.live.device) // axis.extents[group])
        while True:
            try:
                chunks = [self._chunk(group, i, i + size) for i in range(0, rows, size)]
                values = {t: _joined([c[t] for c, _ in chunks]) for t in self._outputs}
                return values, {t: _joined_marks(t, chunks) for t in self._outputs}
            except torch.OutOfMemoryError:  # of a GPU: smaller chunks
                if size == 1:
                    raise
                size = max(1, size // 2)

    def _chunk(self, group: int, start: int, stop: int) -> tuple[Tensors, Tensors]:
        values: Tensors = dict(self._constants)
        marks: Tensors = {}
        for text, blocks in self._inputs.items():
            block = blocks[group]
            values[text] = None if block is None else block[start:stop]
            mark = self._marks[text][group] if self._marks[text] else None
            marks[text] = None if mark is None else mark[start:stop]
        remaining_uses = self._uses.copy()
        for result, primitive, arguments in self._steps:
            tensors = [values[t] for t in arguments]
            values[result] = applied(primitive, tensors)
            marks[result] = marked(primitive, tensors, [marks.get(t) for t in arguments])
            for text in arguments:
                remaining_uses[text] -= 1
                if not remaining_uses[text] and text not in self._constants:
                    del values[text]
        return values, marks


def _units(device: torch.device) -> int:
    """Units in a chunk; on a GPU as many as its free memory should hold, because last bits are not
    reproducible there anyway."""
    if device.type != "cuda":
        return UNITS
    free, _ = torch.cuda.mem_get_info(device)
    return max(UNITS, free // BYTES)


def _joined_marks(text: str, chunks: Sequence[tuple[Tensors, Tensors]]) -> Tensor | None:
    """The marks of an output's rows in all chunks of a group, uint8 [rows]; None for none."""
    if all(marks.get(text) is None for _, marks in chunks):
        return None
    parts: list[Tensor | None] = []
    for values, marks in chunks:
        value, mark = values[text], marks.get(text)
        unmarked = None if value is None else value.new_zeros(len(value), dtype=torch.uint8)
        parts.append(unmarked if mark is None else mark)
    return _joined(parts)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [p for p in parts if p is not None]
    if len(present) < len(parts):
        return None
    return present[0] if len(present) == 1 else torch.cat(present)
