"""Activations by what they do: elementwise nonlinear functions between layers.

Torch's own activations are seen as they run. Any other is found in the flow of data of a pass:
calls that turn one tensor into another of its shape, each number by itself, and not by a straight
line.
That is tried out on random numbers, so that it does not matter how the function is written.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from eznas.statistics.dataflow import Call, Dataflow, Value, with_tensors
from eznas.statistics.events import PRODUCTS, Event
from eznas.statistics.sites import HomeMade, Sites
from eznas.statistics.tracing import Tracer
from eznas.statistics.weights import add_weight_keys

LONGEST = 40  # calls of one activation
_SIDE = 4  # of the tensors on which a function is tried
_SPREAD = 3.0  # standard deviation of the numbers there
_FAR = 1e4  # a number by which it shows whether a function is bounded
_PRODUCTS = ("mul", "mul_", "__mul__", "__rmul__", "__imul__", "multiply")
_QUOTIENTS = ("div", "div_", "__truediv__", "__rtruediv__", "true_divide", "divide", "__itruediv__")
_STRAIGHT = frozenset(  # that need not be tried alone: they are linear or only move numbers
    (
        *("add", "add_", "__add__", "__radd__", "__iadd__", "sub", "sub_", "__sub__", "__rsub__"),
        *("cat", "stack", "flatten", "reshape", "view", "permute", "transpose", "contiguous"),
        *("__get__", "__getitem__", "clone", "detach", "to", "float", "double", "mean", "sum"),
        *("dropout", "dropout2d", "adaptive_avg_pool2d", "unsqueeze", "squeeze", "neg", "__neg__"),
        *("layer_norm", "group_norm", "instance_norm", "softmax", "log_softmax", "matmul", "bmm"),
    )
)


@dataclass(eq=False)
class _Region:
    """Calls that lead from one value to another, and all of what lies between."""

    x: Value
    y: Value
    calls: list[Call]  # in their order


def found_sites(tracer: Tracer, data: Dataflow) -> Sites:
    """What the tracing pass shows besides single calls; its events of activations become those of
    the home-made ones and of torch's that are no parts of these, in the order in which they
    begin, and its layers get the keys of their weights."""
    found = home_made(data)
    inner = {number for activation, _ in found for number in activation.calls}
    events = tracer.events["activation"]
    hidden = frozenset(event.call for event in events if event.call in inner)
    kept = [event for event in events if event.call not in hidden]
    events[:] = sorted([*kept, *(event for _, event in found)], key=lambda event: event.call)
    add_weight_keys(tracer.events["layer"], data)
    return Sites(
        tuple(activation for activation, _ in found),
        hidden,
        frozenset(e.call for e in tracer.events["layer"] if e.name in PRODUCTS),
        frozenset(tracer.apart),
        lone_norms=any(_sees_one_value(event) for event in tracer.events["norm"]),
    )


def _sees_one_value(norm: Event) -> bool:
    """Whether a batch norm sees one value of each image for every channel."""
    images, channels = norm.input_shape[:2]
    return math.prod(norm.input_shape) == images * channels and bool(norm.arguments.get("training"))


def home_made(data: Dataflow) -> list[tuple[HomeMade, Event]]:
    """The activations of a recorded pass that no function of torch computes as a whole, each with
    its event, in the order in which they begin.

    An activation takes a tensor that a layer led to, and leads to a layer itself. What only scales
    another tensor (a gate, a norm) is none.
    """
    regions = [
        region for call in data.calls if (region := _region(call)) is not None and _acts(region)
    ]
    if not regions:
        return []
    users = _users(data)
    regions = [r for r in regions if _leads_to_layer(r.y, users) and not _only_scales(r, users)]
    inner = {id(call) for r in regions for call in r.calls if call is not r.y.call}
    outer = [_with_factors(r, users) for r in regions if id(r.y.call) not in inner]
    return [_as_sites(r) for r in sorted(outer, key=lambda r: r.calls[0].number)]


def _region(call: Call) -> _Region | None:
    """The calls from the nearest single tensor to what this one gives, if all of them keep the
    shape; None where there is none, or where it is one of torch's activations alone."""
    if len(call.outputs) != 1 or not call.outputs[0].from_image or not call.inputs:
        return None
    y = call.outputs[0]
    if not y.after_layer or not y.tensor.is_floating_point():
        return None
    calls, frontier = [call], _inputs(call)
    while len(frontier) > 1 and len(calls) < LONGEST:
        latest = max(frontier, key=lambda v: -1 if v.call is None else v.call.number)
        if latest.call is None or not _keeps_shape(latest.call, y):
            return None
        calls.append(latest.call)
        frontier.remove(latest)
        frontier |= _inputs(latest.call)
    if len(frontier) != 1 or not _keeps_shape(call, y):
        return None
    x = frontier.pop()
    if not _open_path(x, y, calls):
        return None
    if not x.after_layer or x.tensor.shape != y.tensor.shape or not x.tensor.is_floating_point():
        return None
    if len(calls) == 1 and (call.role == "activation" or call.name in _STRAIGHT):
        return None
    return _Region(x, y, sorted(calls, key=lambda c: c.number))


def _open_path(x: Value, y: Value, calls: list[Call]) -> bool:
    """Whether a way leads from one value to the other through no activation of torch: otherwise
    these are the activations, and what joins them is none."""
    pending = [y]
    while pending:
        value = pending.pop()
        if value is x:
            return True
        if value.call in calls and value.call is not None and value.call.role != "activation":
            pending += _inputs(value.call)
    return False


def _inputs(call: Call) -> set[Value]:
    return {value for value in call.inputs if value.from_image}


def _keeps_shape(call: Call, y: Value) -> bool:
    return (
        call.role in (None, "activation")
        and len(call.outputs) == 1
        and call.outputs[0].tensor.shape == y.tensor.shape
    )


