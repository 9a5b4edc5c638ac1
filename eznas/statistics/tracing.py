"""The tracer: records the operations that ran in a forward pass and shows the tensors at them.

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

ROLES = ("layer", "activation", "norm", "pool", "block")
_ROLE_OF_FUNCTION = {
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
_POSITIONAL = {  # names of the arguments after the input, in the order in which torch takes them
    "layer": ("weight", "bias", "stride", "padding", "dilation", "groups"),
    "norm": ("running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "pool": ("kernel_size",),
}


@dataclass
class Event:
    """One traced operation.

    `source` and `node` are the autograd functions of its input and output, None for constants;
    the shapes include the batch; `window`: height and width of the window of a convolution or
    pooling, in positions; `arguments`: what else was passed to it (stride, running_mean, ...).
    """

    role: str
    source: Any
    node: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight: Tensor | None = None
    bias: Tensor | None = None
    window: tuple[int, int] = (1, 1)
    arguments: dict[str, Any] = field(default_factory=dict)


Visit = Callable[[str, int, str, Tensor], None]


class Tracer(TorchFunctionMode):
    """Follows one forward pass: records events and shows the tensors at their sites to `visit`.

    `visit(role, index, slot, tensor)` is called with the slot "input" before the operation and
    "output" and "weight" after it; index counts the events of one role. The input is passed on to
    the operation as a view of its own (as a copy, if it operates in place), so that the gradient
    there is the gradient through this operation alone. With `flow`, batch norm is the identity
    (Tanaka et al., 2020); with `cut_blocks`, the input of every block is a leaf tensor, so that
    gradients end there. `visit_error` is the exception that `visit` raised, if any, to tell it
    from a failure of the model.
    """

    def __init__(
        self, visit: Visit | None = None, *, flow: bool = False, cut_blocks: bool = False
    ) -> None:
        super().__init__()
        self.events: dict[str, list[Event]] = {role: [] for role in ROLES}
        self.visit_error: Exception | None = None
        self._visit = visit
        self.flow = flow
        self.output: tuple[str, ...] = ()  # which of the model's outputs are its logits
        self._repeating = False
        self._cut_blocks = cut_blocks
        self._block_inputs: list[Tensor | None] = []  # of the blocks that are running

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Trace what runs in the context; the model's blocks are seen through hooks, which are
        removed at the end."""
        hooks = []
        for block in blocks(model):
            hooks.append(block.register_forward_pre_hook(self._enter_block))
            hooks.append(block.register_forward_hook(self._leave_block))
        try:
            with self:
                yield
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def repeating(self) -> Iterator[None]:
        """What runs of the model in the context has run already: it runs as it did, and is neither
        recorded nor shown."""
        self._repeating = True
        try:
            yield
        finally:
            self._repeating = False

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        role = _ROLE_OF_FUNCTION.get(getattr(func, "__name__", ""))
        if role is None:
            return func(*args, **kwargs)
        x, rest = (args[0], args[1:]) if args else (kwargs.pop("input"), ())
        if role == "activation" and x.dim() < 2:
            return func(x, *rest, **kwargs)  # of a parameter: it has no units for each image
        if role == "norm" and self.flow:
            return x.clone()  # the next operation may be in place
        return self._run(role, func, x, rest, kwargs)

    def _run(
        self,
        role: str,
        func: Callable[..., Any],
        x: Tensor,
        rest: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Tensor:
        """Run the operation and record it; `rest`: the positional arguments after the input."""
        if self._repeating:
            return self._run_again(role, func, x, rest, kwargs)
        index = len(self.events[role])
        source, input_shape = x.grad_fn, tuple(x.shape)
        operand, in_place = x, role == "activation" and _in_place(func, rest, kwargs)
        if self._visit is not None:
            operand = x.clone() if in_place else x.view_as(x)
            self._show(role, index, "input", operand)
        y: Tensor = func(operand, *rest, **kwargs)
        arguments = dict(zip(_POSITIONAL.get(role, ()), rest, strict=False)) | kwargs
        event = Event(role, source, y.grad_fn, input_shape, tuple(y.shape), arguments=arguments)
        event.window = _window(arguments)
        if role in ("layer", "norm"):
            event.weight, event.bias = arguments.pop("weight", None), arguments.pop("bias", None)
        self.events[role].append(event)
        self._show(role, index, "output", y)
        if role == "layer" and event.weight is not None:
            self._show(role, index, "weight", event.weight)
        return x.copy_(y) if in_place and operand is not x else y

    def _run_again(
        self,
        role: str,
        func: Callable[..., Any],
        x: Tensor,
        rest: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Tensor:
        """Run an operation as `_run` did."""
        if self._visit is None or not (role == "activation" and _in_place(func, rest, kwargs)):
            return func(x if self._visit is None else x.view_as(x), *rest, **kwargs)  # type: ignore[no-any-return]
        return x.copy_(func(x.clone(), *rest, **kwargs))

    def _enter_block(self, block: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        if self._repeating:
            return None
        if self._cut_blocks and x is not None:
            x = x.detach().requires_grad_(x.is_floating_point())
            arguments = (x.clone(), *arguments[1:])  # a leaf cannot be changed in place
        self._block_inputs.append(x)
        return arguments

    def _leave_block(self, block: nn.Module, arguments: tuple[Any, ...], y: Any) -> None:
        x = None if self._repeating else self._block_inputs.pop()
        if x is None or not isinstance(y, Tensor) or x.dim() != 4 or y.dim() != 4:
            return  # only maps have channels and positions
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
            self.visit_error = error
            raise


def blocks(model: nn.Module) -> list[nn.Module]:
    """The parts of a model that run one after the other, such as the cells of a cell network.

    They are its outermost modules that are layers or contain other modules; containers
    (Sequential, ModuleList, ModuleDict) are replaced by their contents, and a model with a single
    such part by that part. Empty for a model without parts.
    """
    parts = _parts(model)
    while len(parts) == 1 and (inner_parts := _parts(parts[0])):
        parts = inner_parts
    return parts


def _parts(module: nn.Module) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for child in module.children():
        if isinstance(child, nn.Sequential | nn.ModuleList | nn.ModuleDict):
            parts += _parts(child)
        elif isinstance(child, torch.jit.ScriptModule):
            continue  # takes no hooks
        elif isinstance(child, nn.Conv2d | nn.Linear) or any(True for _ in child.children()):
            parts.append(child)
    return list(dict.fromkeys(parts))  # a module inside several containers counts once


def _window(arguments: dict[str, Any]) -> tuple[int, int]:
    """Height and width of the window of a convolution or pooling; 1 for everything else."""
    if "kernel_size" in arguments:
        return height_and_width(arguments["kernel_size"])
    weight = arguments.get("weight")
    if isinstance(weight, Tensor) and weight.dim() == 4:
        return height_and_width(weight.shape[2:])
    return 1, 1


def height_and_width(size: int | Sequence[int]) -> tuple[int, int]:
    """Height and width from an argument of torch in which one number may stand for both."""
    height, width = (size, size) if isinstance(size, int) else (size[0], size[-1])
    return int(height), int(width)


def _in_place(func: Callable[..., Any], rest: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    in_place = kwargs.get("inplace", False) or any(argument is True for argument in rest)
    return bool(in_place) or func.__name__.endswith("_")
