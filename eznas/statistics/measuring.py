"""From a model to its measured tensors: one pass for each probe and batch that is needed."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.primitives.types import AXES
from eznas.statistics.activations import found_sites
from eznas.statistics.applicable import inapplicable
from eznas.statistics.catalogue import OVER_PATHS, PATHS
from eznas.statistics.collector import Captured, channel_axis, of_weight
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.initialisation import current_tensors, kaiming
from eznas.statistics.lending import lent
from eznas.statistics.modes import note_on_train_mode
from eznas.statistics.outputs import class_scores, path_of
from eznas.statistics.probes import run_probe
from eznas.statistics.sketches import count_patterns, readable, with_four_axes
from eznas.statistics.statistic import SITES, Statistic
from eznas.statistics.structure import PATH_QUANTITIES, Layer, Structure, structure_of
from eznas.statistics.surroundings import own_surroundings, seeded
from eznas.statistics.traced_model import TracedModel, input_types, layers_met
from eznas.statistics.tracing import Tracer
from eznas.statistics.weights import note_on_unseen, unseen_parameters

T = TypeVar("T")
TRACED = 2  # images of the tracing pass: batch norm needs two


_LAYER_SIZES: dict[str, Callable[[Layer], float]] = {
    "layer_params": lambda layer: math.prod(layer.weight_shape) + layer.bias_params,
    "layer_flops": lambda layer: math.prod(layer.weight_shape) * layer.positions,
    "layer_kernel": lambda layer: (*layer.weight_shape, 1, 1)[2],
    "layer_channels": lambda layer: layer.weight_shape[0],
    "layer_area": lambda layer: layer.area,
}


@dataclass(frozen=True)
class MeasuredNetwork:
    """The statistics of one network.

    `tensors`: for each statistic a list with one tensor for each row of its axis (layers,
    activations, norms or blocks, see `Structure.along`), None where the row has no such site; for
    a network-level statistic a list of one. The shapes are those of the statistic's type, see
    `eznas.primitives.types`, without the first axis. `notes`: what a user should know of how they
    were measured, in words; `left_out`: at how many places statistics that compare images are not
    read because the first axis there is not that of images, by their names.
    """

    structure: Structure
    tensors: dict[str, list[Tensor | None]]
    notes: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


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
    depends on which others are measured; batch norm runs on the batch (train mode). Parameters
    alone need no layers: where nothing else is asked for, the structure has none.
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
        only_params = bool(rows) and all(row.name == "params" for row in rows)
        numbers_matter = not only_params or any(p.is_meta for p in module.parameters())
        fresh = config.initialisation == "kaiming" and numbers_matter
        tensors = kaiming(module, config.seed) if fresh else current_tensors(module)
        output = None if config.output is None else path_of(config.output)
        traced = TracedModel(module, state, {}, config, output=output).with_tensors(tensors)
        if only_params:
            structure = _first_success(traced, _params_alone)
            return MeasuredNetwork(structure, {r.name: [_scalar(structure.params)] for r in rows})
        with_paths = any(row.name in PATHS for row in rows)
        structure, weights, traced, tracer = _first_success(
            traced, lambda attempted: _traced(attempted, with_paths)
        )
        if any(row.type.axis == "layers" or row.name == "operations" for row in rows):
            traced.notes.extend(_notes_on_layers(traced, structure, tracer))
        del tracer  # it holds every tensor of its pass
        absent = {row.name: why for row in rows if (why := inapplicable(row, traced))}
        captured: Captured = {name: {} for name in absent}
        probed = [row for row in rows if row.probe != "structure" and row.name not in absent]
        for probe, batch in sorted({row.excitation for row in probed}):
            probe_rows = [row for row in probed if row.excitation == (probe, batch)]
            captured |= run_probe(traced, probe, batch, probe_rows)
    captured["weight"] = dict(enumerate(weights))
    if any(row.name == "same_class" for row in rows):
        captured.setdefault("same_class", {0: _same_class(traced)})
    arranged = {row.name: _arranged(row, structure, captured) for row in rows}
    notes = (*traced.notes, *map(_left_out_note, traced.left_out.items()))
    return MeasuredNetwork(structure, arranged, notes, traced.left_out, absent)


def _first_success(model: TracedModel, step: Callable[[TracedModel], T]) -> T:
    """What the step gives for the model with the first layout and type of images that its forward
    accepts (`view` may fail on channels-last tensors). The last of the likeliest type's errors is
    raised where it accepts none."""
    attempts = [
        replace(model, layout=layout, dtype=dtype)
        for dtype in input_types(model.module, model.config.images.form.dtype)
        for layout in (model.layout, torch.contiguous_format)
    ]
    errors: list[InputError] = []
    for attempted in attempts:
        try:
            return step(attempted)
        except InputError as error:
            errors.append(error)
    raise errors[1]


def _params_alone(model: TracedModel) -> Structure:
    """A structure of parameters alone, of a model whose forward runs and meets layers."""
    tracer = Tracer()
    with torch.no_grad():
        model.forward(model.as_input(model.config.noise(TRACED)), tracer)
    _check_layers(model, tracer)
    return replace(unmeasured(()).structure, params=_params(model))


def _traced(
    model: TracedModel, with_paths: bool
) -> tuple[Structure, list[Tensor], TracedModel, Tracer]:
    """The structure; the weight of each layer as [out, in, kernel height, kernel width]; the model
    with what the tracing pass found out: its output, its layers and its sites; the tracer."""
    inputs = model.as_input(model.config.noise(TRACED), differentiable=True)
    tracer = Tracer(record=True)
    data = tracer.dataflow
    assert data is not None
    data.add_inputs(inputs)
    logits = model.differentiable().forward(inputs, tracer)
    _check_layers(model, tracer)
    sites = found_sites(tracer, data)
    weights = [
        readable(with_four_axes(e.ordered(e.weight.detach())))
        for e in tracer.events["layer"]
        if e.weight is not None
    ]
    structure = structure_of(tracer, inputs, logits, _params(model), with_paths=with_paths)
    sites = replace(sites, same_weight=structure.same_weight, reached=structure.reached)
    ran = layers_met(tracer), TRACED
    axis = channel_axis(tracer.events["layer"][-1], logits)
    scores = class_scores(logits, TRACED, axis)
    classes = None if scores is None else scores.shape[1]
    traced = replace(
        model, output=tracer.output, classes=classes, class_axis=axis, ran=ran, sites=sites
    )
    return structure, weights, traced, tracer


def _check_layers(model: TracedModel, tracer: Tracer) -> None:
    if not tracer.events["layer"]:
        raise model.error("its forward pass meets no convolution or linear layer")


def _params(model: TracedModel) -> int:
    return sum(p.numel() for p in model.module.parameters())


def _notes_on_layers(model: TracedModel, structure: Structure, tracer: Tracer) -> Iterator[str]:
    """What a user should know of which layers are counted."""
    assert tracer.dataflow is not None
    if note := note_on_unseen(unseen_parameters(model.module, tracer.dataflow)):
        yield note
    if not all(layer.live for layer in structure.layers) and (
        note := note_on_train_mode(model, tracer)
    ):
        yield note


def _left_out_note(entry: tuple[str, int]) -> str:
    name, count = entry
    return (
        f"{name} compares images, and is not read at {count} places where images are not the first "
        "axis"
    )


def _arranged(row: Statistic, structure: Structure, captured: Captured) -> list[Tensor | None]:
    """The captured tensors in the order of the row's axis, None where the site is absent."""
    axis = row.type.axis
    if row.name in _LAYER_SIZES:
        size, once = _LAYER_SIZES[row.name], row.name == "layer_params"
        return [
            None if once and not layer.first else _scalar(size(layer)) for layer in structure.layers
        ]
    if row.name not in captured:  # read off the structure
        return [_network_level(row.name, structure)]
    tensors = captured[row.name]
    if row.sketch == "codes":
        return [_scalar(count_patterns(tensors.values())) if tensors else None]
    if axis == "networks":
        return [_joined(tensors)]
    if axis != "layers":
        return [tensors.get(i) for i in range(len(structure.rows[axis]))]
    role = SITES[row.site][0]
    if role == "layer":
        once = of_weight(row)
        return [
            None if once and not layer.first else tensors.get(i)
            for i, layer in enumerate(structure.layers)
        ]
    indices = [x.activation if role == "activation" else x.norm for x in structure.layers]
    return [None if index is None else tensors.get(index) for index in indices]


def _joined(tensors: dict[int, Tensor]) -> Tensor | None:
    """What was captured of a network at its inputs, [images, ...]: side by side for several."""
    parts = [tensors[index] for index in sorted(tensors)]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _same_class(model: TracedModel) -> Tensor:
    labels = model.labels()[: model.config.sketch]
    return (labels[:, None] == labels).double()


def _network_level(name: str, structure: Structure) -> Tensor | None:
    """A statistic of the whole network that needs no pass; None where the network has no paths."""
    if name in ("params", "operations"):
        return _scalar(getattr(structure, name))
    if structure.paths is None:
        return None
    if name == "paths_count":
        return _scalar(structure.paths.log_count)
    quantity, attribute = OVER_PATHS[name]
    values: tuple[float, ...] = getattr(structure.paths, attribute)
    return _scalar(values[PATH_QUANTITIES.index(quantity)])


def _scalar(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64)
