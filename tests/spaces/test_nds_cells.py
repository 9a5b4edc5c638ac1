"""The cell spaces of NDS: sizes of published networks, genotypes, spelling, paths."""

import csv
import gzip
import itertools

import pytest
import torch
from torch import nn

from eznas.errors import InputError
from eznas.spaces import nds_cells
from eznas.spaces.nds_cells import architecture_of, from_naslib
from eznas.spaces.nds_network import FactorizedReduction, Zero
from tests.shared import shared

SPACES = {space.name: space for space in nds_cells.SPACES}
SHORT = {
    "s3": "sep_conv_3x3",
    "s5": "sep_conv_5x5",
    "s7": "sep_conv_7x7",
    "d3": "dil_conv_3x3",
    "c7": "conv_7x1_1x7",
    "av": "avg_pool_3x3",
    "mx": "max_pool_3x3",
    "id": "skip_connect",
}


def genotype(normal: str, reduce: str, normal_concat: list[int], reduce_concat: list[int]) -> dict:
    def edges(cell: str) -> list[tuple[str, int]]:
        return [(SHORT[edge[:2]], int(edge[2:])) for edge in cell.split()]

    concat = {"normal_concat": normal_concat, "reduce_concat": reduce_concat}
    return {"normal": edges(normal), "reduce": edges(reduce), **concat}


ALL4, ALL5 = [2, 3, 4, 5], [2, 3, 4, 5, 6]
DARTS1 = genotype("s31 s30 id0 s31 id0 s31 s30 id2", "mx0 mx1 id2 mx0 mx0 id2 id2 av0", ALL4, ALL4)
DARTS2 = genotype("s30 s31 s30 s31 s31 id0 id0 d32", "mx0 mx1 id2 mx1 mx0 id2 id2 mx1", ALL4, ALL4)
NASNET = genotype(
    "s51 s30 s50 s30 av1 id0 av0 av0 s31 id1",
    "s51 s70 mx1 s70 av1 s50 id3 av2 s32 mx1",
    ALL5,
    [4, 5, 6],
)
AMOEBA = genotype(
    "av0 mx1 s30 s52 s30 av3 s31 id1 id0 av1",
    "av0 s31 mx0 s72 s70 av1 mx0 mx1 c70 s35",
    [4, 5, 6],
    [3, 4, 6],
)
PNAS = genotype(*["s50 mx0 s71 mx1 s51 s31 s34 mx1 s30 id1"] * 2, ALL5, ALL5)
ENAS = genotype(
    "av0 s30 id0 s50 id0 s51 s31 s50 av0 s51",
    "s31 s31 mx0 av0 s51 s53 s31 id0 mx0 s51",
    ALL5,
    [2, 4, 5, 6],
)
NONE = "|none~0|none~1|"
PATH = "|max_pool_3x3~0|none~1|"


def darts(normal: str, reduction: str) -> str:
    """A small network whose cells repeat one node."""
    return f"c16-l4:{'+'.join([normal] * 4)}:{'+'.join([reduction] * 4)}"


def params(space: str, architecture: str, classes: int = 10) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SPACES[space].build(architecture, classes).parameters())


@pytest.mark.parametrize(
    ("space", "published_genotype", "width", "depth", "count", "published"),
    [
        ("nds-darts", DARTS1, 36, 20, 3_169_414, 3.2),
        ("nds-darts", DARTS2, 36, 20, 3_349_342, 3.3),
        ("nds-darts-in", DARTS2, 48, 14, 4_718_752, 4.7),
        ("nds-amoeba", AMOEBA, 36, 20, 3_145_078, 3.2),
        ("nds-pnas", PNAS, 48, 9, 3_176_602, 3.2),
    ],
)
def test_sizes_of_published_networks(space, published_genotype, width, depth, count, published):
    architecture = architecture_of(space, published_genotype, width, depth)
    assert params(space, architecture, 1000 if space.endswith("-in") else 10) == count
    assert count / 1e6 == pytest.approx(published, abs=0.06)


@pytest.mark.parametrize(
    ("space", "published_genotype", "width", "depth", "count", "published"),
    [("nds-nasnet", NASNET, 32, 20, 3_061_738, 3.3), ("nds-enas", ENAS, 36, 17, 3_729_430, 4.6)],
)
def test_two_published_networks_were_larger(
    space, published_genotype, width, depth, count, published
):
    """NDS stacks every cell as DARTS does; NASNet and ENAS stacked their own otherwise."""
    assert params(space, architecture_of(space, published_genotype, width, depth)) == count
    assert 0.8 < count / 1e6 / published < 0.95


