"""NAS-Bench-Macro: sizes of the published table, and architectures of one function."""

import itertools
import json

import pytest
import torch

from eznas.errors import InputError
from eznas.spaces import macro
from tests.shared import shared

SPACE = macro.SPACE


def params(architecture: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SPACE.build(architecture).parameters())


def test_sizes_of_all_6561_published_networks():
    """A layer adds its parameters whatever the others are, so 24 networks give the sizes of all."""
    table = json.loads(shared("nasbench_macro_cifar10.json").read_text())
    assert len(table) == 6_561
    smallest = params("0" * 8)
    sizes = [
        [params("0" * i + digit + "0" * (7 - i)) - smallest for digit in "012"] for i in range(8)
    ]
    for architecture, row in table.items():
        assert (
            smallest + sum(a[int(d)] for a, d in zip(sizes, architecture, strict=True))
            == (row["params"])
        )
    for architecture in [*table][::500]:
        assert params(architecture) == table[architecture]["params"]


def test_a_size_by_hand():
    stem, last, head = 3 * 32 * 9 + 64, 256 * 1280 + 2560, 1280 * 10 + 10
    shortcuts = sum(c * 2 * c + 4 * c for c in (32, 64, 128))
    assert params("00000000") == stem + shortcuts + last + head
    hidden = 64 * 3  # of the second layer: expanded, filtered, projected
    block = 64 * hidden + 2 * hidden + 9 * hidden + 2 * hidden + hidden * 64 + 128
    assert params("01000000") == params("00000000") + block


def test_the_whole_space():
    architectures = SPACE.architectures()
    assert architectures == tuple(map("".join, itertools.product("012", repeat=8)))
    # A stage of three has 3 first layers and, for the next two, the 7 classes 00, x0 = 0x, xy.
    assert len(set(map(macro.equivalence_name, architectures))) == 9 * (3 * 7) ** 2


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("00010000", "00001000", True),
        ("21102220", "21120202", True),
        ("00100000", "00010000", False),  # the first of a stage changes the shape
        ("00012000", "00021000", False),
    ],
)
def test_identities_of_one_shape_can_be_moved(first, second, same):
    assert (macro.equivalence_name(first) == macro.equivalence_name(second)) == same


def test_one_function_under_two_names():
    torch.manual_seed(0)
    first, second = SPACE.build("00010000").eval(), SPACE.build("00001000").eval()
    weights = first.state_dict()
    exchanged = {k.replace("features.3", "features.4"): v for k, v in weights.items()}
    second.load_state_dict(exchanged)
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(first(x), second(x))


@pytest.mark.parametrize("text", ["0000000", "000000000", "00000003", "0000 000", "0000000a"])
def test_errors(text):
    with pytest.raises(InputError, match=r"NAS-Bench-Macro architecture .*: expected 8 digits"):
        SPACE.canonical(text)
