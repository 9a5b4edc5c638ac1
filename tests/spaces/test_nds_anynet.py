"""NDS's standard networks: published sizes, known networks, entries of the published files."""

import math

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import nds_anynet
from eznas.spaces.nds_anynet import architecture_of

SPACES = {space.name: space for space in nds_anynet.SPACES}

RESNEXT_A = {
    "block_type": "res_bottleneck_block",
    "bot_muls": [0.0, 0.25, 0.25, 0.25],
    "ds": [1, 16, 1, 4],
    "num_gs": [1, 2, 1, 2],
    "ss": [1, 1, 2, 2],
    "ws": [16, 64, 128, 16],
}
RESNET = {"ds": [1, 12, 12, 12], "ss": [1, 1, 2, 2], "ws": [16, 24, 24, 40]}
VANILLA = {"ds": [1, 12, 12, 12], "ss": [1, 1, 2, 2], "ws": [16, 24, 32, 40]}


def on_meta(space: str, architecture: str, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return SPACES[space].build(architecture, classes)


def params(space: str, architecture: str, classes: int = 10) -> int:
    return sum(p.numel() for p in on_meta(space, architecture, classes).parameters())


def flops(model: nn.Module, size: int = 32) -> int:
    """Multiplications, and five operations per normalised number, which give the published sums."""
    counts = []

    def count(layer, inputs, output):
        if isinstance(layer, nn.BatchNorm2d):
            counts.append(5 * output.numel())
        else:
            counts.append(layer.weight[0].numel() * output.numel())
            counts.append(output.numel() if layer.bias is not None else 0)

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear, nn.BatchNorm2d)):
            layer.register_forward_hook(count)
    model(torch.empty(1, 3, size, size, device="meta"))
    return sum(counts)


@pytest.mark.parametrize(
    ("space", "entry", "architecture", "expected", "operations"),
    [
        ("nds-resnext-a", RESNEXT_A, "d16-1-4:w64-128-16:b4-4-4:g2-1-2", 83_002, 69_890_986),
        ("nds-resnet", RESNET, "d12-12-12:w24-24-40", 594_138, 184_519_578),
        ("nds-vanilla", VANILLA, "d12-12-12:w24-32-40", 689_770, 208_363_930),
    ],
)
def test_published_entries_and_their_sizes(space, entry, architecture, expected, operations):
    """Entries of the files with their sizes, as the documentation of NNI prints them."""
    assert architecture_of(entry) == architecture
    assert SPACES[space].canonical(architecture) == architecture
    assert params(space, architecture) == expected
    assert flops(on_meta(space, architecture)) == operations


def test_resnet_20():
    """269,722 parameters (He et al., 2016), whose shortcuts have no projections; ours have two."""
    projections = 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64
    assert params("nds-resnet", "d3-3-3:w16-32-64") == 269_722 + projections


def test_sizes_by_hand():
    def conv_norm(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> int:
        return in_channels * out_channels * kernel**2 // groups + 2 * out_channels

    stem, head = conv_norm(3, 16, 3), 128 * 7 + 7
    expected = stem + head + conv_norm(16, 64, 3) + conv_norm(64, 64, 3)
    expected += conv_norm(64, 64, 3) + conv_norm(64, 64, 3)
    expected += (
        conv_norm(64, 16, 3) + conv_norm(16, 16, 3) + conv_norm(16, 128, 3) + conv_norm(128, 128, 3)
    )
    assert params("nds-vanilla", "d2-1-1:w64-16-128", 7) == expected

    expected = stem + head + conv_norm(16, 64, 1)
    expected += conv_norm(16, 64, 1) + conv_norm(64, 64, 3, 8) + conv_norm(64, 64, 1)
    expected += (
        conv_norm(64, 32, 1)
        + conv_norm(32, 32, 3, 16)
        + conv_norm(32, 64, 1)
        + conv_norm(64, 64, 1)
    )
    expected += (
        conv_norm(64, 32, 1) + conv_norm(32, 32, 3) + conv_norm(32, 128, 1) + conv_norm(64, 128, 1)
    )
    assert params("nds-resnext-b", "d1-1-1:w64-64-128:b1-2-4:g8-16-1", 7) == expected
    assert (
        params("nds-resnext-b-in", "d1-1-1:w64-64-128:b1-2-4:g8-16-1", 7) == expected + 3 * 16 * 40
    )


def test_the_number_of_networks_is_the_published_one():
    published = {
        "nds-vanilla": 1_259_712,
        "nds-resnet": 1_259_712,
        "nds-resnext-a": 11_390_625,
        "nds-resnext-b": 52_734_375,
    }
    for name, count in published.items():
        assert math.prod(map(len, SPACES[name].positions)) == count


def test_groups_divide_the_channels_everywhere():
    for design in nds_anynet.DESIGNS:
        options = design.options
        for groups in options.get("g", ()):
            assert all(w // b % groups == 0 for w in options["w"] for b in options["b"])


@pytest.mark.parametrize(("space", "last"), [("nds-resnext-a", 8), ("nds-resnext-a-in", 2)])
def test_heights(space, last):
    model = on_meta(space, "d1-1-1:w16-16-16:b1-1-1:g1-1-1")
    assert model[:4](torch.empty(1, 3, 32, 32, device="meta")).shape == (1, 16, last, last)


def test_entries_without_a_stem_and_with_empty_bottleneck_fields():
    entry = {"ds": [1, 2, 3], "ws": [16, 24, 32], "ss": [1, 2, 2], "bot_muls": [], "num_gs": []}
    assert architecture_of(entry) == "d1-2-3:w16-24-32"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"ds": [1, 16]}, "numbers .* as 'ds'"),
        ({"ds": None}, "numbers .* as 'ds'"),
        ({"ws": [16, 64, 128, "16"]}, "numbers .* as 'ws'"),
        ({"ws": [16, 64, 128, True]}, "numbers .* as 'ws'"),
        ({"num_gs": []}, "numbers .* as 'num_gs'"),
        ({"bot_muls": []}, "numbers .* as 'bot_muls'"),
        ({"bot_muls": [0.0, 0.3, 0.25, 0.25]}, "bot_muls of 1, 0.5 or 0.25"),
        ({"bot_muls": [0.0, 0.0, 0.25, 0.25]}, "bot_muls of 1, 0.5 or 0.25"),
        ({"ss": [1, 2, 2, 2]}, "strides"),
        ({"ws": [32, 64, 128, 16]}, "after a stem of 16 channels"),
        ({"ds": [2, 16, 1, 4]}, "after a stem of 16 channels"),
        ({"ds": [16, 1, 4]}, "after a stem of 16 channels"),
    ],
)
def test_entries_that_do_not_fit(change, problem):
    with pytest.raises(InputError, match=problem) as caught:
        architecture_of({**RESNEXT_A, **change})
    assert str(caught.value).startswith("NDS network")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("d1-1-1", "expected the form of d1-1-1:w16-16-16"),
        ("d1-1-1:w16-16-16:b1-1-1:g1-1-1", "expected the form"),
        ("d1-1-1:w16-16", "expected the form"),
        ("d5-1-1:w16-16-16", "found '5', expected one of 1, 2, 3"),
        ("d1-1-1:w16-16-016", "found '016', expected one of 16, 24"),
        ("d1-1-1:w16-16-" + "9" * 300, r"found '9+\.\.\., expected"),
    ],
)
def test_errors(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        SPACES["nds-resnet"].canonical(text)
    assert str(caught.value).startswith("nds-resnet architecture")
    assert len(str(caught.value)) < 300
