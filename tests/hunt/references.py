"""Proxies by autograd and hooks, on any model: what the tests of each kind compare with.

Nothing here knows of layers: a test names the weights, and the modules that are activations.
"""

import copy
import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.flop_counter import FlopCounterMode

from eznas.statistics.images import generated
from tests.hunt.networks import BATCH

IMAGES = generated(BATCH, 32, seed=0)
Weights = Callable[[nn.Module], Sequence[Tensor]]


def flops(model: nn.Module) -> float:
    """Multiply-adds of convolutions and products with weights for one image, by torch's counter;
    attention's products of activations are left out."""
    counter = FlopCounterMode(display=False)
    with counter:  # with gradients: without, attention is one operation that is not counted
        model.eval()(IMAGES.pixels[:1])
    counts = counter.get_flop_counts()["Global"]
    kept = {
        op: n for op, n in counts.items() if "bmm" not in str(op) and "attention" not in str(op)
    }
    return sum(kept.values()) / 2


def l2_norm(model: nn.Module, weights: Weights) -> float:
    """Sum of the norms of the weights."""
    return sum(weight.norm().item() for weight in weights(model))


def label_gradients(model: nn.Module, weights: Weights, start: int = 0) -> list[Tensor]:
    """Gradients of the cross-entropy on half of the images."""
    portion = slice(start, start + BATCH // 2)
    loss = F.cross_entropy(model.train()(IMAGES.pixels[portion]), IMAGES.labels[portion])
    return [*torch.autograd.grad(loss, list(weights(model)))]


def snip(model: nn.Module, weights: Weights) -> float:
    """Lee et al., 2019."""
    pairs = zip(weights(model), label_gradients(model, weights), strict=True)
    return sum((w * g).abs().sum().item() for w, g in pairs)


def plain(model: nn.Module, weights: Weights) -> float:
    """Mozer & Smolensky, 1988."""
    pairs = zip(weights(model), label_gradients(model, weights), strict=True)
    return sum((w * g).sum().item() for w, g in pairs)


def grad_norm(model: nn.Module, weights: Weights) -> float:
    """Sum of the norms of gradients."""
    return sum(g.norm().item() for g in label_gradients(model, weights))


def zico(model: nn.Module, weights: Weights) -> float:
    """Li et al., 2023, as their code has it: over weights whose sum is not zero."""
    total = 0.0
    firsts, seconds = (label_gradients(model, weights, start) for start in (0, BATCH // 2))
    for a, b in zip(firsts, seconds, strict=True):
        moved = a != b
        ratio = ((a.abs() + b.abs()) / (a - b).abs())[moved].double().sum().item()
        total += math.log(ratio) if ratio else 0.0
    return total


def synflow(model: nn.Module, weights: Weights) -> float:
    """Tanaka et al., 2020: absolute parameters, ones, no batch norm, float64."""
    model = copy.deepcopy(model).double().train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.forward = lambda x: x
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    chosen = list(weights(model))
    y = model(torch.ones(1, 3, 32, 32, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(y, chosen)
    return sum((w * g).abs().sum().item() for w, g in zip(chosen, gradients, strict=True))


def naswot(model: nn.Module, kind: type[nn.Module]) -> float:
    """Mellor et al., 2021, over every run of a module of the kind."""
    kernel = torch.zeros(BATCH, BATCH, dtype=torch.float64)

    def add(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        code = (output > 0).flatten(1).double()
        kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)

    model = copy.deepcopy(model).train()
    for module in model.modules():
        if isinstance(module, kind):
            module.register_forward_hook(add)
    with torch.no_grad():
        model(IMAGES.pixels)
    return torch.linalg.slogdet(kernel).logabsdet.item()


BY_WEIGHTS = {
    "l2_norm": l2_norm,
    "snip": snip,
    "plain": plain,
    "grad_norm": grad_norm,
    "zico": zico,
    "synflow": synflow,
}
