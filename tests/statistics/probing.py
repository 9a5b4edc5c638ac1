"""Settings and checks that the tests of probes share."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import measure
from tests.reference import stream

RAW, SKETCH, LABEL = 4, 12, 6
IMAGES = generated(SKETCH, size=8)
CONFIG = MeasurementConfig(
    replace(IMAGES, pixels=IMAGES.pixels.double()),
    raw=RAW,
    sketch=SKETCH,
    initialisation="keep",
    seed=2,
)
PIXELS, LABELS = CONFIG.images.pixels, CONFIG.images.labels
# A convolution whose output is unused, one fed by zeros, and two that are live.
CELL = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|avg_pool_3x3~1|nor_conv_1x1~2|"


def measured_rows(model: nn.Module, *names: str, **changes: object) -> list[Tensor | None]:
    """The rows of one statistic, or of several, one after the other."""
    rows = [CATALOGUE[name] for name in names]
    tensors = measure(model, replace(CONFIG, **changes), rows).tensors
    return [tensor for name in names for tensor in tensors[name]]


def near(x: Tensor | None, y: Tensor | np.ndarray, tolerance: float = 1e-10) -> bool:
    """Equal in shape, and in values up to a tolerance relative to the largest entry."""
    assert x is not None
    y = torch.as_tensor(y)
    assert x.shape == y.shape
    return bool((x - y).abs().max() <= tolerance * (y.abs().max() + 1e-12))


def shaped(weight: Tensor) -> Tensor:
    """With axes of length 1 at the end to make four."""
    return weight.reshape(*weight.shape, *(1,) * (4 - weight.dim()))


def noise() -> Tensor:
    """The first draw of noise, in the shape of the raw batch."""
    generator = stream("noise", CONFIG.seed)
    return torch.empty_like(PIXELS[:RAW]).normal_(generator=generator)


def random_signs(outputs: list[Tensor]) -> list[Tensor]:
    """Random signs in the shapes of the outputs of all blocks, one draw after the other."""
    generator = stream("signs", CONFIG.seed)
    draws = [torch.randint(0, 2, y.shape, generator=generator) for y in outputs]
    return [2.0 * d.double() - 1.0 for d in draws]


def transfers(blocks: list[nn.Module], inputs: list[Tensor]) -> list[Tensor | None]:
    """Each block by itself on its input: [channels x patch, output channels]."""
    inputs = [x.detach().requires_grad_() for x in inputs]
    outputs = [block(x.clone()) for block, x in zip(blocks, inputs, strict=True)]
    rows: list[Tensor | None] = []
    for i, (x, y, signs) in enumerate(zip(inputs, outputs, random_signs(outputs), strict=True)):
        objective = (y * signs).sum() + 0 * x.sum()  # so that every input has a gradient
        (gradient,) = torch.autograd.grad(objective, x)
        (batch, in_channels, in_height, in_width), (_, out_channels, h, w) = x.shape, y.shape
        side = in_height // h
        if i == 0 or (h * side, w * side) != (in_height, in_width):
            rows.append(None)
            continue
        row = torch.zeros(in_channels * side * side, out_channels, dtype=torch.float64)
        for c in range(in_channels):
            for p in range(side):
                for q in range(side):
                    patch = gradient[:, c, p::side, q::side]
                    products = (patch[:, None] * signs).sum((0, 2, 3))
                    row[(c * side + p) * side + q] = products
        rows.append(row / (batch * h * w))
    return rows


def cell_network_blocks(model: nn.Module) -> list[nn.Module]:
    """The stem's convolution, cells and reductions."""
    stages = (model.stage1, [model.reduction1], model.stage2, [model.reduction2], model.stage3)
    return [model.stem[0], *(block for stage in stages for block in stage)]
