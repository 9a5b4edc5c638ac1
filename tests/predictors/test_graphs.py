"""Architectures as graphs."""

import numpy as np
import pytest

from eznas.errors import InputError
from eznas.predictors.graphs import flattened, unflattened
from eznas.spaces import SPACES

CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2|"


def graph(space, architecture):
    adjacency, operations = unflattened(flattened(SPACES[space])(architecture)[None])
    return adjacency[0], operations[0]


def test_a_chain_of_three_edges_by_hand():
    adjacency, operations = graph("nasbench201", CELL)
    # input -> edge 1<-0 -> edge 2<-1 -> edge 3<-2 -> output; the others have no operation.
    assert [*zip(*map(list, np.nonzero(adjacency)), strict=True)] == [
        (0, 1),
        (1, 3),
        (3, 6),
        (6, 7),
    ]
    assert operations.shape == (8, 7)
    assert operations.argmax(1).tolist() == [5, 3, 0, 1, 0, 0, 4, 6]


def test_a_cell_of_nasbench101():
    adjacency, operations = graph("nasbench101", "110101:3m")
    assert adjacency.shape == (7, 7)
    assert adjacency.sum() == 4
    assert operations.sum(1).tolist() == [1.0] * 7


def test_macro_is_a_chain():
    adjacency, _ = graph("nasbench-macro", "02012100")
    np.testing.assert_array_equal(adjacency, np.eye(10, k=1))


def test_a_space_without_graphs():
    with pytest.raises(InputError, match="nds-vanilla: gives no graphs; those that do are nasben"):
        flattened(SPACES["nds-vanilla"])


def test_the_cells_of_nds():
    """Five nodes of two edges each; what no node reads is the output."""
    first, second = "|skip_connect~0|avg_pool_3x3~1|", "|skip_connect~2|sep_conv_3x3~2|"
    others = "|skip_connect~0|skip_connect~1|"
    cell = "+".join([first, second, others, others, others])
    adjacency, operations = graph("nds-enas", f"c16-l4:{cell}:{cell}")
    assert adjacency.shape == (28, 28)  # width, depth, and 2 inputs, 10 edges, 1 output, twice
    assert operations.sum(1).tolist() == [1.0] * 28
    size, inner = adjacency[:2], adjacency[2:15, 2:15]
    assert [*zip(*map(list, np.nonzero(size)), strict=True)] == [
        *((i, j) for i in (0, 1) for j in (2, 3, 15, 16))
    ]
    np.testing.assert_array_equal(inner, adjacency[15:, 15:])
    assert not adjacency[2:15, 15:].any()
    expected = {(0, 2), (1, 3)}  # the inputs into the first node
    expected |= {(a, b) for a in (2, 3) for b in (4, 5)}  # which the second node reads twice
    expected |= {(i, j) for j in (6, 8, 10) for i in [0]} | {(1, j) for j in (7, 9, 11)}
    expected |= {(edge, 12) for edge in range(4, 12)}  # nothing reads the nodes but the first
    assert {*zip(*map(list, np.nonzero(inner)), strict=True)} == expected
