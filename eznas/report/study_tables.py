"""Tables of the studies: features, yardsticks, agreement, combinations of proxies, speed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from eznas.report.cells import correlation_cell, interval_cell, new_table, sort_key


def feature_ranking_table(
    rows: Sequence[Mapping[str, Any]], title: str, top: int | None = None
) -> Table:
    """Features by the mean of |tau| over the datasets where tau is defined, the `top` highest.

    `rows`: {"feature": text of the feature, "tau": {dataset: number or None}, "coverage": share of
    the networks that have a value, "undefined": {dataset: number of networks without a score, which
    tau leaves out} where there are any}.
    """
    datasets = list(dict.fromkeys(dataset for row in rows for dataset in row["tau"]))
    table = new_table(title)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("feature", overflow="fold")
    for dataset in datasets:
        table.add_column(Text(dataset), justify="right", overflow="fold", min_width=6, max_width=8)
    table.add_column("mean\n|tau|", justify="right", no_wrap=True)
    table.add_column("cover-\nage", justify="right", no_wrap=True)
    means = [_mean_size(row["tau"].values()) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: sort_key(means[i]), reverse=True)
    without = {i: max(rows[i].get("undefined", {}).values(), default=0) for i in order[:top]}
    if any(without.values()):
        table.add_column("unde-\nfined", justify="right", no_wrap=True)
    for rank, i in enumerate(order[:top], 1):
        taus = [correlation_cell(rows[i]["tau"].get(dataset)) for dataset in datasets]
        mean, coverage = correlation_cell(means[i]), correlation_cell(rows[i]["coverage"])
        counts = [str(without[i] or "")] if any(without.values()) else []
        table.add_row(str(rank), Text(rows[i]["feature"]), *taus, mean, coverage, *counts)
    return table


def yardstick_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """Tau of fitted models with 95 % intervals: a section per dataset, the highest first.

    `rows`: {"model": name, "language": name of the grammar, "features": number of features to
    choose from, "split_by": what is never on both sides of the split, "networks": number of those
    tested, "undefined": {dataset: number of those without a score, which tau leaves out} where
    there are any, "tau": {dataset: [tau, low, high]}}.
    """
    table = new_table(title)
    for heading in ("model", "grammar", "split by"):
        table.add_column(heading, overflow="fold")
    for heading in ("fea-\ntures", "networks", "tau [95 %]"):
        table.add_column(heading, justify="right", no_wrap=True)
    for dataset in dict.fromkeys(dataset for row in rows for dataset in row["tau"]):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        intervals = [row["tau"].get(dataset) or (None, None, None) for row in rows]
        order = sorted(range(len(rows)), key=lambda i: sort_key(intervals[i][0]), reverse=True)
        for i in order:
            names = (Text(rows[i][key]) for key in ("model", "language", "split_by"))
            without = rows[i].get("undefined", {}).get(dataset, 0)
            counts = str(rows[i]["features"]), str(rows[i]["networks"] - without)
            table.add_row(*names, *counts, interval_cell(*intervals[i]))
    return table


def agreement_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Spearman's rho of our scores with published ones, and between our own initialisations; the
    highest first.

    `rows`: {"proxy": name, "dataset": name, "published": name of a column, "networks": number,
    "rho": number or None, "between_seeds": number or None}.
    """
    table = new_table("agreement with published scores (Spearman's rho)")
    for heading in ("proxy", "data set", "published column"):
        table.add_column(heading, overflow="fold")
    for heading in ("networks", "rho", "between seeds"):
        table.add_column(heading, justify="right")
    for row in sorted(rows, key=lambda row: sort_key(row["rho"]), reverse=True):
        names = (Text(row[key]) for key in ("proxy", "dataset", "published"))
        between_seeds = row["between_seeds"]
        between = Text("") if between_seeds is None else correlation_cell(between_seeds, 4)
        table.add_row(*names, str(row["networks"]), correlation_cell(row["rho"], 4), between)
    return table


def combine_table(content: Mapping[str, Any]) -> Table:
    """Tau of a weighted sum of two proxies, a row for each weight of the first.

    `content`: {"first": name, "second": name, "weights": [weights], "tau": {dataset: [weights]}}.
    """
    table = new_table(f"tau of w times {content['first']} plus 1 - w times {content['second']}")
    for heading in ("w", *content["tau"]):
        table.add_column(Text(heading), justify="right")
    for i, weight in enumerate(content["weights"]):
        taus = [correlation_cell(curve[i], 4) for curve in content["tau"].values()]
        table.add_row(f"{weight:.3f}", *taus)
    notes = combination_notes(content)
    table.caption = Text("\n".join(notes)) if notes else None
    return table


def combination_notes(content: Mapping[str, Any]) -> list[str]:
    """A line for each data set that has networks without a score: how many there are."""
    return [
        f"{dataset}: without {count} networks on which one of the two has no score"
        for dataset, count in content.get("undefined", {}).items()
    ]


def speed_table(content: Mapping[str, Any]) -> Table:
    """The figures of the study of speed (`eznas.studies.speed`), one in a row."""
    table = new_table(
        f"{content['formulas']} formulas on {content['networks']} networks, {content['device']}"
    )
    table.add_column("what")
    table.add_column("figure", justify="right")
    figures = {f"{name}, formulas x networks / s": rate for name, rate in content["rates"].items()}
    figures |= content["ratios"]
    figures["time of plan_cold over reading its statistics once"] = content["floor_ratio"]
    figures["bandwidth of one thread, GB/s"] = content["bandwidth_gb_s"]
    figures["peak memory of this process, MB"] = content["peak_mb"]
    for key, heading in (
        ("measure_seconds", "probe {}, s per network"),
        ("slopes", "time against {}, log-log slope"),
    ):
        figures |= {heading.format(name): figure for name, figure in content[key].items()}
    for name, figure in figures.items():
        table.add_row(Text(name), str(figure))
    return table


def scoring_table(content: Mapping[str, Any]) -> Table:
    """Seconds to score models beside those of bare passes (`eznas.studies.scoring_time`): a row for
    each proxy and model, the slowest first."""
    table = new_table()
    for heading in ("proxy", "model"):
        table.add_column(heading)
    for heading in ("seconds", "bare passes", "ratio"):
        table.add_column(heading, justify="right")
    for row in sorted(content["scoring_times"], key=lambda row: -row["ratio"]):
        numbers = (f"{row['seconds']:.3f}", f"{row['passes']:.3f}", f"{row['ratio']:.2f}")
        table.add_row(Text(row["proxy"]), Text(row["model"]), *numbers)
    return table


def search_speed_table(content: Mapping[str, Any]) -> Table:
    """Formulas that a search rates in a second (`eznas.studies.search_speed`): a row for each
    way."""
    table = new_table()
    table.add_column("way")
    for heading in ("formulas a second", "formulas", "nodes", "networks", "data sets"):
        table.add_column(heading, justify="right")
    for row in content["search_speed"]:
        counts = (f"{row[key]:,}" for key in ("formulas", "networks", "datasets"))
        formulas, networks, datasets = counts
        nodes = f"{row['nodes']:.1f}"
        table.add_row(row["way"], f"{row['per_second']:,.0f}", formulas, nodes, networks, datasets)
    return table


def _mean_size(values: Iterable[float | None]) -> float | None:
    """The mean absolute value of those that are not None; None if all are."""
    sizes = [abs(value) for value in values if value is not None]
    return sum(sizes) / len(sizes) if sizes else None
