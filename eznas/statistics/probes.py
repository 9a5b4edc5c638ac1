"""Probes: the ways to excite a network. Each runs one pass or a few for all statistics of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from eznas.errors import InputError
from eznas.statistics.fisher import fisher_deciles
from eznas.statistics.initialisation import standard_normal
from eznas.statistics.sketches import condense, per_image_gradients, readable
from eznas.statistics.statistic import SITES, Statistic
from eznas.statistics.traced_model import TracedModel, in_precision, type_name
from eznas.statistics.tracing import Tracer

Captured = dict[str, dict[int, Tensor]]  # statistic -> index of the event -> tensor
Objective = Callable[[Tensor], Tensor]  # of the logits
CHANGE = 0.01  # the share of a second noise that the zen probe adds (Lin et al., 2021)


def run_probe(model: TracedModel, probe: str, batch: str, statistics: list[Statistic]) -> Captured:
    """Measure statistics that share one probe and batch; a site that did not run has no entry.

    Raises `InputError` if the model's forward or backward pass fails.
    """
    return _PROBES[probe](model, model.config.batch(batch), statistics)


def _data(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _run_pass(model, model.config.images.pixels[:count], statistics)


def _noise(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    return _run_pass(model, model.config.noise(count), statistics)


def _shift(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Differences: the tensors on perturbed images minus those on plain ones."""
    images = model.config.images.pixels[:count]
    plain = _run_pass(model, images, statistics)
    perturbed = _run_pass(model, images + math.sqrt(0.01) * model.config.noise(count), statistics)
    return {
        name: {i: perturbed[name][i] - tensor for i, tensor in tensors.items()}
        for name, tensors in plain.items()
    }


