"""A tree of parts as a picture: cuts from left to right, leaves with their sizes and scores."""

from pathlib import Path
from typing import TYPE_CHECKING

from eznas.report.figure import COLOURS, INK, PALE, TEXT, check, new_figure, save, shorten, title
from eznas.report.split_tables import group_text, leaf_text
from eznas.spaces import SPACES
from eznas.supernets.tree import Node, Tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tree_plot(path: Path, tree: Tree) -> None:
    """Draw a tree: each line leads to the part that allows the options on it. Raises `InputError`
    if the file cannot be written."""
    check(path)
    depth, leaves = _depth(tree.root), tree.leaves
    figure = new_figure(2.4 * (depth + 1.2), 1.0 + 0.42 * len(leaves))
    title(figure, f"{tree.space} by {tree.proxy} ({tree.by})")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set_xlim(-0.05, depth + 1.15)
    axes.set_ylim(len(leaves) - 0.4, -0.6)
    _Drawing(axes, tree).draw(tree.root, 0)
    save(path, figure)


class _Drawing:
    """Draws nodes; leaves get rows from top to bottom."""

    def __init__(self, axes: "Axes", tree: Tree) -> None:
        self._axes, self._tree, self._row = axes, tree, 0

    def draw(self, node: Node, level: int) -> float:
        """Draw a node and what is below it; the height at which it stands."""
        if node.cut is None:
            self._leaf(node, level)
            self._row += 1
            return self._row - 1.0
        heights = [self.draw(child, level + 1) for child in node.children]
        here = sum(heights) / len(heights)
        options = SPACES[self._tree.space].positions
        for height, group in zip(heights, node.cut.groups, strict=True):
            self._axes.plot(
                [level, level + 0.12, level + 1], [here, height, height], color=PALE, zorder=1
            )
            label = shorten(group_text(options, node.cut.position, group), 26, 2)
            self._axes.text(level + 0.15, height - 0.06, label, va="bottom", fontsize=6, **TEXT)
        self._axes.plot([level], [here], marker="o", markersize=3, color=INK)
        return here

    def _leaf(self, node: Node, level: int) -> None:
        index, size = self._row, self._tree.sizes[self._row]
        row = {"leaf": index + 1, "size": size, "score": node.score}
        is_chosen = index == self._tree.chosen
        self._axes.plot([level], [index], "o", markersize=4, color=COLOURS[1 if is_chosen else 0])
        label = leaf_text(row, self._tree.chosen + 1)
        self._axes.text(level + 0.04, index, label, va="center", fontsize=7, **TEXT)


def _depth(node: Node) -> int:
    return max((1 + _depth(child) for child in node.children), default=0)
