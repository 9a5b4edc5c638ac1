"""NAAP-440: the published networks are the whole space, and have their published sizes."""

import csv
import gzip
import json
from collections import Counter

import pytest
import torch

from eznas.errors import InputError
from eznas.spaces import naap440
from eznas.spaces.naap440 import ConvNormReLU
from tests.shared import shared

SPACE = naap440.SPACE
FIRST = "3x12s2-3x16s2-1x16s1"


def params(architecture: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SPACE.build(architecture).parameters())


def macs(architecture: str) -> int:
    """Multiplications as the author's tool counts them: those of convolutions and the linear layer,
    4 for each number that a batch norm passes on, and those of the pooling."""
    channels, size, total = 3, 32, 0
    for layer in architecture.split("-"):
        kernel, width = map(int, layer.split("s")[0].split("x"))
        size //= int(layer.split("s")[1][0])
        total += (channels * kernel**2 + 4) * width * size**2
        channels = width
    return total + channels * (size**2 + 1) + 10 * channels


def test_sizes_by_hand():
    conv = 27 * 12 + 12 * 9 * 16 + 16 * 16
    assert params(FIRST) == conv + 2 * (12 + 16 + 16) + 170 == 2_566
    assert params(f"{FIRST}r") == params(FIRST)
    fourth = 16 * 9 * 40 + 2 * 40
    assert params(f"{FIRST}-3x40s2") == params(FIRST) - 170 + fourth + 410


def test_the_whole_space():
    architectures = SPACE.architectures()
    assert len(architectures) == 440
    assert set(SPACE.sample(440, seed=3)) == set(architectures)
    # Four beginnings, two kernels: 9 + 5 networks for each width that a third layer may have, 9
    # more if it can have a shortcut, and two more for each stride if the fourth can have one.
    assert 4 * 2 * (3 * (9 + 5) + 9 + 2 + 2) == 440


def test_all_published_networks_and_their_sizes():
    schemes = json.loads(shared("naap440/generated_schemes.json").read_text())
    with gzip.open(shared("naap440/naap440.csv.gz"), "rt") as file:
        rows = [*csv.DictReader(file)]
    texts = [
        "-".join(
            f"{layer['kernel_size']}x{layer['width']}s{layer['stride']}" + "r" * layer["residual"]
            for layer in scheme
        )
        for scheme in schemes
    ]
    assert set(texts) == set(SPACE.architectures())
    assert [int(row["ModelId"]) for row in rows] == [*range(1, 441)]
    for architecture, row in zip(texts, rows, strict=True):
        assert (params(architecture), macs(architecture)) == (
            int(row["NumParams"]),
            int(row["NumMACs"]),
        )


def test_neighbours_are_mutual_and_connect_all():
    start = FIRST
    reached, frontier = {start}, [start]
    while frontier:
        architecture = frontier.pop()
        for other in SPACE.neighbours(architecture):
            assert architecture in SPACE.neighbours(other)
            if other not in reached:
                reached.add(other)
                frontier.append(other)
    assert reached == set(SPACE.architectures())


def test_a_shortcut_adds_the_input_after_the_relu():
    torch.manual_seed(0)
    plain, shortcut = (ConvNormReLU(4, 4, 3, stride).eval() for stride in ("1", "1r"))
    shortcut.load_state_dict(plain.state_dict())
    x = torch.randn(2, 4, 8, 8)
    torch.testing.assert_close(shortcut(x), plain(x) + x)
    assert not torch.equal(plain(x), shortcut(x))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("3x12s2-3x16s2", "expected three or four layers"),
        (f"{FIRST}-1x32s1-1x32s1", "expected three or four layers"),
        ("3x12s2-3x16s2-1x16s3", "expected three or four layers"),
        ("3x12s1-3x16s2-1x16s1", "kernel 3 and stride 2 in the first two"),
        ("3x12s2-1x16s2-1x16s1", "kernel 3 and stride 2 in the first two"),
        ("3x12s2-3x16s2-1x40s1", "channels 12 or 16"),
        ("3x12s2-3x16s2-2x16s1", "then kernel 1 or 3"),
        ("3x12s2-3x24s2-1x16s1r", "as many channels as the one before"),
        ("3x12s2-3x16s2-1x16s1-1x32s1r", "as many channels as the one before"),
        ("3x12s2-3x16s2-1x16s2-1x32s2", "at most 3 layers have stride 2"),
    ],
)
def test_errors(text, problem):
    with pytest.raises(InputError, match=rf"^NAAP-440 architecture '3x1.*: .*{problem}"):
        SPACE.canonical(text)


def test_choices_without_a_fourth_layer_have_one_form():
    chosen = SPACE.choices(FIRST)
    assert chosen[5:] == naap440.NO_LAYER
    with pytest.raises(InputError, match="without a fourth layer"):
        SPACE.text((*chosen[:6], "40", "1"))


def test_near_equal_networks_share_a_name():
    names = {a: SPACE.names(a) for a in SPACE.architectures()}
    first = "3x12s2-3x16s2-1x16s1-3x32s2"
    alike = ["3x12s2-3x16s2-1x16s1r-3x32s2", "3x12s2-3x16s2-1x16s1-3x40s2"]
    others = ["3x16s2-3x16s2-1x16s1-3x32s2", "3x12s2-3x16s2-1x16s1-1x32s2", "3x12s2-3x16s2-1x16s1"]
    assert all(names[a] == names[first] for a in alike)
    assert all(names[a] != names[first] for a in others)
    sizes = Counter(names.values())
    assert (len(sizes), max(sizes.values())) == (192, 4)
