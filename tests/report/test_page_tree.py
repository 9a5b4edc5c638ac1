"""A formula as a tree of an HTML page."""

import pytest

from eznas.formulas.parser import parse
from eznas.proxies.classics import CLASSICS
from eznas.report.page_tree import page_tree


def shape(branch):
    """A branch as its steps and its branches."""
    return " ".join(step.text for step in branch.steps), [shape(b) for b in branch.branches]


def test_a_chain_is_one_line_and_a_sum_one_branching():
    tree = page_tree(
        parse("-1.23456789 * log(params) + paths_count + log(mean_layers(layer_area))")
    )
    assert shape(tree) == (
        "+",
        [("−1.235 × log params", []), ("paths_count", []), ("log mean_layers layer_area", [])],  # noqa: RUF001
    )
    steps = tree.branches[0].steps
    assert [step.kind for step in steps] == ["number", "primitive", "primitive", "statistic"]
    assert steps[3].meaning
    assert not steps[0].meaning


def test_what_has_two_arguments_branches():
    assert shape(page_tree(parse("params / (paths_count - 2.0) * operations"))) == (
        "×",  # noqa: RUF001
        [("÷", [("params", []), ("−", [("paths_count", []), ("2", [])])]), ("operations", [])],  # noqa: RUF001
    )


def _count(branch):
    return len(branch.steps) + sum(map(_count, branch.branches))


@pytest.mark.parametrize("name", CLASSICS)
def test_every_classic_has_a_tree(name):
    assert (
        0 < _count(page_tree(parse(CLASSICS[name].formula))) <= parse(CLASSICS[name].formula).size
    )
