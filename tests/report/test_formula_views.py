"""One formula as text."""

import pytest

from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.report.formula_views import VIEWS, dot_lines, tree_lines

FORMULA = parse("1.23456789 * params - sum_layers(norm(weight)) / params")


def test_a_tree():
    assert tree_lines(FORMULA) == [
        "sub",
        "├─ mul",
        "│  ├─ 1.235",
        "│  └─ params",
        "└─ div",
        "   ├─ sum_layers",
        "   │  └─ norm",
        "   │     └─ weight",
        "   └─ params",
    ]


def test_a_graph_has_each_part_once():
    lines = dot_lines(FORMULA)
    assert sum('label="params"' in line for line in lines) == 1
    assert sum("->" in line for line in lines) == 8
    assert lines[0].startswith("digraph")
    assert lines[-1] == "}"


@pytest.mark.parametrize("view", VIEWS)
def test_every_classic_has_every_view(view):
    assert all(VIEWS[view](parse(row.formula)) for row in CLASSICS.values())
