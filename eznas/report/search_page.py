"""A search, and a comparison of searches, as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from eznas.report.markdown import Column, number, table, text
from eznas.report.search_tables import best_line, search_title, shown_rows

Content = Mapping[str, Any]
_SEARCH = (
    "best so far: the highest accuracy found, mean over repeats with its 95 % bootstrap interval; "
    "regret: how far it is from the best\nof all networks."
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
