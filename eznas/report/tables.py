"""Tables for a terminal: rows in, rich tables out; nothing here prints."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from eznas.metrics import Difference, verdict

_STYLE = {"won": "bold blue", "lost": "bold red", "even": "dim"}
_STATE = {"ok": "dim", "note": "bold blue", "fault": "bold red"}
_FURTHER = {  # key of a row -> heading, format
    "partial_rho": ("partial\nrho", "+.3f"),
    "within_tau": ("tau among\nequals", "+.3f"),
    "top10_rho": ("top-10 %\nrho", "+.3f"),
    "ndcg": ("nDCG", ".3f"),
    "regret1": ("regret\n@1", ".3f"),
    "seconds": ("seconds", ".3g"),  # per network
    "variation": ("tau sd\n(seeds)", ".3f"),
}


def correlation_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Per data set the proxies' tau and rho with 95 % intervals, the highest tau first.

    `rows` are `eznas.metrics.Row`s. Further numbers (`_FURTHER`) have a column each where any row
    has them, without their intervals; the lines between columns then give way to the numbers.
    """
    further = [key for key in _FURTHER if any(key in row for row in rows)]
    table = Table(title=_plain_title(_title(rows)), title_justify="left")
    if further:  # wide: narrow gaps; names and, below 120 columns, intervals are folded
        table.box, table.show_edge, table.pad_edge = SIMPLE, False, False
        table.collapse_padding = True
    table.add_column("proxy", overflow="fold", max_width=24 if further else 30)
    table.add_column("tau [95 %]", justify="right", no_wrap=not further)
    table.add_column("rho [95 %]", justify="right", no_wrap=not further)
    for key in further:
        table.add_column(_FURTHER[key][0], justify="right", no_wrap=True)
    for dataset in dict.fromkeys(r["dataset"] for r in rows):
        own = [r for r in rows if r["dataset"] == dataset]
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        for row in sorted(own, key=lambda r: _key(r["tau"]), reverse=True):
            tau = _interval(row["tau"], row["tau_low"], row["tau_high"])
            rho = _interval(row["rho"], row["rho_low"], row["rho_high"])
            numbers = [_value(_number(row, k), _FURTHER[k][1]) if k in row else "" for k in further]
            table.add_row(Text(row["proxy"]), tau, rho, *numbers)
    return table


def difference_table(proxy: str, rows: Sequence[Difference]) -> Table:
    """Paired differences of tau with 95 % intervals; ahead only where they exclude zero."""
    title = f"tau of {proxy} minus tau of another, paired"
    table = Table(title=_plain_title(title), title_justify="left")
    table.add_column("against", overflow="fold")
    table.add_column("difference [95 %]", justify="right", no_wrap=True)
    table.add_column("")
    for dataset in dict.fromkeys(r["dataset"] for r in rows):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        for row in (r for r in rows if r["dataset"] == dataset):
            outcome = verdict(row["low"], row["high"])
            interval = _interval(row["tau"], row["low"], row["high"])
            table.add_row(Text(row["against"]), interval, Text(outcome, style=_STYLE[outcome]))
    return table


