import csv
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import nasbench201
from eznas.spaces.blocks import ResidualReduction
from eznas.spaces.nasbench201 import Cell

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
SUITE = SHARED / "nasbench201_cifar10_zero_cost_suite.csv.gz"

ALL_3X3 = "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|".replace("op", "nor_conv_3x3")
ALL_NONE = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
# Key 421211 of the published tables.
MIXED = (
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|"
    "+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
)
# 3x3 into node 1, which goes nowhere; the output is a skip.
DEAD = "|nor_conv_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def expected_parameters(architecture, classes=10):
    """Counted by hand, see `test_parameters_by_hand`."""
    threes, ones = architecture.count("nor_conv_3x3"), architecture.count("nor_conv_1x1")
    return 72_656 + 65 * classes + 243_040 * threes + 28_000 * ones


def on_meta(architecture, classes=10):
    with torch.device("meta"):
        return nasbench201.build(architecture, classes)


def test_order_is_that_of_the_table_keys():
    architectures = nasbench201.SPACE.architectures()
    keys = [nasbench201.table_key(a) for a in architectures]
    assert len(set(architectures)) == len(set(keys)) == 15_625
    assert architectures[0] == ALL_NONE
    assert keys[0] == "000000"
    assert keys[1] == "000001"
    assert keys[5] == "000010"
    assert architectures[keys.index("333333")] == ALL_3X3
    assert architectures[keys.index("421211")] == MIXED
    assert list(keys) == sorted(keys)


@pytest.mark.parametrize(
    ("architecture", "classes", "expected"),
    [
        # stem 432+32, reductions 14464+57600, last norm 128, classifier 650
        (ALL_NONE, 10, 73_306),
        (ALL_NONE, 100, 79_156),
        (ALL_NONE, 120, 80_456),
        # one 3x3: 5 cells x (9 x (16^2+32^2+64^2) + 2 x (16+32+64)) = 243040
        (DEAD, 10, 316_346),
        (ALL_3X3, 10, 1_531_546),
        # two 1x1: 2 x 5 x ((16^2+32^2+64^2) + 2 x 112) = 56000
        (MIXED, 10, 129_306),
        (MIXED, 120, 136_456),
    ],
)
def test_parameters_by_hand(architecture, classes, expected):
    assert parameters(nasbench201.build(architecture, classes)) == expected
    assert expected_parameters(architecture, classes) == expected


def test_parameters_of_many():
    architectures = nasbench201.SPACE.architectures()
    for index in np.random.default_rng(0).choice(len(architectures), 20, replace=False):
        for classes in (10, 100, 120):
            model = on_meta(architectures[index], classes)
            assert parameters(model) == expected_parameters(architectures[index], classes), (
                architectures[index]
            )


@pytest.mark.skipif(not SUITE.exists(), reason="the published zero-cost table is not here")
def test_parameters_as_published():
    with gzip.open(SUITE, "rt", newline="") as file:
        rows = [(row["architecture"], float(row["params"])) for row in csv.DictReader(file)]
    assert len(rows) == 9_445
    counts = np.array([expected_parameters(architecture) for architecture, _ in rows])
    np.testing.assert_array_equal(counts, np.rint([1e6 * millions for _, millions in rows]))


@pytest.mark.parametrize(("size", "classes"), [(32, 10), (32, 100), (16, 120)])
@pytest.mark.parametrize("architecture", [ALL_NONE, DEAD, MIXED])
def test_logits(architecture, size, classes):
    logits = on_meta(architecture, classes)(torch.empty(2, 3, size, size, device="meta"))
    assert logits.shape == (2, classes)


def test_stages_halve_the_image_and_double_the_channels():
    shapes = {}
    model = on_meta(MIXED)
    for name, child in model.named_children():
        child.register_forward_hook(
            lambda module, args, out, name=name: shapes.update({name: tuple(out.shape[1:])})
        )
    model(torch.empty(2, 3, 32, 32, device="meta"))
    assert shapes["stem"] == shapes["stage1"] == (16, 32, 32)
    assert shapes["reduction1"] == shapes["stage2"] == (32, 16, 16)
    assert shapes["reduction2"] == shapes["stage3"] == shapes["last"] == (64, 8, 8)
    assert shapes["pool"] == (64,)


