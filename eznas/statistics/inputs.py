"""What goes into a model: one tensor or several, of real or of whole numbers.

The form of it is written as a size ("3,32,32", "tokens:16:1000") or shown by an example. All else
follows the form: what is drawn, how the model is called, and where gradients may end.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.statistics.dataflow import tensors_in, with_tensors
from eznas.system.arguments import described, whole

Parts = tuple[Tensor, ...]  # a batch: each part [batch, ...], in the order of the form

TOKENS = "tokens"
_EXPECTED = "expected (channels, height, width), as in (3, 32, 32)"
_EXPECTED_TEXT = "expected channels,height,width, as in 3,32,32, or tokens:LENGTH:VOCAB"


@dataclass(frozen=True)
class Part:
    """One tensor that goes into a model.

    `shape`: without the batch, as in (channels, height, width); `bounds`: the least and the
    greatest of whole numbers, None for real ones; `dtype`: of whole numbers (real ones get the
    model's).
    """

    shape: tuple[int, ...]
    bounds: tuple[int, int] | None = None
    dtype: torch.dtype = torch.float32

    @property
    def is_image(self) -> bool:
        """Whether it is an image, grey or of three colours."""
        return self.bounds is None and len(self.shape) == 3 and self.shape[0] in (1, 3)

    def drawn(self, count: int, generator: torch.Generator, dtype: torch.dtype) -> Tensor:
        """A tensor [count, *shape] of standard normal numbers in a type, or of whole numbers, all
        alike likely."""
        shape = (count, *self.shape)
        if self.bounds is None:
            return torch.empty(shape, dtype=dtype).normal_(generator=generator)
        least, greatest = self.bounds
        return torch.randint(least, greatest + 1, shape, generator=generator).to(self.dtype)

    def describe(self) -> list[int] | str:
        """The part as plain data: its size, or how whole numbers in it are written."""
        if self.bounds is None:
            return list(self.shape)
        least, greatest = self.bounds
        sizes = ",".join(map(str, self.shape))
        return f"{TOKENS}:{sizes}:{greatest + 1}" if least == 0 else f"{sizes}:{least}-{greatest}"


@dataclass(frozen=True)
class InputForm:
    """The form of what goes into a model.

    `parts`: its tensors; `structure`: the tuple, list or dict that holds them, with any tensors in
    their places (None: each part is an argument); `dtype`: of real numbers in an example, which
    the model gets unless it refuses them (None: the model's own).
    """

    parts: tuple[Part, ...]
    structure: Any = None
    dtype: torch.dtype | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first part, without the batch."""
        return self.parts[0].shape

    @property
    def has_real(self) -> bool:
        """Whether any part is made of real numbers, by which a model can be differentiated."""
        return any(part.bounds is None for part in self.parts)

    @property
    def is_image(self) -> bool:
        """Whether it is one image."""
        return len(self.parts) == 1 and self.parts[0].is_image

    def describe(self) -> list[Any]:
        """The form as plain data: of a single part of real numbers its size."""
        descriptions = [part.describe() for part in self.parts]
        single = descriptions[0]
        return single if len(descriptions) == 1 and isinstance(single, list) else descriptions

    def call(self, model: nn.Module, parts: Sequence[Tensor]) -> Any:
        """What a model gives for a batch, each part [batch, ...].

        A tuple or list is spread over the model's arguments, and a dict over those of its names,
        where its forward takes so many or such names; else they are one argument.
        """
        if self.structure is None:
            return model(*parts)
        filled = with_tensors(self.structure, iter(parts))
        if isinstance(filled, dict) and _takes(model, (), filled):
            return model(**filled)
        if isinstance(filled, tuple | list) and _takes(model, tuple(filled), {}):
            return model(*filled)
        return model(filled)


def square(side: int) -> InputForm:
    """Square images of three colours, `side` pixels high and wide."""
    return InputForm((Part((3, side, side)),))


def is_real(tensor: Tensor) -> bool:
    """Whether a tensor [...] holds real (or complex) numbers, not whole ones."""
    return tensor.is_floating_point() or tensor.is_complex()


def moved(parts: Parts, factor: float, steps: Parts) -> Parts:
    """Parts [batch, ...] plus a factor times steps of the same shapes; whole numbers stay."""
    pairs = zip(parts, steps, strict=True)
    return tuple(part + factor * step if is_real(part) else part for part, step in pairs)


def input_form(value: Any) -> InputForm:
    """The form that is written as a size, or shown by an example.

    `value`: a size (channels, then positions), "3,32,32" or "tokens:LENGTH:VOCAB" for whole
    numbers [batch, LENGTH] from 0 to VOCAB - 1; a sequence of such, one for each argument of the
    model; or an example: a tensor [batch, ...], or a tuple, list or dict with tensors, whose shapes
    and types are followed. Whole numbers are drawn between the least and the greatest of the
    example's. Raises `InputError` for anything else.
    """
    if isinstance(value, InputForm):
        return value
    if any(True for _ in tensors_in(value)):
        return _of_example(value)
    if isinstance(value, str):
        return InputForm((_of_text(value),))
    if not isinstance(value, Sequence) or isinstance(value, bytes) or not value:
        raise InputError(f"input size: {_EXPECTED}, got {described(value)}")
    if all(isinstance(each, Sequence) for each in value):
        return InputForm(tuple(part for each in value for part in input_form(each).parts))
    return InputForm((Part(tuple(whole("input size", size, 1) for size in value)),))


def _of_text(text: str) -> Part:
    is_tokens = text.strip().startswith(f"{TOKENS}:")
    sizes = text.strip().split(":")[1:] if is_tokens else text.split(",")
    usual = all(s.strip().isdecimal() and int(s) > 0 for s in sizes)
    if not usual or (is_tokens and len(sizes) != 2):
        raise InputError(f"input {text!r}: {_EXPECTED_TEXT}")
    numbers = tuple(map(int, sizes))
    return Part(numbers[:1], (0, numbers[1] - 1), torch.int64) if is_tokens else Part(numbers)


def _of_example(example: Any) -> InputForm:
    tensors = [*tensors_in(example)]
    shapes = [list(t.shape) for t in tensors]
    if any(t.dim() == 0 or 0 in t.shape or len(t) != len(tensors[0]) for t in tensors):
        problem = "expected tensors [batch, ...] of one batch size, not empty"
        raise InputError(f"example input: {problem}, got shapes {', '.join(map(str, shapes))}")
    real = [t.dtype for t in tensors if is_real(t)]
    parts = tuple(_part(tensor) for tensor in tensors)
    structure = None if isinstance(example, Tensor) else _plain(example)
    return InputForm(parts, structure, real[0] if real else None)


def _part(tensor: Tensor) -> Part:
    shape = tuple(tensor.shape[1:])
    if is_real(tensor):
        return Part(shape)
    numbers = tensor.to(torch.int64)
    return Part(shape, (int(numbers.min()), int(numbers.max())), tensor.dtype)


def _plain(structure: Any) -> Any:
    """A nested example of dicts, lists and tuples alone; tensors without numbers in it."""
    if isinstance(structure, Tensor):
        return torch.empty(0)
    if isinstance(structure, Mapping):
        return {key: _plain(value) for key, value in structure.items()}
    if isinstance(structure, list):
        return [_plain(value) for value in structure]
    return tuple(map(_plain, structure)) if isinstance(structure, tuple) else structure


def _takes(model: nn.Module, arguments: tuple[Any, ...], names: dict[Any, Any]) -> bool:
    """Whether a model's forward can be called so."""
    try:
        inspect.signature(model.forward).bind(*arguments, **names)
    except TypeError:  # other arguments, or names that are no texts
        return False
    except ValueError:  # no signature is known
        return True
    return True
