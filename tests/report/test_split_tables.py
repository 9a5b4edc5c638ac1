"""Trees as text, and tables of what lies in their leaves."""

import pytest

from eznas.report.split_page import described_splits, tables_of_splits
from eznas.report.split_tables import leaf_text, split_table, split_title, summaries, tree_lines
from eznas.spaces import SPACES
from eznas.supernets.cuts import Cut
from eznas.supernets.parts import everything, restricted
from eznas.supernets.tree import Node, Tree
from eznas.supernets.tree_file import as_json
from tests.report.test_tables import rendered

MACRO = SPACES["nasbench-macro"]


def pick(rule, top, share=0.1, lost=0.0, regret=0.5):
    numbers = {"share": share, "top": top, "enrichment": top / share}
    return {"rule": rule, "leaf": 0, **numbers, "regret": regret, "lost": lost}


def row(proxy="naswot", seed=0, top=0.3, dataset="cifar10", members=True, allowed=((0,),)):
    rules = ["score", *(["members", "best member"] if members else []), "oracle", "random"]
    leaf = {"networks": 10, "tau": 0.5, "allowed": allowed}
    return {
        "proxy": proxy,
        "seed": seed,
        "dataset": dataset,
        "leaves": [leaf, {"networks": 30, "tau": 0.1, "allowed": ((1,),)}],
        "picks": [pick(rule, top, lost=0.1 * seed) for rule in rules],
        "eta_squared": 0.25,
        "tau": 0.6 if members else None,
    }


def content(*rows):
    rules = {"leaves": 8, "edges": "given", "groups": "free", "next": "level", "stop": 0.0}
    how = {"space": "nasbench201", "by": "supernet", "similarity": "score", "rules": rules}
    return {**how, "networks": 15_625, "splits": list(rows)}


def test_a_tree_as_text():
    whole = everything(MACRO)
    children = (Node(restricted(whole, 0, [0]), -1.5), Node(restricted(whole, 0, [1, 2])))
    tree = Tree(MACRO.name, "snip", Node(whole, 2.0, Cut(0, ((0,), (1, 2)), 1.0), children))
    assert list(tree_lines(as_json(tree))) == [
        "nasbench-macro by snip (supernet)",
        "├─ 0: 0  #1 2,187 networks, -1.5 *",
        "└─ 0: 1, 2  #2 4,374 networks, lowest",
    ]


def test_a_size_that_is_not_known():
    assert leaf_text({"leaf": 3, "size": None, "score": 1.0}, chosen=1) == "#3 ? networks, 1"


def test_means_over_trees_by_hand():
    rows = [row(seed=0, top=0.2), row(seed=1, top=0.4, allowed=((2,),))]
    [summary] = summaries(content(*rows))
    assert summary["trees"] == "2 of 2"
    assert round(summary["top"], 9) == 0.3
    assert round(summary["enrichment"], 9) == 3.0
    assert round(summary["spread"], 6) == 1.414214
    assert summary["right"] == 0.5
    assert summary["tau_within"] == (10 * 0.5 + 30 * 0.1) / 40
    assert summaries(content(row()))[0]["spread"] is None


def test_the_table_of_a_terminal():
    text = rendered(split_table(content(row(), row("random", members=False))))
    assert "naswot" in text
    assert "1 of 1" in text
    assert split_title(content()).startswith("nasbench201, 15,625 networks: the leaf")


def test_a_page_has_a_row_for_each_maker_and_a_number_for_each_data_set():
    made = content(row(), row(dataset="cifar100", top=0.5), row("random", members=False))
    assert "by mixed supernets" in described_splits(made)
    picked, meaning, rules, _ = tables_of_splits(made)
    assert "| `naswot` | 1 of 1 | 0.100 | 0.30 / 0.50 | 3.0 / 5.0 |" in picked
    assert "on cifar10 / cifar100: its share" in meaning
    assert "| `random` | - | - | 0.30 (3.0) |" in rules


@pytest.mark.parametrize("width", [80, 40])
def test_names_of_data_sets_stay_whole(width):
    rows = [row("true accuracy", dataset="ImageNet16-120"), row("naswot", dataset="cifar10")]
    text = rendered(split_table(content(*rows), width), width)
    assert all(word in text for word in ("ImageNet16-120", "true accuracy", "0.30", "0.250"))