def test_cells_per_stage():
    model = on_meta(MIXED)
    cells = [name for name, module in model.named_modules() if isinstance(module, Cell)]
    assert cells == [f"stage{stage}.{cell}" for stage in (1, 2, 3) for cell in range(5)]


def cell(*operations, width=2):
    return Cell(operations, width)


def test_a_node_is_the_sum_of_its_edges():
    x = torch.randn(2, 2, 4, 4)
    # node 1 = x, node 2 = x + x, node 3 = x + x + 2 x
    torch.testing.assert_close(cell(*["skip_connect"] * 6)(x), 4 * x)
    # node 1 = x, node 2 = node 1, output = node 2
    chain = ("skip_connect", "none", "skip_connect", "none", "none", "skip_connect")
    torch.testing.assert_close(cell(*chain)(x), x)


def test_pooling_does_not_count_the_padding():
    ones = torch.ones(1, 2, 4, 4)
    torch.testing.assert_close(cell(*["avg_pool_3x3"] * 6)(ones), 4 * ones)
    x = torch.arange(9.0).reshape(1, 1, 3, 3)
    pooled = cell("none", "none", "none", "avg_pool_3x3", "none", "none", width=1)(x)
    assert pooled[0, 0, 0, 0] == (0 + 1 + 3 + 4) / 4
    assert pooled[0, 0, 1, 1] == 4


def test_convolution_is_relu_conv_norm_and_leaves_its_input_alone():
    x = torch.randn(3, 2, 4, 4)
    original = x.clone()
    module = cell("none", "none", "none", "nor_conv_1x1", "none", "none")
    edge = module.edges["3_0"]
    assert [type(part) for part in edge] == [nn.ReLU, nn.Conv2d, nn.BatchNorm2d]
    assert edge[1].bias is None
    assert edge[2].affine
    with torch.no_grad():
        edge[1].weight.copy_(torch.eye(2)[:, :, None, None])
        module.eval()  # batch norm divides by sqrt(1 + eps) only
        torch.testing.assert_close(module(x), original.clamp(min=0) / (1 + 1e-5) ** 0.5)
    torch.testing.assert_close(x, original, rtol=0, atol=0)


def test_a_node_without_edges_is_a_constant_zero():
    x = torch.randn(2, 2, 4, 4, requires_grad=True)
    zeros = cell(*["none"] * 6)(x)
    assert not zeros.requires_grad
    assert not zeros.any()
    # Only 3<-2 is there, and node 2 has no edges: the convolution runs on zeros.
    module = cell("none", "none", "none", "none", "none", "nor_conv_3x3")
    output = module(x)
    assert not output.any()
    (gradient,) = torch.autograd.grad(output.sum(), x, allow_unused=True)
    assert gradient is None


def test_operations_that_lead_nowhere_run_and_none_does_not():
    model, calls = on_meta(DEAD), []
    for name, module in model.named_modules():
        if ".edges." in name and isinstance(module, nn.Conv2d | nn.Identity):
            module.register_forward_hook(lambda module, args, out: calls.append(type(module)))
    model(torch.empty(2, 3, 32, 32, device="meta"))
    assert calls == [nn.Conv2d, nn.Identity] * 15
    assert list(model.stage1[0].edges) == ["1_0", "3_0"]


def test_reduction_by_hand():
    block = ResidualReduction(2, 3)
    with torch.no_grad():
        block.shortcut[1].weight.fill_(1)
        block.body[1][2].weight.zero_()
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    # First corner: mean(0, 1, 4, 5) + mean(16, 17, 20, 21), in each of the three channels.
    output = block(x)
    assert output.shape == (1, 3, 2, 2)
    assert output[0, :, 0, 0].tolist() == [2.5 + 18.5] * 3
    strides = [layer.stride for layer in block.body.modules() if isinstance(layer, nn.Conv2d)]
    assert strides == [(2, 2), (1, 1)]


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (ALL_NONE, ALL_NONE),
        (ALL_3X3, ALL_3X3),
        (DEAD, "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"),
        # Node 1 has no input, so 2<-1 and 3<-1 carry nothing.
        (
            "|none~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|none~0|nor_conv_3x3~1|skip_connect~2|",
            "|none~0|+|avg_pool_3x3~0|none~1|+|none~0|none~1|skip_connect~2|",
        ),
        # Node 2 is fed twice but leads nowhere, and node 1 with it.
        (
            "|nor_conv_3x3~0|+|skip_connect~0|nor_conv_1x1~1|+|nor_conv_1x1~0|none~1|none~2|",
            "|none~0|+|none~0|none~1|+|nor_conv_1x1~0|none~1|none~2|",
        ),
        # Disconnected: nothing arrives.
        ("|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|none~2|", ALL_NONE),
    ],
)
def test_live_cell(architecture, expected):
    assert nasbench201.live_cell(architecture) == expected


