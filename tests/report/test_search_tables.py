"""Tables of a search: which numbers of queries they show, and how costs are written."""

import pytest

from eznas.report.search_tables import best_line, count, front_table, search_table, search_title
from eznas.search.as_json import described
from eznas.search.costs import Cost, Limits
from eznas.search.result import Query, SearchResult
from tests.report.test_tables import ARCHITECTURE, column, rendered


def content(repeats=1, limits=None, seconds=None):
    queries = tuple(
        Query(ARCHITECTURE, 50.0 + i, Cost(1_073_466, 153_270_272, seconds)) for i in range(12)
    )
    searched = ("evolution", "nasbench201", "ImageNet16-120", "validation", 0, 12)
    return described(SearchResult(*searched, (queries,) * repeats, limits or Limits(), 62.5))


def test_one_repeat_has_no_interval():
    text = rendered(search_table(content()))
    assert column(text, "queries") == "1251012"
    assert column(text, "best so far") == "50.0051.0054.0059.0061.00"
    assert column(text, "regret") == "12.5011.508.503.501.50"
    assert "95 %" not in text


def test_several_repeats_have_one():
    assert "[61.00, 61.00]" in rendered(search_table(content(repeats=2)))


def test_where_the_best_is_not_known_the_regret_is_open():
    unknown = content() | {"curve": content()["curve"] | {"regret": None}}
    assert column(rendered(search_table(unknown)), "regret") == "-----"


def test_the_front_has_whole_architectures_and_says_whose_it_is():
    text = rendered(front_table(content(repeats=2)))
    assert column(text, "architecture") == ARCHITECTURE
    assert "1.07M" in text
    assert "153M" in text
    assert "first repeat" in text
    limited = rendered(front_table(content(2, Limits(seconds=1.0), seconds=0.0123)))
    assert "first repeat" not in limited
    assert "12.30" in limited


def test_lines():
    title = "evolution search, nasbench201/ImageNet16-120, validation accuracy, 2 repeats"
    assert search_title(content(repeats=2)) == title
    assert best_line(content()) == f"best: 61.00  {ARCHITECTURE}"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (812, "812"), (73_290, "73.3k"), (999_999, "1M"), (2.1e9, "2.1G"), (5e12, "5000G")],
)
def test_large_numbers_have_three_digits(number, text):
    assert count(number) == text
