"""The bank: rows of one signature stacked, and nothing of a network changed by its neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eznas.evaluation.bank import Axis, Shard, stack
from eznas.evaluation.plan import Plan, evaluate
from eznas.formulas.parser import parse_any
from eznas.primitives.types import AXES
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import MeasuredNetwork, measure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

CONDITIONS = MeasurementConfig(generated(8, size=8), raw=4, sketch=8)
STRINGS = [
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # disconnected
    "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|",  # fed by zeros
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|none~1|+|avg_pool_3x3~0|none~1|skip_connect~2|",  # unread
]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(architecture: str) -> nn.Module:
    return SPACES["nasbench201"].build(architecture)


def copies(measurements: list[MeasuredNetwork]) -> list[MeasuredNetwork]:
    """The same, for `stack` to take the tensors out of."""
    return [replace(m, tensors=dict(m.tensors)) for m in measurements]


class Bank:
    """A plain class: what pytest would show of a data class where a test fails takes minutes."""

    def __init__(self, models: list[nn.Module]) -> None:
        rows = list(CATALOGUE.values())
        self.measurements: list[MeasuredNetwork] = [measure(m, CONDITIONS, rows) for m in models]
        self.shard: Shard = stack(copies(self.measurements))


@pytest.fixture(scope="module")
def bank() -> Bank:
    """Networks of a space, and others of few layers, without activations or norms."""
    alone = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 10))
    models = [TinyResNet(), Concat(), SharedConv(), NoBatchNorm(), Mlp(), alone]
    return Bank([*map(network, STRINGS), *models])


def rows(axis: Axis) -> list[tuple[int, int, int, int]]:
    """(network, place, group, row of the group), sorted."""
    return sorted(
        (n, p, g, r)
        for g, (networks, places) in enumerate(zip(axis.networks, axis.places, strict=True))
        for r, (n, p) in enumerate(zip(networks.tolist(), places.tolist(), strict=True))
    )


def test_stacking_takes_the_tensors_out_of_the_measurements() -> None:
    measured = measure(network(STRINGS[0]), CONDITIONS, [CATALOGUE["weight"]])
    assert stack([measured]).blocks.keys() == {"weight"}
    assert not measured.tensors


def test_the_extent_of_a_group_is_that_of_its_largest_shape() -> None:
    wide, narrow = ((3, 8, 8), (4, 2, 2), None, (4, 3, 9, 9)), ((2, 2), True)
    axis = Axis.of([[(wide, True), (narrow, True), ("a", True)]])
    assert axis.extents == [4 * 3 * 81, 4, 1]


def test_bytes_are_those_of_the_blocks() -> None:
    names = ("weight", "params")
    shard = stack([measure(network(STRINGS[0]), CONDITIONS, [CATALOGUE[n] for n in names])])
    weights = sum(p.numel() * 4 for p in network(STRINGS[0]).parameters() if p.dim() > 1)
    assert (shard.nbytes(), shard.nbytes(["params"])) == (weights + 8, 8)


def test_axis_by_hand() -> None:
    axis = Axis.of([[("a", True), ("b", False), ("a", True)], [], [("b", True)]])
    assert [t.tolist() for t in axis.networks] == [[0, 0], [0, 2]]
    assert [t.tolist() for t in axis.places] == [[0, 2], [1, 0]]
    assert axis.live.tolist() == [[True, False, True], [False] * 3, [True, False, False]]


def test_axis_stacks_in_the_order_of_its_groups() -> None:
    axis = Axis.of([[("a", True), ("b", True)], [("a", True)]])
    one, two, three = (torch.full((2,), float(i)) for i in range(3))
    blocks = axis.stack([[one, two], [three]])
    assert [b.tolist() for b in blocks if b is not None] == [[[0, 0], [2, 2]], [[1, 1]]]
    assert axis.stack([[one, None], [three]])[1] is None


def test_axis_without_rows() -> None:
    axis = Axis.of([[], []])
    assert (axis.networks, axis.places) == ([], [])
    assert axis.live.tolist() == [[False], [False]]
    assert axis.stack([[], []]) == []


def test_axis_to_a_device() -> None:
    axis = Axis.of([[("a", True), ("b", False)]]).to("cpu")
    assert rows(axis) == [(0, 0, 0, 0), (0, 1, 1, 0)]
    assert axis.live.tolist() == [[True, False]]


def test_every_layer_and_activation_has_one_row(bank: Bank) -> None:
    for name in AXES[:-1]:
        counts = [len(m.structure.along(name)) for m in bank.measurements]
        want = [(n, p) for n, count in enumerate(counts) for p in range(count)]
        assert [(n, p) for n, p, _, _ in rows(bank.shard.axes[name])] == want
        assert bank.shard.axes[name].live.shape == (len(counts), max(counts))


def test_live_flags(bank: Bank) -> None:
    for axis in AXES[:-1]:
        flags = [[alive for _, alive in m.structure.along(axis)] for m in bank.measurements]
        width = bank.shard.axes[axis].live.shape[1]
        padded = [[*own, *[False] * (width - len(own))] for own in flags]
        assert bank.shard.axes[axis].live.tolist() == padded


def test_a_group_holds_equal_shapes_of_several_networks(bank: Bank) -> None:
    axis = bank.shard.axes["layers"]
    for networks, places in zip(axis.networks, axis.places, strict=True):
        pairs = zip(networks.tolist(), places.tolist(), strict=True)
        assert len({bank.measurements[n].structure.layers[p].signature for n, p in pairs}) == 1
    assert any(len(set(networks.tolist())) > 1 for networks in axis.networks)


@pytest.mark.parametrize("row", CATALOGUE.values(), ids=CATALOGUE)
def test_blocks_hold_what_was_measured(row, bank: Bank) -> None:
    blocks = bank.shard.blocks[row.name]
    if row.type.axis == "networks":
        (block,) = blocks
        present = bank.shard.present[row.name].tolist()
        for n, m in enumerate(bank.measurements):
            (tensor,) = m.tensors[row.name]
            assert present[n] == (tensor is not None)
            assert block is not None
            assert torch.equal(block[n], torch.zeros_like(block[n]) if tensor is None else tensor)
        return
    for n, p, group, r in rows(bank.shard.axes[row.type.axis]):
        tensor, block = bank.measurements[n].tensors[row.name][p], blocks[group]
        assert (tensor is None) == (block is None)
        assert tensor is None or (block is not None and torch.equal(block[r], tensor))


def test_disconnected_networks_have_no_jacobian(bank: Bank) -> None:
    assert bank.shard.present["data_jacobian"].tolist() == [
        n != 1 for n in range(bank.shard.networks)
    ]


def test_one_and_the_same_activation_before_different_pooling() -> None:
    """Two layers of equal shapes whose activations lie at different resolutions: two groups."""

    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.relu, self.pool, self.head = nn.ReLU(), nn.MaxPool2d(2), nn.Linear(3, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(self.pool(self.relu(x)))
            return self.head(self.b(self.relu(x)).mean((2, 3)))

    shard = stack([measure(Uneven(), CONDITIONS, CATALOGUE.values())])
    shapes = [None if b is None else tuple(b.shape) for b in shard.blocks["data_relu_input"]]
    assert shapes == [(1, 4, 3, 8, 8), (1, 4, 3, 4, 4), None]


def test_statistics_may_be_measured_one_after_another() -> None:
    """A shard that grew equals one measured at once, and lets go what it is told to."""
    models = [network(s) for s in STRINGS[:2]]
    names = ["data_conv_output", "noise_weight_grad", "data_jacobian", "layer_area"]

    def shard(chosen: list[str]) -> Shard:
        return stack([measure(m, CONDITIONS, [CATALOGUE[n] for n in chosen]) for m in models])

    whole, grown = shard(names), shard(names[:1]).joined(shard(names[1:]))
    assert list(grown.blocks) == names
    for name in names:
        for x, y in zip(whole.blocks[name], grown.blocks[name], strict=True):
            assert (x is None and y is None) or (
                x is not None and y is not None and torch.equal(x, y)
            )
    assert grown.present["data_jacobian"].tolist() == [True, False]
    assert list(grown.only(names[2:]).blocks) == names[2:]
    assert list(grown.blocks) == names


TEXTS = [
    "sum_layers(mean(abs(data_bn_output)))",
    "mean_layers(sum(weight * flow_weight_grad))",
    "sum_all_layers(mean(data_relu_input_grad * data_relu_input_grad))",
    "logdet(sum_all_layers(data_relu_agreement))",
    "mean_layers(trace(noise_conv_output_covariance) / layer_channels)",
    "sum(eigenvalues(correlation(data_jacobian)))",
    "last_layer(layer_params) - first_layer(layer_params)",
    "params",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_shard_equals_its_networks_on_their_own(text: str, bank: Bank) -> None:
    plan = Plan.of([parse_any(text)])
    values, coverage = evaluate(plan, bank.shard)
    alone = [evaluate(plan, stack(copies([m]))) for m in bank.measurements]
    assert np.isfinite(values).any()
    # Reductions over blocks of other sizes may round differently.
    np.testing.assert_allclose(values, np.hstack([v for v, _ in alone]), rtol=1e-6)
    np.testing.assert_array_equal(coverage, np.hstack([c for _, c in alone]))
