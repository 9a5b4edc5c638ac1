"""A search, and a comparison of searches, as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from eznas.report.markdown import Column, code, number, table, text
from eznas.report.search_tables import (
    ahead,
    best_line,
    best_so_far,
    comparison_title,
    search_title,
    shown_rows,
)

Content = Mapping[str, Any]
_SEARCH = (
    "best so far: the highest accuracy found, mean over repeats with its 95 % bootstrap interval; "
    "regret: how far it is from the best\nof all networks."
)
_COMPARISON = (
    "ahead: the difference in pairs of repeats with its 95 % bootstrap interval; won or lost where "
    "that excludes zero."
)


def described_search(content: Content) -> str:
    """The first sentence of the section of a search."""
    title = search_title(content)
    return f"{title[0].upper()}{title[1:]}, seed {content['seed']}; {best_line(content, '`')}"


def tables_of_search(content: Content) -> Iterator[str]:
    """The best so far after some numbers of queries."""
    columns: list[Column] = [("queries", text("queries")), ("best so far", number("mean", ".2f"))]
    if content["repeats"] > 1:
        columns.append(("[95 %]", lambda row: f"[{row['low']:.2f}, {row['high']:.2f}]"))
    columns.append(("regret", number("regret", ".2f")))
    yield table(columns, shown_rows(content))
    yield _SEARCH


def described_comparison(content: Content) -> str:
    """The first sentence of the section of a comparison."""
    title = comparison_title(content)
    return f"{title[0].upper()}{title[1:]}, seed {content['seed']}"


def tables_of_comparison(content: Content) -> Iterator[str]:
    """The best so far of every search after some numbers of queries, and how far it is ahead."""
    columns: list[Column] = [
        ("queries", text("queries")),
        ("search", code("search")),
        ("best so far [95 %]", best_so_far),
        (f"ahead of `{content['first']}` [95 %]", ahead),
        ("", lambda row: row.get("verdict", "")),
    ]
    yield table(columns, content["rows"])
    yield _COMPARISON
