"""The tracer: the operations that really ran, and the tensors at their sites.

A torch function mode sees every convolution, linear layer, activation, pooling and batch norm,
whether a module or a function called it; module hooks see the blocks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_EVENTS = {
    "conv2d": "layer",
    "linear": "layer",
    "batch_norm": "norm",
    "avg_pool2d": "pool",
    "max_pool2d": "pool",
} | dict.fromkeys(
    (
        *("relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_"),
        *("celu", "gelu", "silu", "mish", "hardtanh", "hardswish", "softplus", "prelu"),
    ),
    "activation",
)


ROLES = ("layer", "activation", "norm", "pool", "block")
_ARGUMENTS = {  # beside the input, in the order of the functions that take them
    "layer": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "norm": ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "pool": ("kernel_size",),
}


@dataclass
class Event:
    """One traced operation; the nodes are autograd functions, None for constants.

    `window`: height and width of a convolution's or pooling's; `geometry`: the other arguments of
    a layer or norm (stride, running_mean, ...), as far as they were given.
    """

    role: str
    source: Any
    node: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight: Tensor | None = None
    bias: Tensor | None = None
    window: tuple[int, int] = (1, 1)
    geometry: dict[str, Any] = field(default_factory=dict)


Visit = Callable[[str, int, str, Tensor], None]


class Tracer(TorchFunctionMode):
    """Follow one forward pass: record events and show tensors at sites to `visit`.

    `visit(role, index, slot, tensor)` is called with the slot "input" before and "output" and
    "weight" after the operation; index counts the events of one role. An input is shown as a
    view of its own (for an operation in place, a copy), so that its gradient is the one through
    this operation alone. With `flow`, batch norm is the identity (Tanaka et al., 2020); with
    `cut`, the input of every block is a leaf of its own, so that gradients end there. `fault` is
    what `visit` raised, if it did: an error that is not the model's.
    """

    def __init__(
        self, visit: Visit | None = None, *, flow: bool = False, cut: bool = False
    ) -> None:
        super().__init__()
        self.events: dict[str, list[Event]] = {role: [] for role in ROLES}
        self.fault: Exception | None = None
        self._visit = visit
        self._flow = flow
        self._cut = cut
        self._entered: list[Tensor | None] = []  # the inputs of the blocks that are running

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Trace what runs inside; the blocks of the model are seen through hooks."""
        hooks = []
        for block in blocks(model):
            hooks.append(block.register_forward_pre_hook(self._enter))
            hooks.append(block.register_forward_hook(self._leave))
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        role = _EVENTS.get(getattr(func, "__name__", ""))
        if role is None:
            return func(*args, **kwargs)
        x, rest = (args[0], args[1:]) if args else (kwargs.pop("input"), ())
        if role == "activation" and x.dim() < 2:
            return func(x, *rest, **kwargs)  # of a parameter: it has no units for each image
        if role == "norm" and self._flow:
            return x.clone()  # what follows may be in place
        return self._operate(role, func, x, rest, kwargs)

    def _operate(
        self,
        role: str,
        func: Callable[..., Any],
        x: Tensor,
        rest: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Tensor:
        index = len(self.events[role])
        source, shape = x.grad_fn, tuple(x.shape)
        seen, in_place = x, role == "activation" and _in_place(func, rest, kwargs)
        if self._visit is not None:
            seen = x.clone() if in_place else x.view_as(x)
            self._show(role, index, "input", seen)
        y: Tensor = func(seen, *rest, **kwargs)
        event = Event(role, source, y.grad_fn, shape, tuple(y.shape))
        given = dict(zip(_ARGUMENTS.get(role, ()), rest, strict=False)) | kwargs
        event.geometry, event.window = given, _window(given)
        if role in ("layer", "norm"):
            event.weight, event.bias = given.pop("weight", None), given.pop("bias", None)
        self.events[role].append(event)
        self._show(role, index, "output", y)
        if role == "layer" and event.weight is not None:
            self._show(role, index, "weight", event.weight)
        return x.copy_(y) if in_place and seen is not x else y

    def _enter(self, block: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        if self._cut and x is not None:
            x = x.detach().requires_grad_(x.is_floating_point())
            arguments = (x.clone(), *arguments[1:])  # a leaf cannot be changed in place
        self._entered.append(x)
        return arguments

    def _leave(self, block: nn.Module, arguments: tuple[Any, ...], y: Any) -> None:
        x = self._entered.pop()
        if x is None or not isinstance(y, Tensor) or x.dim() != 4 or y.dim() != 4:
            return  # what is no image has no channels and positions
        index = len(self.events["block"])
        event = Event("block", x.grad_fn, y.grad_fn, tuple(x.shape), tuple(y.shape))
        self.events["block"].append(event)
        self._show("block", index, "input", x)
        self._show("block", index, "output", y)

    def _show(self, role: str, index: int, slot: str, tensor: Tensor) -> None:
        try:
            if self._visit is not None:
                self._visit(role, index, slot, tensor)
        except Exception as error:
            self.fault = error
            raise


def blocks(model: nn.Module) -> list[nn.Module]:
    """The parts that a model is a chain of: its outermost modules that are layers or are made of
    modules, where containers (Sequential, ModuleList, ModuleDict) are opened, and a model's only
    such part is the model."""
    found = _parts(model)
    while len(found) == 1 and (inside := _parts(found[0])):
        found = inside
    return found


def _parts(module: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            found += _parts(child)
        elif isinstance(child, torch.jit.ScriptModule):
            continue  # takes no hooks
        elif isinstance(child, nn.Conv2d | nn.Linear) or any(True for _ in child.children()):
            found.append(child)
    return list(dict.fromkeys(found))  # one that is part of several is one


def _window(given: dict[str, Any]) -> tuple[int, int]:
    """Height and width of the window of a convolution or pooling; 1 for everything else."""
    if "kernel_size" in given:
        return both(given["kernel_size"])
    weight = given.get("weight")
    return both(weight.shape[2:]) if isinstance(weight, Tensor) and weight.dim() == 4 else (1, 1)


def both(size: int | Sequence[int]) -> tuple[int, int]:
    """Of height and width, where one number may stand for both."""
    high, wide = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return int(high), int(wide)


def _in_place(func: Callable[..., Any], rest: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    flagged = kwargs.get("inplace", False) or any(r is True for r in rest)
    return bool(flagged) or func.__name__.endswith("_")
