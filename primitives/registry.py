"""Words: pure torch functions with a signature, kept in one ordered library."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from eznas.primitives.types import CONSTANT, FORMS, ValueType

Shape = tuple[int, ...]
TENSORS = ("maps", "weights", "samples", "matrix", "vector")  # forms with more than one axis

_GROUPS = {"any": FORMS, "tensor": TENSORS, "square": ("samples", "matrix")}


@dataclass(frozen=True)
class Signature:
    """Argument forms (a set each) and the resulting form ("same": the first argument's)."""

    arguments: tuple[tuple[str, ...], ...]
    result: str


@dataclass(frozen=True)
class Primitive:
    """A word of the language.

    `function` takes one tensor per argument, each with the rows on its first axis, and returns
    one with the same rows; an aggregation takes `[networks, layers, ...]` per argument and a
    boolean mask `[networks, layers]`, and returns `[networks, ...]`.
    """

    name: str
    function: Callable[..., torch.Tensor]
    signatures: tuple[Signature, ...]
    symbol: str = ""
    commutative: bool = False
    square: bool = False
    aggregation: bool = False
    live: bool = True
    empty: float | None = None

    @property
    def meaning(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def arity(self) -> int:
        """How many arguments the word takes."""
        return len(self.signatures[0].arguments)

    @property
    def elementwise(self) -> bool:
        """Whether constants may stand among the arguments."""
        each = all(s.result == "same" and "scalar" in s.arguments[0] for s in self.signatures)
        return each and not self.aggregation

    def resolve(self, value_types: Sequence[ValueType]) -> ValueType | None:
        """The value_type of the result for arguments of these value_types, or None where it cannot apply."""
        real = [k for k in value_types if k != CONSTANT]
        if len(value_types) != self.arity or (
            len(real) < len(value_types) and not self.elementwise
        ):
            return None
        if not real:
            return CONSTANT
        if len({(k.axis, k.batch) for k in real}) > 1:
            return None
        if self.aggregation and real[0].axis == "networks":
            return None
        return next((r for s in self.signatures if (r := self._match(s, value_types, real))), None)

    def applies(self, *shapes: Shape) -> bool:
        """Whether tensors of these shapes (rows first) fit; constants have the shape ()."""
        real = [s for s in shapes if s]
        return len(set(real)) <= 1 and not (self.square and real[0][-1] != real[0][-2])

    def _match(
        self, signature: Signature, value_types: Sequence[ValueType], real: list[ValueType]
    ) -> ValueType | None:
        pairs = zip(value_types, signature.arguments, strict=True)
        if any(k != CONSTANT and k.form not in forms for k, forms in pairs):
            return None
        if len({k.form for k in real}) > 1:
            return None
        form = real[0].form if signature.result == "same" else signature.result
        return real[0].to(form, "networks" if self.aggregation else None)


PRIMITIVES: dict[str, Primitive] = {}


def word(
    *signatures: str,
    name: str = "",
    symbol: str = "",
    commutative: bool = False,
    square: bool = False,
) -> Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]:
    """Put a function into the library under its name.

    A signature reads "any any -> same": forms joined by "|", or the groups any, tensor and
    square. Several arguments always share one form, axis and batch. `square` asks for a last
    axis as long as the one before it.
    """

    def register(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        parsed = tuple(_parse(s) for s in signatures)
        key = name or function.__name__
        _admit(Primitive(key, function, parsed, symbol, commutative, square))
        return function

    return register


def aggregation(
    *signatures: str, name: str = "", live: bool = True, empty: float | None = None
) -> Callable[[Callable[..., torch.Tensor]], Callable[..., torch.Tensor]]:
    """Put an aggregation over the layers (or activations) of each network into the library.

    `live`: see live rows only. `empty`: the value over no rows; without one, the network gets
    the lowest score.
    """

    def register(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        parsed = tuple(_parse(s) for s in signatures)
        key = name or function.__name__
        _admit(Primitive(key, function, parsed, aggregation=True, live=live, empty=empty))
        return function

    return register


def _parse(text: str) -> Signature:
    left, right = (part.strip() for part in text.split("->"))
    arguments = tuple(_GROUPS.get(a, tuple(a.split("|"))) for a in left.split())
    return Signature(arguments, right)


def _admit(entry: Primitive) -> None:
    if entry.name in PRIMITIVES:
        raise ValueError(f"the word {entry.name!r} is there already")
    if not entry.meaning:
        raise ValueError(f"the word {entry.name!r} needs a docstring")
    PRIMITIVES[entry.name] = entry
