"""The Fisher information of a few parameters of each network (Tybl & Neumann, 2025: VKDNW)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from eznas.statistics.subject import Subject
from eznas.statistics.tracing import Event, Tracer

TENSORS = 128  # parameter tensors that take part, the first in the order in which they run
SMOOTHING = 0.05  # of the class probabilities, which saturate in untrained networks
_SHARES = [i / 10 for i in range(1, 10)]

# an output and its edge, the axis of its channels, and what each parameter's gradient takes of
# channel 0's, by the parameter
_Place = tuple[Tensor, GradientEdge | None, int, dict[int, Tensor]]


def fisher_deciles(subject: Subject, images: Tensor) -> Tensor | None:
    """The deciles .1 to .9 of the eigenvalues of the Fisher information, float64 [9].

    The information that the logits' softmax carries about the first entry of every weight and
    bias of convolutions, linear layers and batch norms, averaged over `images`, which must not
    depend on one another (evaluation mode). None where the logits are not [images, classes] or no
    layer gives one tensor for each image.
    """
    subject = subject.differentiable()
    inputs: dict[tuple[str, int], Tensor] = {}
    outputs: dict[tuple[str, int], tuple[Tensor, GradientEdge | None]] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role in ("layer", "norm") and slot == "input":
            inputs[role, index] = tensor.detach()
        elif role in ("layer", "norm") and slot == "output":
            # The edge stays what it is here, even if the tensor is changed in place later.
            edge = get_gradient_edge(tensor) if tensor.requires_grad else None
            outputs[role, index] = tensor.detach(), edge

    tracer = Tracer(visit)
    logits = subject.forward(subject.laid_out(images), tracer)
    if logits.dim() != 2 or len(logits) != len(images) or not logits.requires_grad:
        return None
    found: list[_Place] = []
    for (role, index), (y, edge) in outputs.items():
        if len(y) != len(images):
            continue  # windows of images, or a parameter: nothing that belongs to one image
        event = tracer.events[role][index]
        axis = -1 if role == "layer" and event.weight is not None and event.weight.dim() == 2 else 1
        x = inputs[role, index]
        factors = dict(_factors(event, x, x.select(axis, 0), y.select(axis, 0)))
        found.append((y, edge, axis, factors))
    if not any(factors for *_, factors in found):
        return None
    edges = [edge for _, edge, *_ in found]
    jacobian = torch.stack(
        [
            _first_entries(subject.backward(logit.sum(), edges, retain=True), found)
            for logit in logits.unbind(1)
        ],
        1,
    )
    p = logits.detach().double().softmax(1) * (1 - SMOOTHING) + SMOOTHING / logits.shape[1]
    mean = torch.einsum("bc,bcp->bp", p, jacobian)
    centred = (jacobian - mean[:, None]) * p.sqrt()[:, :, None]
    information = torch.einsum("bcp,bcq->pq", centred, centred) / len(images)
    if not information.isfinite().all():
        return information.new_full((len(_SHARES),), torch.nan)
    eigenvalues = torch.linalg.eigvalsh(information).clamp_min(0)
    return torch.quantile(eigenvalues, eigenvalues.new_tensor(_SHARES))


def _first_entries(gradients: list[Tensor | None], places: list[_Place]) -> Tensor:
    """From the gradients of one class at the outputs to those at the first entries, image by image:
    [images, parameters]."""
    columns: dict[int, Tensor] = {}
    for gradient, (y, _, axis, factors) in zip(gradients, places, strict=True):
        first = (torch.zeros_like(y) if gradient is None else gradient).select(axis, 0)
        for parameter, factor in factors.items():
            part = (first * factor).double().reshape(len(factor), -1).sum(1)
            shared = columns.get(parameter)  # by a layer that ran before
            columns[parameter] = part if shared is None else shared + part
    return torch.stack(list(columns.values())[:TENSORS], 1)


def _factors(event: Event, x: Tensor, first: Tensor, like: Tensor) -> Iterator[tuple[int, Tensor]]:
    """What the gradient at output channel 0 is multiplied with for the first entry of weight and
    bias, by their id; `first` is channel 0 of the input, `like` that of the output."""
    if event.role == "norm" and event.weight is not None:
        given = event.geometry
        if given.get("running_mean") is not None:
            spread = (given["running_var"][0] + given.get("eps", 1e-5)).sqrt()
            first = (first - given["running_mean"][0]) / spread
        yield id(event.weight), first
    elif event.weight is not None:
        met = _corner(x[:, :1], event) if event.weight.dim() == 4 else first
        yield id(event.weight), met
    if event.bias is not None:
        yield id(event.bias), torch.ones_like(like)


def _corner(x: Tensor, event: Event) -> Tensor:
    """What the top left entry of a kernel meets at each output position: [images, h, w]."""
    assert event.weight is not None
    one = x.new_zeros((1, 1, *event.weight.shape[2:]))
    one[0, 0, 0, 0] = 1
    given = {k: v for k, v in event.geometry.items() if k != "groups"}
    return F.conv2d(x, one, **given)[:, 0]
