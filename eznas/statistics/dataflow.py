"""The flow of data through one forward pass: which call of a torch function made which tensor.

Autograd knows the graph of differentiable operations alone. What ran without gradients, what was
changed in place, and which numbers a call was given is seen here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

# Calls whose results hold nothing of their input but its shape and type.
_SHAPE_ONLY = frozenset(
    (
        *("zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like"),
        *("randint_like", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor"),
    )
)


@dataclass(eq=False)
class Value:
    """A tensor at one time: a change in place makes another value of the same tensor.

    `node`: its autograd function at that time; `call`: what made it, None for what no call made;
    `from_image`: whether it depends on the input; `like_image`: whether it does, or stands for
    something that might (zeros in the shape of such a tensor, and what becomes of them);
    `after_layer`: whether a layer led to it; `parameters`: the names of those that it was computed
    from without the input.
    """

    tensor: Tensor
    node: Any
    call: "Call | None"
    from_image: bool
    like_image: bool
    after_layer: bool
    parameters: frozenset[str] = frozenset()
    discrete: bool = False


@dataclass(eq=False)
class Call:
    """One call of a torch function.

    `role`: that of its event, None where it is none; `inputs`: the tensors among its arguments, in
    their order; `outputs`: the tensors that it gave, and those that it changed in place; `changed`:
    the positions among the inputs of the latter.
    """

    number: int
    function: Callable[..., Any]
    role: str | None
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    inputs: list[Value]
    outputs: list[Value] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The name of the function, as in add_."""
        return str(getattr(self.function, "__name__", ""))


@dataclass(eq=False)
class Dataflow:
    """The calls of a pass in their order; `parameters`: the model's during the pass, by all their
    names; `entries`: the autograd functions by which whole numbers of the input, as in an
    embedding, come into the graph of differentiable operations."""

    calls: list[Call] = field(default_factory=list)
    parameters: dict[str, Tensor] = field(default_factory=dict)
    entries: list[Any] = field(default_factory=list)
    _values: dict[int, tuple[Value, int]] = field(default_factory=dict)  # and version, by id
    _images: int = 0
    _names: dict[int, str] = field(default_factory=dict)

    def add_parameters(self, named: Iterable[tuple[str, Tensor]]) -> None:
        """Note the parameters [...] of the model, before the pass begins."""
        self.parameters = dict(named)
        self._names = {id(parameter): name for name, parameter in self.parameters.items()}

    def add_inputs(self, inputs: Iterable[Tensor]) -> None:
        """Note the inputs [batch, ...] of the pass, before it begins."""
        for part in inputs:
            self._images = len(part)
            discrete = not (part.is_floating_point() or part.is_complex())
            value = Value(part, part.grad_fn, None, True, True, False, discrete=discrete)
            self._put(part, value)

    def begin(
        self,
        function: Callable[..., Any],
        number: int,
        role: str | None,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
    ) -> Call:
        """Note a call before it runs."""
        inputs = [self.value(tensor) for tensor in tensors_in((arguments, options))]
        return Call(number, function, role, arguments, options, inputs)

    def end(self, call: Call, result: Any) -> None:
        """Note what a call gave: a tensor [...] or anything else."""
        from_image = any(value.from_image for value in call.inputs)
        like_image = any(value.like_image for value in call.inputs)
        if call.name in _SHAPE_ONLY:
            from_image = False
        after_layer = from_image and (
            call.role == "layer" or any(value.after_layer for value in call.inputs)
        )
        names = [value.parameters for value in call.inputs if not value.from_image]
        parameters = frozenset[str]() if from_image else frozenset[str]().union(*names)
        discrete = from_image and any(value.discrete for value in call.inputs)
        for position, value in enumerate(call.inputs):
            if _version(value.tensor) != self._values[id(value.tensor)][1]:
                call.changed.append(position)
        tensors = [*tensors_in(result), *(call.inputs[i].tensor for i in call.changed)]
        for tensor in {id(t): t for t in tensors}.values():
            known = self._values.get(id(tensor))
            if known is not None and known[1] == _version(tensor):
                continue  # it was given back as it was
            if discrete and tensor.grad_fn is not None:
                self.entries.append(tensor.grad_fn)
            value = Value(
                *(tensor, tensor.grad_fn, call, from_image, like_image, after_layer, parameters),
                discrete=discrete and tensor.grad_fn is None,
            )
            call.outputs.append(self._put(tensor, value))
        if call.outputs:
            self.calls.append(call)

    def value(self, tensor: Tensor) -> Value:
        """The present value of a tensor [...]."""
        known = self._values.get(id(tensor))
        if known is not None and known[1] == _version(tensor):
            return known[0]
        if known is not None:  # changed in place through another view of its memory
            earlier = known[0]
            return self._put(tensor, replace(earlier, node=tensor.grad_fn, call=None))
        name = self._names.get(id(tensor))
        if name is not None:
            return self._put(
                tensor, Value(tensor, None, None, False, False, False, frozenset({name}))
            )
        from_image = tensor.grad_fn is not None  # made where torch shows nothing, as in TorchScript
        like_image = from_image or tensor.shape[:1] == (self._images,)
        value = Value(tensor, tensor.grad_fn, None, from_image, like_image, from_image)
        return self._put(tensor, value)

    def _put(self, tensor: Tensor, value: Value) -> Value:
        self._values[id(tensor)] = value, _version(tensor)
        return value


def tensors_in(structure: Any) -> Iterator[Tensor]:
    """The tensors [...] in nested tuples, lists and dicts, in their order."""
    if isinstance(structure, Tensor):
        yield structure
    elif isinstance(structure, tuple | list):
        for part in structure:
            yield from tensors_in(part)
    elif isinstance(structure, Mapping):
        for part in structure.values():
            yield from tensors_in(part)


def with_tensors(structure: Any, tensors: Iterator[Tensor]) -> Any:
    """The same nested structure with other tensors [...], in the order of `tensors_in`."""
    if isinstance(structure, Tensor):
        return next(tensors)
    if isinstance(structure, list):
        return [with_tensors(part, tensors) for part in structure]
    if isinstance(structure, tuple) and type(structure) is tuple:
        return tuple(with_tensors(part, tensors) for part in structure)
    if isinstance(structure, dict):
        return {key: with_tensors(part, tensors) for key, part in structure.items()}
    return structure


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version
