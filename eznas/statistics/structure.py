"""The structure of a traced network: what is live, who keeps whose company, and its paths.

The autograd graph says how the traced operations are connected, so additions, concatenations and
views need no knowledge of their own.
"""

import math
from collections import deque
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from eznas.statistics.paths import Paths, paths
from eznas.statistics.tracing import Event, Tracer, both

CARRIED = ("convs", "pools", "field", "params", "length")  # what paths carry, see `_carried`
Row = tuple[Hashable, bool]  # rows of one signature can be stacked; whether it is live


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
    """What a traced network is made of, in the order in which it ran.

    `rows`: signature and liveness along the axes activations, norms and blocks; `operations`: for
    one image, see `_operations`; `paths`: over all ways from the image to the logits, with
    `CARRIED` as quantities; None where there is none, or none was asked for.
    """

    layers: tuple[Layer, ...]
    rows: dict[str, tuple[Row, ...]]
    params: int
    operations: int
    paths: Paths | None

    def along(self, axis: str) -> tuple[Row, ...]:
        """The rows of any axis of layers, activations, norms or blocks."""
        if axis == "layers":
            return tuple((layer.signature, layer.live) for layer in self.layers)
        return self.rows[axis]


def structure(
    tracer: Tracer, image: Tensor, logits: Tensor, params: int, *, with_paths: bool = True
) -> Structure:
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

    rows: dict[str, tuple[Row, ...]] = {
        f"{role}s": tuple(
            # The first block is fed the image, and is not measured as the others are.
            ((e.input_shape[1:], e.output_shape[1:], role == "block" and i == 0), e.node in between)
            for i, e in enumerate(events[role])
        )
        for role in ("activation", "norm", "block")
    }
    found = None
    if between and with_paths:
        inside = {n: [p for p in graph.parents[n] if p in between] for n in between}
        side = image.shape[-1]
        carried = {e.node: _carried(e, side) for role in _ON_PATHS for e in events[role]}
        found = paths(inside, entrance, logits.grad_fn, carried, len(CARRIED))
    operations = sum(_operations(e) for role in _ON_PATHS for e in events[role])
    return Structure(tuple(map(layer, events["layer"])), rows, params, operations, found)


_ON_PATHS = ("layer", "activation", "norm", "pool")


def _carried(event: Event, side: int) -> tuple[float, ...]:
    """What an operation adds to a path: 1 if a convolution, 1 if a pooling, the growth of the
    receptive field in pixels of an image of this side, ln parameters, 1 as an operation."""
    image = len(event.input_shape) == 4
    spread = side / event.input_shape[-1] if image else 0.0
    layer = event.role == "layer" and event.weight is not None
    return (
        float(layer and image),
        float(event.role == "pool"),
        _reach(event) * spread,
        math.log(event.weight.numel()) if event.weight is not None and layer else 0.0,
        1.0,
    )


def _reach(event: Event) -> int:
    """Pixels of its input that an operation sees beyond one, along its longer side."""
    steps = both(event.geometry.get("dilation", 1)) if event.role == "layer" else (1, 1)
    return max((k - 1) * d for k, d in zip(event.window, steps, strict=True))


def _operations(event: Event) -> int:
    """Operations on one image, as NAS-Bench-Suite-Zero counts them (Krishnakumar et al., 2022):
    the multiply-adds of a layer; per unit of its output one of an activation, two of a batch
    norm, and as many as the window has pixels of a pooling."""
    units = math.prod(event.output_shape[1:])
    if event.role == "layer" and event.weight is not None:
        return units * event.weight[0].numel()
    return units * {"activation": 1, "norm": 2, "pool": math.prod(event.window)}[event.role]
