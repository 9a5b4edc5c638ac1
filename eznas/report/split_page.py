"""The sections of a page on splits: what lies in the leaf that each tree picks."""

from collections.abc import Iterator, Mapping
from typing import Any

from eznas.report.markdown import Column, code, number, table, text
from eznas.report.split_tables import summaries

Content = Mapping[str, Any]

_PICKED = (
    "trees: how many of them are different. Of the leaf that a tree's own scores pick: its share "
    "of the networks, the share of the best 1 %\nthat it holds, enrichment (the second divided by "
    "the first, with the standard deviation over trees), and regret (the best accuracy\nof all minus the "
    "best in it, in points). right: "
    "how often no other leaf holds more of the best 1 %; oracle: what the leaf that holds most of "
    "them holds, and its share of\nthe networks; eta squared: the share of the variance of "
    "accuracy that is between leaves."
)
_RULES = (
    "Of the same trees, the share of the best 1 % (enrichment) in the leaf with the highest mean "
    "rank of scored members, in that of the best\nscored member, and in a leaf picked at random; "
    "tau of the proxy on all scored networks, and the mean of its tau within leaves."
)


def described_splits(content: Content) -> str:
    """The first sentence of the section of a comparison of trees."""
    rows = content["splits"]
    rules, by = content["rules"], content["by"]
    makers = len({row["proxy"] for row in rows})
    unit = "mixed supernets" if by == "supernet" else "the mean ranks of members"
    stop = f", stop {rules['stop']}" if rules["stop"] else ""
    return (
        f"{content['space']} ({content['networks']:,} networks) in {rules['leaves']} leaves, by "
        f"{unit} (similarity of {content['similarity']}s, edges {rules['edges']}, groups "
        f"{rules['groups']}, next leaf {rules['next']}{stop}): trees of {makers} makers"
    )


def tables_of_splits(content: Content) -> Iterator[str]:
    """What the picked leaf holds, then other rules."""
    rows = summaries(content)
    yield table(
        [
            *(("tree by", code("proxy")), ("data set", text("dataset")), ("trees", text("trees"))),
            *(("share", number("share", ".3f")), ("top 1 %", number("top", ".2f"))),
            ("enrichment", _with_spread),
            *(("regret", number("regret", ".2f")), ("right", number("right", ".2f"))),
            ("oracle", _in("oracle", "oracle_share")),
            ("eta squared", number("eta_squared", ".3f")),
        ],
        rows,
    )
    yield _PICKED
    columns: list[Column] = [("tree by", code("proxy")), ("data set", text("dataset"))]
    for rule in ("members", "best member", "random"):
        columns.append((rule, _times(rule)))
    columns += [("tau", number("tau", ".3f")), ("within leaves", number("tau_within", ".3f"))]
    yield table(columns, rows)
    yield _RULES


def _with_spread(row: Content) -> str:
    spread = "" if row["spread"] is None else f" ({row['spread']:.1f})"
    return f"{row['enrichment']:.1f}{spread}"


def _in(top: str, share: str) -> Any:
    return lambda row: f"{row[top]:.2f} in {row[share]:.3f}"


def _times(rule: str) -> Any:
    return lambda row: (
        "-" if row[rule] is None else f"{row[rule]:.2f} ({row[f'{rule} enrichment']:.1f})"
    )
