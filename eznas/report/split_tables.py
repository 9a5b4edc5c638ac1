"""Trees drawn in text, and tables of what lies in their leaves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report.cells import UNDEFINED, WIDTH, new_table, wide_or_narrow

Content = Mapping[str, Any]


def tree_lines(content: Content) -> Iterator[str]:
    """A tree as lines of text; `content`: as `eznas.supernets.tree_file.as_json` gives it."""
    leaves = {_key(leaf["allowed"]): leaf for leaf in content["leaves"]}
    yield f"{content['space']} by {content['proxy']} ({content['by']})"
    yield from _below(content["tree"]["root"], "", content, leaves)


def _below(
    node: Content, indent: str, content: Content, leaves: Mapping[Any, Any]
) -> Iterator[str]:
    cut = node["cut"]
    if cut is None:
        return
    for index, (group, child) in enumerate(zip(cut["groups"], node["children"], strict=True)):
        is_last = index == len(cut["groups"]) - 1
        named = group_text(content["options"], cut["position"], group)
        leaf = leaves.get(_key(child["allowed"])) if child["cut"] is None else None
        end = "" if leaf is None else f"  {leaf_text(leaf, content['chosen'])}"
        yield f"{indent}{'└─' if is_last else '├─'} {named}{end}"
        yield from _below(child, indent + ("   " if is_last else "│  "), content, leaves)


def group_text(options: Sequence[Sequence[str]], position: int, group: Sequence[int]) -> str:
    """A group of options of a position, by their names."""
    return f"{position}: {', '.join(options[position][i] or 'nothing' for i in group)}"


def leaf_text(leaf: Content, chosen: int) -> str:
    """The number of a leaf, its size and score, and a star where it is the chosen one."""
    size = "?" if leaf["size"] is None else f"{leaf['size']:,}"
    score = "lowest" if leaf["score"] is None else f"{leaf['score']:.4g}"
    return f"#{leaf['leaf']} {size} networks, {score}{' *' if leaf['leaf'] == chosen else ''}"


def leaf_table(content: Content) -> Table:
    """What lies in each leaf of one tree, on one data set; `content`: a row of a comparison."""
    table = new_table(f"leaves, {content['dataset']}")
    for heading in ("leaf", "networks", "mean", "median", "best", "top 1 %", "x", "tau"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, leaf in enumerate(content["leaves"], 1):
        cells = [_form(leaf[key], ".2f") for key in ("mean", "median", "best")]
        cells += [_form(leaf["top"], ".2f"), _form(leaf["enrichment"], ".1f")]
        table.add_row(str(number), f"{leaf['networks']:,}", *cells, _form(leaf["tau"], ".2f"))
    return table


def split_title(content: Content) -> str:
    """What the columns of `split_table` are about, in a line."""
    networks = f"{content['space']}, {content['networks']:,} networks"
    return f"{networks}: the leaf that a tree's own scores pick, of {content['rules']['leaves']}"


def split_table(content: Content, width: int = WIDTH) -> Table | Text:
    """What lies in the leaf that a tree's own scores pick, by the maker of the tree; `content`: as
    `eznas.studies.split_comparison.compare_splits` returns it."""
    rows = [
        (
            *(row["proxy"], row["dataset"], row["trees"]),
            *(_form(row[key], form) for key, form in _COLUMNS),
        )
        for row in summaries(content)
    ]
    headings = ("trees", "share", "top 1 %", "x", "regret", "oracle", "eta2")
    return wide_or_narrow("", ("tree by", "data set", *headings), rows, names=2, width=width)


_COLUMNS = (
    *(("share", ".3f"), ("top", ".2f"), ("enrichment", ".1f"), ("regret", ".2f")),
    *(("oracle", ".2f"), ("eta_squared", ".3f")),
)


def summaries(content: Content) -> list[dict[str, Any]]:
    """One row for each maker of trees and data set: means over its trees of what the leaf holds
    that their own scores pick, and of what the others hold; the standard deviation of `enrichment`
    over trees as `spread`; `trees`: how many trees are different, of how many."""
    groups: dict[tuple[str, str], list[Content]] = {}
    for row in content["splits"]:
        groups.setdefault((row["dataset"], row["proxy"]), []).append(row)
    return [_summary(proxy, dataset, rows) for (dataset, proxy), rows in groups.items()]


def _summary(proxy: str, dataset: str, rows: Sequence[Content]) -> dict[str, Any]:
    picks = [{pick["rule"]: pick for pick in row["picks"]} for row in rows]
    own = [pick["score"] for pick in picks]
    different = len({str(sorted(leaf["allowed"] for leaf in row["leaves"])) for row in rows})
    summary: dict[str, Any] = {"proxy": proxy, "dataset": dataset}
    summary["trees"] = f"{different} of {len(rows)}"
    for key in ("share", "top", "enrichment", "regret", "lost"):
        summary[key] = _mean([pick[key] for pick in own])
    summary["spread"] = _deviation([pick["enrichment"] for pick in own])
    summary["right"] = sum(pick["lost"] == 0 for pick in own) / len(own)
    summary["eta_squared"] = _mean([row["eta_squared"] for row in rows])
    summary["oracle"] = _mean([pick["oracle"]["top"] for pick in picks])
    summary["oracle_share"] = _mean([pick["oracle"]["share"] for pick in picks])
    for rule in ("members", "best member", "random"):
        summary[rule] = _mean([pick[rule]["top"] for pick in picks if rule in pick])
        summary[f"{rule} enrichment"] = _mean(
            [pick[rule]["enrichment"] for pick in picks if rule in pick]
        )
    summary["tau"] = _mean([row["tau"] for row in rows])
    summary["tau_within"] = _mean([_within(row) for row in rows])
    return summary


def _within(row: Content) -> float | None:
    """The mean of tau within leaves, weighted by their networks."""
    pairs = [(leaf["tau"], leaf["networks"]) for leaf in row["leaves"] if leaf["tau"] is not None]
    total = sum(networks for _, networks in pairs)
    return sum(tau * networks for tau, networks in pairs) / total if total else None


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return float((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)


def _form(value: float | None, form: str) -> str:
    return UNDEFINED if value is None else format(value, form)


def _key(allowed: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(options) for options in allowed)
