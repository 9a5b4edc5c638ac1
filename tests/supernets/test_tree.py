"""Trees: how they grow, that their leaves share out the space, files, and what cannot be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eznas.errors import InputError
from eznas.spaces import SPACES
from eznas.supernets import tree_file
from eznas.supernets.cuts import ByScore, Cut
from eznas.supernets.growing import grow, random_tree
from eznas.supernets.parts import everything, inside, numbered, part, restricted, size
from eznas.supernets.tree import EDGES, NEXT, Node, Rules, Tree

NB201, MACRO = SPACES["nasbench201"], SPACES["nasbench-macro"]
WEIGHTS = (1.0, 4.0, 2.0, 0.5, 3.0, 0.1, 0.2, 5.0)  # of Macro's layers


def additive(allowed):
    """A score: the sum over layers of a weight times the mean of the allowed digits."""
    means = [sum(options) / len(options) for options in allowed]
    return sum(w * mean for w, mean in zip(WEIGHTS, means, strict=True))


def tree(space=MACRO, score=additive, **rules):
    chosen = Rules(**rules)
    root = grow(space, ByScore(score), score, chosen)
    return Tree(space.name, "digits", root, "members", chosen)


def positions_of(node):
    return [] if node.cut is None else [node.cut.position, *map(positions_of, node.children)]


def test_levels_in_the_given_order():
    grown = tree(leaves=4)
    assert positions_of(grown.root) == [0, [1, [], []], [1, [], []]]
    assert grown.root.cut.groups == ((0,), (1, 2))
    assert grown.root.cut.scores == tuple(
        additive(restricted(everything(MACRO), 0, [i])) for i in range(3)
    )
    assert positions_of(tree(leaves=4, positions=(3, 7)).root) == [3, [7, [], []], [7, [], []]]


def test_a_number_of_leaves_between_two_levels_splits_the_widest_cuts_first():
    def uneven(allowed):
        """Layer 1 matters where layer 0 is not the identity."""
        return 0.1 * allowed[0][0] + (
            sum(allowed[1]) / len(allowed[1]) if 0 not in allowed[0] else 0
        )

    grown = tree(score=uneven, leaves=3)
    assert [len(leaf.allowed[0]) for leaf in grown.leaves] == [1, 2, 2]
    assert len(grown.leaves) == 3


def test_the_widest_position_is_cut_first_and_each_once():
    grown = tree(edges="widest", leaves=8)
    assert grown.root.cut.position == 7
    level = [child.cut.position for child in grown.root.children]
    assert level == [1, 1]
    assert grown.chosen == max(range(8), key=lambda i: grown.leaves[i].score)


def test_the_best_leaf_is_followed():
    grown = tree(edges="widest", next="best", leaves=5)
    best = grown.root
    while best.cut is not None:
        best = max(best.children, key=lambda child: additive(child.allowed))
    assert grown.leaves[grown.chosen] == best
    assert sum(len(options) < 3 for options in best.allowed) == 4


def test_a_cut_that_is_too_narrow_is_not_made():
    assert len(tree(edges="widest", stop=0.5, leaves=64).leaves) == 2**3  # weights 5, 4 and 3
    assert len(tree(edges="widest", stop=0.0, leaves=64).leaves) == 64


def test_random_order_depends_on_the_seed():
    orders = {
        str(positions_of(tree(edges="random", seed=seed, leaves=4).root)) for seed in range(9)
    }
    assert len(orders) > 3


def test_a_space_is_split_down_to_its_networks():
    few = part(MACRO, [[0, 1, 2]] * 2 + [[0]] * 6)
    leaves = list(grow(few, ByScore(additive), additive, Rules(leaves=100)).leaves())
    assert len({leaf.allowed for leaf in leaves}) == 9
    assert {size(few, leaf.allowed) for leaf in leaves} == {1}


def test_all_options_lowest_still_make_a_tree():
    grown = tree(score=lambda _: -math.inf, leaves=4)
    assert [leaf.score for leaf in grown.leaves] == [None] * 4
    assert grown.chosen == 0


@given(
    st.integers(1, 12),
    st.sampled_from(EDGES),
    st.sampled_from(NEXT),
    st.sampled_from(["free", "balanced"]),
    st.integers(0, 99),
)
@settings(max_examples=25)
def test_leaves_share_out_the_space(leaves, edges, next_leaf, groups, seed):
    generator = np.random.default_rng(seed)
    known = {}

    def score(allowed):
        return known.setdefault(allowed, float(generator.normal()))

    grown = tree(NB201, score, leaves=leaves, edges=edges, next=next_leaf, groups=groups, seed=seed)
    members = np.stack([inside(CHOICES, leaf.allowed) for leaf in grown.leaves])
    assert (members.sum(axis=0) == 1).all()
    assert len(grown.leaves) == leaves
    assert sum(grown.sizes) == len(CHOICES)
    assert members.sum(axis=1).tolist() == list(grown.sizes)


CHOICES = numbered(NB201, NB201.architectures())


def test_random_trees_share_out_the_space_and_differ():
    trees = [Tree("nasbench201", "random", random_tree(NB201, 8, seed)) for seed in range(5)]
    assert {sum(t.sizes) for t in trees} == {15_625}
    assert len({t.partition for t in trees}) == 5
    assert Tree("nasbench201", "random", random_tree(NB201, 8, 0)) == trees[0]


def test_parts_are_spaces():
    grown = tree(leaves=4)
    names = [name for space in grown.parts for name in space.architectures()]
    assert sorted(names) == sorted(MACRO.architectures())


def test_a_file_gives_the_same_tree(tmp_path):
    grown = tree(leaves=5, edges="widest", groups="balanced")
    file = str(tmp_path / "tree.json")
    tree_file.write(file, grown)
    assert tree_file.read(file) == grown
    assert tree_file.leaf_of(f"{file}#2") == (MACRO.name, grown.leaves[1].allowed)


def test_json_says_what_lies_where():
    content = tree_file.as_json(tree(leaves=2))
    first, second = content["leaves"]
    assert first["allowed"] == ((0,), *[(0, 1, 2)] * 7)
    assert [first["size"], second["size"]] == [3**7, 2 * 3**7]
    assert second["score"] == pytest.approx(additive(second["allowed"]))
    assert content["chosen"] == 2


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ({"edges": "wide"}, "unknown edges 'wide'; did you mean 'widest'"),
        ({"groups": "even"}, "unknown groups"),
        ({"next": "deepest"}, "unknown next leaf"),
        ({"leaves": 0}, "leaves 0: expected 1 or more"),
        ({"stop": 2.0}, "stop 2.0: expected a share"),
        ({"positions": (8,)}, "position 8: expected 0 to 7"),
    ],
)
def test_rules_that_are_none(rules, problem):
    with pytest.raises(InputError, match=problem):
        tree(**rules)


def test_trees_that_are_none():
    whole = everything(MACRO)
    with pytest.raises(InputError, match="unknown space"):
        Tree("macro", "p", Node(whole))
    with pytest.raises(InputError, match="does not have all options"):
        Tree(MACRO.name, "p", Node(restricted(whole, 0, [1])))
    with pytest.raises(InputError, match="has children but no cut"):
        Tree(MACRO.name, "p", Node(whole, children=(Node(whole),)))
    twice = tuple(Node(restricted(whole, 0, group)) for group in ((0, 1), (1, 2)))
    with pytest.raises(InputError, match="do not share out"):
        Tree(MACRO.name, "p", Node(whole, cut=Cut(0, ((0, 1), (1, 2)), 1.0), children=twice))
    with pytest.raises(InputError, match="do not share out"):
        Tree(MACRO.name, "p", Node(whole, cut=Cut(9, ((0,), (1, 2)), 1.0), children=twice))


def test_files_that_are_none(tmp_path):
    file = tmp_path / "tree.json"
    tree_file.write(str(file), tree(leaves=2))
    with pytest.raises(InputError, match="expected leaf #1 to #2, got #3"):
        tree_file.leaf_of(f"{file}#3")
    with pytest.raises(InputError, match=r"expected FILE.json#K"):
        tree_file.leaf_of("tree")
    file.write_text('{"tree": {"space": "nasbench-macro", "proxy": "p"}}')
    with pytest.raises(InputError, match="root: Field required"):
        tree_file.read(str(file))
    with pytest.raises(InputError, match=r"ends in .json"):
        tree_file.write(str(tmp_path / "tree.txt"), tree(leaves=2))
    with pytest.raises(InputError, match="no folder"):
        tree_file.write(str(tmp_path / "none" / "tree.json"), tree(leaves=2))
