"""NAS-Bench-101: sizes of published networks, pruning, channels, isomorphism."""

import csv
import gzip
import itertools

import pytest
import torch

from eznas.errors import InputError
from eznas.spaces import nasbench101
from eznas.spaces.nasbench101 import Cell, cell, channels, equivalence_name, pruned, spelled
from tests.shared import shared

SPACE = nasbench101.SPACE


def params(architecture: str) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in SPACE.build(architecture).parameters())


@pytest.mark.parametrize("step", [20, pytest.param(1, marks=pytest.mark.slow)])
def test_sizes_of_500_published_networks(step):
    """As NASLib lists them, in millions."""
    names = {2: "m", 3: "1", 4: "3"}
    with gzip.open(shared("nasbench101_sample.csv.gz"), "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 500
    for row in rows[::step]:
        numbers = [int(n) for n in row["arch"].strip("()").split(",")]
        edges = [divmod(i, 7) for i, bit in enumerate(numbers[:49]) if bit]
        pruned_cell = pruned(edges, "".join(names[n] for n in numbers[50:55]), "")
        assert params(spelled(pruned_cell)) / 1e6 == pytest.approx(float(row["params"]), abs=1e-9)


def naslib(edges, operations) -> str:
    """The spelling of NASLib: the whole matrix row by row, then a number for each vertex."""
    bits = [int((a, b) in edges) for a in range(7) for b in range(7)]
    return str((*bits, *operations))


def test_naslibs_spelling_is_another_of_the_same_networks():
    with gzip.open(shared("nasbench101_sample.csv.gz"), "rt", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows[:100]:
        architecture = SPACE.canonical(row["arch"])
        assert SPACE.canonical(architecture) == architecture
        assert params(row["arch"]) / 1e6 == pytest.approx(float(row["params"]), abs=1e-9)


def test_naslibs_spelling_by_hand():
    # 0 -> 1 (pool) -> 3 (1x1) -> 6; 2 is read by no vertex, 4 and 5 read nothing.
    edges = {(0, 1), (1, 3), (3, 6), (0, 2), (4, 6), (5, 6)}
    assert SPACE.canonical(naslib(edges, (0, 2, 4, 3, 4, 4, 1))) == "100101:m1"
    assert SPACE.canonical(f" {naslib({(0, 6)}, (0, 2, 4, 3, 4, 4, 1))} ") == "1:"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("()", "expected 49 bits"),
        ("(0, 1", "expected 49 bits"),
        (naslib({(0, 6)}, (0, 2, 4, 3, 4, 4)), "expected 49 bits"),
        (naslib({(0, 6)}, (0, 2, 4, 3, 4, 4, 1, 1)), "expected 49 bits"),
        (naslib({(0, 6)}, (1, 2, 4, 3, 4, 4, 0)), "expected 49 bits"),
        (naslib({(0, 6)}, (0, 2, 4, 5, 4, 4, 1)), "expected 49 bits"),
        (naslib({(0, 6), (3, 3)}, (0, 2, 4, 3, 4, 4, 1)), "edges that ascend"),
        (naslib({(0, 6)}, (0, 2, 4, 3, 4, 4, 1)).replace("1", "2", 1), "expected 49 bits"),
        (naslib({(0, 1)}, (0, 2, 4, 3, 4, 4, 1)), "no path from input to output"),
    ],
)
def test_errors_in_naslibs_spelling(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        SPACE.canonical(text)
    assert str(caught.value).startswith("NAS-Bench-101 architecture '(")


def test_a_size_by_hand():
    def conv_norm(in_channels: int, out_channels: int, kernel: int) -> int:
        return in_channels * out_channels * kernel**2 + 2 * out_channels

    expected = conv_norm(3, 128, 3) + 512 * 10 + 10
    for in_channels, out_channels in [(128, 128)] * 3 + [(128, 256)] + [(256, 256)] * 2:
        expected += conv_norm(in_channels, out_channels, 1) + conv_norm(
            out_channels, out_channels, 3
        )
    for in_channels, out_channels in [(256, 512)] + [(512, 512)] * 2:
        expected += conv_norm(in_channels, out_channels, 1) + conv_norm(
            out_channels, out_channels, 3
        )
    assert params("101:3") == expected


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1:", "1:"),
        ("101:3", "101:3"),
        (" 111:m ", "111:m"),
        ("010:3", "1:"),  # a vertex without edges
        ("110:3", "1:"),  # that no vertex reads
        ("011:3", "1:"),  # that reads nothing
        ("110011:3m", "110011:3m"),  # two in parallel
        ("110010:3m", "101:3"),  # no vertex reads the second
    ],
)
def test_pruning(text, canonical):
    assert SPACE.canonical(text) == canonical