def test_nasnet_as_its_authors_stacked_it(monkeypatch):
    """Their normal cell gives one of its inputs too (`used_hiddenstates` of the published code):
    six parts, where the genotype that NDS and DARTS write names five. 3.3 M, as in the paper."""
    architecture = architecture_of("nds-nasnet", NASNET, 32, 20)
    outputs = nds_cells.CellSpace.outputs

    def with_an_input(space, edges):
        nodes = outputs(space, edges)
        return [0, *nodes] if nodes == ALL5 else nodes

    monkeypatch.setattr(nds_cells.CellSpace, "outputs", with_an_input)
    assert params("nds-nasnet", architecture) == 3_287_274


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_sizes_of_500_networks_of_naslib(step):
    """In millions; the search network that NASLib counts normalises operations without weights."""
    with gzip.open(shared("darts_nasbench301_sample.csv.gz"), "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len({from_naslib(row["arch"]) for row in rows}) == len(rows) == 500
    for row in rows[::step]:
        with torch.device("meta"):
            model = SPACES["nds-darts"].build(from_naslib(row["arch"]))
        norms = [
            module
            for cell in model.cells
            for module in cell.operations.modules()
            if isinstance(module, nn.BatchNorm2d)
        ]
        count = sum(p.numel() for p in model.parameters())
        count -= sum(p.numel() for norm in norms for p in norm.parameters())
        assert count / 1e6 == pytest.approx(float(row["params"]), abs=1e-9)


def test_naslib_numbers_operations():
    cell = "[(0, 0), (1, 1), (0, 2), (2, 3), (2, 4), (0, 5), (2, 6), (3, 0)]"
    assert from_naslib(f"[{cell}, {cell}]").split(":")[:2] == [
        "c32-l8",
        "|max_pool_3x3~0|avg_pool_3x3~1|+|skip_connect~0|sep_conv_3x3~2|"
        "+|dil_conv_3x3~0|sep_conv_5x5~2|+|dil_conv_5x5~2|max_pool_3x3~3|",
    ]


@pytest.mark.parametrize(
    "operation", sorted({op for row in SPACES.values() for op in row.positions[2]})
)
def test_operations_keep_or_halve_the_size(operation):
    space = next(s for s in SPACES.values() if operation in s.positions[2])
    nodes = (len(space.positions) - 2) // 8
    cell = "+".join([f"|{operation}~0|{operation}~1|"] * nodes)
    model = space.build(f"c16-l4:{cell}:{cell}", classes=3)
    sizes = [(16, 33), (8, 17), (4, 9), (4, 9)]
    x = torch.randn(2, 3, 16, 33)
    outputs = [model.stems[0](x)] * 2
    for cell_module, size in zip(model.cells, sizes, strict=True):
        outputs.append(cell_module(*outputs[-2:]))
        assert outputs[-1].shape[2:] == size
        assert outputs[-1].isfinite().all()


def test_imagenet_stems_divide_by_8():
    model = SPACES["nds-darts-in"].build(darts(PATH, PATH))
    first = model.stems[0](torch.randn(2, 3, 64, 32))
    assert first.shape == (2, 16, 16, 8)
    assert model.stems[1](first).shape == (2, 16, 8, 4)


def test_a_reduction_reads_even_and_odd_pixels():
    halve = FactorizedReduction(1, 2).eval()
    with torch.no_grad():
        halve.even.weight.fill_(1)
        halve.odd.weight.fill_(1)
    x = torch.arange(9.0).view(1, 1, 3, 3)
    even, odd = halve(x)[0]
    torch.testing.assert_close(even, torch.tensor([[0.0, 2], [6, 8]]), rtol=1e-4, atol=0)
    torch.testing.assert_close(odd, torch.tensor([[4.0, 0], [0, 0]]), rtol=1e-4, atol=0)


def test_none_is_zero_in_the_size_of_its_stride():
    x = torch.randn(2, 3, 5, 4)
    assert torch.equal(Zero(1)(x), torch.zeros(2, 3, 5, 4))
    assert torch.equal(Zero(2)(x), torch.zeros(2, 3, 3, 2))


def test_loose_cells_give_the_nodes_that_no_node_reads():
    architecture = architecture_of("nds-amoeba", AMOEBA, 36, 20)
    cells = SPACES["nds-amoeba"].build(architecture).cells
    assert cells[0].outputs == [4, 5, 6]
    assert cells[6].outputs == [3, 4, 6]
    assert cells[7].outputs == [4, 5, 6]


@pytest.mark.parametrize(
    ("normal", "reduction", "expected"),
    [
        (PATH, PATH, True),
        (NONE, NONE, False),
        (NONE, PATH, False),
        (PATH, NONE, False),
        ("|none~0|skip_connect~1|", PATH, True),
    ],
)
def test_paths_through_cells(normal, reduction, expected):
    architecture = darts(normal, reduction)
    assert SPACES["nds-darts"].connected(architecture) == expected
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    logits = SPACES["nds-darts"].build(architecture)(x)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), x)
    assert bool((gradient != 0).any()) == expected


