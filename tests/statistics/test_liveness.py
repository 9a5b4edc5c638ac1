"""Live operations: those on a path from the image and to the logits."""

import random

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from eznas.spaces import SPACES
from eznas.spaces.nasbench201 import EDGES, live_cell, operations
from tests.statistics.wiring import (
    CONV1,
    CONV3,
    NONE,
    SPECIAL_CELLS,
    Halved,
    OneBlock,
    Wired,
    cell,
    chain,
    conv,
    live,
    pooled,
    traced,
)

NB201 = SPACES["nasbench201"]


@pytest.mark.parametrize(
    ("branch", "is_live"),
    [
        (lambda x, y, b: y + b(y), True),
        (lambda x, y, b: torch.cat([y, b(y)], 1)[:, 2:6], True),
        (lambda x, y, b: (y, b(y))[0], False),  # its output is unused
        (lambda x, y, b: y + b(torch.zeros_like(y)), False),  # not fed by the image
        (lambda x, y, b: y + F.relu(b(F.relu(torch.zeros_like(y)))), False),
        (lambda x, y, b: y + b(y.detach()), False),
        (lambda x, y, b: y + b(y).detach(), False),
        (lambda x, y, b: y * torch.sigmoid(b(y)), True),  # a gate
        (lambda x, y, b: y + 0 * b(y), True),  # a path, even if its values are zero
        (lambda x, y, b: y + Halved.apply(b(Halved.apply(y))), True),
    ],
)
def test_live_is_a_path_from_the_image_and_to_the_logits(branch, is_live) -> None:
    def wiring(x, a, b, head):
        return head(pooled(branch(x, a(x), b)))

    model = Wired(wiring, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert live(traced(model), "layers") == (True, is_live, True)
    b = nn.Sequential(conv(), nn.BatchNorm2d(4))
    model = Wired(
        wiring, a=OneBlock(conv(3), nn.BatchNorm2d(4)), b=OneBlock(b), head=nn.Linear(4, 10)
    )
    structure = traced(model)
    assert live(structure, "norms") == (True, is_live)
    assert live(structure, "blocks") == (True, is_live)
    assert live(structure, "layers") == (True, is_live, True)


def test_live_activations() -> None:
    def wiring(x, a, head):
        y = F.relu(a(x))
        F.relu(y)
        return head(pooled(y + F.relu(torch.ones_like(y))))

    structure = traced(Wired(wiring, a=conv(3), head=nn.Linear(4, 10)))
    assert live(structure) == (True, False, False)


def test_gradients_switched_off_inside_the_model_cut_its_graph() -> None:
    def wiring(x, a, b, head):
        with torch.no_grad():
            y = F.relu(a(x))
        return head(pooled(b(y)))

    model = Wired(wiring, a=conv(3), b=conv(), head=nn.Linear(4, 10))
    assert [x.live for x in traced(model).layers] == [False, False, False]
    assert traced(chain(F.relu).requires_grad_(False)).layers == traced(chain(F.relu)).layers
    structure = traced(Wired(torch.no_grad()(wiring), a=conv(3), b=conv(), head=nn.Linear(4, 10)))
    assert [x.live for x in structure.layers] == [False] * 3
    assert live(structure) == (False,)


def test_dead_norms_and_blocks() -> None:
    def wiring(x, a, unused, zero_fed, detached, head):
        y = a(x)
        unused(y)
        y = y + zero_fed(torch.zeros_like(y)) + detached(y).detach()
        return head(pooled(y))

    parts = {
        name: OneBlock(conv(), nn.BatchNorm2d(4)) for name in ("unused", "zero_fed", "detached")
    }
    parts = {"a": OneBlock(conv(3), nn.BatchNorm2d(4)), **parts, "head": nn.Linear(4, 10)}
    structure = traced(Wired(wiring, **parts))
    assert live(structure, "norms") == live(structure, "blocks") == (True, False, False, False)


def test_two_runs_give_one_structure() -> None:
    model = NB201.build(NB201.architectures()[9876])
    assert traced(model) == traced(model)


SAMPLE = random.Random(0).sample(NB201.architectures(), 60)


def expected_layers(architecture: str) -> list[tuple[int, int, int | None, bool]]:
    """(output channels, kernel, index among the ReLU-Conv-BN or None, liveness) of each layer."""
    live_architecture = live_cell(architecture)
    connected = live_architecture != cell(NONE, NONE, NONE, NONE, NONE, NONE)
    pairs = zip(operations(architecture), operations(live_architecture), strict=True)
    convolutions = [(op, live_op) for op, live_op in pairs if op in (CONV1, CONV3)]
    layers: list[tuple[int, int, int | None, bool]] = [(16, 3, None, connected)]
    index = 0
    for channels in (16, 32, 64):
        if channels > 16:
            layers.append((channels, 1, None, connected))  # the shortcut runs before the body
            layers += [(channels, 3, index + i, connected) for i in (0, 1)]
            index += 2
        for _ in range(5):
            for op, live_op in convolutions:
                layers.append((channels, 3 if op == CONV3 else 1, index, live_op == op))
                index += 1
    return [*layers, (10, 1, None, connected)]


@pytest.mark.parametrize("architecture", [*SPECIAL_CELLS, *SAMPLE])
def test_nasbench201(architecture: str) -> None:
    """The layers in their order; those of the live cell are live, and no others."""
    structure, expected = traced(NB201.build(architecture)), expected_layers(architecture)
    assert [
        (layer.weight_shape[0], (*layer.weight_shape, 1, 1)[2], layer.live)
        for layer in structure.layers
    ] == [(channels, kernel, is_live) for channels, kernel, _, is_live in expected]
    in_cells = [is_live for _, _, index, is_live in expected if index is not None]
    connected = expected[0][3]
    # The first norm comes after the stem, the last norm and activation before the pooling.
    assert live(structure) == (*in_cells, connected)
    assert live(structure, "norms") == (connected, *in_cells, connected)
    for layer, (_, _, index, is_live) in zip(structure.layers, expected, strict=True):
        if is_live and index is not None:
            assert (layer.activation, layer.norm) == (index, index + 1)
    if connected:
        first, last = structure.layers[0], structure.layers[-1]
        assert (first.activation, first.norm) == (None, 0)
        assert (last.activation, last.norm) == (len(in_cells), None)
    # A cell is a block, with layers or without, and live if the network is connected.
    assert live(structure, "blocks") == (connected,) * 18


def test_nasbench201_counts() -> None:
    """The sample has networks with dead operations and networks without."""
    dead_operations = [
        sum(a != b for a, b in zip(operations(s), operations(live_cell(s)), strict=True))
        for s in SAMPLE
    ]
    assert 0 in dead_operations
    assert sum(count > 0 for count in dead_operations) > 10
    assert len(EDGES) == 6


def test_nasbench201_shortcut_of_convolutions_has_no_norm() -> None:
    shortcut = traced(NB201.build(SPECIAL_CELLS[0])).layers[1 + 30]
    assert shortcut.weight_shape == (32, 16, 1, 1)
    assert (shortcut.activation, shortcut.norm, shortcut.live) == (None, None, True)
