"""The Fisher information of a few parameters of each network (Tybl & Neumann, 2025: VKDNW)."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from eznas.statistics.events import Event, one_weight
from eznas.statistics.inputs import Parts
from eznas.statistics.outputs import class_scores
from eznas.statistics.traced_model import TracedModel
from eznas.statistics.tracing import Tracer

TENSORS = 128  # parameter tensors that are used, the first in the order in which they run
SMOOTHING = 0.05  # of the class probabilities, which saturate in untrained networks
_DECILES = [i / 10 for i in range(1, 10)]


class _Output(NamedTuple):
    """The output of a layer or norm. The gradient of the first entry of a parameter is that at
    channel 0 of the output times a factor, summed; `factors`: by the parameter's id."""

    value: Tensor
    edge: GradientEdge | None
    channel_axis: int
    factors: dict[int, Tensor]


def fisher_deciles(model: TracedModel, inputs: Parts) -> Tensor | None:
    """The deciles .1 to .9 of the eigenvalues of the Fisher information, float64 [9].

    The information that the logits' softmax carries about the first entry of every weight and
    bias of convolutions, linear layers and batch norms, averaged over the images: `inputs`, each
    part [images, ...]. The model must be in evaluation mode, where images do not affect one
    another. None where the logits are not [images, classes] or no layer's output has one row for
    each image; NaN where the information is not finite. Raises `InputError` if the model fails.
    """
    model, images = model.differentiable(), len(inputs[0])
    layer_inputs: dict[tuple[str, int], Tensor] = {}
    values: dict[tuple[str, int], tuple[Tensor, GradientEdge | None]] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role in ("layer", "norm") and slot == "input":
            layer_inputs[role, index] = tensor.detach()
        elif role in ("layer", "norm") and slot == "output":
            # The edge keeps pointing here, even if the tensor is changed in place later.
            edge = get_gradient_edge(tensor) if tensor.requires_grad else None
            values[role, index] = tensor.detach(), edge

    tracer = Tracer(visit, sites=model.sites)

    def then(logits: Tensor) -> tuple[Tensor, Tensor] | None:
        """The logits' class probabilities [images, classes] and their gradients at the first
        entries [images, classes, parameters]."""
        scores = class_scores(logits, images, model.class_axis)
        if scores is None or len(scores) != images or not scores.requires_grad:
            return None
        measured = [
            _output(tracer.events[role][index], layer_inputs[role, index], y, edge)
            for (role, index), (y, edge) in values.items()
            if len(y) == images  # else windows, or a parameter: no rows of one image
        ]
        if not any(output.factors for output in measured):
            return None
        edges = [output.edge for output in measured]
        gradients = (model.backward(c.sum(), edges, retain_graph=True) for c in scores.unbind(1))
        jacobian = torch.stack([_first_entries(g, measured) for g in gradients], 1)
        p = scores.detach().double().softmax(1) * (1 - SMOOTHING) + SMOOTHING / scores.shape[1]
        return p, jacobian

    if (result := model.run(model.as_input(inputs), tracer, then)) is None:
        return None
    p, jacobian = result
    mean = torch.einsum("bc,bcp->bp", p, jacobian)
    centred = (jacobian - mean[:, None]) * p.sqrt()[:, :, None]
    information = torch.einsum("bcp,bcq->pq", centred, centred) / images
    if not information.isfinite().all():
        return information.new_full((len(_DECILES),), torch.nan)
    eigenvalues = torch.linalg.eigvalsh(information).clamp_min(0)
    return torch.quantile(eigenvalues, eigenvalues.new_tensor(_DECILES))


def _output(event: Event, x: Tensor, y: Tensor, edge: GradientEdge | None) -> _Output:
    axis = event.channel_axis if event.role == "layer" else 1
    factors = dict(_factors(event, x, x.select(axis, 0), y.select(axis, 0)))
    return _Output(y, edge, axis, factors)


def _first_entries(gradients: list[Tensor | None], outputs: list[_Output]) -> Tensor:
    """From the gradients of one class at the outputs to those at the first entries of the
    parameters, image by image: float64 [images, parameters]."""
    columns: dict[int, Tensor] = {}
    for gradient, (y, _, axis, factors) in zip(gradients, outputs, strict=True):
        channel_0 = (torch.zeros_like(y) if gradient is None else gradient).select(axis, 0)
        for parameter, factor in factors.items():
            column = (channel_0 * factor).double().reshape(len(factor), -1).sum(1)
            earlier = columns.get(parameter)  # from another run of a shared layer
            columns[parameter] = column if earlier is None else earlier + column
    return torch.stack(list(columns.values())[:TENSORS], 1)


def _factors(
    event: Event, x: Tensor, input_channel: Tensor, output_channel: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """By the id of weight and bias, the factor of the gradient at output channel 0 for their first
    entry; `input_channel` and `output_channel` are channel 0 of the input `x` and of the output."""
    if event.role == "norm" and event.weight is not None:
        arguments = event.arguments
        if arguments.get("running_mean") is not None:
            deviation = (arguments["running_var"][0] + arguments.get("eps", 1e-5)).sqrt()
            input_channel = (input_channel - arguments["running_mean"][0]) / deviation
        yield id(event.weight), input_channel
    elif event.weight is not None:
        is_convolution = event.is_convolution
        yield id(event.weight), _corner(x[:, :1], event) if is_convolution else input_channel
    if event.bias is not None:
        yield id(event.bias), torch.ones_like(output_channel)


def _corner(x: Tensor, event: Event) -> Tensor:
    """The value of the input channel `x` [images, 1, *positions] that the first entry of a kernel
    is multiplied with, at each output position: [images, *positions]."""
    assert event.weight is not None
    kernel = x.new_zeros((1, 1, *event.weight.shape[2:]))
    kernel.view(-1)[0] = 1
    return one_weight(event, x, kernel)[:, 0]
