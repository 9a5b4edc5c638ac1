"""The sections of a page on splits: what lies in the leaf that each tree picks."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from eznas.report.markdown import UNDEFINED, Column, code, formatted, table
from eznas.report.split_tables import summaries

Content = Mapping[str, Any]

_PICKED = (
    "trees: how many of them are different. Of the leaf that a tree's own scores pick, on "
    "{datasets}: its share of the networks, the\nshare of the best 1 % that it holds, enrichment "
    "(the second divided by the first), and regret (the best accuracy of all minus\nthe best in "
    "it, in points); means over trees. right: how often no leaf holds more of the best 1 %; "
    "oracle: how much the leaf holds\nthat holds most; eta squared: the share of the variance of "
    "accuracy that is between leaves."
)
_RULES = (
    "Of the same trees, the share of the best 1 % (enrichment) in the leaf with the highest mean "
    "rank of scored members, in that of the best\nscored member, and in a leaf picked at random; "
    "spread: the standard deviation of the first table's enrichment over trees; tau of the\nproxy "
    "on all scored networks, and the mean of its tau within leaves."
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
    """What the picked leaf holds, then other rules; a cell has a number for each data set."""
    rows = _by_maker(summaries(content))
    yield table(
        [
            ("tree by", code("proxy")),
            ("trees", lambda row: str(row["datasets"][0]["trees"])),
            *((heading, _each(key, form)) for heading, key, form in _COLUMNS),
        ],
        rows,
    )
    yield _PICKED.format(datasets=" / ".join(row["dataset"] for row in rows[0]["datasets"]))
    columns: list[Column] = [("tree by", code("proxy"))]
    for rule in ("members", "best member", "random"):
        columns.append((rule, _times(rule)))
    columns += [("spread", _each("spread", ".1f")), ("tau", _each("tau", ".2f"))]
    yield table([*columns, ("within leaves", _each("tau_within", ".2f"))], rows)
    yield _RULES


_COLUMNS = (  # heading, key of a summary, form
    *(("share", "share", ".3f"), ("top 1 %", "top", ".2f")),
    *(("enrichment", "enrichment", ".1f"), ("regret", "regret", ".2f"), ("right", "right", ".2f")),
    *(("oracle", "oracle", ".2f"), ("eta squared", "eta_squared", ".3f")),
)


def _by_maker(rows: Sequence[Content]) -> list[dict[str, Any]]:
    """One row for each maker of trees, with the summaries of its `datasets`."""
    makers: dict[str, list[Content]] = {}
    for row in rows:
        makers.setdefault(row["proxy"], []).append(row)
    return [{"proxy": maker, "datasets": summaries} for maker, summaries in makers.items()]


def _each(key: str, form: str) -> Callable[[Content], str]:
    """A cell with a number of each data set, or one where all are equal."""

    def cell(row: Content) -> str:
        numbers = [formatted(summary[key], form) for summary in row["datasets"]]
        return numbers[0] if len(set(numbers)) == 1 else " / ".join(numbers)

    return cell


def _times(rule: str) -> Callable[[Content], str]:
    def cell(row: Content) -> str:
        if row["datasets"][0][rule] is None:
            return UNDEFINED
        pairs = [(s[rule], s[f"{rule} enrichment"]) for s in row["datasets"]]
        return " / ".join(f"{top:.2f} ({times:.1f})" for top, times in pairs)

    return cell