def test_channels_are_shared_among_the_last_vertices():
    parallel = Cell(frozenset({(0, 1), (0, 2), (0, 3), (1, 4), (2, 4), (3, 4)}), ("3", "3", "3"))
    assert channels(parallel, 128, 128) == [128, 43, 43, 42, 128]
    chained = Cell(frozenset({(0, 1), (1, 2), (1, 3), (2, 4), (3, 4)}), ("1", "3", "m"))
    assert channels(chained, 128, 255) == [128, 128, 128, 127, 255]
    assert channels(Cell(frozenset({(0, 1)}), ()), 128, 256) == [128, 256]


def permuted(original: Cell, order: tuple[int, ...]) -> Cell | None:
    """The same cell with its inner vertices in another order, where edges still ascend."""
    index = {0: 0, original.output: original.output} | {v: i for i, v in enumerate(order, 1)}
    edges = frozenset((index[a], index[b]) for a, b in original.edges)
    if any(a >= b for a, b in edges):
        return None
    return Cell(edges, tuple(original.operations[v - 1] for v in order))


def test_isomorphic_cells_have_one_name():
    pairs = 0
    for architecture in SPACE.sample(40, seed=3):
        original = cell(architecture)
        for order in itertools.permutations(range(1, original.output)):
            other = permuted(original, order)
            if other is not None and spelled(other) != architecture:
                assert equivalence_name(spelled(other)) == equivalence_name(architecture)
                pairs += 1
    assert pairs > 20


def test_other_cells_have_other_names():
    cells = {SPACE.text(SPACE.choices(a)) for a in SPACE.sample(60, seed=4)}
    groups: dict[str, list[str]] = {}
    for architecture in cells:
        groups.setdefault(equivalence_name(architecture), []).append(architecture)
    for first, *others in groups.values():
        first_cell = cell(first)
        isomorphic = {
            spelled(p)
            for order in itertools.permutations(range(1, first_cell.output))
            if (p := permuted(first_cell, order)) is not None
        }
        assert set(others) <= isomorphic


def test_vertices_are_cut_to_the_fewest_channels():
    """The sum of a wide and a narrow input, on real weights."""
    architecture = spelled(
        pruned({(0, 1), (1, 2), (1, 3), (1, 4), (2, 5), (3, 5), (4, 5)}, "3311", "")
    )
    torch.manual_seed(0)
    model = SPACE.build(architecture, classes=4)
    assert model(torch.randn(2, 3, 16, 16)).isfinite().all()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("101", "expected BITS:OPERATIONS"),
        ("101:5", "expected BITS:OPERATIONS"),
        ("10:3", "expected BITS:OPERATIONS"),
        ("121:3", "expected BITS:OPERATIONS"),
        ("1" * 28 + ":333333", "expected BITS:OPERATIONS"),
        ("0:", "no path from input to output"),
        ("100:3", "no path from input to output"),
        ("1" * 21 + ":33333", "21 edges, expected at most 9"),
    ],
)
def test_errors(text, problem):
    with pytest.raises(InputError, match=problem) as caught:
        SPACE.canonical(text)
    assert str(caught.value).startswith("NAS-Bench-101 architecture")


def test_samples_reach_every_size():
    sizes = {cell(a).output for a in SPACE.sample(200)}
    assert sizes >= {3, 4, 5, 6}
