"""The structure of a traced network: its layers and their neighbours, liveness, size, and paths."""

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from eznas.statistics.events import Event, sides
from eznas.statistics.graph import Graph
from eznas.statistics.inputs import Parts
from eznas.statistics.paths import Paths, paths
from eznas.statistics.tracing import Tracer

PATH_QUANTITIES = ("convs", "pools", "field", "params", "length")  # see `_path_values`
Row = tuple[Hashable, bool]  # signature (rows of equal signature can be stacked), liveness
_BEGIN = "begin"  # before all inputs, where every path begins
_COUNTED_ROLES = ("layer", "activation", "norm", "pool")


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer as it ran: shapes without the batch, and its neighbours.

    `weight_shape`: [out, in, *kernel]; `positions`: at how many the weight is applied for one
    image (pixels or, for a linear layer, tokens; the input's for a transposed convolution), and
    `area`: the output's; `first`: whether it stands for its weight, which other layers may use as
    well. `activation` and `norm` are the indices of its activation and batch norm among the events
    of that role, `activation_shape` the shape of the activation's input and `norm_shape` that of
    the norm's output (None where there is no such neighbour). `live`: on a path from the input and
    to the logits.
    """

    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    bias_params: int
    positions: int
    area: int
    first: bool
    activation: int | None
    norm: int | None
    activation_shape: tuple[int, ...] | None
    norm_shape: tuple[int, ...] | None
    live: bool

    @property
    def signature(self) -> tuple[object, ...]:
        """Layers of equal signature have equal shapes at every site, and so can be stacked."""
        own_shapes = (self.input_shape, self.output_shape, self.weight_shape)
        shapes = (*own_shapes, self.activation_shape, self.norm_shape)
        return shapes if self.first else (*shapes, "again")


@dataclass(frozen=True)
class Structure:
    """What a traced network is made of, in the order in which it ran.

    `rows`: signature and liveness of every activation, norm and block, by axis; `params`: all
    parameters of the network; `operations`: for one image, see `_operations`; `paths`: over all
    paths from the image to the logits, with `PATH_QUANTITIES` as quantities; None where there is
    no path, or where paths were not requested. `same_weight`: for each layer the number of the one
    that stands for its weight: the first live one that uses it, or the first. `reached`: whether
    the logits depend on the image; `blind`: whether no gradient shows how, so that liveness is not
    known.
    """

    layers: tuple[Layer, ...]
    rows: dict[str, tuple[Row, ...]]
    params: int
    operations: int
    paths: Paths | None
    same_weight: tuple[int, ...] = ()
    reached: bool = True
    blind: bool = False

    def along(self, axis: str) -> tuple[Row, ...]:
        """Signature and liveness of each row of an axis.

        `axis`: "layers", "activations", "norms" or "blocks"; `KeyError` for any other.
        """
        if axis == "layers":
            return tuple((layer.signature, layer.live) for layer in self.layers)
        return self.rows[axis]


def structure_of(
    tracer: Tracer, inputs: Parts, logits: Tensor, params: int, *, with_paths: bool = True
) -> Structure:
    """The structure behind one traced pass, in which the inputs and all weights required gradients.

    `inputs`: each part [batch, ...]; `params`: the network's parameter count. An operation is live
    when its node lies between an input and the logits (whole numbers begin at the first
    differentiable operation on them, as an embedding); a layer's
    activation is the nearest upstream, not beyond another layer; its batch norm the nearest
    downstream, not beyond another layer or an activation.
    """
    events = tracer.events
    graph = Graph.of([logits.grad_fn, *(e.node for by_role in events.values() for e in by_role)])
    data = tracer.dataflow
    begins = _begins(graph, inputs, [] if data is None else data.entries)
    after_inputs = set[Any]().union(*(graph.downstream(node) for node in begins))
    live_nodes = (after_inputs & graph.upstream(logits.grad_fn)) - {None}
    index_of = {role: {e.node: i for i, e in enumerate(es)} for role, es in events.items()}
    same_weight = _same_weight(events["layer"], live_nodes)
    layers = tuple(
        _layer(e, same_weight[i] == i, len(inputs[0]), events, index_of, graph, live_nodes)
        for i, e in enumerate(events["layer"])
    )
    rows = {f"{r}s": _rows(r, events[r], live_nodes) for r in ("activation", "norm", "block")}
    counted = [event for role in _COUNTED_ROLES for event in events[role]]
    live_paths = None
    if live_nodes and with_paths:
        parents = {n: [p for p in graph.parents[n] if p in live_nodes] for n in live_nodes}
        for node in begins & live_nodes:
            parents[node] = [_BEGIN, *parents[node]]
        values = {event.node: _path_values(event, inputs[0].shape[-1]) for event in counted}
        live_paths = paths(parents, _BEGIN, logits.grad_fn, values, len(PATH_QUANTITIES))
    operations = sum(_for_one_image(_operations(e), e, len(inputs[0])) for e in counted)
    reached = bool(live_nodes) or (data is not None and data.value(logits).from_image)
    blind = reached and not live_nodes
    return Structure(layers, rows, params, operations, live_paths, same_weight, reached, blind)


def _begins(graph: Graph, inputs: Parts, entries: list[Any]) -> set[Any]:
    """The nodes of a graph by which inputs come into it."""
    differentiable = {id(part) for part in inputs if part.requires_grad}
    leaves = {n for n in graph.parents if id(getattr(n, "variable", None)) in differentiable}
    return leaves | {node for node in entries if node in graph.parents}


def _same_weight(layers: list[Event], live_nodes: set[Any]) -> tuple[int, ...]:
    first: dict[object, int] = {}
    for live in (True, False):
        for index, event in enumerate(layers):
            if (event.node in live_nodes) == live:
                first.setdefault(index if event.weight_key is None else event.weight_key, index)
    return tuple(
        first[index if event.weight_key is None else event.weight_key]
        for index, event in enumerate(layers)
    )


def _for_one_image(total: int, event: Event, images: int) -> int:
    """Of a number that counts a whole batch the share of one image; what does not depend on the
    image, such as a layer that runs on positions, counts whole."""
    per_image = event.from_image or event.output_shape[:1] == (images,)
    return total // images if per_image else total


def _layer(
    event: Event,
    first: bool,
    images: int,
    events: dict[str, list[Event]],
    index_of: dict[str, dict[Any, int]],
    graph: Graph,
    live_nodes: set[Any],
) -> Layer:
    """The layer of one event; `index_of`: role -> node -> index of its event."""
    assert event.weight is not None
    layers, activations = index_of["layer"], index_of["activation"]
    activation = graph.nearest(event.source, activations, layers)
    barriers = (layers.keys() | activations.keys()) - {event.node}
    norm = graph.nearest(event.node, index_of["norm"], barriers, down=True)
    return Layer(
        event.input_shape[1:],
        event.output_shape[1:],
        event.weight_shape,
        0 if event.bias is None else event.bias.numel(),
        _for_one_image(event.positions, event, images),
        _for_one_image(math.prod(event.output_shape) // event.weight_shape[0], event, images),
        first,
        activation,
        norm,
        None if activation is None else events["activation"][activation].input_shape[1:],
        None if norm is None else events["norm"][norm].output_shape[1:],
        event.node in live_nodes,
    )


def _rows(role: str, events: list[Event], live_nodes: set[Any]) -> tuple[Row, ...]:
    """The rows of one role. The first block is not stacked with others: its input is the image,
    and some statistics leave it out."""
    return tuple(
        (
            (event.input_shape[1:], event.output_shape[1:], role == "block" and i == 0),
            event.node in live_nodes,
        )
        for i, event in enumerate(events)
    )


def _path_values(event: Event, image_side: int) -> tuple[float, ...]:
    """What an operation adds to the quantities of a path: 1 for a convolution, 1 for a pooling,
    the growth of the receptive field in pixels of the image, ln of the number of weights, and 1
    for any operation."""
    on_maps = event.is_convolution or event.role == "pool"
    pixels_per_position = image_side / event.input_shape[-1] if on_maps else 0.0
    is_layer = event.role == "layer" and event.weight is not None
    return (
        float(is_layer and on_maps),
        float(event.role == "pool"),
        _field_growth(event) * pixels_per_position,
        math.log(event.weight.numel()) if event.weight is not None and is_layer else 0.0,
        1.0,
    )


def _field_growth(event: Event) -> int:
    """How many more than one position of its input an operation sees, along its longer side."""
    dilation = event.arguments.get("dilation", 1) if event.role == "layer" else 1
    steps = sides(dilation, len(event.window))
    return max((side - 1) * step for side, step in zip(event.window, steps, strict=True))


def _operations(event: Event) -> int:
    """Operations on a batch, as NAS-Bench-Suite-Zero counts them (Krishnakumar et al., 2022): the
    multiply-adds of a layer; for each unit of the output 1 for an activation, 2 for a batch
    norm, and the window's number of positions for a pooling."""
    units = math.prod(event.output_shape)
    if event.role == "layer" and event.weight is not None:
        return event.positions * event.weight.numel()
    return units * {"activation": 1, "norm": 2, "pool": math.prod(event.window)}[event.role]