def test_mirrored_exchanges_the_inner_nodes():
    cell = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    mirror = "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_1x1~1|avg_pool_3x3~2|"
    assert nasbench201.mirrored(cell) == mirror
    assert nasbench201.mirrored(mirror) == cell
    with_edge = cell.replace("none~1", "skip_connect~1")
    assert nasbench201.mirrored(with_edge) == with_edge


def test_published_counts():
    architectures = nasbench201.SPACE.architectures()
    live = {nasbench201.live_cell(architecture) for architecture in architectures}
    assert len(live) == 9_445
    assert live == {nasbench201.live_cell(cell) for cell in live}
    assert len({nasbench201.equivalence_name(cell) for cell in architectures}) == 8_765
    assert len(set(map(nasbench201.isomorphism_class, architectures))) == 6_466


def test_isomorphism_class_by_hand():
    assert nasbench201.isomorphism_class(ALL_NONE) == "#+#+#"
    assert nasbench201.isomorphism_class(DEAD) == "#+#+0"
    # 1 = pool(0), 2 = conv(0) + 1, 3 = conv(0) + 1 + 2, each sum sorted
    pool, conv = "(0)@avg_pool_3x3", "(0)@nor_conv_1x1"
    assert nasbench201.isomorphism_class(MIXED) == f"{pool}+{pool}+{conv}+{conv}"


def test_canonical_takes_surrounding_blanks():
    assert nasbench201.SPACE.canonical(f"  {MIXED}\n") == MIXED


def test_digits_of_the_tables_are_read():
    for architecture in nasbench201.SPACE.architectures()[::31]:
        digits = nasbench201.table_key(architecture)
        assert nasbench201.SPACE.canonical(digits) == architecture


NASLIB = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"


@pytest.mark.parametrize("text", ["(4, 0, 3, 1, 4, 3)", "[4,0,3,1,4,3]", " ( 4,0, 3,1,4 ,3 ) "])
def test_numbers_of_naslib_are_read(text):
    """NASLib's edges: 1<-0, 2<-0, 3<-0, 2<-1, 3<-1, 3<-2; its operations: skip, none, 3x3, 1x1,
    pool."""
    assert nasbench201.SPACE.canonical(text) == NASLIB


SHAPE = r"is not of the form \|op~0\|\+\|op~0\|op~1\|\+\|op~0\|op~1\|op~2\|"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "architecture '' " + SHAPE),
        ("resnet", "architecture 'resnet' " + SHAPE),
        ("|none~0|+|none~0|none~1|", SHAPE),
        (MIXED + "+|none~0|", SHAPE),
        (MIXED.replace("+", "\n"), SHAPE),
        ("||+|||+||||", "edge 1<-0: found ''"),
        (
            MIXED.replace("|nor_conv_1x1~0|skip_connect~1|+", "|nor_conv_5x5~0|skip_connect~1|+"),
            "edge 2<-0: found 'nor_conv_5x5~0', expected op~0, op one of none, skip_connect, "
            "nor_conv_1x1, nor_conv_3x3, avg_pool_3x3; nearest is 'nor_conv_3x3~0'",
        ),
        (
            MIXED.replace("skip_connect~2", "skip_connect~1"),
            "edge 3<-2: found 'skip_connect~1', .*; nearest is 'skip_connect~2'",
        ),
        (
            "12804",
            "'12804': an index counts in the order of the official file, .* expected the str",
        ),
        ("430145", SHAPE),
        ("(4, 0, 3, 1, 4)", SHAPE),
        ("4, 0, 3, 1, 4, 3", SHAPE),
        ("|none~0|" * 1000, r"architecture '\|none~0\|.{109}\.\.\.' is not"),
    ],
)
@pytest.mark.parametrize("function", ["operations", "build", "live_cell", "isomorphism_class"])
def test_errors_name_the_edge(function, text, message):
    with pytest.raises(InputError, match=message) as caught:
        getattr(nasbench201, function)(text)
    assert "\n" not in str(caught.value)
