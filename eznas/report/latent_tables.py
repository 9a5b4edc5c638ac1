"""A latent search, and a comparison of several: tables for a terminal, and as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report import markdown
from eznas.report.cells import UNDEFINED, new_table

Content = Mapping[str, Any]

_MEANING = (
    "unified: the weighted sum of the proxies, of which the answer of each search has the mean; "
    "percentile: the share of all\nnetworks below each of the answer, in the mean; accuracy: mean "
    "and best of the answer.\nMeans over repeats with 95 % bootstrap intervals; differences to the "
    "first in pairs of repeats,\nwon or lost where the interval excludes zero."
)
_HEADS = (
    "tau: Kendall's, of the unified score predicted and measured on all networks that share no "
    "component with one that was measured\nor labelled; mean over repeats with its interval, and "
    "the least."
)
_TAUS = (
    "tau with accuracy on held-out networks, none of which had a label; of the unified score the "
    "mean over repeats; ahead of each proxy:\npaired, over a bootstrap of components."
)


def latent_title(content: Content) -> str:
    """What was searched, in a line; `content` as `eznas.studies.latent_search.described` gives
    it."""
    where = f"{content['space']}/{content['dataset']}"
    counts = f"{content['measured']:,} networks measured, {content['visited']:,} visited"
    return f"{content['method']} search, {where}: {counts}, {content['seconds']:.0f} s"


def answer_table(content: Content) -> Table:
    """The networks of the answer, best measured first; `content` as in `latent_title`."""
    table = new_table()
    rows = content["architectures"]
    known = any(row["accuracy"] is not None for row in rows)
    predicted = any(row["predicted"] is not None for row in rows)
    numbers = ["measured", *(["predicted"] if predicted else []), "step"]
    for heading in (*numbers, *(["accuracy"] if known else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("architecture", overflow="fold")
    for row in rows:
        cells = [f"{row['measured']:+.3f}"]
        cells += [_number(row["predicted"], "+.3f")] if predicted else []
        cells += [_number(row["step"], "d")]
        cells += [_number(row["accuracy"], ".2f")] if known else []
        table.add_row(*cells, Text(row["architecture"]))
    return table


def weight_table(content: Content) -> Table:
    """The proxies with their weights, and how well heads predict them; `content` as in
    `latent_title`."""
    rows = content["proxies"]
    table = new_table(f"unified score, weights {content['weights']}")
    has_heads = any(row["tau"] is not None for row in rows)
    table.add_column("weight", justify="right", no_wrap=True)
    if has_heads:
        table.add_column("tau of its head", justify="right", no_wrap=True)
    table.add_column("proxy", overflow="fold")
    for row in rows:
        spread = "" if row["deviation"] is None else f" ± {row['deviation']:.3f}"
        cells = [f"{row['weight']:+.3f}{spread}"]
        cells += [_number(row["tau"], "+.3f")] if has_heads else []
        table.add_row(*cells, Text(row["proxy"]))
    return table


def latent_lines(content: Content) -> Iterator[str]:
    """What the answer is worth as far as it is known; `content` as in `latent_title`."""
    if content["tau"] is not None:
        yield (
            f"predicted and measured unified score: tau {content['tau']:+.3f} on "
            f"{content['aside']} networks set aside"
        )
    elif content["aside"]:
        yield (
            f"predicted and measured unified score: tau unknown, {content['aside']} networks set "
            "aside are too few"
        )
    if content["exact"] is not None:
        yield f"decoded exactly: {100 * content['exact']:.1f} % of the networks trained on"
    known = [r["accuracy"] for r in content["architectures"] if r["accuracy"] is not None]
    if known:
        mean, best = sum(known) / len(known), max(known)
        yield (
            f"{content['accuracy']} accuracy of the answer: mean {mean:.2f}, best {best:.2f} "
            f"({len(known)} of {len(content['architectures'])} known)"
        )


def latent_comparison_title(content: Content) -> str:
    """What is compared, in a line; `content` as `eznas.studies.latent_comparison.latent_compare`
    gives it."""
    where = f"{content['space']}/{content['dataset']}"
    labels = f", {content['labels']} labels" if content["labels"] else ""
    return (
        f"unified score of {len(content['proxies'])} proxies, weights {content['weights']}{labels},"
        f" {where}, {content['repeats']} repeats"
    )


def latent_comparison_table(content: Content) -> Table:
    """What each search comes to; `content` as in `latent_comparison_title`."""
    table = new_table()
    columns = _columns(content)
    table.add_column("search", overflow="fold")
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for row in content["latent_searches"]:
        table.add_row(Text(row["search"]), *(cell(row) for _, cell in columns))
    return table


def described_latent_comparison(content: Content) -> str:
    """The first sentence of the section of a comparison."""
    title = latent_comparison_title(content)
    proxies = ", ".join(f"`{proxy}`" for proxy in content["proxies"])
    budget = f"{content['train']:,} + {content['top']} networks measured by each search"
    return (
        f"{title[0].upper()}{title[1:]} from seed {content['seed']}; {budget}. Proxies: {proxies}"
    )


def tables_of_latent_comparison(content: Content) -> Iterator[str]:
    """What each search comes to; how well heads predict; what the unified score is worth."""
    yield markdown.table(
        [("search", markdown.code("search")), *_columns(content)], content["latent_searches"]
    )
    yield _MEANING
    if content["heads"]:
        columns: list[markdown.Column] = [
            ("heads of", markdown.code("search")),
            ("tau [95 %]", lambda row: _interval(row, "tau", "+.3f")),
            ("least", markdown.number("least", "+.3f")),
        ]
        yield markdown.table(columns, content["heads"])
        yield _HEADS
    if content["taus"]:
        yield markdown.table(
            [
                ("score", markdown.code("score")),
                ("tau [95 %]", lambda row: _interval(row, "tau", "+.3f")),
                ("unified ahead by [95 %]", lambda row: _interval(row, "behind", "+.3f")),
                ("networks", markdown.number("networks", ",d")),
            ],
            content["taus"],
        )
        yield _TAUS


def _columns(content: Content) -> list[markdown.Column]:
    columns: list[markdown.Column] = [
        ("measured", lambda row: f"{row['measured']:,}"),
        ("unified", lambda row: _interval(row, "unified", "+.3f")),
        ("minus first", lambda row: _difference(row, "unified", "+.3f")),
    ]
    if content["networks"]:
        columns += [
            ("percentile", lambda row: _interval(row, "percentile", ".2f")),
            ("least", lambda row: f"{row['least_percentile']:.2f}"),
        ]
    if content["accuracy"]:
        columns += [
            ("accuracy", lambda row: _interval(row, "answer_accuracy", ".2f")),
            ("best", lambda row: _number(row["best_accuracy"], ".2f")),
            ("minus first", lambda row: _difference(row, "accuracy", "+.2f")),
        ]
    return columns


def _difference(row: Content, key: str, form: str) -> str:
    name = f"{key}_difference"
    return f"{_interval(row, name, form)} {row[f'{key}_verdict']}" if name in row else ""


def _interval(row: Content, key: str, form: str) -> str:
    if row.get(key) is None:
        return ""
    low, high = (_number(row[f"{key}_{end}"], form) for end in ("low", "high"))
    return f"{row[key]:{form}} [{low}, {high}]"


def _number(value: float | None, form: str) -> str:
    return UNDEFINED if value is None else f"{value:{form}}"
