"""Probes: how a network is excited, one pass (or a few) for all the statistics that ask for it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from eznas.statistics.catalogue import SITES, Statistic
from eznas.statistics.fisher import fisher_deciles
from eznas.statistics.initialisation import standard_normal
from eznas.statistics.sketches import condense, contributions
from eznas.statistics.subject import Subject, evaluating
from eznas.statistics.tracing import Tracer

Captured = dict[str, dict[int, Tensor]]  # statistic -> event -> tensor
Objective = Callable[[Tensor], Tensor]
CHANGE = 0.01  # the share of a second noise that the zen probe mixes in (Lin et al., 2021)


def excite(subject: Subject, probe: str, batch: str, rows: list[Statistic]) -> Captured:
    """What the rows, all of one probe and batch, name on the subject."""
    return _PROBES[probe](subject, subject.conditions.batch(batch), rows)


def _data(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    return _pass(subject, subject.conditions.images.pixels[:count], rows)


def _noise(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    return _pass(subject, _normal(subject, count), rows)


def _shift(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    """The tensors are differences: on perturbed images less those on plain ones."""
    images = subject.conditions.images.pixels[:count]
    plain = _pass(subject, images, rows)
    moved = _pass(subject, images + math.sqrt(0.01) * _normal(subject, count), rows)
    return {n: {i: moved[n][i] - t for i, t in plain[n].items()} for n in plain}


def _flow(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    """Absolute parameters, an input of ones, no batch norm, float64: gradients reach 1e43."""
    images = torch.ones_like(subject.conditions.images.pixels[:1], dtype=torch.float64)
    own = {n for n, _ in subject.model.named_parameters()}
    table = {n: t.double() if t.is_floating_point() else t for n, t in subject.table.items()}
    table = {n: t.abs() if n in own else t for n, t in table.items()}
    return _pass(subject.with_table(table), images, rows, flow=True)


def _label(subject: Subject, count: int, rows: list[Statistic], start: int = 0) -> Captured:
    images = subject.conditions.images
    part = slice(start, start + count)

    def objective(logits: Tensor) -> Tensor:
        return subject.cross_entropy(logits, images.labels[part])

    return _pass(subject, images.pixels[part], rows, objective)


def _label2(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    return _label(subject, count, rows, start=count)


def _curvature(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    """The Hessian of the cross-entropy times its gradient, at every weight (Wang et al., 2020)."""
    images = subject.conditions.images
    subject = subject.differentiable()
    kept: list[tuple[int, Tensor]] = []

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "layer" and slot == "weight":
            kept.append((index, tensor))

    logits = subject.forward(subject.laid_out(images.pixels[:count]), Tracer(visit))
    loss = subject.cross_entropy(logits, images.labels[:count])
    edges = [get_gradient_edge(w) if w.requires_grad else None for _, w in kept]
    first = subject.backward(loss, edges, again=True)
    own = {id(w): g for (_, w), g in zip(kept, first, strict=True)}  # a shared weight is one
    there = [g for g in own.values() if g is not None and g.requires_grad]
    along = torch.stack([(g * g.detach()).sum() for g in there]).sum() if there else loss.detach()
    second = subject.backward(along, edges)
    found = {
        index: _zeros(weight) if product is None else product
        for (index, weight), product in zip(kept, second, strict=True)
    }
    return {row.name: {i: condense(row, [t]) for i, t in found.items()} for row in rows}


def _local(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    """Every block by itself on noise: random signs at its output, their gradient at its input."""
    generator = subject.conditions.generator("signs")
    inputs: dict[int, Tensor] = {}
    outputs: dict[int, Tensor] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "block" and slot == "input":
            inputs[index] = tensor
        elif role == "block":
            outputs[index] = tensor.clone()  # what follows may be in place

    noise = subject.laid_out(_normal(subject, count))
    subject.forward(noise, Tracer(visit, cut=True))
    signs = {
        i: torch.randint(0, 2, y.shape, generator=generator).to(y).mul_(2).sub_(1)
        for i, y in outputs.items()
    }
    reached = [i for i, y in outputs.items() if y.requires_grad and i > 0]
    objective = noise.new_zeros(()) + sum((outputs[i] * signs[i]).sum() for i in reached)
    gradients = subject.backward(objective, [get_gradient_edge(inputs[i]) for i in reached])
    found = dict(zip(reached, gradients, strict=True))
    # The first block's input is the image, whose channels are no features.
    pairs = {
        i: (_zeros(inputs[i]) if (g := found.get(i)) is None else g, signs[i])
        for i in range(1, len(outputs))
        if _tiles(inputs[i], signs[i])
    }
    return {row.name: {i: condense(row, pair) for i, pair in pairs.items()} for row in rows}


def _tiles(x: Tensor, y: Tensor) -> bool:
    """Whether every output position has a patch of its own at the input."""
    (high, wide), (h, w) = x.shape[-2:], y.shape[-2:]
    return bool(high % h == 0 and wide % w == 0 and high // h == wide // w)


def _zen(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    """Standard normal weights, noise, and what a little more noise changes (Lin et al., 2021)."""
    conditions = subject.conditions
    subject = subject.with_table(standard_normal(subject.model, conditions.seed))
    noise, second = _normal(subject, count), _normal(subject, count, 1)
    changes = [row for row in rows if row.site == "relu_change"]
    plain = _pass(subject, noise, rows, keep=changes)
    moved = _pass(subject, noise + CHANGE * second, changes, keep=changes)
    for row in changes:
        pairs = plain[row.name].items()
        plain[row.name] = {i: condense(row, [moved[row.name][i] - t]) for i, t in pairs}
    return plain


def _fisher(subject: Subject, count: int, rows: list[Statistic]) -> Captured:
    with evaluating(subject.model):
        found = fisher_deciles(subject, subject.conditions.images.pixels[:count])
    return {row.name: {} if found is None else {0: found} for row in rows}


_PROBES: dict[str, Callable[[Subject, int, list[Statistic]], Captured]] = {
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
    """Keeps what the rows name during a forward pass, and remembers what awaits a gradient."""

    rows: list[Statistic]
    keep: list[Statistic]  # as they are, to be condensed later
    images: int
    captured: Captured = field(init=False)
    sought: list[tuple[Statistic, int, Tensor, GradientEdge | None]] = field(default_factory=list)
    tracer: Tracer = field(init=False)
    _inputs: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.captured = {row.name: {} for row in self.rows}
        self._by_site: dict[tuple[str, str], list[Statistic]] = {}
        for row in self.rows:
            self._by_site.setdefault(SITES[row.site], []).append(row)
        self._per_image = any(row.site == "weight_per_image" for row in self.rows)

    def visit(self, role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role == "layer" and slot == "input" and self._per_image:
            self._inputs[index] = tensor.detach()
        for row in self._by_site.get((role, slot), ()):
            compares = row.sketch == "codes" or row.type.form == "samples"
            if compares and len(tensor) != self.images:
                continue  # windows of images, or a parameter: nothing that tells images apart
            if row.gradient:
                # The edge stays what it is here, even if the tensor is changed in place later.
                edge = get_gradient_edge(tensor) if tensor.requires_grad else None
                # A copy: what follows may be in place.
                value = tensor.detach().clone() if row.with_value else _zeros(tensor)
                self.sought.append((row, index, value, edge))
            elif row in self.keep:
                self.captured[row.name][index] = tensor.detach().clone()
            else:
                self.captured[row.name][index] = condense(row, [tensor.detach()])

    def receive(self, gradients: list[Tensor | None]) -> None:
        per_image: tuple[int, Tensor] | None = None  # of the layer at hand, for all its rows
        for (row, index, value, _), gradient in zip(self.sought, gradients, strict=True):
            if gradient is None and row.site == "image":
                continue
            found = _zeros(value) if gradient is None else gradient
            parts = [value, found] if row.with_value else [found]
            if row.site == "weight_per_image":
                if per_image is None or per_image[0] != index:
                    event = self.tracer.events["layer"][index]
                    per_image = index, contributions(self._inputs[index], found, event)
                parts = [per_image[1]]
            self.captured[row.name][index] = condense(row, parts)


def _pass(
    subject: Subject,
    images: Tensor,
    rows: list[Statistic],
    objective: Objective = torch.sum,
    *,
    flow: bool = False,
    keep: list[Statistic] | None = None,
) -> Captured:
    """Forward once, backward once if a gradient is asked for, and keep what the rows name."""
    collector = _Collector(rows, keep or [], len(images))
    backward = [row for row in rows if row.gradient]
    if any(row.site != "image" for row in backward):
        subject = subject.differentiable()
    image = subject.laid_out(images).requires_grad_(bool(backward))
    collector.visit("image", 0, "input", image)
    collector.tracer = Tracer(collector.visit, flow=flow)
    logits = subject.forward(image, collector.tracer)
    if backward:
        edges = [edge for *_, edge in collector.sought]
        collector.receive(subject.backward(objective(logits), edges))
    return collector.captured


def _normal(subject: Subject, count: int, draw: int = 0) -> Tensor:
    """Standard normal noise in place of `count` images: the first, or a later draw."""
    images = subject.conditions.images.pixels[:count]
    generator = subject.conditions.generator("noise")
    draws = [
        torch.empty(images.shape, dtype=images.dtype).normal_(generator=generator)
        for _ in range(draw + 1)
    ]
    return draws[-1].to(images.device)


def _zeros(like: Tensor) -> Tensor:
    """Zeros of this shape that take no memory."""
    return like.detach().new_zeros(()).expand(like.shape)
