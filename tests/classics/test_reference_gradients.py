"""Reference proxies of gradients at the weights against naive computations."""

import copy
import functools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

from tests import reference
from tests import reference_proxies as proxies
from tests.classics.naive import (
    BATCH,
    DEAD,
    FULL,
    SIZE,
    THIN,
    ZERO,
    batch,
    gradient,
    layers_of,
    loss,
    network,
    small_network,
    with_gradients,
)


def test_l2_norm():
    model = network(DEAD)
    layers = layers_of(model)
    assert len(layers) == 1 + 15 * 2 + 2 * 3 + 1
    expected = sum(
        math.sqrt(sum(w * w for w in m.weight.flatten().tolist())) for m in layers.values()
    )
    assert proxies.l2_norm(model) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_plain_is_the_slope_as_all_weights_grow(architecture):
    model, (images, labels) = network(architecture), batch()
    weights = [m.weight.detach() for m in layers_of(model).values()]
    up, down = (loss(model, images, labels, weights, step) for step in (1e-6, -1e-6))
    assert proxies.plain(model, images, labels) == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_snip_is_the_slope_of_every_mask():
    model, (images, labels) = small_network(THIN), batch(size=8)
    total, squares = 0.0, []
    weights = [m.weight.detach() for m in layers_of(model).values()]
    for index, w in enumerate(weights):
        squares.append(0.0)
        for entry in range(w.numel()):
            directions = [torch.zeros_like(weight) for weight in weights]
            directions[index].view(-1)[entry] = w.view(-1)[entry]
            up, down = (loss(model, images, labels, directions, s) for s in (1e-6, -1e-6))
            total += abs(up - down) / 2e-6
            squares[-1] += ((up - down) / 2e-6 / w.view(-1)[entry].item()) ** 2
    assert proxies.snip(model, images, labels) == pytest.approx(total, rel=1e-5)
    norms = sum(map(math.sqrt, squares))
    assert proxies.grad_norm(model, images, labels) == pytest.approx(norms, rel=1e-5)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_snip_is_the_gradient_of_masks(architecture):
    model, (images, labels) = network(architecture), batch()
    parameters = dict(model.named_parameters())
    masks = {n: torch.ones_like(p, requires_grad=True) for n, p in parameters.items()}
    masked = {n: p.detach() * masks[n] for n, p in parameters.items()}
    logits = functional_call(copy.deepcopy(model).train(), masked, images)
    F.cross_entropy(logits, labels).backward()
    grads = [masks[f"{name}.weight"].grad for name in layers_of(model)]
    expected = sum(g.abs().sum().item() for g in grads if g is not None)
    assert proxies.snip(model, images, labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_grad_norm(architecture):
    model, (images, labels) = network(architecture), batch()
    layers = layers_of(with_gradients(model, images, labels)).values()
    expected = sum(np.linalg.norm(gradient(m).numpy().ravel()) for m in layers)
    assert proxies.grad_norm(model, images, labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_grasp_is_a_difference_of_gradients(architecture):
    """w H g = w (g(w + t g) - g(w - t g)) / 2t."""
    model, (images, labels) = network(architecture), batch()
    layers = layers_of(model).values()
    g = [gradient(m) for m in layers_of(with_gradients(model, images, labels)).values()]
    step, products = 1e-7, []
    for sign in (1, -1):
        shifted = copy.deepcopy(model)
        with torch.no_grad():
            for m, direction in zip(layers_of(shifted).values(), g, strict=True):
                m.weight += sign * step * direction
        shifted_layers = layers_of(with_gradients(shifted, images, labels)).values()
        products.append(
            sum(
                (w.weight * gradient(m)).sum().item()
                for w, m in zip(layers, shifted_layers, strict=True)
            )
        )
    expected = -(products[0] - products[1]) / (2 * step)
    assert abs(expected) > 1e-3
    assert proxies.grasp(model, images, labels) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_fisher_is_the_gradient_of_gates(architecture):
    """s is the slope of CE as one channel of one image is scaled."""
    model, (images, labels) = network(architecture), batch()
    gated = copy.deepcopy(model).train()
    gates = []

    def gate(module, _inputs, output):
        ones = torch.ones(output.shape[:2], dtype=torch.float64, requires_grad=True)
        gates.append((module.weight[0].numel(), ones))
        return output * ones.reshape(*output.shape[:2], *[1] * (output.ndim - 2))

    for m in layers_of(gated).values():
        m.register_forward_hook(gate)
    F.cross_entropy(gated(images), labels).backward()
    expected = 0.0
    for weights_per_channel, ones in gates:
        s = [] if ones.grad is None else ones.grad.flatten().tolist()
        expected += weights_per_channel * sum(v * v for v in s) / (2 * BATCH)
    assert proxies.fisher(model, images, labels) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_synflow_is_the_slope_as_all_weights_grow(architecture):
    """In eval mode, a new BatchNorm is the identity but for its epsilon."""
    model = network(architecture)
    assert proxies.synflow(model, SIZE) == pytest.approx(reference.synflow(model, SIZE), rel=1e-12)
    positive = copy.deepcopy(model).eval()
    ones = torch.ones(1, 3, SIZE, SIZE, dtype=torch.float64)
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            for m in positive.modules():
                if isinstance(m, nn.BatchNorm2d):
                    m.eps = 0.0
            for m, original in zip(
                layers_of(positive).values(), layers_of(model).values(), strict=True
            ):
                m.weight.copy_(original.weight.abs() * (1 + step))
            values.append(positive(ones).sum().item())
    assert proxies.synflow(model, SIZE) == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5)


def test_synflow_without_branches_counts_layers():
    """In a chain of n layers R is linear in each of them, and so the score is n R."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 2, 3))
    model = reference.init(nn.Sequential(model, nn.Flatten(), nn.Linear(2 * 4 * 4, 3)), 0).double()
    R = torch.ones(1, 3, 8, 8, dtype=torch.float64)
    for index in (0, 3):
        R = F.conv2d(R, model[0][index].weight.detach().abs())
    R = (model[2].weight.detach().abs() @ R.flatten()).sum().item()
    assert proxies.synflow(model, 8) == pytest.approx(3 * R, rel=1e-12)


@pytest.mark.parametrize("architecture", [FULL, DEAD])
def test_zico_by_loops(architecture):
    model, first, second = network(architecture), batch(), batch(1)
    first_layers, second_layers = (
        layers_of(with_gradients(model, *pair)).values() for pair in (first, second)
    )
    expected = 0.0
    for m1, m2 in zip(first_layers, second_layers, strict=True):
        S = 0.0
        for a, b in zip(
            gradient(m1).flatten().tolist(), gradient(m2).flatten().tolist(), strict=True
        ):
            S += (abs(a) + abs(b)) / abs(a - b) if a != b else 0.0
        expected += math.log(S) if S > 0 else 0.0
    assert proxies.zico(model, *first, *second) == pytest.approx(expected, rel=1e-10)
    assert proxies.zico(model, *second, *first) == pytest.approx(expected, rel=1e-10)
    assert proxies.zico(model, *first, *first) == 0.0


def weight_gradients_per_image(model, images, labels):
    """For each layer [batch, *weight.shape]: gradients as if each image had weights of its own."""
    model = copy.deepcopy(model).train()
    copies = {}

    def forward(module, name, x):
        copies[name] = [module.weight.detach().clone().requires_grad_() for _ in x]
        pairs = zip(x, copies[name], strict=True)
        if isinstance(module, nn.Linear):
            return torch.stack([w @ row + module.bias for row, w in pairs])
        outputs = [
            F.conv2d(image[None], w, None, module.stride, module.padding) for image, w in pairs
        ]
        return torch.cat(outputs)

    for name, m in layers_of(model).items():
        m.forward = functools.partial(forward, m, name)
    F.cross_entropy(model(images), labels).backward()
    return [
        np.stack([(torch.zeros_like(w) if w.grad is None else w.grad).numpy() for w in weights])
        for weights in copies.values()
    ]


@pytest.mark.parametrize("architecture", [FULL, DEAD, ZERO])
def test_contributions_gradsign_and_snr(architecture):
    model, (images, labels) = network(architecture), batch()
    naive = weight_gradients_per_image(model, images, labels)
    parts = list(proxies.contributions(model, images, labels))
    for part, gradients in zip(parts, naive, strict=True):
        np.testing.assert_allclose(part, gradients, rtol=1e-9, atol=1e-13)
    sums = sorted(part.sum(0).norm().item() for part in parts)
    grads = layers_of(with_gradients(model, images, labels)).values()
    assert sums == pytest.approx(sorted(gradient(m).norm().item() for m in grads), rel=1e-9)

    expected = 0
    for part in naive:
        for entry in part.reshape(BATCH, -1).T.tolist():
            expected += abs(sum((value > 0) - (value < 0) for value in entry))
    assert proxies.gradsign(model, images, labels) == expected
    rows = [(np.linalg.norm(part.mean(0)), math.sqrt(part.var(0, ddof=0).sum())) for part in naive]
    np.testing.assert_allclose(proxies.snr(model, images, labels), rows, rtol=1e-9, atol=1e-13)