def _acts(region: _Region) -> bool:
    """Whether the region turns each number by itself into another, not by a straight line."""
    shape = [min(side, _SIDE) for side in region.x.tensor.shape]
    generator = torch.Generator().manual_seed(0)
    a, b = (_SPREAD * torch.randn(shape, generator=generator) for _ in range(2))
    mixed = torch.rand(shape, generator=generator) < 0.5
    try:
        of_a, of_b, of_mixed, of_middle = (
            _run(region, x) for x in (a, b, torch.where(mixed, a, b), (a + b) / 2)
        )
    except Exception:  # a call that does not take a smaller tensor
        return False
    if of_a.shape != a.shape:
        return False
    by_itself = torch.allclose(of_mixed, torch.where(mixed, of_a, of_b), 1e-4, 1e-6, equal_nan=True)
    return by_itself and not torch.allclose(
        of_middle, (of_a + of_b) / 2, 1e-3, 1e-5, equal_nan=True
    )


def _run(region: _Region, x: Tensor) -> Tensor:
    """The region's calls on another tensor, with no more than `_SIDE` numbers along an axis."""
    kind = region.x.tensor
    values: dict[Value, Tensor] = {region.x: x.to(kind.device, kind.dtype)}
    full, small = kind.shape, x.shape

    def tensor_for(value: Value, changed: bool) -> Tensor:
        tensor = values.get(value)
        if tensor is None:
            if value.from_image:
                raise ValueError("a tensor of the image that is no part of the region")
            tensor = _narrowed(value.tensor.detach(), full, small)
        return tensor.clone() if changed else tensor

    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for call in region.calls:
            given = [tensor_for(v, i in call.changed) for i, v in enumerate(call.inputs)]
            arguments, options = with_tensors((call.arguments, call.options), iter(given))
            result = call.function(*arguments, **options)
            values[call.outputs[0]] = given[call.changed[0]] if call.changed else result
    return values[region.y].float().cpu()


def _narrowed(tensor: Tensor, full: torch.Size, small: torch.Size) -> Tensor:
    """A constant that is broadcast to the full shape, for a tensor of the small one."""
    for axis in range(1, tensor.dim() + 1):
        if tensor.shape[-axis] == full[-axis]:
            tensor = tensor.narrow(-axis, 0, small[-axis])
    return tensor


def _users(data: Dataflow) -> dict[Value, list[Call]]:
    users: dict[Value, list[Call]] = {}
    for call in data.calls:
        for value in dict.fromkeys(call.inputs):
            users.setdefault(value, []).append(call)
    return users


def _leads_to_layer(y: Value, users: dict[Value, list[Call]]) -> bool:
    seen, pending = {y}, [y]
    while pending:
        for call in users.get(pending.pop(), ()):
            if call.role == "layer":
                return True
            new = set(call.outputs) - seen
            seen |= new
            pending += new
    return False


def _only_scales(region: _Region, users: dict[Value, list[Call]]) -> bool:
    """Whether all that becomes of the result is to be a factor or a divisor of another tensor: one
    that is bounded, has been reduced, or is the same for several numbers."""
    bounded: bool | None = None
    seen, pending = {region.y}, [(region.y, False)]
    scales = False
    while pending:
        value, reduced = pending.pop()
        for call in users.get(value, ()):
            others = [v for v in call.inputs if v.from_image and v is not value]
            if not others and call.role is None:
                results = [v for v in call.outputs if v.from_image and v not in seen]
                seen |= set(results)
                smaller = any(v.tensor.numel() < value.tensor.numel() for v in results)
                pending += [(v, reduced or smaller) for v in results]
                continue
            if call.name not in (*_PRODUCTS, *_QUOTIENTS) or not call.outputs:
                return False
            divides = call.name in _QUOTIENTS and call.inputs[0] is not value
            broadcast = call.outputs[0].tensor.numel() > value.tensor.numel()
            if not (reduced or divides or broadcast):
                bounded = _bounded(region) if bounded is None else bounded
                if not bounded:
                    return False
            scales = True
    return scales


def _bounded(region: _Region) -> bool:
    shape = [min(side, _SIDE) for side in region.x.tensor.shape]
    far = (_run(region, torch.full(shape, sign * _FAR)) for sign in (-1, 1))
    return all(bool((y.abs() < _FAR / 100).all()) for y in far)


def _with_factors(region: _Region, users: dict[Value, list[Call]]) -> _Region:
    """The region with the constant factor that follows it, as in x * relu6(x + 3) / 6."""
    calls, y = list(region.calls), region.y
    while len(calls) > 1 and len(users.get(y, ())) == 1:
        (call,) = users[y]
        if call.name not in (*_PRODUCTS, *_QUOTIENTS) or len(call.inputs) != 1:
            break
        if call.changed or len(call.outputs) != 1:
            break
        calls.append(call)
        y = call.outputs[0]
    return _Region(region.x, y, calls)


def _as_sites(region: _Region) -> tuple[HomeMade, Event]:
    first, last = region.calls[0], region.calls[-1]
    in_place = any(
        call.inputs[i].tensor is region.x.tensor for call in region.calls for i in call.changed
    )
    site = HomeMade(
        tuple(call.number for call in region.calls),
        _position(first, region.x),
        last.changed[0] if last.changed else None,
        in_place,
    )
    x, y = region.x, region.y
    node = y.node if y.node is not None else y.tensor.grad_fn  # set when it left its function
    shape = tuple(y.tensor.shape)
    event = Event("activation", x.node, node, shape, shape, call=first.number)
    return site, event


def _position(call: Call, value: Value) -> int:
    return next(i for i, input_value in enumerate(call.inputs) if input_value is value)
