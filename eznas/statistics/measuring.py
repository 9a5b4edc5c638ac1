"""From a model to its measured tensors: one pass for each probe and batch that is asked for."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from eznas.errors import InputError
from eznas.statistics.catalogue import SITES, Statistic
from eznas.statistics.conditions import Conditions
from eznas.statistics.initialisation import Parameters, kaiming, kept
from eznas.statistics.tracing import Layer, Structure, Tracer, structure
from primitives import WORDS

Captured = dict[str, dict[int, Tensor]]  # statistic -> event -> tensor

_OF_LAYER: dict[str, Callable[[Layer], float]] = {
    "layer_params": lambda layer: math.prod(layer.weight_shape) + layer.bias_params,
    "layer_flops": lambda layer: math.prod(layer.weight_shape) * math.prod(layer.output_shape[1:]),
    "layer_kernel": lambda layer: (*layer.weight_shape, 1, 1)[2],
    "layer_channels": lambda layer: layer.weight_shape[0],
    "layer_area": lambda layer: math.prod(layer.output_shape[1:]),
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

    The model runs on copies of its buffers and, unless `conditions.initialisation` is "keep",
    on fresh parameters; batch norm runs on the batch (train mode). `InputError` where the
    forward pass fails or meets no convolution (2-D) or linear layer.
    """
    rows = list(statistics)
    fresh = conditions.initialisation == "kaiming"
    table = kaiming(model, conditions.seed) if fresh else kept(model)
    table = {name: t.to(conditions.device) for name, t in table.items()}
    with _train_mode(model), torch.random.fork_rng(devices=_cuda(conditions.device)):
        torch.manual_seed(conditions.seed)
        traced, weights = _trace(model, table, conditions)
        captured: Captured = {}
        for probe, batch in sorted({r.excitation for r in rows if r.probe != "structure"}):
            wanted = [r for r in rows if r.excitation == (probe, batch)]
            captured |= _excite(model, table, conditions, probe, conditions.batch(batch), wanted)
    captured["weight"] = dict(enumerate(weights))
    return Measurement(traced, {r.name: _arrange(r, traced, captured) for r in rows})


def _trace(
    model: nn.Module, table: Parameters, conditions: Conditions
) -> tuple[Structure, list[Tensor]]:
    """The structure, and the weight of each layer as [out, in, kernel height, kernel width]."""
    image = conditions.images.pixels[:2].to(conditions.device).requires_grad_()
    tracer = Tracer()
    logits = _forward(model, _differentiable(model, table), image, tracer)
    if not tracer.events["layer"]:
        name = type(model).__name__
        raise InputError(f"model {name}: its forward pass meets no convolution or linear layer")
    own = {id(p): p.numel() for p in model.parameters()}
    weights = [e.weight.detach() for e in tracer.events["layer"] if e.weight is not None]
    shaped = [w.reshape(w.shape + (1,) * (4 - w.dim())) for w in weights]
    return structure(tracer, image, logits, sum(own.values())), shaped


def _excite(
    model: nn.Module,
    table: Parameters,
    conditions: Conditions,
    probe: str,
    count: int,
    rows: list[Statistic],
) -> Captured:
    """One pass of a probe (two for "shift", whose tensors are differences)."""
    images = conditions.images.pixels[:count].to(conditions.device)
    labels = conditions.images.labels[:count].to(conditions.device)
    generator = torch.Generator().manual_seed(conditions.seed)
    normal = torch.empty(images.shape).normal_(generator=generator).to(conditions.device)
    if probe == "shift":
        plain = _pass(model, table, images, labels, rows, probe)
        moved = _pass(model, table, images + math.sqrt(0.01) * normal, labels, rows, probe)
        return {n: {i: moved[n][i] - t for i, t in plain[n].items()} for n in plain}
    if probe == "flow":
        images = torch.ones_like(images[:1], dtype=torch.float64)
        table = {n: t.double() if t.is_floating_point() else t for n, t in table.items()}
        table |= {n: table[n].abs() for n, _ in model.named_parameters()}
    return _pass(model, table, normal if probe == "noise" else images, labels, rows, probe)


