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
    with pytest.raises(InputError, match="nds-darts: gives no graphs; those that do are nasbench2"):
        flattened(SPACES["nds-darts"])
