"""Architectures as graphs: operations as nodes, in columns that a regressor can read."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from eznas.errors import InputError
from eznas.spaces import nds_cells
from eznas.spaces.base import Space
from eznas.spaces.nasbench101 import VERTICES
from eznas.spaces.nasbench201 import EDGES

Floats = NDArray[np.float64]
Columns = TypeVar("Columns", Floats, Tensor)


def flattened(space: Space) -> Callable[[str], Floats]:
    """A function from an architecture to its graph as float64 [columns]: the number of nodes N,
    then the adjacency matrix [N, N] row by row (1 where data goes from a row's node to a column's),
    then the operation of each node, one-hot [N, operations].

    Raises `InputError` for a space without graphs.
    """
    if space.name not in _ADJACENCY:
        known = ", ".join(_ADJACENCY)
        raise InputError(f"space {space.name}: gives no graphs; those that do are {known}")
    operations, adjacency = _OPERATIONS[space.name], _ADJACENCY[space.name]
    names = list(dict.fromkeys(o for options in space.positions for o in options))

    def flat(architecture: str) -> Floats:
        choices = space.choices(architecture)
        nodes = operations(choices)
        index = np.array([_index(node, names) for node in nodes])
        one_hot = np.eye(len(names) + 2)[index]
        return np.concatenate([[len(nodes)], adjacency(choices).ravel(), one_hot.ravel()])

    return flat


def unflattened(columns: Columns) -> tuple[Columns, Columns]:
    """Adjacency [networks, N, N] and operations [networks, N, operations] from the columns
    [networks, columns] that `flattened` gives, an array or a tensor."""
    nodes = int(columns[0, 0])
    adjacency = columns[:, 1 : 1 + nodes**2].reshape(-1, nodes, nodes)
    return adjacency, columns[:, 1 + nodes**2 :].reshape(len(columns), nodes, -1)


_INPUT, _OUTPUT = "input", "output"


class GraphLayers(nn.Module):
    """Adjacency [n, N, N] and operations [n, N, operations] to a state of each node, float32
    [n, N, hidden]: in every layer a node reads itself and its neighbours along and against the
    edges."""

    def __init__(self, operations: int, hidden: int, layers: int) -> None:
        super().__init__()
        widths = [operations] + [hidden] * layers
        self.updates = nn.ModuleList(
            nn.Sequential(nn.Linear(3 * a, b), nn.ReLU(), nn.Linear(b, b), nn.ReLU())
            for a, b in itertools.pairwise(widths)
        )

    def forward(self, adjacency: Tensor, operations: Tensor) -> Tensor:
        """The states of nodes [n, N, hidden]."""
        values = operations
        for update in self.updates:
            along, against = adjacency.transpose(1, 2) @ values, adjacency @ values
            values = update(torch.cat([values, along, against], -1))
        return values


def _index(node: str, names: list[str]) -> int:
    """The number of an operation; input and output come after all others."""
    ends = {_INPUT: len(names), _OUTPUT: len(names) + 1}
    return ends[node] if node in ends else names.index(node)


def _with_ends(choices: tuple[str, ...]) -> list[str]:
    """One node for each choice, between input and output."""
    return [_INPUT, *choices, _OUTPUT]


def _of_vertices(choices: tuple[str, ...]) -> list[str]:
    """One node for each vertex of a NAS-Bench-101 cell."""
    return _with_ends(choices[-(VERTICES - 2) :])


def _chain(choices: tuple[str, ...]) -> Floats:
    """Each node leads to the next."""
    return np.eye(len(choices) + 2, k=1)


def _edges_as_nodes(choices: tuple[str, ...]) -> Floats:
    """The edges of a NAS-Bench-201 cell as nodes: an edge leads to those from the node it ends in.

    An edge without operation leads nowhere.
    """
    last = max(to for to, _ in EDGES)
    ends = [(0, -1), *EDGES, (-2, last)]  # (to, from), with the input before and output after
    matrix = np.array([[float(a[0] == b[1]) for b in ends] for a in ends])
    dead = [i for i, choice in enumerate(choices, 1) if choice == "none"]
    matrix[dead] = matrix[:, dead] = 0.0
    return matrix


def _bits(choices: tuple[str, ...]) -> Floats:
    """The adjacency matrix of a NAS-Bench-101 cell."""
    matrix = np.zeros((VERTICES, VERTICES))
    for pair, bit in zip(itertools.combinations(range(VERTICES), 2), choices, strict=False):
        matrix[pair] = float(bit == "1")
    return matrix


def _sizes_and_cells(choices: tuple[str, ...]) -> list[str]:
    """The nodes of a network of NDS: width, depth, and of both cells the two inputs, the edges and
    the output."""
    width, depth, *rest = choices
    half = len(rest) // 2
    cells = [[_INPUT, _INPUT, *cell[::2], _OUTPUT] for cell in (rest[:half], rest[half:])]
    return [width, depth, *cells[0], *cells[1]]


def _cell_edges(row: nds_cells.CellSpace, choices: tuple[str, ...]) -> Floats:
    """The edges of both cells of NDS as nodes: those into a node lead to those from it.

    An edge of `none` stays, as the text has its source. Width and depth lead to all inputs.
    """
    edges = 2 * row.nodes  # of a cell
    size = edges + 3
    matrix = np.zeros((2 + 2 * size,) * 2)
    for cell in range(2):
        start = 2 + cell * size
        numbers = choices[2 + 2 * cell * edges :][: 2 * edges]
        sources = [int(source) for source in numbers[1::2]]
        matrix[:2, [start, start + 1]] = 1.0
        for edge, source in enumerate(sources):
            matrix[_ends(start, source), start + 2 + edge] = 1.0
        for node in row.outputs(tuple(zip(numbers[::2], sources, strict=True))):
            matrix[_ends(start, node), start + 2 + edges] = 1.0
    return matrix


def _ends(start: int, source: int) -> list[int]:
    """What gives a cell's source (0 and 1: its inputs): an input, or the two edges into a node."""
    first = start + 2 + 2 * (source - 2)
    return [start + source] if source < 2 else [first, first + 1]


_CHAINS = ("nasbench-macro", "naap440", "nats-size")
_ADJACENCY: dict[str, Callable[[tuple[str, ...]], Floats]] = {
    "nasbench201": _edges_as_nodes,
    "nasbench101": _bits,
    **dict.fromkeys(_CHAINS, _chain),
    **{name: partial(_cell_edges, row) for name, row in nds_cells.ROWS.items()},
}
_OPERATIONS: dict[str, Callable[[tuple[str, ...]], list[str]]] = {
    "nasbench201": _with_ends,
    "nasbench101": _of_vertices,
    **dict.fromkeys(_CHAINS, _with_ends),
    **dict.fromkeys(nds_cells.ROWS, _sizes_and_cells),
}
