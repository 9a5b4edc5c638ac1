"""The registry of primitives: pure torch functions with signatures, in one ordered dictionary."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import torch

from eznas.primitives.types import CONSTANT, FORMS, ValueType

Function = Callable[..., torch.Tensor]
Shape = tuple[int, ...]
TENSORS = ("maps", "weights", "samples", "matrix", "vector")  # forms with more than one axis

_GROUPS = {"any": FORMS, "tensor": TENSORS}


@dataclass(frozen=True)
class Signature:
    """The allowed forms of each argument, and the form of the result ("same": the arguments')."""

    arguments: tuple[tuple[str, ...], ...]
    result: str

    def __str__(self) -> str:
        groups = {forms: name for name, forms in _GROUPS.items()}
        arguments = (groups.get(forms, "|".join(forms)) for forms in self.arguments)
        return f"{' '.join(arguments)} -> {self.result}"


@dataclass(frozen=True)
class Primitive:
    """A function of the language, with what the parser and the evaluator need to know of it.

    `function` takes one tensor per argument, each with the rows on its first axis, and returns one
    with the same rows. The function of an aggregation takes `[networks, layers, ...]` per argument
    and a boolean mask `[networks, layers]`, and returns `[networks, ...]`.

    `symbol`: its infix operator, if it has one. `square`: whether the last two axes must be equally
    long. Of an aggregation alone, `live`: whether it is given live rows only; `empty`: its value
    over no rows, None where such a network gets the lowest score.
    `absent_at_zero`: whether it has no value of zero where that stands for a layer of which nothing
    comes (a measured tensor is zero throughout): such a layer is left out of what aggregates it.
    `semidefinite`: "made" where its result is always symmetric and positive semi-definite, "kept"
    where it is so for arguments that are.
    `definition`: as that of a statistic, of its values on measured tensors; 0: it kept them.
    """

    name: str
    function: Function
    signatures: tuple[Signature, ...]
    symbol: str = ""
    commutative: bool = False
    square: bool = False
    aggregation: bool = False
    live: bool = True
    empty: float | None = None
    absent_at_zero: bool = False
    semidefinite: str = ""
    definition: int = 0

    def __call__(self, *tensors: torch.Tensor) -> torch.Tensor:
        """The function's result; raises `ValueError` where it is not a row, or not a scalar, each.

        Only a primitive of one's own can break its promise: those here are held to it by tests.
        """
        result = self.function(*tensors)
        rows = next((len(t) for t in tensors if t.dim()), None)
        if rows is None:  # constants alone
            return result
        scalars = all(s.result == "scalar" for s in self.signatures)
        if result.dim() == 0 or len(result) != rows or (scalars and result.dim() > 1):
            expected = f"[{rows}]" if scalars else f"[{rows}, ...]"
            raise ValueError(
                f"the primitive {self.name!r} gave a tensor of shape {list(result.shape)}, "
                f"expected {expected}: one result for each row, the first axis of its arguments"
            )
        return result

    @property
    def meaning(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def arity(self) -> int:
        """How many arguments the primitive takes."""
        return len(self.signatures[0].arguments)

    @property
    def elementwise(self) -> bool:
        """Whether the primitive accepts constants as arguments."""
        keeps_scalars = all(
            s.result == "same" and "scalar" in s.arguments[0] for s in self.signatures
        )
        return keeps_scalars and not self.aggregation

    def resolve(self, types: Sequence[ValueType]) -> ValueType | None:
        """The type of the result for arguments of these types, None where they do not fit."""
        tensor_types = [t for t in types if t != CONSTANT]
        has_constants = len(tensor_types) < len(types)
        if len(types) != self.arity or (has_constants and not self.elementwise):
            return None
        if not tensor_types:
            return CONSTANT
        if len({(t.form, t.axis, t.batch) for t in tensor_types}) > 1:
            return None
        argument = tensor_types[0]
        if self.aggregation and argument.axis == "networks":
            return None
        for signature in self.signatures:
            pairs = zip(types, signature.arguments, strict=True)
            if all(t == CONSTANT or t.form in forms for t, forms in pairs):
                form = argument.form if signature.result == "same" else signature.result
                return argument.to(form, "networks" if self.aggregation else None)
        return None

    def applies(self, *shapes: Shape) -> bool:
        """Whether the function can take tensors of these shapes (rows first; () is a constant)."""
        tensor_shapes = [s for s in shapes if s]
        if len(set(tensor_shapes)) > 1:
            return False
        return not (self.square and tensor_shapes[0][-1] != tensor_shapes[0][-2])


PRIMITIVES: dict[str, Primitive] = {}


def primitive(
    *signatures: str,
    name: str = "",
    symbol: str = "",
    commutative: bool = False,
    square: bool = False,
    absent_at_zero: bool = False,
    semidefinite: str = "",
    definition: int = 0,
) -> Callable[[Function], Function]:
    """A decorator that registers a function under its own name, or under `name`.

    A signature reads "any any -> same": for each argument the forms that it may have, joined by
    "|", or "any" form, or any "tensor"; then the form of the result. All arguments of one call have
    the same form, axis and batch. The other arguments are explained at `Primitive`.
    Raises `ValueError` for an unknown form, a function without a docstring, or a name that is
    taken; the module that took it (a notebook, say) may define it anew.
    """
    parsed = tuple(map(_parse, signatures))

    def register(function: Function) -> Function:
        key = name or function.__name__
        entry = Primitive(key, function, parsed, symbol, commutative, square)
        entry = replace(entry, absent_at_zero=absent_at_zero, semidefinite=semidefinite)
        _add(replace(entry, definition=definition))
        return function

    return register


def aggregation(
    *signatures: str, live: bool = True, empty: float | None = None, semidefinite: str = ""
) -> Callable[[Function], Function]:
    """A decorator that registers an aggregation over the layers (or activations) of each network.

    Signatures are written as for `primitive`; `live`, `empty`, `semidefinite`: see `Primitive`.
    Raises `ValueError` as `primitive` does.
    """
    parsed = tuple(map(_parse, signatures))

    def register(function: Function) -> Function:
        entry = Primitive(function.__name__, function, parsed, aggregation=True, live=live)
        _add(replace(entry, empty=empty, semidefinite=semidefinite))
        return function

    return register


def _parse(text: str) -> Signature:
    left, _, right = text.partition("->")
    result = right.strip()
    arguments = tuple(_GROUPS.get(forms, tuple(forms.split("|"))) for forms in left.split())
    unknown = {*chain(*arguments)} - {*FORMS} | {result} - {*FORMS, "same"}
    if unknown or not arguments:
        raise ValueError(
            f"the signature {text!r} of a primitive: expected forms, as in 'tensor -> scalar'; "
            f"the forms are {', '.join(FORMS)}, any, tensor, and same as a result"
        )
    return Signature(arguments, result)


def _add(entry: Primitive) -> None:
    taken = PRIMITIVES.get(entry.name)
    if taken and taken.function.__module__ != entry.function.__module__:
        raise ValueError(f"the primitive {entry.name!r} is already registered")
    if not entry.meaning:
        raise ValueError(f"the primitive {entry.name!r} needs a docstring")
    PRIMITIVES[entry.name] = entry
