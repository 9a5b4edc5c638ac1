"""Tiny networks for the tests of the reference proxies, and helpers of naive computations."""

import copy
import itertools
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from eznas.spaces.blocks import ResidualReduction
from eznas.spaces.nasbench201 import Cell, build, operations
from tests import reference
from tests import reference_proxies as proxies

BATCH, SIZE, CLASSES = 5, 16, 4
# All operations; convolutions that lead nowhere; one of zeros; a skip alone; one 1x1 convolution;
# no operation; a convolution that reads nothing.
FULL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
DEAD = "|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|skip_connect~0|none~1|none~2|"
ZERO = "|none~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|none~2|"
SKIP = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
THIN = "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|"
EMPTY = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
BROKEN = "|none~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"


def network(architecture=FULL):
    """A real network of NAS-Bench-201, initialised, in float64."""
    return reference.init(build(architecture, CLASSES), 0).double()


def small_network(architecture=FULL):
    """The same blocks with one cell per stage and 2, 3 and 4 channels: 7 blocks, few weights."""
    cell = operations(architecture)
    layers = {
        "stem": nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)),
        "stage1": nn.Sequential(Cell(cell, 2)),
        "reduction1": ResidualReduction(2, 3),
        "stage2": nn.Sequential(Cell(cell, 3)),
        "reduction2": ResidualReduction(3, 4),
        "stage3": nn.Sequential(Cell(cell, 4)),
        "last": nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()),
        "pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        "classifier": nn.Linear(4, CLASSES),
    }
    return reference.init(nn.Sequential(OrderedDict(layers)), 1).double()


def batch(seed=0, size=SIZE, count=BATCH):
    """(images, labels), drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, size, size, generator=generator, dtype=torch.float64)
    return images, torch.randint(CLASSES, (count,), generator=generator)


def random_signs(model, images):
    """Random signs in the shape of the output of each block but the first."""
    generator = torch.Generator().manual_seed(5)
    return [
        torch.randint(2, f.shape, generator=generator).to(f) * 2 - 1
        for f in proxies.block_outputs(model, images)[1:]
    ]


def layers_of(model):
    """Convolutions and linear layers by name."""
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)}


def with_gradients(model, images, labels):
    """A copy of the model in train mode with the gradients of the cross-entropy in .grad."""
    model = copy.deepcopy(model).train()
    F.cross_entropy(model(images), labels).backward()
    return model


def gradient(layer):
    """The gradient at the layer's weight, zeros where there is none."""
    return torch.zeros_like(layer.weight) if layer.weight.grad is None else layer.weight.grad


@torch.no_grad()
def loss(model, images, labels, directions=(), step=0.0):
    """The cross-entropy after the layers' weights have moved by `step` times `directions`."""
    model = copy.deepcopy(model).train()
    for layer, direction in zip(layers_of(model).values(), directions, strict=bool(directions)):
        layer.weight += step * direction
    return F.cross_entropy(model(images), labels).item()


def blocks(model):
    """Each block after the first as a function of the previous block's output."""
    blocks = [nn.Sequential(model.stem[1], model.stage1[0]), *model.stage1[1:], model.reduction1]
    return [*blocks, *model.stage2, model.reduction2, *model.stage3]


def block_outputs(model, images):
    """The output of each block."""
    model = copy.deepcopy(model).train()
    with torch.no_grad():
        stages = [model.stem[0], *blocks(model)]
        return list(itertools.accumulate(stages, lambda x, block: block(x), initial=images))[1:]


def calls_of(model, images, *classes):
    """(input, output) of each call of a module of these classes, from a hook on all modules."""
    model, calls = copy.deepcopy(model).train(), []

    def note(module, inputs, output):
        if isinstance(module, classes):
            calls.append((inputs[0].detach().clone(), output.detach().clone()))

    handle = nn.modules.module.register_module_forward_hook(note)
    try:
        model(images)
    finally:
        handle.remove()
    return calls
