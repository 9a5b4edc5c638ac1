"""TransNAS-Bench-101: the number of skeletons, sizes by hand, cells of one function."""

import itertools

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import transnas
from eznas.spaces.transnas import FactorizedReduction, equivalence_name, live_cell

MICRO, MACRO = transnas.MICRO, transnas.MACRO


def micro(cell: str) -> str:
    return f"64-41414-{cell}"


def on_meta(architecture: str, classes: int = 10) -> nn.Module:
    space = MACRO if architecture.endswith("basic") else MICRO
    with torch.device("meta"):
        return space.build(architecture, classes)


def params(architecture: str, classes: int = 10) -> int:
    return sum(p.numel() for p in on_meta(architecture, classes).parameters())


def conv_norm(in_channels: int, out_channels: int, kernel: int) -> int:
    return in_channels * out_channels * kernel**2 + 2 * out_channels


STEM = conv_norm(3, 32, 3) + conv_norm(32, 64, 3)


def test_there_are_3256_skeletons():
    architectures = MACRO.architectures()
    assert len(set(architectures)) == len(architectures) == 3_256
    by_hand = {
        digits
        for length in (4, 5, 6)
        for digits in map("".join, itertools.product("1234", repeat=length))
        if 1 <= digits.count("3") + digits.count("4") <= 4
        and 1 <= digits.count("2") + digits.count("4") <= 3
    }
    assert {a.split("-")[1] for a in architectures} == by_hand
    # Architectures that the authors name in their examples.
    assert {"64-1234-basic", "64-2311-basic", "64-4111-basic"} <= set(architectures)


def test_there_are_4096_cells():
    architectures = MICRO.architectures()
    assert len(set(architectures)) == 4_096
    assert {micro("3_33_333"), micro("1_02_333")} <= set(architectures)
    assert len({*map(live_cell, architectures)}) == 2_128
    assert len({*map(equivalence_name, architectures)}) == 1_948


def test_the_size_of_a_macro_network_by_hand():
    def block(in_channels: int, out_channels: int) -> int:
        return conv_norm(in_channels, out_channels, 3) + conv_norm(out_channels, out_channels, 3)

    expected = STEM + 256 * 11 + 11
    expected += 2 * block(64, 64)
    expected += block(64, 128) + conv_norm(64, 128, 1) + block(128, 128)
    expected += block(128, 128) + conv_norm(128, 128, 1) + block(128, 128)
    expected += block(128, 256) + conv_norm(128, 256, 1) + block(256, 256)
    assert params("64-1234-basic", 11) == expected


def test_projections_normalise_as_in_the_published_networks():
    shortcut = on_meta("64-1234-basic").module2[0].shortcut
    assert (shortcut[1].eps, shortcut[1].momentum) == (1.0, 1.0)


def test_the_sizes_of_micro_networks_by_hand():
    shapes = [(64, 128), (128, 128), (128, 128), (128, 128), (128, 256)]
    shapes += [(256, 256), (256, 256), (256, 256), (256, 512), (512, 512)]
    head = 512 * 10 + 10
    assert params(micro("0_00_000")) == STEM + head
    assert params(micro("0_00_300")) == STEM + head + sum(conv_norm(b, a, 3) for b, a in shapes)
    assert params(micro("0_00_200")) == STEM + head + sum(conv_norm(b, a, 1) for b, a in shapes)
    # Only skip connections out of node 0, where the shape changes, have parameters.
    reductions = sum(conv_norm(b, a, 1) for b, a in shapes if b < a)
    assert params(micro("0_00_100")) == STEM + head + reductions
    assert params(micro("1_01_001")) == STEM + head + reductions
    # 3x3 between nodes keep the channels of the output.
    convolutions = sum(conv_norm(a, a, 3) for _, a in shapes)
    assert params(micro("1_03_001")) == STEM + head + reductions + convolutions


def test_heights_and_channels():
    x = torch.empty(1, 3, 96, 96, device="meta")
    backbone = on_meta(micro("3_21_102"))[:-2]
    assert backbone(x).shape == (1, 512, 3, 3)
    assert on_meta("64-14324-basic")[:-2](x).shape == (1, 512, 3, 3)
    assert on_meta("64-2311-basic")[:-2](x).shape == (1, 128, 12, 12)


