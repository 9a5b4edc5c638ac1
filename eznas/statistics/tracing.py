"""The tracer: the graph of operations that really ran, and the tensors at its sites.

A torch function mode sees every convolution, linear layer, activation and batch norm, whether
a module or a function called it; the autograd graph says how they are connected, so additions,
concatenations and views need no knowledge of their own.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

_EVENTS = {"conv2d": "layer", "linear": "layer", "batch_norm": "norm"} | dict.fromkeys(
    (
        *("relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "selu_"),
        *("celu", "gelu", "silu", "mish", "hardtanh", "hardswish", "softplus", "prelu"),
    ),
    "activation",
)


@dataclass
class Event:
    """One traced operation; the nodes are autograd functions, None for constants."""

    role: str
    source: Any
    node: Any
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight: Tensor | None = None
    bias: Tensor | None = None


Visit = Callable[[str, int, str, Tensor], None]


class Tracer(TorchFunctionMode):
    """Follow one forward pass: record events and show tensors at sites to `visit`.

    `visit(role, index, slot, tensor)` is called with the slot "input" before and "output" and
    "weight" after the operation; index counts the events of one role. An input is shown as a
    view of its own (for an operation in place, a copy), so that its gradient is the one through
    this operation alone. With `flow`, batch norm is the identity (Tanaka et al., 2020). `fault`
    is what `visit` raised, if it did: an error that is not the model's.
    """

    def __init__(self, visit: Visit | None = None, flow: bool = False) -> None:
        super().__init__()
        self.events: dict[str, list[Event]] = {"layer": [], "activation": [], "norm": []}
        self.fault: Exception | None = None
        self._visit = visit
        self._flow = flow

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
        seen, in_place = x, _in_place(func, rest, kwargs)
        if self._visit is not None:
            seen = x.clone() if in_place else x.view_as(x)
            self._show(role, index, "input", seen)
        y: Tensor = func(seen, *rest, **kwargs)
        weight = rest[0] if rest else kwargs.get("weight")
        bias = rest[1] if len(rest) > 1 else kwargs.get("bias")
        event = Event(role, source, y.grad_fn, shape, tuple(y.shape))
        if role == "layer":
            event.weight, event.bias = weight, bias
        self.events[role].append(event)
        self._show(role, index, "output", y)
        if role == "layer" and weight is not None:
            self._show(role, index, "weight", weight)
        return x.copy_(y) if in_place and seen is not x else y

    def _show(self, role: str, index: int, slot: str, tensor: Tensor) -> None:
        try:
            if self._visit is not None:
                self._visit(role, index, slot, tensor)
        except Exception as error:
            self.fault = error
            raise


def _in_place(func: Callable[..., Any], rest: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    flagged = kwargs.get("inplace", False) or any(r is True for r in rest)
    return bool(flagged) or func.__name__.endswith("_")


@dataclass
class Graph:
    """Autograd nodes between the events of one pass: `parents` lead to the input."""

    parents: dict[Any, list[Any]] = field(default_factory=dict)
    children: dict[Any, list[Any]] = field(default_factory=dict)

    @staticmethod
    def of(roots: Iterable[Any]) -> "Graph":
        """Every node upstream of the roots."""
        graph = Graph()
        waiting = [r for r in roots if r is not None]
        while waiting:
            node = waiting.pop()
            if node in graph.parents:
                continue
            above = [n for n, _ in node.next_functions if n is not None]
            graph.parents[node] = above
            for n in above:
                graph.children.setdefault(n, []).append(node)
            waiting.extend(above)
        return graph

    def upstream(self, start: Any) -> set[Any]:
        """The node and everything that leads to it."""
        return set(_walk([start], self.parents, ()))

    def downstream(self, start: Any) -> set[Any]:
        """The node and everything that it leads to."""
        return set(_walk([start], self.children, ()))

    def nearest(
        self, start: Any, goals: dict[Any, int], walls: Iterable[Any], down: bool = False
    ) -> int | None:
        """The goal fewest steps from `start` without crossing a wall; None where there is none."""
        if start is None:
            return None
        steps = self.children if down else self.parents
        return next((goals[n] for n in _walk([start], steps, walls) if n in goals), None)


def _walk(start: list[Any], steps: dict[Any, list[Any]], walls: Iterable[Any]) -> Iterable[Any]:
    """Breadth first; a wall is shown but not crossed."""
    seen, waiting, walls = set(start), deque(start), frozenset(walls)
    while waiting:
        node = waiting.popleft()
        yield node
        for following in steps.get(node, ()) if node not in walls else ():
            if following not in seen:
                seen.add(following)
                waiting.append(following)


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer as it ran: shapes without the batch, and its company.

    `activation` and `norm` index the events of that role, and `company` holds the shapes of the
    one's input and the other's output (None where absent); `live`: on a path from the input and
    to the logits.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    bias_params: int
    activation: int | None
    norm: int | None
    company: tuple[tuple[int, ...] | None, tuple[int, ...] | None]
    live: bool

    @property
    def signature(self) -> tuple[object, ...]:
        """Layers of one signature can be stacked at every site."""
        return (self.input_shape, self.output_shape, self.weight_shape, *self.company)


@dataclass(frozen=True)
class Structure:
    """What a traced network is made of, in the order in which it ran."""

    layers: tuple[Layer, ...]
    activations_live: tuple[bool, ...]
    params: int


def structure(tracer: Tracer, image: Tensor, logits: Tensor, params: int) -> Structure:
    """The structure behind one traced pass, for which the image and all weights had gradients.

    An operation is live when its node lies between the image and the logits; the layer's
    activation is the nearest upstream, not beyond another layer; its batch norm the nearest
    downstream, not beyond another layer or an activation.
    """
    events = tracer.events
    graph = Graph.of([logits.grad_fn, *(e.node for role in events.values() for e in role)])
    entrance = next((n for n in graph.parents if getattr(n, "variable", None) is image), None)
    between = (graph.downstream(entrance) & graph.upstream(logits.grad_fn)) - {None}
    nodes = {role: {e.node: i for i, e in enumerate(es)} for role, es in events.items()}
    walls = set(nodes["layer"])
    blocked = walls | set(nodes["activation"])

    def layer(event: Event) -> Layer:
        assert event.weight is not None
        activation = graph.nearest(event.source, nodes["activation"], walls)
        norm = graph.nearest(event.node, nodes["norm"], blocked - {event.node}, down=True)
        before = None if activation is None else events["activation"][activation].input_shape[1:]
        after = None if norm is None else events["norm"][norm].output_shape[1:]
        return Layer(
            event.input_shape[1:],
            event.output_shape[1:],
            tuple(event.weight.shape),
            0 if event.bias is None else event.bias.numel(),
            activation,
            norm,
            (before, after),
            event.node in between,
        )

    live = tuple(e.node in between for e in events["activation"])
    return Structure(tuple(layer(e) for e in events["layer"]), live, params)
