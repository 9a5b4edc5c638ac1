"""The probes of blocks on models that are not cell networks."""

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from eznas.evaluation.bank import stack
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.measuring import measure
from tests.statistics.probing import (
    CELL,
    CONFIG,
    measured_rows,
    near,
    noise,
    transfers,
)


class OneBlock(nn.Module):
    """One block: its parts, then a function of their output."""

    def __init__(self, *parts: nn.Module, change: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.parts, self.change = nn.ModuleList(parts), change

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x if self.change is None else self.change(x)


class Wrapper(nn.Module):
    """A module with one part that contains layers, so that the blocks are those of this part."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.norm, self.network = nn.BatchNorm2d(3, affine=False), network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(self.norm(x))


def conv(in_channels: int, out_channels: int, kernel: int = 3, **options: int) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, **options)


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10)]


def compare(model: nn.Module, blocks: list[nn.Module]) -> list[Tensor | None]:
    """Compare the rows of the model with each of its `blocks` by itself; returns the transfers."""
    model = model.double()
    inputs: list[Tensor] = []
    copies = copy.deepcopy(blocks)
    hooks = [b.register_forward_pre_hook(lambda _, x: inputs.append(x[0].clone())) for b in blocks]
    model.train()(noise())
    for hook in hooks:
        hook.remove()
    expected = transfers([block.double().train() for block in copies], inputs)
    rows = measured_rows(model, "local_block_transfer")
    assert [x is None for x in rows] == [y is None for y in expected]
    assert all(near(x, y) for x, y in zip(rows, expected, strict=True) if y is not None)
    outputs = measured_rows(model, "noise_block_output_covariance")
    assert len(outputs) == len(blocks)
    return rows


@pytest.mark.parametrize("inplace", [False, True])
def test_blocks_in_a_chain(inplace: bool) -> None:
    """Blocks with strides, one that changes its input in place, and operations between blocks."""
    torch.manual_seed(0)
    relu = nn.ReLU(inplace=inplace)
    blocks = [
        conv(3, 4),
        OneBlock(relu, conv(4, 5), nn.BatchNorm2d(5), relu, conv(5, 4)),
        OneBlock(conv(4, 6, stride=2), conv(6, 6)),
        conv(6, 2, stride=4),
    ]
    first, second, third, last = blocks
    model = nn.Sequential(first, nn.Sequential(second, relu), nn.Sequential(third, last), *head(2))
    rows = compare(model, blocks)
    assert [None if x is None else tuple(x.shape) for x in rows] == [
        *(None, (4, 4), (16, 6), (96, 2)),
    ]


def test_a_wrapped_chain() -> None:
    torch.manual_seed(0)
    blocks = [OneBlock(conv(3, 4), conv(4, 4)), OneBlock(conv(4, 4))]
    compare(Wrapper(nn.Sequential(*blocks, *head(4))), blocks)
    compare(Wrapper(Wrapper(nn.Sequential(nn.Sequential(*blocks), *head(4)))), blocks)


def test_a_repeated_block() -> None:
    """A row for each time that it runs."""
    torch.manual_seed(0)
    block = conv(4, 4)
    first = conv(3, 4)
    model = nn.Sequential(first, nn.Sequential(block), nn.ReLU(), nn.Sequential(block), *head(4))
    rows = measured_rows(model.double(), "local_block_transfer")
    x = nn.Sequential(first, block, nn.ReLU())(noise())
    expected = transfers([first, block, block], [noise(), first(noise()), x])
    assert rows[0] is None
    assert all(near(x, y) for x, y in zip(rows[1:], expected[1:], strict=True))


def test_blocks_whose_positions_have_no_patch_of_their_own() -> None:
    """8 to 16, 16 to 6, 6 x 6 to 3 x 6: no input divides into square patches, one a position."""
    torch.manual_seed(0)
    up = OneBlock(conv(4, 4), nn.Upsample(scale_factor=2.0))
    odd = OneBlock(conv(4, 4), nn.AdaptiveAvgPool2d(6))
    flat = conv(4, 4, stride=(2, 1))
    blocks = [conv(3, 4), up, odd, flat, conv(4, 4)]
    rows = compare(nn.Sequential(*blocks, *head(4)), blocks)
    assert [x is None for x in rows] == [True] * 4 + [False]


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.detach(),
        lambda y: torch.zeros_like(y),
        lambda y: torch.zeros_like(y, requires_grad=True) * 1,
        lambda y: y * 0,
    ],
)
def test_a_block_without_gradients(change: Callable[[Tensor], Tensor]) -> None:
    """Its transfer is zero, not absent."""
    torch.manual_seed(0)
    blocks = [conv(3, 4), OneBlock(conv(4, 4), change=change), OneBlock(conv(4, 4))]
    first, dead, last = compare(nn.Sequential(*blocks, *head(4)), blocks)
    assert first is None
    assert not dead.any()
    assert last.any()


def test_dead_blocks_of_one_network_do_not_affect_another() -> None:
    """Blocks of one signature are stacked over networks: a row that is absent in one network would
    be absent in all."""
    dead_cell = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    rows = [row for row in CATALOGUE.values() if row.type.axis == "blocks"]
    networks = (SPACES["nasbench201"].build(cell).double() for cell in (CELL, dead_cell))
    live_network, dead_network = (measure(network, CONFIG, rows) for network in networks)
    # Stacking takes the tensors out of the measurements.
    copied = replace(live_network, tensors=dict(live_network.tensors))
    alone, both = stack([copied]), stack([live_network, dead_network])
    for row in rows:
        groups = zip(both.axes["blocks"].networks, both.blocks[row.name], strict=True)
        of_live = [b[n == 0] for n, b in groups if b is not None and (n == 0).any()]
        expected = [b for b in alone.blocks[row.name] if b is not None]
        assert len(of_live) == len(expected) > 0
        assert all(torch.equal(x, y) for x, y in zip(of_live, expected, strict=True))
