"""From a model to its measured tensors: one pass for each probe and batch that is needed."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.primitives.types import AXES
from eznas.statistics.catalogue import OVER_PATHS, PATHS
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import current_tensors, kaiming
from eznas.statistics.lending import lent
from eznas.statistics.outputs import path_of
from eznas.statistics.probes import Captured, run_probe
from eznas.statistics.sketches import count_patterns, readable
from eznas.statistics.statistic import SITES, Statistic
from eznas.statistics.structure import PATH_QUANTITIES, Layer, Structure, structure_of
from eznas.statistics.surroundings import own_surroundings, seeded
from eznas.statistics.traced_model import TracedModel, input_types, layers_met
from eznas.statistics.tracing import Tracer

TRACED = 2  # images of the tracing pass: batch norm needs two


def _area(layer: Layer) -> int:
    """Output positions: pixels or, for a linear layer, tokens."""
    return math.prod(layer.output_shape) // layer.weight_shape[0]


_LAYER_SIZES: dict[str, Callable[[Layer], float]] = {
    "layer_params": lambda layer: math.prod(layer.weight_shape) + layer.bias_params,
    "layer_flops": lambda layer: math.prod(layer.weight_shape) * _area(layer),
    "layer_kernel": lambda layer: (*layer.weight_shape, 1, 1)[2],
    "layer_channels": lambda layer: layer.weight_shape[0],
    "layer_area": _area,
}


@dataclass(frozen=True)
class MeasuredNetwork:
    """The statistics of one network.

    `tensors`: for each statistic a list with one tensor for each row of its axis (layers,
    activations, norms or blocks, see `Structure.along`), None where the row has no such site; for
    a network-level statistic a list of one. The shapes are those of the statistic's type, see
    `eznas.primitives.types`, without the first axis. `notes`: what a user should know of how they
    were measured, in words.
    """

    structure: Structure
    tensors: dict[str, list[Tensor | None]]
    notes: tuple[str, ...] = ()


def unmeasured(statistics: Iterable[Statistic]) -> MeasuredNetwork:
    """The placeholder for a network that cannot be measured: no rows, every statistic absent."""
    no_structure = Structure((), dict.fromkeys(AXES[1:-1], ()), 0, 0, None)
    tensors: dict[str, list[Tensor | None]] = {
        row.name: [None] * (row.type.axis == "networks") for row in statistics
    }
    return MeasuredNetwork(no_structure, tensors)


def measure(
    model: nn.Module, config: MeasurementConfig, statistics: Iterable[Statistic]
) -> MeasuredNetwork:
    """Measure the statistics on one model, which is left exactly as it was.

    Every pass runs on copies of the parameters and buffers (fresh ones unless
    `config.initialisation` is "keep") and from the same random state, so that no statistic
    depends on which others are measured; batch norm runs on the batch (train mode).
    Raises `InputError` if a forward or backward pass fails, if the forward meets no convolution
    (2-D) or linear layer, and if the logits do not fit the labels of a statistic that uses them.
    """
    rows = list(statistics)
    device = torch.device(config.device)
    with (
        own_surroundings(device),
        seeded(config.seed, device),
        lent(model) as (module, state),
    ):
        fresh = config.initialisation == "kaiming"
        tensors = kaiming(module, config.seed) if fresh else current_tensors(module)
        output = None if config.output is None else path_of(config.output)
        traced = TracedModel(module, state, {}, config, output=output).with_tensors(tensors)
        with_paths = any(row.name in PATHS for row in rows)
        structure, weights, traced = _trace(traced, with_paths)
        captured: Captured = {}
        for probe, batch in sorted({r.excitation for r in rows if r.probe != "structure"}):
            probe_rows = [row for row in rows if row.excitation == (probe, batch)]
            captured |= run_probe(traced, probe, batch, probe_rows)
    captured["weight"] = dict(enumerate(weights))
    arranged = {row.name: _arranged(row, structure, captured, config) for row in rows}
    return MeasuredNetwork(structure, arranged, tuple(traced.notes))


def _trace(model: TracedModel, with_paths: bool) -> tuple[Structure, list[Tensor], TracedModel]:
    """The structure, the weight of each layer as [out, in, kernel height, kernel width], and the
    model with what the tracing pass found out: the layout and type of images that its forward
    accepts (`view` may fail on channels-last tensors), its output and its layers."""
    attempts = [
        replace(model, layout=layout, dtype=dtype)
        for dtype in input_types(model.module)
        for layout in (model.layout, torch.contiguous_format)
    ]
    errors: list[InputError] = []
    for attempted in attempts:
        try:
            return _traced(attempted, with_paths)
        except InputError as error:
            errors.append(error)
    raise errors[1]  # in the likeliest type


def _traced(model: TracedModel, with_paths: bool) -> tuple[Structure, list[Tensor], TracedModel]:
    image = model.as_input(model.config.noise(TRACED)).requires_grad_()
    tracer = Tracer()
    logits = model.differentiable().forward(image, tracer)
    if not tracer.events["layer"]:
        raise model.error("its forward pass meets no convolution or linear layer")
    params = sum(p.numel() for p in model.module.parameters())
    weights = [e.weight.detach() for e in tracer.events["layer"] if e.weight is not None]
    weights = [readable(w.reshape(w.shape + (1,) * (4 - w.dim()))) for w in weights]
    structure = structure_of(tracer, image, logits, params, with_paths=with_paths)
    ran = layers_met(tracer), TRACED
    return structure, weights, replace(model, output=tracer.output, ran=ran)


def _arranged(
    row: Statistic, structure: Structure, captured: Captured, config: MeasurementConfig
) -> list[Tensor | None]:
    """The captured tensors in the order of the row's axis, None where the site is absent."""
    axis = row.type.axis
    if row.name in _LAYER_SIZES:
        return [_scalar(_LAYER_SIZES[row.name](layer)) for layer in structure.layers]
    if row.probe == "structure" and axis == "networks":
        return [_network_level(row.name, structure, config)]
    tensors = captured[row.name]
    if row.sketch == "codes":
        return [_scalar(count_patterns(tensors.values())) if tensors else None]
    if axis == "networks":
        return [tensors.get(0)]
    if axis != "layers":
        return [tensors.get(i) for i in range(len(structure.rows[axis]))]
    role = SITES[row.site][0]
    if role == "layer":
        return [tensors.get(i) for i in range(len(structure.layers))]
    indices = [x.activation if role == "activation" else x.norm for x in structure.layers]
    return [None if index is None else tensors.get(index) for index in indices]


def _network_level(name: str, structure: Structure, config: MeasurementConfig) -> Tensor | None:
    """A statistic of the whole network that needs no pass; None where the network has no paths."""
    if name in ("params", "operations"):
        return _scalar(getattr(structure, name))
    if name == "same_class":
        labels = config.images.labels[: config.sketch]
        return (labels[:, None] == labels).double()
    if structure.paths is None:
        return None
    if name == "paths_count":
        return _scalar(structure.paths.log_count)
    quantity, attribute = OVER_PATHS[name]
    values: tuple[float, ...] = getattr(structure.paths, attribute)
    return _scalar(values[PATH_QUANTITIES.index(quantity)])


def _scalar(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64)
