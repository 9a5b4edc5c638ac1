"""Every classic written out directly, by name: `EXPECTED[name](excited)`.

Nothing here imports eznas. It has what the two files of references lack: sizes, live layers,
EZNAS-A, combinations of several proxies, and the inputs of each.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests import reference
from tests import reference_proxies as proxies

LAYERS = (nn.Conv2d, nn.Linear)


@dataclass(frozen=True)
class Excited:
    """An initialised network in float64, and what excites it.

    `raw` and `sketch` count the images of proxies that keep tensors and of those that condense
    them; those with labels take half of the latter, and the other half as second batch.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    raw: int
    sketch: int
    seed: int

    @property
    def size(self) -> int:
        return self.images.shape[-1]

    @property
    def few(self) -> Tensor:
        return self.images[: self.raw]

    @property
    def many(self) -> Tensor:
        return self.images[: self.sketch]

    @property
    def first(self) -> tuple[Tensor, Tensor]:
        return self.images[: self.sketch // 2], self.labels[: self.sketch // 2]

    @property
    def second(self) -> tuple[Tensor, Tensor]:
        part = slice(self.sketch // 2, self.sketch // 2 * 2)
        return self.images[part], self.labels[part]

    @property
    def noises(self) -> tuple[Tensor, Tensor]:
        """Two batches, one after the other from one generator."""
        generator = reference.stream("noise", self.seed)
        first, second = (torch.empty_like(self.few).normal_(generator=generator) for _ in range(2))
        return first, second

    @property
    def with_normal_weights(self) -> nn.Module:
        """The network with standard normal weights, drawn in module order."""
        model, generator = copy.deepcopy(self.model), torch.Generator().manual_seed(self.seed)
        for module in model.modules():
            if isinstance(module, LAYERS):
                nn.init.normal_(module.weight, generator=generator)
        return model

    @cached_property
    def live(self) -> list[str]:
        """Layers and ReLUs on a way from image to logits.

        With positive parameters, without BatchNorm and on an image of ones nothing cancels: a
        module is live where its output and the logits' gradient there are positive.
        """
        model = copy.deepcopy(self.model)
        for parameter in model.parameters():
            parameter.data.abs_()
        for name, module in self.model.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                model.set_submodule(name, nn.Identity())
        logits, calls = _calls_of(model, torch.ones_like(self.images[:1]), *LAYERS, nn.ReLU)
        outputs = {name: y for name, _, y in calls if y.requires_grad}
        gradients = torch.autograd.grad(logits.sum(), list(outputs.values()), allow_unused=True)
        pairs = zip(outputs.items(), gradients, strict=True)
        return [name for (name, y), g in pairs if g is not None and (y * g > 0).any()]

    @cached_property
    def layers(self) -> dict[str, nn.Module]:
        """The live layers by name."""
        live_modules = {name: self.model.get_submodule(name) for name in self.live}
        return {name: module for name, module in live_modules.items() if isinstance(module, LAYERS)}

    @cached_property
    def multiply_adds(self) -> dict[str, int]:
        """By layer, for one image: the weights of one output times the number of outputs."""
        _, calls = _calls_of(self.model, self.few, *LAYERS)
        return {name: m.weight[0].numel() * y[0].numel() for name, m, y in calls}


def operations(e: Excited) -> int:
    """Multiply-adds, 1 per unit of a ReLU, 2 of a BatchNorm, the window of an average pooling.

    Source: Krishnakumar et al., "NAS-Bench-Suite-Zero", NeurIPS 2022.
    """
    total = sum(e.multiply_adds.values())
    for _, module, y in _calls_of(e.model, e.few, nn.ReLU, nn.BatchNorm2d, nn.AvgPool2d)[1]:
        if isinstance(module, nn.AvgPool2d):
            operations_per_unit = module.kernel_size**2
        else:
            operations_per_unit = 1 if isinstance(module, nn.ReLU) else 2
        total += operations_per_unit * y[0].numel()
    return total


def live_naswot(e: Excited) -> float:
    """NASWOT of the live ReLUs; the others are replaced by the identity."""
    model = copy.deepcopy(e.model)
    for name, module in e.model.named_modules():
        if isinstance(module, nn.ReLU) and name not in e.live:
            model.set_submodule(name, nn.Identity())
    return reference.naswot(model, e.many)


def eznas_a(e: Excited) -> list[float]:
    """|| sigmoid(ln |det sign(X)|) || for each live layer behind a ReLU, the classifier included.

    X [images, channels, height, width] is the gradient of the summed logits at the input of that
    ReLU, through this ReLU alone. Source: Akhauri et al., "EZNAS", NeurIPS 2022, as their code
    evaluates it.
    """
    model, inputs = copy.deepcopy(e.model).train(), {}
    for name, module in model.named_modules():
        if isinstance(module, nn.ReLU):
            next_layer = "classifier" if name == "last.1" else name.removesuffix("0") + "1"
            module.register_forward_pre_hook(_storing_input(inputs, next_layer))
    total = model(e.few).sum()
    relu_inputs = [inputs[name] for name in e.layers if name in inputs]
    return [_eznas(X) for X in torch.autograd.grad(total, relu_inputs)] if relu_inputs else []


def eznas_a_weights(e: Excited) -> list[float]:
    """The same with X the gradient at each live layer's weight [out, in, height, width], on noise.

    Source: Akhauri et al., as the text of their paper describes it.
    """
    model = copy.deepcopy(e.model).train()
    weights = [model.get_submodule(name).weight for name in e.layers]
    if not weights:
        return []
    gradients = torch.autograd.grad(model(e.noises[0]).sum(), weights)
    return [_eznas(X.reshape(*X.shape, 1, 1) if X.ndim == 2 else X) for X in gradients]


def _eznas(X: Tensor) -> float:
    """The norm of sigmoid(ln |det sign(X)|) over all matrices of X [.., .., n, n]."""
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.abs(np.linalg.det(np.sign(X.numpy()))))
    return float(np.linalg.norm(1 / (1 + np.exp(-logarithms))))


def entropies(e: Excited) -> Tensor:
    """The entropy of the output of each block."""
    return proxies.entropies(e.model, e.noises[0])


def trainability(e: Excited) -> float:
    """The mean over all blocks but the first, for which signs are drawn as well."""
    generator = reference.stream("signs", e.seed)
    outputs = proxies.block_outputs(e.model, e.few)
    signs = [torch.randint(0, 2, f.shape, generator=generator) * 2.0 - 1 for f in outputs]
    signs = [v.double() for v in signs[1:]]
    scores = proxies.trainabilities(e.model, e.noises[0], signs, at_inputs=True)
    return scores.mean().item()


def az_nas(e: Excited) -> float:
    """The sum of ln sigmoid(z) over the four scores, standardised, times 1.7."""
    entropy = entropies(e)
    flops_of_position = sum(e.multiply_adds.values()) / e.size**2
    standard = (
        0.181 * (entropy.sum().item() - 49.4),
        11.9 * (entropy.diff().min().item() + 0.168),
        2.35 * (trainability(e) + 0.465),
        2.16 * (math.log(flops_of_position) - 10.66),
    )
    return -sum(math.log1p(math.exp(-z)) for z in standard)


def jacob_cov_x_params(e: Excited) -> float:
    """Parameters divided by the excess of -jacob_cov over 1 per image, its least value, in logs."""
    divergence = -reference.jacob_cov(e.model, e.many)
    return math.log(reference.params(e.model) / (divergence - e.sketch))


def _storing_input(inputs: dict[str, Tensor], name: str) -> Callable[..., Any]:
    """A hook that replaces a module's input by a view, which it stores: gradients there are those
    through this module alone."""

    def replace(_module: nn.Module, arguments: tuple[Tensor]) -> tuple[Tensor]:
        inputs[name] = arguments[0].view_as(arguments[0])
        return (inputs[name],)

    return replace


def _calls_of(
    model: nn.Module, images: Tensor, *classes: type[nn.Module]
) -> tuple[Tensor, list[tuple[str, nn.Module, Tensor]]]:
    """The logits of a copy, and (name, module, output) of each call of modules of these classes."""
    model = copy.deepcopy(model).train()
    calls: list[tuple[str, nn.Module, Tensor]] = []

    def storing(name: str) -> Callable[..., None]:
        return lambda module, _inputs, y: calls.append((name, module, y))

    for name, module in model.named_modules():
        if isinstance(module, classes):
            module.register_forward_hook(storing(name))
    return model(images), calls


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else -math.inf


EXPECTED: dict[str, Callable[[Excited], float]] = {
    "params": lambda e: reference.params(e.model),
    "live_params": lambda e: sum(map(reference.params, e.layers.values())),
    "flops": lambda e: sum(e.multiply_adds.values()),
    "operations": operations,
    "live_flops": lambda e: sum(map(e.multiply_adds.get, e.layers)),
    "depth": lambda e: len(e.layers),
    "l2_norm": lambda e: proxies.l2_norm(e.model),
    "live_l2_norm": lambda e: sum(m.weight.norm().item() for m in e.layers.values()),
    "plain": lambda e: proxies.plain(e.model, *e.first),
    "snip": lambda e: proxies.snip(e.model, *e.first),
    "grad_norm": lambda e: proxies.grad_norm(e.model, *e.first),
    "fisher": lambda e: proxies.fisher(e.model, *e.first),
    "grasp": lambda e: proxies.grasp(e.model, *e.first),
    "synflow": lambda e: proxies.synflow(e.model, e.size),
    "logsynflow": lambda e: reference.logsynflow(e.model, e.size),
    "zico": lambda e: proxies.zico(e.model, *e.first, *e.second),
    "gradsign": lambda e: proxies.gradsign(e.model, *e.first),
    "naswot": lambda e: reference.naswot(e.model, e.many),
    "live_naswot": live_naswot,
    "jacob_cov": lambda e: reference.jacob_cov(e.model, e.many),
    "epe_nas": lambda e: proxies.epe_nas(e.model, e.many, e.labels[: e.sketch]),
    "zen": lambda e: proxies.zen(e.with_normal_weights, *e.noises),
    "meco": lambda e: proxies.meco(e.model, e.images[:1]),
    "swap": lambda e: proxies.swap(e.model, e.few),
    "vkdnw_entropy": lambda e: proxies.vkdnw_entropy(e.model, e.few, smoothing=0.05),
    "az_expressivity": lambda e: entropies(e).sum().item(),
    "az_progressivity": lambda e: entropies(e).diff().min().item(),
    "az_trainability": trainability,
    "az_complexity": lambda e: sum(e.multiply_adds.values()),
    "az_nas": az_nas,
    "eznas_a": lambda e: _mean(eznas_a(e)),
    "eznas_a_sum": lambda e: sum(eznas_a(e)),
    "eznas_a_weights": lambda e: _mean(eznas_a_weights(e)),
    "jacob_cov_x_params": jacob_cov_x_params,
    "hybrid": lambda e: reference.hybrid(e.model, e.many, e.size, 2e-8, 0.0384 / e.sketch),
}
