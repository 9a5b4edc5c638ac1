"""The bank: rows of one signature stacked, and nothing of a network changed by its neighbours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eznas.evaluation.bank import Axis, Bank, stack
from eznas.evaluation.feature_values import FeatureValues
from eznas.evaluation.plan import Plan, evaluate
from eznas.formulas.parser import parse_any
from eznas.primitives.types import AXES
from eznas.spaces import SPACES
from eznas.statistics.catalogue import CATALOGUE
from eznas.statistics.config import MeasurementConfig
from eznas.statistics.images import generated
from eznas.statistics.measuring import MeasuredNetwork, measure
from tests.reference import Concat, Mlp, NoBatchNorm, SharedConv, TinyResNet

CONFIG = MeasurementConfig(generated(8, size=8), raw=4, sketch=8)
ARCHITECTURES = [
    "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|",  # disconnected
    "|none~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|",  # fed by zeros
    "|nor_conv_1x1~0|+|nor_conv_1x1~0|none~1|+|avg_pool_3x3~0|none~1|skip_connect~2|",  # unread
]


def network(architecture: str) -> nn.Module:
    return SPACES["nasbench201"].build(architecture)


def copies(networks: list[MeasuredNetwork]) -> list[MeasuredNetwork]:
    """The same, for `stack` to take the tensors out of."""
    return [replace(network, tensors=dict(network.tensors)) for network in networks]


class Measured:
    """Measured networks and their bank, in a plain class: what pytest would show of a data class
    where a test fails takes minutes."""

    def __init__(self, models: list[nn.Module]) -> None:
        rows = list(CATALOGUE.values())
        self.networks: list[MeasuredNetwork] = [measure(m, CONFIG, rows) for m in models]
        self.bank: Bank = stack(copies(self.networks))


@pytest.fixture(scope="module")
def measured() -> Measured:
    """Networks of a space, and others of few layers, without activations or norms."""
    alone = nn.Sequential(nn.Conv2d(3, 4, 8), nn.Flatten(), nn.Linear(4, 10))
    models = [TinyResNet(), Concat(), SharedConv(), NoBatchNorm(), Mlp(), alone]
    return Measured([*map(network, ARCHITECTURES), *models])


def rows(axis: Axis) -> list[tuple[int, int, int, int]]:
    """(network, position, group, row of the group), sorted."""
    return sorted(
        (n, p, g, r)
        for g, (networks, positions) in enumerate(zip(axis.networks, axis.positions, strict=True))
        for r, (n, p) in enumerate(zip(networks.tolist(), positions.tolist(), strict=True))
    )


def test_stacking_takes_the_tensors_out_of_the_measurements() -> None:
    measured_network = measure(network(ARCHITECTURES[0]), CONFIG, [CATALOGUE["weight"]])
    assert stack([measured_network]).blocks.keys() == {"weight"}
    assert not measured_network.tensors


def test_the_extent_of_a_group_is_that_of_its_largest_shape() -> None:
    wide, narrow = ((3, 8, 8), (4, 2, 2), None, (4, 3, 9, 9)), ((2, 2), True)
    axis = Axis.of([[(wide, True), (narrow, True), ("a", True)]])
    assert axis.extents == [4 * 3 * 81, 4, 1]


def test_bytes_are_those_of_the_blocks() -> None:
    names = ("weight", "params")
    bank = stack([measure(network(ARCHITECTURES[0]), CONFIG, [CATALOGUE[n] for n in names])])
    weights = sum(p.numel() * 4 for p in network(ARCHITECTURES[0]).parameters() if p.dim() > 1)
    assert (bank.nbytes(), bank.nbytes(["params"])) == (weights + 8, 8)


def test_axis_by_hand() -> None:
    axis = Axis.of([[("a", True), ("b", False), ("a", True)], [], [("b", True)]])
    assert [t.tolist() for t in axis.networks] == [[0, 0], [0, 2]]
    assert [t.tolist() for t in axis.positions] == [[0, 2], [1, 0]]
    assert axis.live.tolist() == [[True, False, True], [False] * 3, [True, False, False]]


def test_axis_stacks_in_the_order_of_its_groups() -> None:
    axis = Axis.of([[("a", True), ("b", True)], [("a", True)]])
    zeros, ones, twos = (torch.full((2,), float(i)) for i in range(3))
    blocks = axis.stack([[zeros, ones], [twos]])
    assert [b.tolist() for b in blocks if b is not None] == [[[0, 0], [2, 2]], [[1, 1]]]
    assert axis.stack([[zeros, None], [twos]])[1] is None


def test_axis_without_rows() -> None:
    axis = Axis.of([[], []])
    assert (axis.networks, axis.positions) == ([], [])
    assert axis.live.tolist() == [[False], [False]]
    assert axis.stack([[], []]) == []


def test_axis_to_a_device() -> None:
    axis = Axis.of([[("a", True), ("b", False)]]).to("cpu")
    assert rows(axis) == [(0, 0, 0, 0), (0, 1, 1, 0)]
    assert axis.live.tolist() == [[True, False]]


def test_every_layer_and_activation_has_one_row(measured: Measured) -> None:
    for name in AXES[:-1]:
        counts = [len(m.structure.along(name)) for m in measured.networks]
        expected = [(n, p) for n, count in enumerate(counts) for p in range(count)]
        assert [(n, p) for n, p, _, _ in rows(measured.bank.axes[name])] == expected
        assert measured.bank.axes[name].live.shape == (len(counts), max(counts))


def test_live_flags(measured: Measured) -> None:
    for axis in AXES[:-1]:
        flags = [[live for _, live in m.structure.along(axis)] for m in measured.networks]
        width = measured.bank.axes[axis].live.shape[1]
        padded = [[*row, *[False] * (width - len(row))] for row in flags]
        assert measured.bank.axes[axis].live.tolist() == padded


def test_a_group_holds_equal_shapes_of_several_networks(measured: Measured) -> None:
    axis = measured.bank.axes["layers"]
    for networks, positions in zip(axis.networks, axis.positions, strict=True):
        pairs = zip(networks.tolist(), positions.tolist(), strict=True)
        assert len({measured.networks[n].structure.layers[p].signature for n, p in pairs}) == 1
    assert any(len(set(networks.tolist())) > 1 for networks in axis.networks)


@pytest.mark.parametrize("statistic", CATALOGUE.values(), ids=CATALOGUE)
def test_blocks_hold_what_was_measured(statistic, measured: Measured) -> None:
    blocks = measured.bank.blocks[statistic.name]
    if statistic.type.axis == "networks":
        (block,) = blocks
        present = measured.bank.present[statistic.name].tolist()
        for n, m in enumerate(measured.networks):
            (tensor,) = m.tensors[statistic.name]
            assert present[n] == (tensor is not None)
            assert block is not None
            assert torch.equal(block[n], torch.zeros_like(block[n]) if tensor is None else tensor)
        return
    for n, p, group, r in rows(measured.bank.axes[statistic.type.axis]):
        tensor, block = measured.networks[n].tensors[statistic.name][p], blocks[group]
        assert (tensor is None) == (block is None)
        assert tensor is None or (block is not None and torch.equal(block[r], tensor))


def test_disconnected_networks_have_no_jacobian(measured: Measured) -> None:
    assert measured.bank.present["data_jacobian"].tolist() == [
        n != 1 for n in range(measured.bank.networks)
    ]


def test_activations_at_two_resolutions_are_two_groups() -> None:
    """Of layers of equal shapes."""

    class Uneven(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
            self.relu, self.pool, self.head = nn.ReLU(), nn.MaxPool2d(2), nn.Linear(3, 10)

        def forward(self, x: Tensor) -> Tensor:
            x = self.a(self.pool(self.relu(x)))
            return self.head(self.b(self.relu(x)).mean((2, 3)))

    bank = stack([measure(Uneven(), CONFIG, CATALOGUE.values())])
    shapes = [None if b is None else tuple(b.shape) for b in bank.blocks["data_relu_input"]]
    assert shapes == [(1, 4, 3, 8, 8), (1, 4, 3, 4, 4), None]


def test_statistics_may_be_measured_one_after_another() -> None:
    """A bank that grew equals one measured at once, and drops all but the statistics to keep."""
    models = [network(s) for s in ARCHITECTURES[:2]]
    names = ["data_conv_output", "noise_weight_grad", "data_jacobian", "layer_area"]

    def bank_of(statistics: list[str]) -> Bank:
        return stack([measure(m, CONFIG, [CATALOGUE[n] for n in statistics]) for m in models])

    at_once, grown = bank_of(names), bank_of(names[:1]).with_statistics_of(bank_of(names[1:]))
    assert list(grown.blocks) == names
    for name in names:
        for x, y in zip(at_once.blocks[name], grown.blocks[name], strict=True):
            assert (x is None and y is None) or (
                x is not None and y is not None and torch.equal(x, y)
            )
    assert grown.present["data_jacobian"].tolist() == [True, False]
    assert list(grown.restricted_to(names[2:]).blocks) == names[2:]
    assert list(grown.blocks) == names


FEATURES = [
    "sum_layers(mean(abs(data_bn_output)))",
    "mean_layers(sum(weight * flow_weight_grad))",
    "sum_all_layers(mean(data_relu_input_grad * data_relu_input_grad))",
    "logdet(sum_all_layers(data_relu_agreement))",
    "mean_layers(trace(noise_conv_output_covariance) / layer_channels)",
    "sum(eigenvalues(correlation(data_jacobian)))",
    "last_layer(layer_params) - first_layer(layer_params)",
    "params",
]


@pytest.mark.parametrize("text", FEATURES)
def test_a_bank_equals_its_networks_on_their_own(text: str, measured: Measured) -> None:
    plan = Plan.of([parse_any(text)])
    values = evaluate(plan, measured.bank)
    alone = FeatureValues.beside([evaluate(plan, stack(copies([m]))) for m in measured.networks])
    assert np.isfinite(values.values).any()
    # Reductions over blocks of other sizes may round differently.
    np.testing.assert_allclose(values.values, alone.values, rtol=1e-6)
    np.testing.assert_array_equal(values.coverage, alone.coverage)
    np.testing.assert_array_equal(values.status, alone.status)