def score_table(scores: Sequence[Mapping[str, Any]]) -> Table:
    """Models by score, highest first."""
    table = Table()
    for name, justify in (("rank", "right"), ("model", "left"), ("proxy", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for name in ("score", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("reason")
    for rank, row in enumerate(scores, 1):
        value = "" if row["score"] is None else f"{row['score']:.6g}"
        cells = (str(rank), row["model"], row["proxy"], value, f"{row['seconds']:.2f}")
        table.add_row(*map(Text, cells), Text(row["reason"]))
    return table


def proxy_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """Named proxies: name, formula, source and note."""
    table = Table(show_lines=True)
    for column in ("proxy", "formula", "source and note"):
        table.add_column(column, overflow="fold")
    for row in rows:
        source = "; ".join(part for part in (row["source"], row.get("note", "")) if part)
        table.add_row(Text(row["proxy"]), Text(row["formula"]), Text(source))
    return table


def word_table(rows: Sequence[Mapping[str, Any]], title: str, top: int | None = None) -> Table:
    """Words by the mean of |tau| over the data sets where tau is defined, the `top` highest.

    `rows`: {"word": text, "tau": {data set: number or None}, "coverage": share of the networks}.
    """
    datasets = list(dict.fromkeys(dataset for row in rows for dataset in row["tau"]))
    table = Table(title=_plain_title(title), title_justify="left")
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("word", overflow="fold")
    for dataset in datasets:
        table.add_column(Text(dataset), justify="right", overflow="fold", min_width=6, max_width=8)
    table.add_column("mean\n|tau|", justify="right", no_wrap=True)
    table.add_column("cover-\nage", justify="right", no_wrap=True)
    means = [_mean_size(row["tau"].values()) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: _key(means[i]), reverse=True)
    for rank, at in enumerate(order[:top], 1):
        row = rows[at]
        taus = [_value(row["tau"].get(dataset), "+.3f") for dataset in datasets]
        last = _value(means[at], ".3f"), _value(row["coverage"], ".3f")
        table.add_row(str(rank), Text(row["word"]), *taus, *last)
    return table


def yardstick_table(rows: Sequence[Mapping[str, Any]], title: str = "") -> Table:
    """Per data set the fitted models' tau with 95 % intervals, the highest first.

    `rows`: {"model": name, "language": name, "words": number of words to choose from, "parted":
    what is never on both sides, "networks": number of those it is judged on, "tau": {data set:
    [tau, low, high]}}.
    """
    table = Table(title=_plain_title(title) if title else None, title_justify="left")
    for name in ("model", "language", "parted by"):
        table.add_column(name, overflow="fold")
    for name in ("words", "networks", "tau [95 %]"):
        table.add_column(name, justify="right", no_wrap=True)
    for dataset in dict.fromkeys(dataset for row in rows for dataset in row["tau"]):
        table.add_section()
        table.add_row(Text(dataset, style="bold"))
        own = [(row, row["tau"].get(dataset) or (None, None, None)) for row in rows]
        for row, tau in sorted(own, key=lambda item: _key(item[1][0]), reverse=True):
            names = Text(row["model"]), Text(row["language"]), Text(row["parted"])
            counts = str(row["words"]), str(row["networks"])
            table.add_row(*names, *counts, _interval(*tau))
    return table


def agreement_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Spearman's rho of our scores with published ones, and between our own initialisations."""
    title = "agreement with published scores (Spearman's rho)"
    table = Table(title=title, title_justify="left")
    for name in ("proxy", "data set", "published column"):
        table.add_column(name, overflow="fold")
    for name in ("networks", "rho", "between seeds"):
        table.add_column(name, justify="right")
    for row in sorted(rows, key=lambda r: _key(r["rho"]), reverse=True):
        names = (Text(row[k]) for k in ("proxy", "dataset", "published"))
        seeds = row["between_seeds"]
        between = Text("") if seeds is None else _value(seeds, "+.4f")
        table.add_row(*names, str(row["networks"]), _value(row["rho"], "+.4f"), between)
    return table


def blend_table(content: Mapping[str, Any]) -> Table:
    """Tau of a weighted sum of two proxies, a row for each weight of the first."""
    title = f"tau of w times {content['first']} plus 1 - w times {content['second']}"
    table = Table(title=_plain_title(title), title_justify="left")
    for name in ("w", *content["tau"]):
        table.add_column(Text(name), justify="right")
    for at, weight in enumerate(content["weights"]):
        taus = [_value(taus[at], "+.4f") for taus in content["tau"].values()]
        table.add_row(f"{weight:.3f}", *taus)
    return table


def benchmark_table(content: Mapping[str, Any]) -> Table:
    """What `eznas benchmark` found, a row for each figure."""
    title = f"{content['formulas']} formulas on {content['networks']} networks, {content['device']}"
    table = Table(title=_plain_title(title), title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    rows = {f"{name}, formulas x networks / s": rate for name, rate in content["rates"].items()}
    rows |= content["ratios"]
    rows["time of plan_cold over reading its statistics once"] = content["floor_ratio"]
    rows["bandwidth of one thread, GB/s"] = content["bandwidth_gb_s"]
    rows["peak memory of this process, MB"] = content["peak_mb"]
    probes = content["measure_seconds"].items()
    rows |= {f"probe {probe}, s per network": seconds for probe, seconds in probes}
    scoring = content["scoring"].items()
    rows |= {f"scoring with {name} over its bare passes": ratio for name, ratio in scoring}
    slopes = content["slopes"].items()
    rows |= {f"time against {quantity}, log-log slope": slope for quantity, slope in slopes}
    for name, figure in rows.items():
        table.add_row(Text(name), str(figure))
    return table


def data_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Ground truth: a row for each space, `rows` as of `eznas.api.tables`."""
    table = Table(title=_plain_title("ground truth"), title_justify="left")
    for name in ("space", "here", "official file"):
        table.add_column(name, overflow="fold")
    for row in rows:
        source = row["source"]
        official = "none known: a CSV file" if source is None else source["file"]
        table.add_row(Text(row["space"]), Text(_here(row)), Text(official))
    return table


def source_lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each official file: where it is, its licence and checksum, `rows` as of
    `eznas.api.tables`."""
    lines = {}
    for source in (row["source"] for row in rows if row["source"]):
        checksum = source["sha256"] and f"SHA-256 {source['sha256']}"
        told = (source["url"], source["how"], f"licence {source['licence']}", checksum)
        lines[source["file"]] = f"{source['file']}: {'; '.join(part for part in told if part)}"
    return list(lines.values())


def check_table(rows: Sequence[Mapping[str, str]]) -> Table:
    """The checks of a machine, a row for each, `rows` as `eznas.cli.checks.Check` has them."""
    table = Table(title=_plain_title("this machine"), title_justify="left")
    table.add_column("check", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    for row in rows:
        state = Text(row["state"], style=_STATE[row["state"]])
        table.add_row(Text(row["name"]), state, Text(row["found"]))
    return table


def remedy_lines(rows: Sequence[Mapping[str, str]]) -> list[str]:
    """One line for each check that is not ok: how to mend it."""
    return [f"{row['name']}: {row['remedy']}" for row in rows if row["remedy"]]


def imported(summary: Mapping[str, Any]) -> str:
    """One line of what an imported table holds."""
    ranges = (f"{d} {low:.2f} to {high:.2f} %" for d, (low, high) in summary["datasets"].items())
    origin, runs = summary["origin"], summary["runs"]
    return (
        f"{summary['networks']} networks, {f'up to {runs} runs, ' if runs > 1 else ''}"
        f"{summary['kind']} accuracy: {', '.join(ranges)}; "
        f"from {origin['file']}, SHA-256 {origin['sha256'][:12]}"
    )


def _here(row: Mapping[str, Any]) -> str:
    if row["here"] == "imported":
        return imported(row)
    return f"damaged: {row['problem']}" if row["here"] == "damaged" else str(row["here"]) or "-"


def _title(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "no rows"
    seeds = f"initialisation seeds {', '.join(map(str, rows[0]['seeds']))}"
    told = {
        row["dataset"]: f"{row['networks']} networks ({row['set']}), {row['accuracy']} accuracy"
        for row in rows
    }
    if len(set(told.values())) == 1:
        return f"{next(iter(told.values()))}, {seeds}"
    return "\n".join([f"{dataset}: {what}" for dataset, what in told.items()] + [seeds])


def _plain_title(title: str) -> Text:
    return Text(title, style="table.title")  # a text, not markup


def _number(row: Mapping[str, Any], key: str) -> float | None:
    """The number of a column; of the variation over initialisations its deviation."""
    value = row[key]["deviation"] if key == "variation" else row[key]
    return None if value is None else float(value)


def _interval(value: float | None, low: float | None, high: float | None) -> Text:
    if value is None or low is None or high is None:
        return Text("undefined", style="dim")
    return Text(f"{value:+.3f} [{low:+.3f}, {high:+.3f}]")


def _value(value: float | None, form: str) -> Text:
    return Text("undef.", style="dim") if value is None else Text(format(value, form))


def _key(value: float | None) -> float:
    """To sort by: undefined is below all."""
    return -math.inf if value is None else value


def _mean_size(values: Iterable[float | None]) -> float | None:
    sizes = [abs(value) for value in values if value is not None]
    return sum(sizes) / len(sizes) if sizes else None
