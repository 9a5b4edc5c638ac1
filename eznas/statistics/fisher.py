"""The Fisher information of a few parameters of each network (Tybl & Neumann, 2025: VKDNW)."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from eznas.statistics.subject import Subject
from eznas.statistics.tracing import Event, Tracer

TENSORS = 128  # parameter tensors that take part, the first in the order in which they run
SMOOTHING = 0.05  # of the class probabilities, which saturate in untrained networks
_SHARES = [i / 10 for i in range(1, 10)]

# an output, the axis of its channels, and what each parameter's gradient takes of channel 0's
_Place = tuple[Tensor, int, list[Tensor]]


def fisher_deciles(subject: Subject, images: Tensor) -> Tensor | None:
    """The deciles .1 to .9 of the eigenvalues of the Fisher information, float64 [9].

    The information that the logits' softmax carries about the first entry of every weight and
    bias of convolutions, linear layers and batch norms, averaged over `images`, which must not
    depend on one another (evaluation mode). None where the logits are not [images, classes].
    """
    subject = subject.differentiable()
    inputs: dict[tuple[str, int], Tensor] = {}
    outputs: dict[tuple[str, int], Tensor] = {}

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        if role in ("layer", "norm") and slot != "weight":
            place = inputs if slot == "input" else outputs
            place[role, index] = tensor.detach() if slot == "input" else tensor

    tracer = Tracer(visit)
    logits = subject.forward(subject.laid_out(images), tracer)
    if logits.dim() != 2 or len(logits) != len(images) or not logits.requires_grad:
        return None
    found: list[_Place] = []
    for (role, index), y in outputs.items():
        event = tracer.events[role][index]
        axis = -1 if role == "layer" and event.weight is not None and event.weight.dim() == 2 else 1
        x = inputs[role, index]
        found.append((y, axis, list(_factors(event, x, x.select(axis, 0), y.select(axis, 0)))))
    jacobian = torch.stack([_first_entries(logit, found) for logit in logits.unbind(1)], 1)
    p = logits.detach().double().softmax(1) * (1 - SMOOTHING) + SMOOTHING / logits.shape[1]
    mean = torch.einsum("bc,bcp->bp", p, jacobian)
    centred = (jacobian - mean[:, None]) * p.sqrt()[:, :, None]
    information = torch.einsum("bcp,bcq->pq", centred, centred) / len(images)
    eigenvalues = torch.linalg.eigvalsh(information).clamp_min(0)
    return torch.quantile(eigenvalues, eigenvalues.new_tensor(_SHARES))


def _first_entries(logit: Tensor, places: list[_Place]) -> Tensor:
    """The gradient of one class at the first entries, image by image: [images, parameters]."""
    needed = [y for y, *_ in places if y.requires_grad]
    found = iter(torch.autograd.grad(logit.sum(), needed, retain_graph=True, allow_unused=True))
    columns = []
    for y, axis, factors in places:
        gradient = next(found) if y.requires_grad else None
        first = (torch.zeros_like(y) if gradient is None else gradient).select(axis, 0)
        columns += [(first * f).double().reshape(len(f), -1).sum(1) for f in factors]
    return torch.stack(columns[:TENSORS], 1)


def _factors(event: Event, x: Tensor, first: Tensor, like: Tensor) -> Iterator[Tensor]:
    """What the gradient at output channel 0 is multiplied with for the first entry of weight and
    bias; `first` is channel 0 of the input, `like` that of the output."""
    if event.role == "norm" and event.weight is not None:
        given = event.geometry
        if given.get("running_mean") is not None:
            spread = (given["running_var"][0] + given.get("eps", 1e-5)).sqrt()
            first = (first - given["running_mean"][0]) / spread
        yield first
    elif event.weight is not None:
        yield _corner(x[:, :1], event) if event.weight.dim() == 4 else first
    if event.bias is not None:
        yield torch.ones_like(like)


def _corner(x: Tensor, event: Event) -> Tensor:
    """What the top left entry of a kernel meets at each output position: [images, h, w]."""
    assert event.weight is not None
    one = x.new_zeros((1, 1, *event.weight.shape[2:]))
    one[0, 0, 0, 0] = 1
    given = {k: v for k, v in event.geometry.items() if k != "groups"}
    return F.conv2d(x, one, **given)[:, 0]
