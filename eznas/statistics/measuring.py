"""From a model to its measured tensors: one pass for each probe and batch that is asked for."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.func import functional_call

from eznas.errors import InputError
from eznas.statistics.catalogue import SITES, Statistic
from eznas.statistics.conditions import Conditions
from eznas.statistics.initialisation import Parameters, kaiming, kept
from eznas.statistics.tracing import Layer, Structure, Tracer, structure
from primitives import WORDS

Captured = dict[str, dict[int, Tensor]]  # statistic -> event -> tensor


def _area(layer: Layer) -> int:
    """Output positions: pixels or, for a linear layer, tokens."""
    return math.prod(layer.output_shape) // layer.weight_shape[0]


_OF_LAYER: dict[str, Callable[[Layer], float]] = {
    "layer_params": lambda layer: math.prod(layer.weight_shape) + layer.bias_params,
    "layer_flops": lambda layer: math.prod(layer.weight_shape) * _area(layer),
    "layer_kernel": lambda layer: (*layer.weight_shape, 1, 1)[2],
    "layer_channels": lambda layer: layer.weight_shape[0],
    "layer_area": _area,
}


@dataclass(frozen=True)
class Measurement:
    """What was measured on one network: per statistic a tensor per layer or activation, absent
    (None) where there is no such site; for network-level statistics a list of one."""

    structure: Structure
    tensors: dict[str, list[Tensor | None]]


def measure(
    model: nn.Module, conditions: Conditions, statistics: Iterable[Statistic]
) -> Measurement:
    """Measure the statistics on one model, which is left exactly as it was found.

    Every pass runs on copies of the parameters and buffers (fresh ones unless
    `conditions.initialisation` is "keep") and from the same random state, so that no statistic
    depends on which others are measured; batch norm runs on the batch (train mode).
    `InputError` where the forward pass fails or meets no convolution (2-D) or linear layer.
    """
    rows = list(statistics)
    fresh = conditions.initialisation == "kaiming"
    with _as_found(model), torch.inference_mode(False), torch.enable_grad():
        table = kaiming(model, conditions.seed) if fresh else kept(model)
        table = {name: t.to(conditions.device) for name, t in table.items()}
        traced, weights, subject = _trace(_Subject(model, table, conditions))
        captured: Captured = {}
        for probe, batch in sorted({r.excitation for r in rows if r.probe != "structure"}):
            wanted = [r for r in rows if r.excitation == (probe, batch)]
            captured |= _excite(subject, probe, conditions.batch(batch), wanted)
    captured["weight"] = dict(enumerate(weights))
    return Measurement(traced, {r.name: _arrange(r, traced, captured) for r in rows})


@dataclass(frozen=True)
class _Subject:
    """A model under measurement, the tensors that it runs on, and how its input lies in memory."""

    model: nn.Module
    table: Parameters
    conditions: Conditions
    layout: torch.memory_format = torch.channels_last  # faster on a CPU

    def laid_out(self, images: Tensor) -> Tensor:
        """The images, on the device and in the layout, as a tensor of their own."""
        return images.detach().to(self.conditions.device).contiguous(memory_format=self.layout)

    def differentiable(self) -> "_Subject":
        own = (name for name, p in self.model.named_parameters() if p.is_floating_point())
        grown = {name: self.table[name].detach().requires_grad_() for name in own}
        return replace(self, table=self.table | grown)

    def forward(self, image: Tensor, tracer: Tracer) -> Tensor:
        """The logits of one traced pass; `InputError` where the model's forward fails."""
        table = {name: tensor.clone() for name, tensor in self.table.items()}
        try:
            with _seeded(self.conditions.seed, image.device), tracer:
                logits = functional_call(self.model, table, (image.clone(),))
        except Exception as error:  # a stranger's forward may raise anything
            if error is tracer.fault:
                raise
            where = f"forward failed on an input of shape {tuple(image.shape)}"
            raise self.error(f"{where}: {_reason(error)}") from error
        logits = getattr(logits, "logits", logits)
        if not isinstance(logits, Tensor):
            kind = type(logits).__name__
            raise self.error(f"forward gave a {kind}, expected a tensor of logits")
        return logits

    def backward(self, objective: Tensor, at: list[GradientEdge | None]) -> list[Tensor | None]:
        """Gradients where there is a path; unlike `Tensor.backward`, this leaves no trace."""
        needed = [edge for edge in at if edge is not None]
        if not needed or not objective.requires_grad:
            return [None] * len(at)
        try:
            found = iter(torch.autograd.grad(objective, needed, allow_unused=True))
        except Exception as error:
            raise self.error(f"backward failed: {_reason(error)}") from error
        return [None if edge is None else next(found) for edge in at]

    def error(self, problem: str) -> InputError:
        return InputError(f"model {type(self.model).__name__}: {problem}")


def _trace(subject: _Subject) -> tuple[Structure, list[Tensor], _Subject]:
    """The structure, the weight of each layer as [out, in, kernel height, kernel width], and the
    subject in a layout that its forward can read (a `view` may ask for plain rows)."""
    image = subject.laid_out(subject.conditions.images.pixels[:2]).requires_grad_()
    tracer = Tracer()
    try:
        logits = subject.differentiable().forward(image, tracer)
    except InputError:
        if subject.layout == torch.contiguous_format:
            raise
        return _trace(replace(subject, layout=torch.contiguous_format))
    if not tracer.events["layer"]:
        raise subject.error("its forward pass meets no convolution or linear layer")
    params = sum(p.numel() for p in subject.model.parameters())
    weights = [e.weight.detach() for e in tracer.events["layer"] if e.weight is not None]
    shaped = [w.reshape(w.shape + (1,) * (4 - w.dim())) for w in weights]
    return structure(tracer, image, logits, params), shaped, subject