def test_edges_of_a_node_have_no_order():
    space = SPACES["nds-darts"]
    for architecture in space.sample(5, seed=2):
        choices = space.choices(architecture)
        nodes = [choices[i : i + 4] for i in range(2, len(choices), 4)]
        exchanged = [part for a, b, c, d in nodes for part in (c, d, a, b)]
        assert space.text((*choices[:2], *exchanged)) == architecture


def test_nodes_in_another_order_have_one_name():
    space = SPACES["nds-enas"]
    for architecture in space.sample(5, seed=2):
        edges = space.choices(architecture)[2:]
        # Nodes 2 and 3 can be exchanged where 3 does not read 2.
        for start in (0, len(edges) // 2):
            cell = list(edges[start : start + 20])
            if "2" in (cell[5], cell[7]):
                continue
            cell[:4], cell[4:8] = cell[4:8], cell[:4]
            for source in range(9, 20, 2):
                cell[source] = {"2": "3", "3": "2"}.get(cell[source], cell[source])
            other = list(space.choices(architecture))
            other[2 + start : 22 + start] = cell
            assert space.names(space.text(other)) == space.names(architecture)


def test_none_has_one_name_whatever_it_reads():
    space = SPACES["nds-darts"]
    names = [space.names(darts(f"|skip_connect~0|none~{s}|", PATH)) for s in (0, 1)]
    assert names[0] == names[1]
    assert names[0] != space.names(darts("|skip_connect~1|none~0|", PATH))


def test_names_tell_functions_apart():
    names = [name for a in SPACES["nds-pnas"].sample(50) for name in SPACES["nds-pnas"].names(a)]
    assert len(set(names)) == 50
    narrow, wide = (darts(PATH, PATH).replace("c16", width) for width in ("c16", "c24"))
    assert SPACES["nds-darts"].names(narrow) != SPACES["nds-darts"].names(wide)


def test_fifteen_spaces():
    families, variants = ("darts", "amoeba", "enas", "nasnet", "pnas"), ("", "-in", "-fix")
    assert set(SPACES) == {f"nds-{f}{v}" for f, v in itertools.product(families, variants)}
    for name, space in SPACES.items():
        widths, depths = space.positions[:2]
        if name.endswith("-fix"):
            assert (widths, depths) == (("16",), ("20",))
        else:
            assert {"16", "24", "32"} <= set(widths)
            assert {"4", "8", "12", "16", "20"} <= set(depths)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("c16", "c17", "width '17', expected one of 16, 24, 32, 36$"),
        ("l4", "l5", "depth '5', expected one of 4, 8, 12, 16, 20$"),
        ("max_pool_3x3~0", "max_pool_3x4~0", "did you mean 'max_pool_3x3'"),
        ("max_pool_3x3~0", "max_pool_3x3~2", "source '2', expected one of 0, 1$"),
        ("max_pool_3x3~0", "max_pool_3x3", "each cell 4 nodes"),
        ("+", "", "each cell 4 nodes"),
        ("c16-", "16-", "expected cWIDTH-lDEPTH"),
    ],
)
def test_errors(old, new, problem):
    with pytest.raises(InputError, match=problem) as caught:
        SPACES["nds-darts"].canonical(darts(PATH, PATH).replace(old, new, 1))
    assert str(caught.value).startswith("nds-darts architecture '")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"normal_concat": [2, 3, 4]}, r"normal_concat \[2, 3, 4\], expected \[2, 3, 4, 5\]"),
        ({"reduce": DARTS2["reduce"][:7]}, "7 edges, expected 8"),
        ({"normal": [("sep_conv_3x3", 9)] * 8}, "source '9', expected one of 0, 1"),
        ({"normal": [("sep_conv_3", 0)] * 8}, "did you mean 'sep_conv_3x3'"),
        ({"normal": 3}, "expected normal and reduce"),
    ],
)
def test_genotypes_that_are_not_in_the_space(change, problem):
    with pytest.raises(InputError, match=problem):
        architecture_of("nds-darts", DARTS2 | change, 36, 20)


def test_genotypes_of_an_unknown_space():
    with pytest.raises(InputError, match="did you mean 'nds-darts'"):
        architecture_of("nds-dart", DARTS2, 36, 20)


@pytest.mark.parametrize("text", ["", "[]", "[[(0, 7)] * 8] * 2", "[[(0, 7)], [(0, 1)]]", "1", "("])
def test_texts_that_naslib_does_not_write(text):
    with pytest.raises(InputError, match="expected"):
        from_naslib(text)