def _pass(
    model: nn.Module,
    table: Parameters,
    images: Tensor,
    labels: Tensor,
    rows: list[Statistic],
    probe: str,
) -> Captured:
    """Forward once, backward once if a gradient is asked for, and keep what the rows name."""
    captured: Captured = {row.name: {} for row in rows}
    weights: dict[int, Tensor] = {}

    def keep(row: Statistic, index: int, tensor: Tensor) -> None:
        captured[row.name][index] = _condense(row, tensor.detach())

    def visit(role: str, index: int, slot: str, tensor: Tensor) -> None:
        for row in (r for r in rows if SITES[r.site] == (role, slot)):
            if slot == "weight":
                weights[index] = tensor
                continue
            keep(row, index, torch.zeros_like(tensor) if row.gradient else tensor)
            if row.gradient and tensor.requires_grad:
                tensor.register_hook(lambda g, row=row: keep(row, index, g))

    backward = [row for row in rows if row.gradient]
    if any(row.site != "image" for row in backward):
        table = _differentiable(model, table)
    image = images.contiguous(memory_format=torch.channels_last).requires_grad_(bool(backward))
    logits = _forward(model, table, image, Tracer(visit, flow=probe == "flow"))
    if backward:
        objective = F.cross_entropy(logits, labels) if probe == "label" else logits.sum()
        gradients = _gradients(objective, [image, *weights.values()])
        for row in backward:
            if row.site == "image":
                captured[row.name] = {0: g.flatten(1) for g in gradients[:1] if g is not None}
            elif row.site == "weight":
                found = zip(weights.items(), gradients[1:], strict=True)
                captured[row.name] = {i: _as(row, _or_zero(g, w)) for (i, w), g in found}
    return captured


def _gradients(objective: Tensor, inputs: list[Tensor]) -> list[Tensor | None]:
    """Gradients where there is a path; unlike `backward`, this leaves no trace on leaves."""
    needed = [t for t in inputs if t.requires_grad]
    if not objective.requires_grad:
        return [None] * len(inputs)
    found = iter(torch.autograd.grad(objective, needed, allow_unused=True))
    return [next(found) if t.requires_grad else None for t in inputs]


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


def _forward(model: nn.Module, table: Parameters, image: Tensor, tracer: Tracer) -> Tensor:
    """The logits of one traced pass; `InputError` names the model whose forward fails."""
    name, shape = type(model).__name__, tuple(image.shape)
    try:
        with tracer:
            logits = functional_call(model, table, (image,))
    except Exception as error:  # a stranger's forward may raise anything
        reason = str(error).strip().split("\n")[0]
        line = f"model {name}: forward failed on an input of shape {shape}: {reason}"
        raise InputError(line) from error
    logits = getattr(logits, "logits", logits)
    if not isinstance(logits, Tensor):
        kind = type(logits).__name__
        raise InputError(f"model {name}: forward gave a {kind}, expected a tensor of logits")
    return logits


def _differentiable(model: nn.Module, table: Parameters) -> Parameters:
    own = (name for name, p in model.named_parameters() if p.is_floating_point())
    return table | {name: table[name].detach().requires_grad_() for name in own}


def _condense(row: Statistic, tensor: Tensor) -> Tensor:
    tensor = _as(row, tensor)
    if not row.sketch:
        return tensor.clone(memory_format=torch.contiguous_format)
    return WORDS[row.sketch].function(tensor[None])[0]


def _as(row: Statistic, tensor: Tensor) -> Tensor:
    """Weights as [out, in, kh, kw]; features as [batch, channels, height, width]."""
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
def _train_mode(model: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.train()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _cuda(device: str) -> list[Any]:
    return [torch.device(device)] if torch.device(device).type == "cuda" else []
