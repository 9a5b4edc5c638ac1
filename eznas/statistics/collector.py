"""Captures what statistics name in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from eznas.statistics.events import Event
from eznas.statistics.sites import Sites
from eznas.statistics.sketches import (
    as_maps,
    condense,
    per_image_gradients,
    readable,
    with_four_axes,
)
from eznas.statistics.statistic import SITES, Statistic
from eznas.statistics.tracing import Tracer

Captured = dict[str, dict[int, Tensor]]  # statistic -> index of the event -> tensor
_Use = tuple[int, Tensor, Tensor | None]  # index of a layer (or other event), value, gradient


@dataclass
class Collector:
    """Captures tensors of the statistics in a forward pass, those of gradients in a backward.

    `uncondensed` are statistics that are captured as they are, to be condensed later; `images`: how
    many the batch has; `first_only`: whether the first image alone is looked at; `sites`: what the
    tracing pass found. `left_out`: how many events lack a statistic that compares images because
    their first axis is not that of images, by the statistic's name.
    """

    statistics: list[Statistic]
    uncondensed: list[Statistic]
    images: int
    first_only: bool
    sites: Sites
    captured: Captured = field(init=False)
    pending: list[tuple[Statistic, int, Tensor, GradientEdge | None]] = field(default_factory=list)
    tracer: Tracer = field(init=False)
    left_out: dict[str, int] = field(default_factory=dict)
    _inputs: dict[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.captured = {statistic.name: {} for statistic in self.statistics}
        self._by_site: dict[tuple[str, str], list[Statistic]] = {}
        for statistic in self.statistics:
            self._by_site.setdefault(SITES[statistic.site], []).append(statistic)
        self._per_image = any(statistic.site == "weight_per_image" for statistic in self.statistics)

    def visit(self, role: str, index: int, slot: str, tensor: Tensor) -> None:
        """Capture what the statistics name at a site, or note that its gradient is to come.

        The arguments are those of `Visit`; the tensor is [images, ...] or a weight.
        """
        if role == "layer" and slot == "input" and self._per_image:
            self._inputs[index] = readable(tensor.detach())
        for statistic in self._by_site.get((role, slot), ()):
            if _compares_images(statistic) and len(tensor) != self.images:
                # Windows of images, or a parameter: its rows are not the images.
                self.left_out[statistic.name] = self.left_out.get(statistic.name, 0) + 1
            elif statistic.gradient:
                # The edge keeps pointing here, even if the tensor is changed in place later.
                edge = get_gradient_edge(tensor) if tensor.requires_grad else None
                # A copy, since the next operation may be in place.
                value = readable(tensor.detach())
                value = value.clone() if statistic.with_value else zeros_like(value)
                self.pending.append((statistic, index, value, edge))
            elif statistic in self.uncondensed:
                self.captured[statistic.name][index] = readable(tensor.detach()).clone()
            else:
                value = readable(tensor.detach())
                if self.first_only and len(value) % self.images == 0:
                    value = value[: len(value) // self.images]
                value = self._shaped(role, index, slot, value)
                self.captured[statistic.name][index] = condense(statistic, [value])

    def receive(self, gradients: Sequence[Tensor | None]) -> None:
        """Capture the gradients [...] of the pending statistics, in their order.

        None counts as zeros; but a statistic that gets None everywhere is absent, if the logits
        depend on the image: then a part of the model does not pass gradients on.
        """
        pairs = [*zip(self.pending, gradients, strict=True)]
        with_gradient = {statistic.name for (statistic, *_), g in pairs if g is not None}
        uses: dict[tuple[str, int], tuple[Statistic, list[_Use]]] = {}
        for (statistic, index, value, _), gradient in pairs:
            counts = statistic.site != "image" and not self.sites.reached
            if statistic.name in with_gradient or counts:
                row = self._first_use(index) if of_weight(statistic) else index
                same = uses.setdefault((statistic.name, row), (statistic, []))[1]
                same.append((index, value, gradient))
        per_image: tuple[int, Tensor] | None = None  # shared by all statistics of one layer
        for (name, row), (statistic, same) in uses.items():
            if statistic.site == "weight_per_image":
                if per_image is None or per_image[0] != row:
                    per_image = row, _sum([self._per_image_gradients(use) for use in same])
                self.captured[name][row] = condense(statistic, [per_image[1]])
            elif statistic.site == "weight":
                total = self._shaped("layer", row, "weight", self._total(row, same))
                self.captured[name][row] = condense(statistic, [total])
            else:
                parts = [self._condensed(statistic, use) for use in same]
                self.captured[name][row] = _sum(parts)

    def _first_use(self, index: int) -> int:
        """The layer that stands for the weight of a layer."""
        same = self.sites.same_weight
        return same[index] if index < len(same) else index

    def _total(self, row: int, uses: list[_Use]) -> Tensor:
        """The gradient at a weight, of all its uses, in the form of that of layer `row`."""
        layers = self.tracer.events["layer"]
        pairs = [(layers[use[0]].weight, self._gradient(use)) for use in uses]
        weights = [(weight, gradient) for weight, gradient in pairs if weight is not None]
        return total_gradient(weights, layers[row].weight)

    def _gradient(self, use: _Use) -> Tensor:
        _, value, gradient = use
        return zeros_like(value) if gradient is None else readable(gradient)

    def _per_image_gradients(self, use: _Use) -> Tensor:
        event = self.tracer.events["layer"][use[0]]
        return per_image_gradients(self._inputs[use[0]], self._gradient(use), event)

    def _condensed(self, statistic: Statistic, use: _Use) -> Tensor:
        index, value, _ = use
        tensors = [self._gradient(use)]
        if statistic.with_value:
            tensors = [value, *tensors]
        role, slot = SITES[statistic.site]
        return condense(statistic, [self._shaped(role, index, slot, t) for t in tensors])

    def _shaped(self, role: str, index: int, slot: str, tensor: Tensor) -> Tensor:
        """A tensor at a site as weights [out, in, kh, kw], as maps with the channels after the
        batch, or as tokens [batch, tokens, channels]."""
        events = self.tracer.events if role != "image" else {}
        if role == "layer" and slot == "weight":
            return with_four_axes(events["layer"][index].ordered(tensor))
        if role == "layer":
            return as_maps(tensor, events["layer"][index].channel_axis)
        if role == "norm":
            return as_maps(tensor, 1)
        if role == "activation" and events["layer"]:
            return as_maps(tensor, channel_axis(events["layer"][-1], tensor))
        return tensor


def _compares_images(statistic: Statistic) -> bool:
    """Whether the rows of its tensors have to be the images."""
    return (
        statistic.sketch in ("codes", "saliency")
        or statistic.type.form == "samples"
        or statistic.site == "weight_per_image"
    )


def of_weight(statistic: Statistic) -> bool:
    """Whether it belongs to the weight of a layer, and so is summed over the weight's uses."""
    return statistic.site in ("weight", "weight_per_image") or statistic.sketch == "saliency"


def channel_axis(layer: Event, x: Tensor) -> int:
    """The axis of channels in what follows a layer [batch, ...], as its shape tells."""
    if layer.is_convolution:
        return 1
    same_shape = len(layer.output_shape) == x.dim() and layer.output_shape[-1] == x.shape[-1]
    return -1 if same_shape else 1


def total_gradient(pairs: Sequence[tuple[Tensor, Tensor]], like: Tensor | None) -> Tensor:
    """The gradient [...] of all uses of one weight, from those at the tensors that stand for it.

    `pairs`: (tensor, gradient) of every use. The gradient at a tensor is that of all its uses, and
    of all uses of its views. `like`: a tensor of the form that the result is to have.
    """
    distinct = {id(tensor): (tensor, gradient) for tensor, gradient in pairs}
    whole = [pair for pair in distinct.values() if pair[0]._base is None]
    gradients = [gradient for _, gradient in whole or distinct.values()]
    shape = gradients[0].shape if like is None else like.shape
    return _sum([g if g.shape == shape else g.mT for g in gradients])


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def zeros_like(tensor: Tensor) -> Tensor:
    """Zeros of this shape [...] that take no memory."""
    return tensor.detach().new_zeros(()).expand(tensor.shape)
