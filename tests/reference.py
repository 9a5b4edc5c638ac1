"""Published proxies written out directly, and tiny networks: the ground truth of other tests.

Nothing here imports eznas. Where a proxy has several published forms, the docstring says which
one this is. Every score leaves the model as it was.
"""

import copy
import hashlib
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def stream(purpose: str, seed: int) -> torch.Generator:
    """The generator for a purpose ("noise", "signs"): apart from that of the weights."""
    digest = hashlib.sha256(f"{purpose} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))


def init(model: nn.Module, seed: int) -> nn.Module:
    """Kaiming normal (fan out, gain of ReLU) on Conv2d and Linear, zero biases, BatchNorm 1 / 0.

    In place, in module order, from one generator with this seed; returns the model. Source:
    FreeREA (Cavagnero et al., WACV 2023), as its LogSynflow is computed; He et al., ICCV 2015.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(
                module.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(module, _BatchNorm) and module.weight is not None:
            nn.init.ones_(module.weight)
        if isinstance(module, nn.Conv2d | nn.Linear | _BatchNorm) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return model


def logsynflow(model: nn.Module, input_size: int) -> float:
    """Sum over Conv2d and Linear weights of |w ln(1 + dR/dw)|; R as in `_flow`.

    Source: FreeREA (Cavagnero et al., WACV 2023) and its code. A layer that no logit depends on
    adds 0, as in that code and its cached CIFAR-100 and ImageNet16-120 scores; in its cached
    CIFAR-10 scores such layers add 13.8 |w|, as ln(g + 1e-6) would.
    """
    pairs = _flow(model, input_size)
    return sum((w * torch.log(1 + g)).abs().sum().item() for w, g in pairs)


def synflow(model: nn.Module, input_size: int) -> float:
    """Sum over Conv2d and Linear weights of |w dR/dw|; R as in `_flow`.

    Source: Tanaka et al., "Pruning neural networks without any data by iteratively conserving
    synaptic flow", NeurIPS 2020; as a proxy: Abdelfattah et al., ICLR 2021 (weights alone, and
    with BatchNorm as identity, as in FreeREA).
    """
    return sum((w * g).abs().sum().item() for w, g in _flow(model, input_size))


def naswot(model: nn.Module, images: torch.Tensor) -> float:
    """log |det K|, K = sum over nn.ReLU calls of C C' + (1 - C)(1 - C)', C = (output > 0).

    Train mode, K in float64, -inf where K is singular; functional ReLUs are not seen. Source:
    Mellor et al., "Neural architecture search without training", ICML 2021.
    """
    model = copy.deepcopy(model).train()
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def add(_module, _inputs, output):
        code = (output > 0).flatten(1).double()
        kernel.add_(code @ code.T + (1 - code) @ (1 - code).T)

    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(add)
    with torch.no_grad():
        model(images)
    return float(np.linalg.slogdet(kernel.numpy())[1])


def hybrid(model: nn.Module, images: torch.Tensor, input_size: int, c1: float, c2: float) -> float:
    """c1 LogSynflow + c2 NASWOT. Source: Poeta, master's thesis, 2023."""
    return c1 * logsynflow(model, input_size) + c2 * naswot(model, images)


def jacob_cov(model: nn.Module, images: torch.Tensor) -> float:
    """-sum(ln(v + k) + 1 / (v + k)), k = 1e-5, v the eigenvalues of the correlation of Jacobians.

    Row i of J [batch, inputs] is the gradient of the sum of all logits by image i, in train mode;
    NaN where a row is constant (a network that ignores its input). Source: Mellor et al., first
    version of arXiv 2006.04647 (2020); Abdelfattah et al., ICLR 2021.
    """
    model = copy.deepcopy(model).train()
    images = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(images).sum(), images, materialize_grads=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.corrcoef(gradient.flatten(1).double().numpy())
    if not np.isfinite(correlation).all():
        return math.nan
    values = np.linalg.eigvalsh(correlation) + 1e-5
    return float(-np.sum(np.log(values) + 1 / values))


def params(model: nn.Module) -> int:
    """Number of trainable and other parameters; buffers are none."""
    return sum(p.numel() for p in model.parameters())


def weight_layers(model: nn.Module) -> int:
    """Number of Conv2d and Linear modules, a shared one counted once."""
    return len(_weights(model))


def _flow(model: nn.Module, input_size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(w, dR/dw) of every Conv2d and Linear, float64; zeros where R does not depend on w.

    R is the sum of the logits for one input of ones [1, 3, input_size, input_size], every
    parameter replaced by its absolute value and every BatchNorm by the identity.
    """
    model = _without_batchnorm(copy.deepcopy(model).eval().double())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    weights = _weights(model)
    total = model(torch.ones(1, 3, input_size, input_size, dtype=torch.float64)).sum()
    gradients = torch.autograd.grad(total, weights, allow_unused=True, materialize_grads=True)
    return [(w.detach(), g) for w, g in zip(weights, gradients, strict=True)]


def _without_batchnorm(model: nn.Module) -> nn.Module:
    for name, child in model._modules.items():  # named_children leaves out repetitions
        if isinstance(child, _BatchNorm):
            setattr(model, name, nn.Identity())
        else:
            _without_batchnorm(child)
    return model


def _weights(model: nn.Module) -> list[nn.Parameter]:
    return [m.weight for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


class TinyResNet(nn.Module):
    """Stem and one residual block, every ReLU in place. Any input [batch, 3, h, w] -> 10 logits."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)  # used twice
        self.classifier = nn.Linear(8, 10)

    def forward(self, x):
        x = self.stem(x)
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        x = self.relu(x + y)
        return self.classifier(x.mean(dim=(2, 3)))


class Concat(nn.Module):
    """Two branches of different kernel, joined along channels; functional ReLUs only."""

    def __init__(self):
        super().__init__()
        self.left = nn.Conv2d(3, 4, 1)
        self.right = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(10)
        self.joint = nn.Conv2d(10, 8, 3, stride=2, padding=1)
        self.classifier = nn.Linear(8, 10)

    def forward(self, x):
        x = torch.cat([self.left(x), F.relu(self.right(x))], dim=1)
        x = F.relu(self.joint(self.bn(x)))
        return self.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


class SharedConv(nn.Module):
    """One convolution, BatchNorm and ReLU applied twice in a row."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.shared = nn.Sequential(
            nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.classifier = nn.Linear(8, 10)

    def forward(self, x):
        x = self.shared(self.shared(self.stem(x)))
        return self.classifier(x.mean(dim=(2, 3)))


class NoBatchNorm(nn.Module):
    """Convolution, ReLU, pooling to 4 x 4, flatten, linear."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.classifier = nn.Linear(6 * 4 * 4, 10)

    def forward(self, x):
        return self.classifier(self.pool(self.relu(self.conv(x))).flatten(1))


class Mlp(nn.Sequential):
    """Linear layers only, on the image averaged to 4 x 4."""

    def __init__(self):
        super().__init__(
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(3 * 4 * 4, 16),
            nn.ReLU(),
            nn.Linear(16, 12),
            nn.ReLU(),
            nn.Linear(12, 10),
        )