@pytest.mark.parametrize("architecture", [micro("1_02_333"), micro("0_13_210"), "64-4343-basic"])
def test_odd_heights_are_rounded_up(architecture):
    assert on_meta(architecture)(torch.empty(2, 3, 37, 41, device="meta")).shape == (2, 10)


def test_a_reduction_reads_every_pixel():
    layer = FactorizedReduction(1, 2, 2).eval()
    nn.init.ones_(layer.even.weight)
    nn.init.ones_(layer.odd.weight)
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    scale = (1 + layer.norm.eps) ** -0.5
    even = torch.tensor([[0.0, 2.0], [8.0, 10.0]])
    odd = torch.tensor([[5.0, 7.0], [13.0, 15.0]])
    torch.testing.assert_close(layer(x)[0], torch.stack([even, odd]) * scale)


@pytest.mark.parametrize(
    ("cell", "live"),
    [
        ("3_33_333", "3_33_333"),
        ("0_00_000", "0_00_000"),
        ("3_30_000", "0_00_000"),
        ("0_03_030", "0_00_000"),
        ("3_20_103", "0_20_103"),
        ("3_21_100", "0_00_100"),
        ("3_01_002", "3_01_002"),
        ("0_12_032", "0_10_002"),
    ],
)
def test_live_cells(cell, live):
    assert live_cell(micro(cell)) == micro(live)
    assert MICRO.connected(micro(cell)) == (live != "0_00_000")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("3_20_012", "2_30_021", True),
        ("3_00_020", "0_30_002", True),
        ("3_21_012", "2_31_021", False),  # an edge between the two
        ("3_20_012", "2_30_012", False),
    ],
)
def test_inner_nodes_can_be_exchanged(first, second, same):
    assert (MICRO.names(micro(first)) == MICRO.names(micro(second))) == same


def test_one_function_under_two_names():
    torch.manual_seed(0)
    first, second = (MICRO.build(micro(c), 3).eval() for c in ("3_20_012", "2_30_021"))
    other_edge = {"1_0": "2_0", "2_0": "1_0", "3_1": "3_2", "3_2": "3_1"}
    exchanged = {}
    for name, weight in first.state_dict().items():
        prefix, separator, rest = name.partition(".edges.")
        suffix = other_edge[rest[:3]] + rest[3:] if separator else ""
        exchanged[prefix + separator + suffix] = weight
    second.load_state_dict(exchanged)
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(first(x), second(x))


@pytest.mark.parametrize(
    "modules",
    [
        ("1", "2", "3", "4", "", "1"),
        ("", "1", "2", "3", "4", ""),
        ("1", "4", "4", "", "", ""),
        ("1", "1", "1", "1", "", ""),
        ("4", "4", "4", "4", "", ""),
    ],
)
def test_choices_that_make_no_macro_network(modules):
    with pytest.raises(InputError, match="TransNAS-Bench-101 macro"):
        MACRO.text(modules)


@pytest.mark.parametrize(
    ("space", "text", "problem"),
    [
        (MICRO, "64-41414-3_33_33", "expected the form of 64-41414-3_33_333"),
        (MICRO, "64-41414-3_33_334", "expected the form"),
        (MICRO, "32-41414-3_33_333", "expected the form"),
        (MICRO, "64-1234-basic", "expected the form"),
        (MACRO, micro("3_33_333"), "expected the form of 64-1234-basic"),
        (MACRO, "64-1204-basic", "expected the form"),
        (MACRO, "64-124-basic", "expected 4 to 6 modules"),
        (MACRO, "64-1234111-basic", "expected 4 to 6 modules"),
        (MACRO, "64-1222-basic", "expected 1 to 4 digits of 3 and 4"),
        (MACRO, "64-133334-basic", "expected 1 to 4 digits of 3 and 4"),
        (MACRO, "64-1133-basic", "1 to 3 of 2 and 4"),
        (MACRO, "64-2242-basic", "1 to 3 of 2 and 4"),
    ],
)
def test_errors(space, text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        space.canonical(text)
    assert str(caught.value).startswith(f"TransNAS-Bench-101 {space.name.split('-')[1]}")
