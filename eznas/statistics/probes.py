"""Probes: the ways to excite a network. Each runs one pass or a few for all statistics of it."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge
from torch.nn.attention import SDPBackend, sdpa_kernel

from eznas.errors import InputError
from eznas.statistics.collector import Captured, Collector, total_gradient, zeros_like
from eznas.statistics.fisher import fisher_deciles
from eznas.statistics.initialisation import standard_normal
from eznas.statistics.inputs import Parts, is_real, moved
from eznas.statistics.sketches import condense, readable, with_four_axes
from eznas.statistics.statistic import Statistic
from eznas.statistics.traced_model import TracedModel, in_precision, type_name
from eznas.statistics.tracing import Tracer

Objective = Callable[[Tensor], Tensor]  # of the logits
CHANGE = 0.01  # the share of a second noise that the zen probe adds (Lin et al., 2021)


def run_probe(model: TracedModel, probe: str, batch: str, statistics: list[Statistic]) -> Captured:
    """Measure statistics that share one probe and batch; a site that did not run has no entry.

    Raises `InputError` if the model's forward or backward pass fails.
    """
    count = model.config.batch(batch)
    if count == 1 and model.sites.lone_norms:
        if batch != "single":
            raise model.error("a batch norm sees one value of each image: expected a batch of 4")
        count = model.config.raw  # of which the first image is looked at
    return _PROBES[probe](model, count, statistics)


def _data(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _run_pass(model, model.config.data(count), statistics)


def _noise(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _run_pass(model, model.config.noise(count), statistics)


def _shift(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Differences: the tensors on perturbed images minus those on plain ones."""
    inputs = model.config.data(count)
    plain = _run_pass(model, inputs, statistics)
    noisy = moved(inputs, math.sqrt(0.01), model.config.noise(count))
    perturbed = _run_pass(model, noisy, statistics)
    return {
        name: {i: perturbed[name][i] - tensor for i, tensor in tensors.items()}
        for name, tensors in plain.items()
    }


