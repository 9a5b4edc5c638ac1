"""From a model to its measured tensors: one pass for each probe and batch that is asked for."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.primitives.types import AXES
from eznas.statistics.catalogue import OVER_PATHS, PATHS, SITES, Statistic
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import kaiming, kept
from eznas.statistics.probes import Captured, excite
from eznas.statistics.sketches import distinct
from eznas.statistics.structure import CARRIED, Layer, Structure, structure
from eznas.statistics.subject import Subject, as_found, ties
from eznas.statistics.tracing import Tracer


def _area(layer: Layer) -> int:
    """Output positions: pixels or, for a linear layer, tokens."""
    return math.prod(layer.output_shape) // layer.weight_shape[0]


_OF_LAYER: dict[str, Callable[[Layer], float]] = {
    "layer_params": lambda layer: math.prod(layer.weight_shape) + layer.bias_params,
    "layer_flops": lambda layer: math.prod(layer.weight_shape) * _area(layer),
    "layer_kernel": lambda layer: (*layer.weight_shape, 1, 1)[2],
    "layer_channels": lambda layer: layer.weight_shape[0],
    "layer_area": _area,
}


@dataclass(frozen=True)
class MeasuredNetwork:
    """What was measured on one network: per statistic a tensor for each row of its axis, absent
    (None) where there is no such site; for network-level statistics a list of one."""

    structure: Structure
    tensors: dict[str, list[Tensor | None]]


def nothing(statistics: Iterable[Statistic]) -> MeasuredNetwork:
    """What stands for a network that cannot be measured: no rows, and every statistic absent."""
    bare = Structure((), dict.fromkeys(AXES[1:-1], ()), 0, 0, None)
    rows = list(statistics)
    return MeasuredNetwork(bare, {r.name: [None] * (r.type.axis == "networks") for r in rows})


def measure(
    model: nn.Module, conditions: MeasurementConfig, statistics: Iterable[Statistic]
) -> MeasuredNetwork:
    """Measure the statistics on one model, which is left exactly as it was found.

    Every pass runs on copies of the parameters and buffers (fresh ones unless
    `conditions.initialisation` is "keep") and from the same random state, so that no statistic
    depends on which others are measured; batch norm runs on the batch (train mode).
    `InputError` where the forward pass fails or meets no convolution (2-D) or linear layer.
    """
    rows = list(statistics)
    fresh = conditions.initialisation == "kaiming"
    with as_found(model), torch.inference_mode(False), torch.enable_grad():
        table = kaiming(model, conditions.seed) if fresh else kept(model)
        subject = Subject(model, {}, conditions, tied=ties(model)).with_table(table)
        with_paths = any(r.name in PATHS for r in rows)
        traced, weights, subject = _trace(subject, with_paths)
        captured: Captured = {}
        for probe, batch in sorted({r.excitation for r in rows if r.probe != "structure"}):
            wanted = [r for r in rows if r.excitation == (probe, batch)]
            captured |= excite(subject, probe, batch, wanted)
    captured["weight"] = dict(enumerate(weights))
    return MeasuredNetwork(
        traced, {r.name: _arrange(r, traced, captured, conditions) for r in rows}
    )


def _trace(subject: Subject, with_paths: bool) -> tuple[Structure, list[Tensor], Subject]:
    """The structure, the weight of each layer as [out, in, kernel height, kernel width], and the
    subject in a layout that its forward can read (a `view` may ask for plain rows)."""
    image = subject.laid_out(subject.conditions.images.pixels[:2]).requires_grad_()
    tracer = Tracer()
    try:
        logits = subject.differentiable().forward(image, tracer)
    except InputError:
        if subject.layout == torch.contiguous_format:
            raise
        return _trace(replace(subject, layout=torch.contiguous_format), with_paths)
    if not tracer.events["layer"]:
        raise subject.error("its forward pass meets no convolution or linear layer")
    params = sum(p.numel() for p in subject.model.parameters())
    weights = [e.weight.detach() for e in tracer.events["layer"] if e.weight is not None]
    shaped = [w.reshape(w.shape + (1,) * (4 - w.dim())) for w in weights]
    traced = structure(tracer, image, logits, params, with_paths=with_paths)
    return traced, shaped, subject


def _arrange(
    row: Statistic, traced: Structure, captured: Captured, conditions: MeasurementConfig
) -> list[Tensor | None]:
    """The captured tensors in the order of the row's axis, None where the site is absent."""
    if row.name in _OF_LAYER:
        return [_number(_OF_LAYER[row.name](layer)) for layer in traced.layers]
    if row.probe == "structure" and row.type.axis == "networks":
        return [_of_network(row.name, traced, conditions)]
    found = captured[row.name]
    if row.sketch == "codes":
        return [_number(distinct(found.values())) if found else None]
    if row.type.axis == "networks":
        return [found.get(0)]
    if row.type.axis != "layers":
        return [found.get(i) for i in range(len(traced.rows[row.type.axis]))]
    role = SITES[row.site][0]
    if role == "layer":
        return [found.get(i) for i in range(len(traced.layers))]
    places = [x.activation if role == "activation" else x.norm for x in traced.layers]
    return [None if p is None else found.get(p) for p in places]


def _of_network(name: str, traced: Structure, conditions: MeasurementConfig) -> Tensor | None:
    if name in ("params", "operations"):
        return _number(getattr(traced, name))
    if name == "same_class":
        labels = conditions.images.labels[: conditions.sketch]
        return (labels[:, None] == labels).double()
    if traced.paths is None:
        return None
    if name == "paths_count":
        return _number(traced.paths.log_count)
    quantity, what = OVER_PATHS[name]
    values: tuple[float, ...] = getattr(traced.paths, what)
    return _number(values[CARRIED.index(quantity)])


def _number(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64)
