"""Saved searches side by side, by hand, and those that cannot be compared."""

import json
from pathlib import Path

import pytest

from eznas.errors import InputError
from eznas.report.search_tables import ahead, best_so_far
from eznas.search.as_json import described
from eznas.search.result import Query, SearchResult
from eznas.studies.search_comparison import compare_saved, plot
from tests.studies.made_up import is_png

USUAL = {"method": "random", "space": "nasbench201", "dataset": "cifar10", "kind": "validation"}


def save(file, *repeats, **values):
    """A saved search whose repeats have queried networks of these accuracies."""
    queries = tuple(
        tuple(Query(f"{repeat}-{i}", float(a)) for i, a in enumerate(accuracies))
        for repeat, accuracies in enumerate(repeats)
    )
    numbers = {"seed": 0, "queries": len(repeats[0]), "repeats": queries}
    content = described(SearchResult(**USUAL | numbers | values))
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(json.dumps(content))
    return str(file)


def test_rows_by_hand():
    """11 queries: the second repeat of the one ahead finds its best late."""
    first = save("first.json", [1] * 11, [3] * 11)
    other = save("other.json", [2] * 11, [4] * 10 + [5])
    content = compare_saved([first, other])
    assert content["first"] == "first"
    assert content["curves"] == {"first": [2.0] * 11, "other": [3.0] * 10 + [3.5]}
    assert [(row["queries"], row["search"]) for row in content["rows"]] == [
        *((10, "first"), (10, "other"), (11, "first"), (11, "other")),
    ]
    assert content["rows"][1] == {
        **{"queries": 10, "search": "other", "mean": 3.0, "low": 2.0, "high": 4.0},
        **{"difference": 1.0, "difference_low": 1.0, "difference_high": 1.0, "verdict": "won"},
    }
    late = content["rows"][3]
    assert (late["difference"], late["difference_low"], late["difference_high"]) == (1.5, 1.0, 2.0)
    assert [ahead(row) for row in content["rows"][2:]] == ["", "+1.50 [+1.00, +2.00]"]
    assert best_so_far(late) == "3.50 [2.00, 5.00]"
    assert plot(content, "compared.png") == ["compared.png"]
    assert is_png("compared.png")


def test_one_repeat_has_no_intervals():
    content = compare_saved([save("first.json", [1, 2]), save("other.json", [1, 1])])
    row = content["rows"][-1]
    assert (row["difference"], row["difference_low"], row["verdict"]) == (-1.0, None, "even")
    assert ahead(row) == "-1.00"


def test_files_of_one_name_are_named_in_full():
    files = [save("a/mine.json", [1, 2]), save("b/mine.json", [1, 1])]
    assert list(compare_saved(files)["curves"]) == files


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"space": "nasbench101"}, "^other and first: searches with space nasbench101 and nasb"),
        ({"dataset": "cifar100"}, "dataset cifar100 and cifar10: expected the same"),
        ({"seed": 1}, "seed 1 and 0"),
        ({"repeats": ((Query("a", 1.0),),)}, "searches of 1 and 2 repeats: expected as many"),
        ({"queries": 3}, "queries 3 and 2"),
    ],
)
def test_searches_that_cannot_be_compared(values, message):
    first = save("first.json", [1, 2], [1, 2])
    other = save("other.json", [1, 2], [1, 2], **values)
    with pytest.raises(InputError, match=message):
        compare_saved([first, other])


def test_files_that_cannot_be_compared():
    first = save("first.json", [1, 2])
    Path("rows.json").write_text("{}")
    with pytest.raises(InputError, match="two or more files"):
        compare_saved([first])
    with pytest.raises(InputError, match=r"first\.json: given twice"):
        compare_saved([first, first])
    with pytest.raises(InputError, match=r"^rows\.json: expected a search as `eznas search"):
        compare_saved([first, "rows.json"])