def _flow(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Absolute parameters, an input of ones, no batch norm; float64, as gradients reach 1e43.

    Where a part of the model does not follow into float64, in the model's own type.
    """
    ones = model.config.ones()
    parameters = {name for name, _ in model.module.named_parameters()}

    def run(dtype: torch.dtype, converted: bool) -> Captured:
        tensors = {n: in_precision(t, dtype) for n, t in model.tensors.items()}
        tensors = {n: t.abs().to(t.dtype) if n in parameters else t for n, t in tensors.items()}
        input_dtype = dtype.to_complex() if model.dtype.is_complex else dtype
        absolute = replace(model.with_tensors(tensors), dtype=input_dtype, converted=converted)
        return _run_pass(absolute, ones, statistics, flow=True)

    own_dtype = model.dtype.to_real() if model.dtype.is_complex else model.dtype
    for converted in (False, True):
        try:
            return run(torch.float64, converted)
        except InputError as error:
            if own_dtype == torch.float64:
                raise
            problem = error
    captured = run(own_dtype, False)
    model.notes.append(f"SynFlow's pass in {type_name(own_dtype)}; in float64, {problem}")
    return captured


def _label(model: TracedModel, count: int, statistics: list[Statistic], start: int = 0) -> Captured:
    """Gradients of the cross-entropy on `count` labelled images from `start` on."""
    labels = model.labels()[start : start + count]

    def objective(logits: Tensor) -> Tensor:
        return model.cross_entropy(logits, labels)

    return _run_pass(model, model.config.data(count, start), statistics, objective)


def _label2(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _label(model, count, statistics, start=count)


def _curvature(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """The Hessian of the cross-entropy times its gradient, at every weight (Wang et al., 2020)."""
    labels, model = model.labels()[:count], model.differentiable()
    weights: list[tuple[int, Tensor]] = []

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "layer" and slot == "weight":
            weights.append((index, tensor))

    def then(logits: Tensor) -> dict[int, Tensor | None]:
        loss = model.cross_entropy(logits, labels)
        edges = [get_gradient_edge(w) if w.requires_grad else None for _, w in weights]
        gradients = model.backward(loss, edges, create_graph=True)
        by_weight = _by_weight(model, weights, gradients)
        terms = [g for g in by_weight.values() if g is not None and g.requires_grad]
        gradient_product = (
            torch.stack([(g * g.detach()).sum() for g in terms]).sum() if terms else loss.detach()
        )
        return _by_weight(model, weights, model.backward(gradient_product, edges))

    tracer = Tracer(visit, sites=model.sites)
    inputs = model.as_input(model.config.data(count))
    with sdpa_kernel(SDPBackend.MATH):  # torch's faster kernels of attention have one derivative
        products = model.run(inputs, tracer, then)
    shapes = dict(weights)
    captured: dict[int, Tensor] = {}
    for index, product in products.items():
        tensor = zeros_like(shapes[index]) if product is None else product
        ordered = tracer.events["layer"][index].ordered(tensor)
        captured[index] = readable(with_four_axes(ordered))
    return {
        statistic.name: {i: condense(statistic, [t]) for i, t in captured.items()}
        for statistic in statistics
    }


def _by_weight(
    model: TracedModel, weights: list[tuple[int, Tensor]], gradients: list[Tensor | None]
) -> dict[int, Tensor | None]:
    """The gradients at the weights of layers, (index, weight): one for each weight, by the layer
    that stands for it; that of a tensor is that of all its uses."""
    same, by_index = model.sites.same_weight, dict(weights)
    uses: dict[int, list[tuple[Tensor, Tensor]]] = {}
    for (index, weight), gradient in zip(weights, gradients, strict=True):
        pairs = uses.setdefault(same[index] if same else index, [])
        if gradient is not None:
            pairs.append((weight, gradient))
    return {
        row: total_gradient(pairs, by_index[row]) if pairs else None for row, pairs in uses.items()
    }


def _local(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Every block by itself on noise: random signs at its output, their gradient at its input."""
    generator = model.config.generator("signs")
    inputs: dict[int, Tensor] = {}
    outputs: dict[int, Tensor] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "block" and slot == "input":
            inputs[index] = tensor
        elif role == "block":
            outputs[index] = tensor.clone()  # the next operation may be in place

    signs: dict[int, Tensor] = {}

    def then(_: Tensor) -> dict[int, Tensor | None]:
        for i, y in outputs.items():
            signs[i] = torch.randint(0, 2, y.shape, generator=generator).to(y).mul_(2).sub_(1)
        # The first block's input is the image, whose channels are no features.
        reached = [i for i, y in outputs.items() if y.requires_grad and i > 0]
        objective = torch.zeros((), device=model.config.device) + sum(
            (readable(outputs[i] * signs[i])).sum() for i in reached
        )
        edges = [get_gradient_edge(inputs[i]) for i in reached]
        return dict(zip(reached, model.backward(objective, edges), strict=True))

    noise = model.as_input(model.config.noise(count))
    gradients = model.run(noise, Tracer(visit, cut_blocks=True, sites=model.sites), then)
    pairs = {
        i: (zeros_like(inputs[i]) if (g := gradients.get(i)) is None else g, signs[i])
        for i in range(1, len(outputs))
        if _tiles(inputs[i], signs[i])
    }
    return {
        statistic.name: {i: condense(statistic, [*map(readable, p)]) for i, p in pairs.items()}
        for statistic in statistics
    }


def _tiles(x: Tensor, y: Tensor) -> bool:
    """Whether the input divides into square patches, one for each output position."""
    (input_height, input_width), (height, width) = x.shape[-2:], y.shape[-2:]
    divisible = input_height % height == 0 and input_width % width == 0
    return bool(divisible and input_height // height == input_width // width)


def _zen(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Standard normal weights, noise, and the effect of a little more noise (Lin et al., 2021)."""
    model = model.with_tensors(standard_normal(model.module, model.config.seed))
    noise, second_noise = model.config.noise(count), model.config.noise(count, 1)
    changes = [statistic for statistic in statistics if statistic.site == "relu_change"]
    captured = _run_pass(model, noise, statistics, uncondensed=changes)
    more = _run_pass(model, moved(noise, CHANGE, second_noise), changes, uncondensed=changes)
    for statistic in changes:
        outputs = captured[statistic.name].items()
        captured[statistic.name] = {
            i: condense(statistic, [more[statistic.name][i] - y]) for i, y in outputs
        }
    return captured


def _fisher(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    model = replace(model, evaluation=True)  # where images do not affect one another
    deciles = fisher_deciles(model, model.config.data(count))
    return {statistic.name: {} if deciles is None else {0: deciles} for statistic in statistics}


_PROBES: dict[str, Callable[[TracedModel, int, list[Statistic]], Captured]] = {
    "data": _data,
    "noise": _noise,
    "shift": _shift,
    "flow": _flow,
    "label": _label,
    "label2": _label2,
    "curvature": _curvature,
    "local": _local,
    "zen": _zen,
    "fisher": _fisher,
}


def _run_pass(
    model: TracedModel,
    inputs: Parts,
    statistics: list[Statistic],
    objective: Objective = torch.sum,
    *,
    flow: bool = False,
    uncondensed: list[Statistic] | None = None,
) -> Captured:
    """A forward pass on the inputs; a backward pass too if a statistic is a gradient."""
    count = len(inputs[0])
    first_only = {s.batch for s in statistics} == {"single"} and count > 1
    collector = Collector(statistics, uncondensed or [], count, first_only, model.sites)
    gradient_statistics = [statistic for statistic in statistics if statistic.gradient]
    if gradient_statistics:  # some models differentiate by their parameters themselves
        model = model.differentiable()
    inputs = model.as_input(inputs, differentiable=bool(gradient_statistics))
    for index, part in enumerate(inputs):
        if is_real(part):
            collector.visit("image", index, "input", part)
    collector.tracer = Tracer(collector.visit, flow=flow, sites=model.sites)

    def then(logits: Tensor) -> list[Tensor | None]:
        if not gradient_statistics:
            return []
        return model.backward(objective(logits), [edge for *_, edge in collector.pending])

    collector.receive(model.run(inputs, collector.tracer, then))
    model.left_out.update(collector.left_out)
    return collector.captured