def _excite(subject: _Subject, probe: str, count: int, rows: list[Statistic]) -> Captured:
    """One pass of a probe (two for "shift", whose tensors are differences)."""
    conditions = subject.conditions
    images = conditions.images.pixels[:count]
    generator = torch.Generator().manual_seed(conditions.seed)
    normal = torch.empty(images.shape, dtype=images.dtype).normal_(generator=generator)
    if probe == "shift":
        plain = _pass(subject, images, rows, probe)
        moved = _pass(subject, images + math.sqrt(0.01) * normal.to(images.device), rows, probe)
        return {n: {i: moved[n][i] - t for i, t in plain[n].items()} for n in plain}
    if probe == "flow":
        images = torch.ones_like(images[:1], dtype=torch.float64)
        own = {n for n, _ in subject.model.named_parameters()}
        table = {n: t.double() if t.is_floating_point() else t for n, t in subject.table.items()}
        table = {n: t.abs() if n in own else t for n, t in table.items()}
        subject = replace(subject, table=table)
    return _pass(subject, normal if probe == "noise" else images, rows, probe)


def _pass(subject: _Subject, images: Tensor, rows: list[Statistic], probe: str) -> Captured:
    """Forward once, backward once if a gradient is asked for, and keep what the rows name."""
    captured: Captured = {row.name: {} for row in rows}
    sought: list[tuple[Statistic, int, Tensor, GradientEdge | None]] = []

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        for row in (r for r in rows if SITES[r.site] == (role, slot)):
            if row.gradient:
                # The edge stays what it is here, even if the tensor is changed in place later.
                edge = get_gradient_edge(tensor) if tensor.requires_grad else None
                sought.append((row, index, _zeros(tensor), edge))
            else:
                captured[row.name][index] = _condense(row, tensor.detach())

    backward = [row for row in rows if row.gradient]
    if any(row.site != "image" for row in backward):
        subject = subject.differentiable()
    image = subject.laid_out(images).requires_grad_(bool(backward))
    visit("image", 0, "input", image)
    logits = subject.forward(image, Tracer(visit, flow=probe == "flow"))
    if backward:
        objective = _cross_entropy(subject, logits) if probe == "label" else logits.sum()
        gradients = subject.backward(objective, [edge for *_, edge in sought])
        for (row, index, zeros, _), gradient in zip(sought, gradients, strict=True):
            if gradient is not None or row.site != "image":
                found = zeros if gradient is None else gradient
                captured[row.name][index] = _condense(row, found)
    return captured


def _zeros(like: Tensor) -> Tensor:
    """Zeros of this shape that take no memory."""
    return like.detach().new_zeros(()).expand(like.shape)


def _cross_entropy(subject: _Subject, logits: Tensor) -> Tensor:
    labels = subject.conditions.images.labels[: len(logits)].to(logits.device)
    classes = int(labels.max()) + 1
    if logits.dim() != 2 or logits.shape[1] < classes:
        found = f"logits of shape {tuple(logits.shape)}"
        raise subject.error(f"{found}, but the images' labels need {classes} classes")
    return F.cross_entropy(logits, labels)


def _reason(error: Exception) -> str:
    """The first line of what an error says."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _condense(row: Statistic, tensor: Tensor) -> Tensor:
    tensor = _as(row, tensor)
    if not row.sketch:
        return tensor.clone(memory_format=torch.contiguous_format)
    return WORDS[row.sketch].function(tensor[None])[0]


def _as(row: Statistic, tensor: Tensor) -> Tensor:
    """Weights as [out, in, kh, kw]; features as [batch, channels, height, width]; the image as
    [batch, pixels]."""
    if row.site == "image":
        return tensor.flatten(1)
    if tensor.dim() == 3 and row.site != "weight":  # tokens: [batch, tokens, channels]
        tensor = tensor.mT
    return tensor.reshape(tensor.shape + (1,) * (4 - tensor.dim()))


def _arrange(row: Statistic, traced: Structure, captured: Captured) -> list[Tensor | None]:
    """The captured tensors in the order of the row's axis, None where the site is absent."""
    if row.name in _OF_LAYER:
        return [_number(_OF_LAYER[row.name](layer)) for layer in traced.layers]
    if row.name == "params":
        return [_number(traced.params)]
    found = captured[row.name]
    if row.kind.axis == "networks":
        return [found.get(0)]
    if row.kind.axis == "activations":
        return [found.get(i) for i in range(len(traced.activations_live))]
    role = SITES[row.site][0]
    if role == "layer":
        return [found.get(i) for i in range(len(traced.layers))]
    places = [x.activation if role == "activation" else x.norm for x in traced.layers]
    return [None if p is None else found.get(p) for p in places]


def _number(value: float) -> Tensor:
    return torch.tensor(float(value), dtype=torch.float64)


@contextmanager
def _as_found(model: nn.Module) -> Iterator[None]:
    """Train mode; afterwards every module has the mode and the attributes that it had."""
    found = [(module, module.training, dict(vars(module))) for module in model.modules()]
    model.train()
    try:
        yield
    finally:
        for module, training, attributes in found:
            vars(module).clear()
            vars(module).update(attributes)
            module.training = training


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state as the seed sets it; afterwards as it was."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for each in cuda:
            torch.cuda.default_generators[each.index].manual_seed(seed)
        yield