def _flow(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    """Absolute parameters, an input of ones, no batch norm; float64, as gradients reach 1e43.

    Where a part of the model does not follow into float64, in the model's own type.
    """
    images = torch.ones((1, *model.config.images.shape), dtype=torch.float64)
    parameters = {name for name, _ in model.module.named_parameters()}

    def run(dtype: torch.dtype, converted: bool) -> Captured:
        tensors = {n: in_precision(t, dtype) for n, t in model.tensors.items()}
        tensors = {n: t.abs().to(t.dtype) if n in parameters else t for n, t in tensors.items()}
        input_dtype = dtype.to_complex() if model.dtype.is_complex else dtype
        absolute = replace(model.with_tensors(tensors), dtype=input_dtype, converted=converted)
        return _run_pass(absolute, images, statistics, flow=True)

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

    def then(logits: Tensor) -> dict[int, Tensor]:
        loss = model.cross_entropy(logits, images.labels[:count])
        edges = [get_gradient_edge(w) if w.requires_grad else None for _, w in weights]
        gradients = model.backward(loss, edges, create_graph=True)
        # A shared weight counts once.
        distinct = {id(w): g for (_, w), g in zip(weights, gradients, strict=True)}
        terms = [g for g in distinct.values() if g is not None and g.requires_grad]
        gradient_product = (
            torch.stack([(g * g.detach()).sum() for g in terms]).sum() if terms else loss.detach()
        )
        products = model.backward(gradient_product, edges)
        return {
            index: _zeros_like(weight) if product is None else product
            for (index, weight), product in zip(weights, products, strict=True)
        }

    products = model.run(model.as_input(images.pixels[:count]), Tracer(visit), then)
    return {
        statistic.name: {i: condense(statistic, [readable(t)]) for i, t in products.items()}
        for statistic in statistics
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
        objective = noise.new_zeros(()) + sum(
            (readable(outputs[i] * signs[i])).sum() for i in reached
        )
        edges = [get_gradient_edge(inputs[i]) for i in reached]
        return dict(zip(reached, model.backward(objective, edges), strict=True))

    noise = model.as_input(model.config.noise(count))
    gradients = model.run(noise, Tracer(visit, cut_blocks=True), then)
    pairs = {
        i: (_zeros_like(inputs[i]) if (g := gradients.get(i)) is None else g, signs[i])
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
    moved = _run_pass(model, noise + CHANGE * second_noise, changes, uncondensed=changes)
    for statistic in changes:
        outputs = captured[statistic.name].items()
        captured[statistic.name] = {
            i: condense(statistic, [moved[statistic.name][i] - y]) for i, y in outputs
        }
    return captured


def _fisher(model: TracedModel, count: int, statistics: list[Statistic]) -> Captured:
    model = replace(model, evaluation=True)  # where images do not affect one another
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


@dataclass
class _Collector:
    """Captures tensors of the statistics in a forward pass, those of gradients in a backward."""

    statistics: list[Statistic]
    uncondensed: list[Statistic]  # statistics captured as they are, to be condensed later
    images: int
    captured: Captured = field(init=False)
    pending: list[tuple[Statistic, int, Tensor, GradientEdge | None]] = field(default_factory=list)
    tracer: Tracer = field(init=False)
    _inputs: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.captured = {statistic.name: {} for statistic in self.statistics}
        self._by_site: dict[tuple[str, str], list[Statistic]] = {}
        for statistic in self.statistics:
            self._by_site.setdefault(SITES[statistic.site], []).append(statistic)
        self._per_image = any(statistic.site == "weight_per_image" for statistic in self.statistics)

    def visit(self, role: str, index: int, slot: str, tensor: Tensor) -> None:
        """Capture what the statistics name at this site, or note that its gradient is to come."""
        if role == "layer" and slot == "input" and self._per_image:
            self._inputs[index] = readable(tensor.detach())
        for statistic in self._by_site.get((role, slot), ()):
            compares_images = statistic.sketch == "codes" or statistic.type.form == "samples"
            if compares_images and len(tensor) != self.images:
                continue  # windows of images, or a parameter: its rows are not the images
            if statistic.gradient:
                # The edge keeps pointing here, even if the tensor is changed in place later.
                edge = get_gradient_edge(tensor) if tensor.requires_grad else None
                # A copy, since the next operation may be in place.
                value = readable(tensor.detach())
                value = value.clone() if statistic.with_value else _zeros_like(value)
                self.pending.append((statistic, index, value, edge))
            elif statistic in self.uncondensed:
                self.captured[statistic.name][index] = readable(tensor.detach()).clone()
            else:
                sketch = condense(statistic, [readable(tensor.detach())])
                self.captured[statistic.name][index] = sketch

    def receive(self, gradients: list[Tensor | None]) -> None:
        """Capture the gradients of the pending statistics, in their order; None counts as zeros."""
        per_image: tuple[int, Tensor] | None = None  # shared by all statistics of one layer
        for (statistic, index, value, _), gradient in zip(self.pending, gradients, strict=True):
            if gradient is None and statistic.site == "image":
                continue
            gradient = _zeros_like(value) if gradient is None else readable(gradient)
            tensors = [value, gradient] if statistic.with_value else [gradient]
            if statistic.site == "weight_per_image":
                if per_image is None or per_image[0] != index:
                    event = self.tracer.events["layer"][index]
                    per_image = index, per_image_gradients(self._inputs[index], gradient, event)
                tensors = [per_image[1]]
            self.captured[statistic.name][index] = condense(statistic, tensors)


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
    collector = _Collector(statistics, uncondensed or [], len(images))
    gradient_statistics = [statistic for statistic in statistics if statistic.gradient]
    if gradient_statistics:  # some models differentiate by their parameters themselves
        model = model.differentiable()
    image = model.as_input(images).requires_grad_(bool(gradient_statistics))
    collector.visit("image", 0, "input", image)
    collector.tracer = Tracer(collector.visit, flow=flow)

    def then(logits: Tensor) -> list[Tensor | None]:
        if not gradient_statistics:
            return []
        return model.backward(objective(logits), [edge for *_, edge in collector.pending])

    collector.receive(model.run(image, collector.tracer, then))
    return collector.captured


def _zeros_like(tensor: Tensor) -> Tensor:
    """Zeros of this shape that take no memory."""
    return tensor.detach().new_zeros(()).expand(tensor.shape)
