"""The tracer: records the operations that ran in a forward pass and shows the tensors at them.

A torch function mode sees every convolution, linear layer, activation, pooling and batch norm,
whether a module or a function called it; module hooks see the blocks.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from eznas.statistics.dataflow import Dataflow
from eznas.statistics.events import PRODUCTS, ROLE_OF_FUNCTION, ROLES, Event, operands, window
from eznas.statistics.opened import OPENED
from eznas.statistics.sites import Follower, Sites

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

    `sites` is what an earlier pass found out; with `record`, `dataflow` has every call.
    """

    def __init__(
        self,
        visit: Visit | None = None,
        *,
        flow: bool = False,
        cut_blocks: bool = False,
        sites: Sites | None = None,
        record: bool = False,
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
        self._sites = sites or Sites()
        self._follower = Follower(self._sites, self.events["activation"], self._show)
        self.apart: set[int] = set()  # numbers of calls, see `Sites`
        self._calls = 0
        self._unseen = False  # while something of our own runs
        self.dataflow = Dataflow() if record else None

    @contextmanager
    def following(self, model: nn.Module) -> Iterator[None]:
        """Trace what runs in the context; the model's blocks are seen through hooks, which are
        removed at the end."""
        hooks = []
        if self.dataflow is not None:
            self.dataflow.add_parameters(model.named_parameters(remove_duplicate=False))
        for block in blocks(model):
            hooks.append(block.register_forward_pre_hook(self._enter_block))
            hooks.append(block.register_forward_hook(self._leave_block))
        try:
            with self:
                yield
            self._follower.finish()
        finally:
            for hook in hooks:
                hook.remove()

    @contextmanager
    def repeating(self) -> Iterator[None]:
        """What runs of the model in the context has run already: it runs as it did, and is neither
        recorded nor shown."""
        self._follower.finish()
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
        if self._unseen:
            return func(*args, **kwargs)
        if self._repeating:
            return self._call(-1, self._role(-1, func, args, kwargs), func, args, kwargs)
        if func in OPENED:
            with self:
                return OPENED[func](*args, **kwargs)
        number, self._calls = self._calls, self._calls + 1
        role = self._role(number, func, args, kwargs)
        if not self._sites.home_made and self.dataflow is None:
            return self._call(number, role, func, args, kwargs)
        data = self.dataflow
        call = None if data is None else data.begin(func, number, role, tuple(args), kwargs)
        args, kwargs = self._follower.enter(number, args, kwargs)
        result = self._call(number, role, func, args, kwargs)
        if data is not None and call is not None:
            data.end(call, result)
        return self._follower.leave(number, (tuple(args), kwargs), result)

    def _call(
        self,
        number: int,
        role: str | None,
        func: Callable[..., Any],
        args: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Any:
        if role is None:
            return func(*args, **kwargs)
        kwargs = dict(kwargs)
        x, rest = (args[0], args[1:]) if args else (kwargs.pop("input"), ())
        if role == "norm" and self.flow:
            return x.clone()  # the next operation may be in place
        return self._run(number, role, func, x, rest, kwargs)

    def _role(
        self, number: int, func: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]
    ) -> str | None:
        """The role of a call, None where it has none."""
        name = getattr(func, "__name__", "")
        role = ROLE_OF_FUNCTION.get(name)
        if role is None and name in PRODUCTS and len(args) == 2:
            return "layer" if number in self._sites.products or self._is_layer(*args) else None
        if role is None or role == "layer":
            return role
        x = args[0] if args else kwargs["input"]
        if self.dataflow is not None and not self.dataflow.value(x).like_image:
            self.apart.add(number)
        if number in self._sites.apart or number in self.apart:
            return None  # of parameters: it has no units for each image
        if role == "activation" and (number in self._sites.hidden or x.dim() < 2):
            return None  # part of another; of a vector
        return role

    def _is_layer(self, x: Any, weight: Any) -> bool:
        """Whether x @ weight is a linear layer: of the image, with parameters [in, out]."""
        if self.dataflow is None or not (isinstance(x, Tensor) and isinstance(weight, Tensor)):
            return False
        if weight.dim() != 2 or x.dim() < 2 or not self.dataflow.value(x).from_image:
            return False
        value = self.dataflow.value(weight)
        return bool(value.parameters) and not value.from_image

    def _run(
        self,
        number: int,
        role: str,
        func: Callable[..., Any],
        x: Tensor,
        rest: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Tensor:
        """Run the operation and record it; `rest`: the positional arguments after the input."""
        if self._repeating:
            return self._run_again(role, func, x, rest, kwargs)
        event = self._event(number, role, func, x, rest, kwargs)
        index = len(self.events[role])
        self.events[role].append(event)
        operand, in_place = x, role == "activation" and _in_place(func, rest, kwargs)
        if self._visit is not None:
            operand = x.clone() if in_place else x.view_as(x)
            self._show(role, index, "input", operand)
        y: Tensor = func(operand, *rest, **kwargs)
        event.node, event.output_shape = y.grad_fn, tuple(y.shape)
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

    def _event(
        self,
        number: int,
        role: str,
        func: Callable[..., Any],
        x: Tensor,
        rest: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> Event:
        """The event of an operation before it runs, without its output."""
        arguments = operands(role, func, rest, kwargs)
        event = Event(role, x.grad_fn, None, tuple(x.shape), (), arguments=arguments)
        event.window, event.function, event.call = window(func, arguments), func, number
        if role in ("layer", "norm"):
            factor = arguments.pop("mat2", arguments.pop("other", None))  # of a product
            event.weight, event.bias = arguments.pop("weight", factor), arguments.pop("bias", None)
        if self.dataflow is not None:
            event.from_image = self.dataflow.value(x).from_image
        return event

    def _enter_block(self, block: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        x = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
        if self._repeating:
            return None
        if self._cut_blocks and x is not None:
            with self._our_own():
                x = x.detach().requires_grad_(x.is_floating_point())
                arguments = (x.clone(), *arguments[1:])  # a leaf cannot be changed in place
        self._block_inputs.append(x)
        return arguments

    def _leave_block(self, block: nn.Module, arguments: tuple[Any, ...], y: Any) -> None:
        x = None if self._repeating else self._block_inputs.pop()
        if x is None or not isinstance(y, Tensor) or x.dim() != 4 or y.dim() != 4:
            return  # only maps have channels and positions
        index = len(self.events["block"])
        with self._our_own():
            event = Event("block", x.grad_fn, y.grad_fn, tuple(x.shape), tuple(y.shape))
            self.events["block"].append(event)
            self._show("block", index, "input", x)
            self._show("block", index, "output", y)

    @contextmanager
    def _our_own(self) -> Iterator[None]:
        """What runs in the context is no part of the model."""
        self._unseen = True
        try:
            yield
        finally:
            self._unseen = False

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


def _in_place(func: Callable[..., Any], rest: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    in_place = kwargs.get("inplace", False) or any(argument is True for argument in rest)
    return bool(in_place) or func.__name__.endswith("_")
