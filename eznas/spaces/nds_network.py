"""Networks of the cell spaces of NDS: stems, cells whose nodes add two edges, a classifier.

Source: Liu et al., "DARTS: Differentiable Architecture Search", ICLR 2019, as extended to the
operations of other cells in pycls, the code of NDS; without the auxiliary head.
"""

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from eznas.spaces.blocks import FactorizedReduction, conv_norm, pooling, relu_conv_norm

Edge = tuple[str, int]  # operation, source
Edges = tuple[Edge, ...]  # two for each node, in the order of the nodes


def build(
    width: int, cells: Iterable[tuple[Edges, list[int], bool]], imagenet_stem: bool, classes: int
) -> nn.Module:
    """[batch, 3, height, width] to logits [batch, classes], with torch's default initialisation.

    `cells`: for each cell its edges, the nodes that make its output, and whether it is a reduction,
    which halves height and width and doubles the channels. `imagenet_stem`: whether the stems
    downsample by 8, else not at all.
    """
    stems = _imagenet_stems(width) if imagenet_stem else _cifar_stems(width)
    input_channels = (width, width) if imagenet_stem else (3 * width, 3 * width)
    previous_reduces, cell_modules = imagenet_stem, list[nn.Module]()
    for edges, outputs, reduces in cells:
        width *= 2 if reduces else 1
        cell_modules.append(
            Cell(edges, outputs, input_channels, width, 2 if reduces else 1, previous_reduces)
        )
        input_channels, previous_reduces = (input_channels[1], len(outputs) * width), reduces
    return Network(stems, cell_modules, input_channels[1], classes)


class Network(nn.Module):
    """Two stems in a row, cells that read the last two outputs, pooling and a classifier."""

    def __init__(
        self, stems: Sequence[nn.Module], cells: Sequence[nn.Module], channels: int, classes: int
    ) -> None:
        super().__init__()
        self.stems, self.cells = nn.ModuleList(stems), nn.ModuleList(cells)
        self.pool = pooling()
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        second_last = self.stems[0](x)
        last = self.stems[1](second_last)
        for cell in self.cells:
            second_last, last = last, cell(second_last, last)
        logits: Tensor = self.classifier(self.pool(last))
        return logits


class Cell(nn.Module):
    """From the outputs of the last two cells to [batch, outputs * width, height, width].

    `channels`: those of the second last and of the last cell. `stride`: of the edges from both.
    `previous_reduces`: whether the last cell has halved height and width, so that those of the
    second last output are halved here. Every operation runs, `none` too, which multiplies by zero.
    """

    def __init__(
        self,
        edges: Edges,
        outputs: Sequence[int],
        channels: tuple[int, int],
        width: int,
        stride: int,
        previous_reduces: bool,
    ) -> None:
        super().__init__()
        self.sources, self.outputs = [source for _, source in edges], outputs
        first = FactorizedReduction if previous_reduces else _projection
        self.inputs = nn.ModuleList([first(channels[0], width), _projection(channels[1], width)])
        self.operations = nn.ModuleList(
            _MODULES[op](width, stride if source < 2 else 1) for op, source in edges
        )

    def forward(self, second_last: Tensor, last: Tensor) -> Tensor:
        values = [self.inputs[0](second_last), self.inputs[1](last)]
        for edge in range(0, len(self.sources), 2):
            first, second = (self.operations[e](values[self.sources[e]]) for e in (edge, edge + 1))
            values.append(first + second)
        return torch.cat([values[output] for output in self.outputs], 1)


class Zero(nn.Module):
    """x, subsampled by the stride, times zero: gradients flow through it, and are zero."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return x[:, :, :: self.stride, :: self.stride] * 0.0


def _cifar_stems(width: int) -> list[nn.Module]:
    return [nn.Sequential(*conv_norm(3, 3 * width, 3)), nn.Identity()]


def _imagenet_stems(width: int) -> list[nn.Module]:
    half = width // 2
    first = [*conv_norm(3, half, 3, stride=2), nn.ReLU(), *conv_norm(half, width, 3, stride=2)]
    return [nn.Sequential(*first), relu_conv_norm(width, width, 3, stride=2)]


def _projection(in_channels: int, out_channels: int) -> nn.Module:
    return relu_conv_norm(in_channels, out_channels, 1)


_Make = Callable[[int, int], nn.Module]  # from channels and stride to an operation


def _skip(channels: int, stride: int) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels)


def _average(kernel: int) -> _Make:
    return lambda _, stride: nn.AvgPool2d(kernel, stride, kernel // 2, count_include_pad=False)


def _largest(kernel: int) -> _Make:
    return lambda _, stride: nn.MaxPool2d(kernel, stride, kernel // 2)


def _full(kernel: int) -> _Make:
    return lambda channels, stride: relu_conv_norm(channels, channels, kernel, stride)


def _crossed(kernel: int) -> _Make:
    """A 1 x kernel convolution, then a kernel x 1 one; the names of DARTS reverse the two."""

    def make(channels: int, stride: int) -> nn.Module:
        pad, c = kernel // 2, channels
        row = nn.Conv2d(c, c, (1, kernel), (1, stride), (0, pad), bias=False)
        column = nn.Conv2d(c, c, (kernel, 1), (stride, 1), (pad, 0), bias=False)
        return nn.Sequential(nn.ReLU(), row, column, nn.BatchNorm2d(c))

    return make


def _separable(kernel: int, dilation: int = 1, repeats: int = 1) -> _Make:
    def make(channels: int, stride: int) -> nn.Module:
        c, pad, parts = channels, dilation * (kernel // 2), list[nn.Module]()
        for layer_stride in (stride, 1)[:repeats]:
            depthwise = nn.Conv2d(c, c, kernel, layer_stride, pad, dilation, groups=c, bias=False)
            pointwise = nn.Conv2d(c, c, 1, bias=False)
            parts += [nn.ReLU(), depthwise, pointwise, nn.BatchNorm2d(c)]
        return nn.Sequential(*parts)

    return make


_MODULES: dict[str, _Make] = {
    "none": lambda _, stride: Zero(stride),
    "skip_connect": _skip,
    "avg_pool_3x3": _average(3),
    "max_pool_3x3": _largest(3),
    "max_pool_5x5": _largest(5),
    "max_pool_7x7": _largest(7),
    "conv_1x1": _full(1),
    "conv_3x3": _full(3),
    "conv_3x1_1x3": _crossed(3),
    "conv_7x1_1x7": _crossed(7),
    "sep_conv_3x3": _separable(3, repeats=2),
    "sep_conv_5x5": _separable(5, repeats=2),
    "sep_conv_7x7": _separable(7, repeats=2),
    "dil_conv_3x3": _separable(3, dilation=2),
    "dil_conv_5x5": _separable(5, dilation=2),
    "dil_sep_conv_3x3": _separable(3, dilation=2, repeats=2),
}
