"""NATS-Bench's size space: published sizes, the order of the published table."""

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import nats_size

SPACE = nats_size.SPACE


def on_meta(architecture: str, classes: int = 10) -> nn.Module:
    with torch.device("meta"):
        return SPACE.build(architecture, classes)


def params(architecture: str, classes: int = 10) -> int:
    return sum(p.numel() for p in on_meta(architecture, classes).parameters())


def multiplications(model: nn.Module, size: int) -> int:
    """Of the convolutions and the classifier with its bias, as the authors count."""
    counts = []

    def count(layer, inputs, output):
        counts.append(layer.weight[0].numel() * output.numel())
        counts.append(output.numel() if layer.bias is not None else 0)

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    model(torch.empty(1, 3, size, size, device="meta"))
    return sum(counts)


@pytest.mark.parametrize(
    ("architecture", "classes", "size", "expected", "flops"),
    [
        ("8:8:8:8:8", 10, 32, 11_714, 4_481_114),
        ("8:8:8:8:8", 100, 32, 12_524, 4_481_924),
        ("8:8:8:8:8", 120, 16, 12_704, 1_121_336),
        ("8:8:8:16:32", 10, 32, 49_202, 6_840_650),
        ("8:8:8:16:32", 120, 16, 52_832, 1_714_040),
        ("8:8:8:16:40", 10, 32, 67_378, 7_991_706),
        ("8:8:40:32:40", 10, 32, 144_834, 21_827_994),
        ("8:8:40:32:40", 100, 32, 148_524, 21_831_684),
    ],
)
def test_published_sizes(architecture, classes, size, expected, flops):
    """Parameters and FLOPs of the files that the authors publish with their program."""
    assert params(architecture, classes) == expected
    assert multiplications(on_meta(architecture, classes), size) == flops


def test_a_size_by_hand():
    def conv_norm(in_channels: int, out_channels: int, kernel: int = 3) -> int:
        return in_channels * out_channels * kernel**2 + 2 * out_channels

    stem, last = conv_norm(3, 8), 2 * 64 + 64 * 10 + 10
    narrow = 5 * conv_norm(8, 8)
    widening = 2 * conv_norm(8, 16) + 3 * conv_norm(16, 16) + conv_norm(8, 16, kernel=1)
    wide = 5 * conv_norm(64, 64)
    first = conv_norm(8, 8) + conv_norm(8, 8) + 8 * 8
    second = conv_norm(16, 64) + conv_norm(64, 64) + 16 * 64
    expected = stem + narrow + first + widening + second + wide + last
    assert params("8:8:16:64:64") == expected


def test_the_order_is_that_of_the_published_table():
    architectures = SPACE.architectures()
    assert len(architectures) == 32_768
    published = {0: "8:8:8:8:8", 12: "8:8:8:16:40", 284: "8:8:40:32:40", 1234: "8:24:32:24:24"}
    assert all(architectures[index] == architecture for index, architecture in published.items())
    assert architectures[-1] == "64:64:64:64:64"


def test_the_skip_connection_is_the_identity_if_the_channels_are_equal():
    model = on_meta("8:16:16:24:32")
    assert isinstance(model.stage2.edges["3_0"], nn.Identity)
    assert isinstance(model.stage3.edges["3_0"], nn.Sequential)


@pytest.mark.parametrize("text", ["8:8:8:8", "8:8:8:8:8:8", "8:8:8:8:72", "8:8:8:8:08", "8:8:8:8:"])
def test_errors(text):
    with pytest.raises(InputError, match=r"NATS-Bench size .*: expected 5 numbers of channels"):
        SPACE.canonical(text)
