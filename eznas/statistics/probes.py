"""Probes: the ways to excite a network. Each runs one pass or a few for all statistics of it."""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from eznas.statistics.collector import Captured, Collector, total_gradient, zeros_like
from eznas.statistics.fisher import fisher_deciles
from eznas.statistics.initialisation import standard_normal
from eznas.statistics.sketches import condense, with_four_axes
from eznas.statistics.statistic import Statistic
from eznas.statistics.traced_model import TracedModel, in_evaluation_mode
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
    return _run_pass(model, model.config.images.pixels[:count], statistics)


def _noise(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _run_pass(model, _standard_noise(model, count), statistics)


def _shift(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Differences: the tensors on perturbed images minus those on plain ones."""
    images = model.config.images.pixels[:count]
    plain = _run_pass(model, images, statistics)
    perturbed = _run_pass(
        model, images + math.sqrt(0.01) * _standard_noise(model, count), statistics
    )
    return {
        name: {i: perturbed[name][i] - tensor for i, tensor in tensors.items()}
        for name, tensors in plain.items()
    }


def _flow(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Absolute parameters, an input of ones, no batch norm; float64, as gradients reach 1e43."""
    images = torch.ones_like(model.config.images.pixels[:1], dtype=torch.float64)
    parameters = {name for name, _ in model.module.named_parameters()}
    tensors = {n: t.double() if t.is_floating_point() else t for n, t in model.tensors.items()}
    tensors = {n: t.abs() if n in parameters else t for n, t in tensors.items()}
    return _run_pass(model.with_tensors(tensors), images, statistics, flow=True)


def _label(model: TracedModel, count: int, statistics: list[Statistic], start: int = 0) -> Captured:
    """Gradients of the cross-entropy on `count` labelled images from `start` on."""
    images = model.config.images
    portion = slice(start, start + count)

    def objective(logits: Tensor) -> Tensor:
        return model.cross_entropy(logits, images.labels[portion])

    return _run_pass(model, images.pixels[portion], statistics, objective)


def _label2(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _label(model, count, statistics, start=count)


def _curvature(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """The Hessian of the cross-entropy times its gradient, at every weight (Wang et al., 2020)."""
    images = model.config.images
    model = model.differentiable()
    weights: list[tuple[int, Tensor]] = []

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "layer" and slot == "weight":
            weights.append((index, tensor))

    tracer = Tracer(visit, sites=model.sites)
    logits = model.forward(model.as_input(images.pixels[:count]), tracer)
    loss = model.cross_entropy(logits, images.labels[:count])
    edges = [get_gradient_edge(w) if w.requires_grad else None for _, w in weights]
    gradients = model.backward(loss, edges, create_graph=True)
    same = _by_weight(model, weights, gradients)
    terms = [g for g in same.values() if g is not None and g.requires_grad]
    gradient_product = (
        torch.stack([(g * g.detach()).sum() for g in terms]).sum() if terms else loss.detach()
    )
    products = _by_weight(model, weights, model.backward(gradient_product, edges))
    shapes = dict(weights)
    captured: dict[int, Tensor] = {}
    for index, product in products.items():
        tensor = zeros_like(shapes[index]) if product is None else product
        captured[index] = with_four_axes(tracer.events["layer"][index].ordered(tensor))
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

    noise = model.as_input(_standard_noise(model, count))
    model.forward(noise, Tracer(visit, cut_blocks=True, sites=model.sites))
    signs = {
        i: torch.randint(0, 2, y.shape, generator=generator).to(y).mul_(2).sub_(1)
        for i, y in outputs.items()
    }
    # The first block's input is the image, whose channels are no features.
    reached = [i for i, y in outputs.items() if y.requires_grad and i > 0]
    objective = noise.new_zeros(()) + sum((outputs[i] * signs[i]).sum() for i in reached)
    edges = [get_gradient_edge(inputs[i]) for i in reached]
    gradients = dict(zip(reached, model.backward(objective, edges), strict=True))
    pairs = {
        i: (zeros_like(inputs[i]) if (g := gradients.get(i)) is None else g, signs[i])
        for i in range(1, len(outputs))
        if _tiles(inputs[i], signs[i])
    }
    return {
        statistic.name: {i: condense(statistic, pair) for i, pair in pairs.items()}
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
    noise, second_noise = _standard_noise(model, count), _standard_noise(model, count, 1)
    changes = [statistic for statistic in statistics if statistic.site == "relu_change"]
    captured = _run_pass(model, noise, statistics, uncondensed=changes)
    moved = _run_pass(model, noise + CHANGE * second_noise, changes, uncondensed=changes)
    for statistic in changes:
        outputs = captured[statistic.name].items()
        captured[statistic.name] = {
            i: condense(statistic, [moved[statistic.name][i] - y]) for i, y in outputs
        }
    return captured


def _fisher(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    with in_evaluation_mode(model.module):
        deciles = fisher_deciles(model, model.config.images.pixels[:count])
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
    images: Tensor,
    statistics: list[Statistic],
    objective: Objective = torch.sum,
    *,
    flow: bool = False,
    uncondensed: list[Statistic] | None = None,
) -> Captured:
    """A forward pass on the images; a backward pass too if a statistic is a gradient."""
    first_only = {s.batch for s in statistics} == {"single"} and len(images) > 1
    collector = Collector(statistics, uncondensed or [], len(images), first_only, model.sites)
    gradient_statistics = [statistic for statistic in statistics if statistic.gradient]
    if any(statistic.site != "image" for statistic in gradient_statistics):
        model = model.differentiable()
    image = model.as_input(images).requires_grad_(bool(gradient_statistics))
    collector.visit("image", 0, "input", image)
    collector.tracer = Tracer(collector.visit, flow=flow, sites=model.sites)
    logits = model.forward(image, collector.tracer)
    if gradient_statistics:
        edges = [edge for *_, edge in collector.pending]
        collector.receive(model.backward(objective(logits), edges))
    model.left_out.update(collector.left_out)
    return collector.captured


def _standard_noise(model: TracedModel, count: int, draw: int = 0) -> Tensor:
    """Standard normal noise in the shape of `count` images: draw 0, 1, ... of one generator."""
    images = model.config.images.pixels[:count]
    generator = model.config.generator("noise")
    draws = [
        torch.empty(images.shape, dtype=images.dtype).normal_(generator=generator)
        for _ in range(draw + 1)
    ]
    return draws[-1].to(images.device)
